-- Takes ticks: locks the rows in order, and raises those in which an older tick stands, or none. Answers the rows that were there, and
-- what stood in them before. $1 tasks, $2 indices, $3 ticks in ms; $4 how long to wait for a row that somebody holds, in ms.
-- (SELECT $1) and not $1: see load.sql.
WITH held AS (
    SELECT w.place, l._name, l.concurrency_index, {instant} AS instant, l.locked_at
    FROM (SELECT set_config('lock_timeout', $4, true)) AS patience
    CROSS JOIN unnest((SELECT $1::text[]), (SELECT $2::integer[]), (SELECT $3::bigint[])) WITH ORDINALITY
        AS w (task, concurrency_index, tick_ms, place)
    JOIN {locks} AS l ON l._name = w.task AND l.concurrency_index = w.concurrency_index
    ORDER BY w.place
    FOR UPDATE OF l
), raised AS (
    UPDATE {locks} AS l SET locked_at = h.instant
    FROM held AS h
    WHERE l._name = h._name AND l.concurrency_index = h.concurrency_index
        AND (h.locked_at IS NULL OR h.locked_at < h.instant)
)
SELECT place, _name::text, floor(extract(epoch FROM locked_at) * 1000000)::bigint FROM held
