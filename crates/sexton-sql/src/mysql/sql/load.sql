-- What a batch touches, as one snapshot has it: the clock, then registers, records and pauses.
-- $1 the namespace; lists, as JSON: $2 registers, $3 records, $4 (task, index) whose open records count, $5 (task, tick) of
-- which all records count, $6 tasks whose pause counts, $7 whether what waits of those registers counts (1, or 0).
-- Nearly always nothing waits: that is asked once for all before it is asked for each.
-- STRAIGHT_JOIN and FORCE INDEX keep the optimizer to one look-up by key for each row asked for, whatever it knows of the tables.
{clock_part}
UNION ALL
SELECT 1, r.version, r.watermark_ms, r.task, r.concurrency_index, NULL, NULL, NULL, NULL, NULL, NULL, r.fence,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM JSON_TABLE(CONVERT($2 USING utf8mb4), '$[*]' COLUMNS ({task_of_list}, {index_of_list})) AS w
STRAIGHT_JOIN {registers} AS r FORCE INDEX (PRIMARY)
    ON r.namespace = $1 AND r.task = w.task AND r.concurrency_index = w.concurrency_index
UNION ALL
SELECT 2, NULL, {record}
FROM JSON_TABLE(CONVERT($3 USING utf8mb4), '$[*]' COLUMNS ({task_of_list}, {index_of_list}, {tick_of_list})) AS w
STRAIGHT_JOIN {executions} AS e FORCE INDEX (PRIMARY)
    ON e.namespace = $1 AND e.tick_ms = w.tick_ms AND e.task = w.task AND e.concurrency_index = w.concurrency_index
UNION ALL
SELECT 2, NULL, {record}
FROM JSON_TABLE(CONVERT($4 USING utf8mb4), '$[*]' COLUMNS ({task_of_list}, {index_of_list})) AS w
STRAIGHT_JOIN (SELECT 1 AS phase UNION ALL SELECT 2 UNION ALL SELECT 3) AS p
STRAIGHT_JOIN {executions} AS e FORCE INDEX ({executions_open})
    ON e.namespace = $1 AND e.phase = p.phase AND e.task = w.task AND e.concurrency_index = w.concurrency_index
WHERE e.state = 'waiting' OR e.lease_until_ms IS NOT NULL
UNION ALL
SELECT 2, NULL, {record}
FROM (
    SELECT DISTINCT w.task, w.concurrency_index
    FROM JSON_TABLE(CONVERT($2 USING utf8mb4), '$[*]' COLUMNS ({task_of_list}, {index_of_list})) AS w
    STRAIGHT_JOIN {executions} AS q FORCE INDEX ({executions_open})
        ON q.namespace = $1 AND q.phase = 2 AND q.task = w.task AND q.concurrency_index = w.concurrency_index
    WHERE $7 AND (SELECT 1 FROM {executions} AS a FORCE INDEX ({executions_open}) WHERE a.namespace = $1 AND a.phase = 2 LIMIT 1)
) AS v
STRAIGHT_JOIN (SELECT 1 AS phase UNION ALL SELECT 2 UNION ALL SELECT 3) AS p
STRAIGHT_JOIN {executions} AS e FORCE INDEX ({executions_open})
    ON e.namespace = $1 AND e.phase = p.phase AND e.task = v.task AND e.concurrency_index = v.concurrency_index
WHERE e.state = 'waiting' OR e.lease_until_ms IS NOT NULL
UNION ALL
SELECT 2, NULL, {record}
FROM JSON_TABLE(CONVERT($5 USING utf8mb4), '$[*]' COLUMNS ({task_of_list}, {tick_of_list})) AS w
STRAIGHT_JOIN {executions} AS e FORCE INDEX (PRIMARY)
    ON e.namespace = $1 AND e.tick_ms = w.tick_ms AND e.task = w.task
UNION ALL
SELECT 3, NULL, t.paused_since_ms, t.task, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, t.pause_note, t.paused_by, NULL, NULL, NULL
FROM JSON_TABLE(CONVERT($6 USING utf8mb4), '$[*]' COLUMNS ({task_of_list})) AS w
STRAIGHT_JOIN {tasks} AS t FORCE INDEX (PRIMARY) ON t.namespace = $1 AND t.task = w.task
WHERE t.paused_since_ms IS NOT NULL
