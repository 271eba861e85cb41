-- A page of candidates, with all that decides them: the clock, the candidates and their registers' versions, what waits or
-- holds a lease beside them, their tasks' pauses, and who is present.
-- $1 the namespace, $2 to $4 the last (task, index, tick) of the page before, $5 the page's size,
-- $6 for how long a grant without a lease is not asked for, in ms.
WITH candidates AS (
    SELECT e.* FROM {executions} AS e
    WHERE e.namespace = $1 AND e.task >= $2 AND (e.task, e.concurrency_index, e.tick_ms) > ($2, $3, $4)
        AND {candidate}
    ORDER BY e.task, e.concurrency_index, e.tick_ms LIMIT $5
), pairs AS (
    SELECT DISTINCT c.task, c.concurrency_index FROM candidates AS c
)
{clock_part}
UNION ALL
SELECT 2, NULL, {record} FROM candidates AS e
UNION ALL
SELECT 1, r.version, r.watermark_ms, r.task, r.concurrency_index, NULL, NULL, NULL, NULL, NULL, NULL, r.fence,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM pairs AS w
STRAIGHT_JOIN {registers} AS r FORCE INDEX (PRIMARY)
    ON r.namespace = $1 AND r.task = w.task AND r.concurrency_index = w.concurrency_index
UNION ALL
SELECT 5, NULL, {record}
FROM (
    SELECT DISTINCT c.task, c.concurrency_index FROM candidates AS c
    WHERE c.overlap <> 'allow' OR c.lease_until_ms IS NOT NULL
) AS w
STRAIGHT_JOIN (SELECT 1 AS phase UNION ALL SELECT 2 UNION ALL SELECT 3) AS p
STRAIGHT_JOIN {executions} AS e FORCE INDEX ({executions_open})
    ON e.namespace = $1 AND e.phase = p.phase AND e.task = w.task AND e.concurrency_index = w.concurrency_index
WHERE e.state = 'waiting' OR e.lease_until_ms IS NOT NULL
UNION ALL
SELECT 3, NULL, t.paused_since_ms, t.task, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, t.pause_note, t.paused_by, NULL, NULL, NULL
FROM (SELECT DISTINCT c.task FROM candidates AS c) AS w
STRAIGHT_JOIN {tasks} AS t FORCE INDEX (PRIMARY) ON t.namespace = $1 AND t.task = w.task
WHERE t.paused_since_ms IS NOT NULL
UNION ALL
SELECT 4, NULL, i.since_ms, NULL, NULL, NULL, NULL, NULL, NULL, i.instance, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM {instances} AS i
WHERE i.namespace = $1 AND i.seen_at_ms + i.presence_ms > {clock_ms}
