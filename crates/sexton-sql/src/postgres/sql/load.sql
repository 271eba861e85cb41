-- What a batch touches, as one snapshot has it: the clock, then registers, records and pauses.
-- $1 the namespace; registers: $2 tasks, $3 indices; records: $4 tasks, $5 indices, $6 ticks;
-- open records: $7 tasks, $8 indices; records of all indices: $9 tasks, $10 ticks; $11 the tasks whose pause counts;
-- $12 whether what waits of those registers counts. Nearly always nothing waits: that is asked once for all before it is asked for
-- each, and in the order of the index of what waits, which keeps the planner from reading anything else for it.
-- LATERAL and LIMIT or OFFSET keep the planner to one look-up by key for each row asked for, whatever it knows of the tables.
-- CASE and not OR: the planner would look through all that is leased for each of them.
-- (SELECT $2) and not $2: what an array holds is kept from the planner, or it would plan anew for each call, for longer than the call takes.
{clock_part}
UNION ALL
SELECT 1, r.version, r.watermark_ms, r.task, r.concurrency_index, NULL, NULL, NULL, NULL, NULL, NULL, r.fence,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM unnest((SELECT $2::text[]), (SELECT $3::integer[])) AS w (task, concurrency_index)
CROSS JOIN LATERAL (
    SELECT * FROM {registers} AS f
    WHERE f.namespace = $1 AND f.task = w.task AND f.concurrency_index = w.concurrency_index LIMIT 1
) AS r
UNION ALL
SELECT 2, NULL, {record}
FROM unnest((SELECT $4::text[]), (SELECT $5::integer[]), (SELECT $6::bigint[])) AS w (task, concurrency_index, tick_ms)
CROSS JOIN LATERAL (
    SELECT * FROM {executions} AS f
    WHERE f.namespace = $1 AND f.tick_ms = w.tick_ms AND f.task = w.task
        AND f.concurrency_index = w.concurrency_index LIMIT 1
) AS e
UNION ALL
SELECT 2, NULL, {record}
FROM unnest((SELECT $7::text[]), (SELECT $8::integer[])) AS w (task, concurrency_index)
CROSS JOIN LATERAL (
    SELECT * FROM {executions} AS f
    WHERE f.namespace = $1 AND f.task = w.task AND f.concurrency_index = w.concurrency_index
        AND f.state IN ('waiting', 'running') AND CASE f.state WHEN 'waiting' THEN true ELSE f.lease_until_ms IS NOT NULL END OFFSET 0
) AS e
UNION ALL
SELECT 2, NULL, {record}
FROM unnest((SELECT $2::text[]), (SELECT $3::integer[])) AS w (task, concurrency_index)
CROSS JOIN LATERAL (
    SELECT FROM {executions} AS f
    WHERE f.namespace = $1 AND f.task = w.task AND f.concurrency_index = w.concurrency_index AND f.state = 'waiting' LIMIT 1
) AS q
CROSS JOIN LATERAL (
    SELECT * FROM {executions} AS f
    WHERE f.namespace = $1 AND f.task = w.task AND f.concurrency_index = w.concurrency_index
        AND f.state IN ('waiting', 'running') AND CASE f.state WHEN 'waiting' THEN true ELSE f.lease_until_ms IS NOT NULL END OFFSET 0
) AS e
WHERE (SELECT $12::boolean) AND (
    SELECT true FROM {executions} AS a WHERE a.namespace = $1 AND a.state = 'waiting'
    ORDER BY a.task, a.concurrency_index, a.tick_ms LIMIT 1
)
UNION ALL
SELECT 2, NULL, {record}
FROM unnest((SELECT $9::text[]), (SELECT $10::bigint[])) AS w (task, tick_ms)
CROSS JOIN LATERAL (
    SELECT * FROM {executions} AS f WHERE f.namespace = $1 AND f.tick_ms = w.tick_ms AND f.task = w.task OFFSET 0
) AS e
UNION ALL
SELECT 3, NULL, t.paused_since_ms, t.task, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, t.pause_note, t.paused_by, NULL, NULL, NULL
FROM unnest((SELECT $11::text[])) AS w (task)
CROSS JOIN LATERAL (
    SELECT * FROM {tasks} AS f
    WHERE f.namespace = $1 AND f.task = w.task AND f.paused_since_ms IS NOT NULL LIMIT 1
) AS t
