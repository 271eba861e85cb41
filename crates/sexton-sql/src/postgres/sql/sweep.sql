-- A page of candidates, with all that decides them: the clock, the candidates and their registers' versions, what waits or
-- holds a lease beside them, their tasks' pauses, and who is present.
-- $1 the namespace, $2 to $4 the last (task, index, tick) of the page before, $5 the page's size,
-- $6 for how long a grant without a lease is not asked for, in ms.
WITH clock AS MATERIALIZED (
    SELECT {clock_ms} AS now_ms
), candidates AS MATERIALIZED (
    SELECT e.* FROM {executions} AS e
    WHERE e.namespace = $1 AND (e.task, e.concurrency_index, e.tick_ms) > ($2::text COLLATE "C", $3::integer, $4::bigint)
        AND {candidate}
    ORDER BY e.task, e.concurrency_index, e.tick_ms LIMIT $5
), pairs AS MATERIALIZED (
    SELECT c.task, c.concurrency_index, bool_or(c.overlap <> 'allow' OR c.lease_until_ms IS NOT NULL) AS is_not_alone
    FROM candidates AS c GROUP BY c.task, c.concurrency_index
)
{clock_part_of_clock}
UNION ALL
SELECT 2, NULL, {record} FROM candidates AS e
UNION ALL
SELECT 1, r.version, r.watermark_ms, r.task, r.concurrency_index, NULL, NULL, NULL, NULL, NULL, NULL, r.fence,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM pairs AS w
CROSS JOIN LATERAL (
    SELECT * FROM {registers} AS f
    WHERE f.namespace = $1 AND f.task = w.task AND f.concurrency_index = w.concurrency_index LIMIT 1
) AS r
UNION ALL
SELECT 5, NULL, {record}
FROM (SELECT task, concurrency_index FROM pairs WHERE is_not_alone) AS w
CROSS JOIN LATERAL (
    SELECT * FROM {executions} AS f
    WHERE f.namespace = $1 AND f.task = w.task AND f.concurrency_index = w.concurrency_index
        AND f.state IN ('waiting', 'running') AND CASE f.state WHEN 'waiting' THEN true ELSE f.lease_until_ms IS NOT NULL END OFFSET 0
) AS e
UNION ALL
SELECT 3, NULL, t.paused_since_ms, t.task, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, t.pause_note, t.paused_by, NULL, NULL, NULL
FROM (SELECT DISTINCT task FROM pairs) AS w
CROSS JOIN LATERAL (
    SELECT * FROM {tasks} AS f
    WHERE f.namespace = $1 AND f.task = w.task AND f.paused_since_ms IS NOT NULL LIMIT 1
) AS t
UNION ALL
SELECT 4, NULL, i.since_ms, NULL, NULL, NULL, NULL, NULL, NULL, i.instance, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM {instances} AS i
WHERE i.namespace = $1 AND i.seen_at_ms + i.presence_ms > (SELECT now_ms FROM clock) AND $6::bigint IS NOT NULL
