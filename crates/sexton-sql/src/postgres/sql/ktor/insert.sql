-- Makes rows that are missing. $1 tasks, $2 indices; $3 how long to wait for a row that somebody holds, in ms.
INSERT INTO {locks} (_name, concurrency_index, locked_at)
SELECT w.task, w.concurrency_index, NULL
FROM (SELECT set_config('lock_timeout', $3, true)) AS patience
CROSS JOIN unnest((SELECT $1::text[]), (SELECT $2::integer[])) WITH ORDINALITY AS w (task, concurrency_index, place)
ORDER BY w.place
ON CONFLICT (_name, concurrency_index) DO NOTHING
