-- $1 the namespace, $2 how many each task keeps, $3 how many. SKIP LOCKED: see prune_old.sql.
WITH crowded AS (
    SELECT task FROM {executions} WHERE namespace = $1 GROUP BY task HAVING count(*) > $2
), placed AS (
    SELECT tick_ms, task, concurrency_index,
        row_number() OVER (PARTITION BY task ORDER BY tick_ms DESC, concurrency_index) AS place
    FROM {executions}
    WHERE namespace = $1 AND state NOT IN ('waiting', 'running') AND task IN (SELECT c.task FROM crowded AS c)
), surplus AS MATERIALIZED (
    SELECT tick_ms, task, concurrency_index FROM placed WHERE place > $2 LIMIT $3
), gone AS (
    SELECT e.tick_ms, e.task, e.concurrency_index
    FROM {executions} AS e JOIN surplus USING (tick_ms, task, concurrency_index)
    WHERE e.namespace = $1 AND e.state NOT IN ('waiting', 'running') FOR UPDATE OF e SKIP LOCKED
)
DELETE FROM {executions} AS e USING gone AS g
WHERE e.namespace = $1 AND e.tick_ms = g.tick_ms AND e.task = g.task AND e.concurrency_index = g.concurrency_index
