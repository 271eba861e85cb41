-- $1 the namespace, $2 the tick from which on records are kept, $3 how many.
-- SKIP LOCKED: what somebody else prunes or writes is not waited for.
WITH gone AS (
    SELECT tick_ms, task, concurrency_index FROM {executions}
    WHERE namespace = $1 AND tick_ms < $2 AND state NOT IN ('waiting', 'running')
    ORDER BY tick_ms, task, concurrency_index LIMIT $3 FOR UPDATE SKIP LOCKED
)
DELETE FROM {executions} AS e USING gone AS g
WHERE e.namespace = $1 AND e.tick_ms = g.tick_ms AND e.task = g.task AND e.concurrency_index = g.concurrency_index
