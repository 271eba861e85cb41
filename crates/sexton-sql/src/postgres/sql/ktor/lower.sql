-- Opens ticks again: lowers the rows in which they still stand, and answers which those were.
-- $1 tasks, $2 indices, $3 ticks in ms; $4 how long to wait for a row that somebody holds, in ms; $5 by how many ms to lower.
WITH held AS (
    SELECT w.place, l._name, l.concurrency_index, {instant} AS instant
    FROM (SELECT set_config('lock_timeout', $4, true)) AS patience
    CROSS JOIN unnest((SELECT $1::text[]), (SELECT $2::integer[]), (SELECT $3::bigint[])) WITH ORDINALITY
        AS w (task, concurrency_index, tick_ms, place)
    JOIN {locks} AS l ON l._name = w.task AND l.concurrency_index = w.concurrency_index AND l.locked_at = {instant}
    ORDER BY w.place
    FOR UPDATE OF l
), lowered AS (
    UPDATE {locks} AS l SET locked_at = h.instant - $5 * INTERVAL '1 millisecond'
    FROM held AS h
    WHERE l._name = h._name AND l.concurrency_index = h.concurrency_index
)
SELECT place FROM held
