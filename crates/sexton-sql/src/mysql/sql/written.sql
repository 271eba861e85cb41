-- Which registers the writer has written. $1 the namespace, $2 the writer, $3 registers as JSON.
-- Read back by the writer's mark: how many rows an upsert has changed is not to be trusted, which depends on how the client asked.
SELECT r.task, r.concurrency_index
FROM JSON_TABLE(CONVERT($3 USING utf8mb4), '$[*]' COLUMNS ({task_of_list}, {index_of_list})) AS w
STRAIGHT_JOIN {registers} AS r FORCE INDEX (PRIMARY)
    ON r.namespace = $1 AND r.task = w.task AND r.concurrency_index = w.concurrency_index
WHERE r.writer = $2
