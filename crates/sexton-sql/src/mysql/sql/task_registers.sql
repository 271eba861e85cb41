-- $1 the namespace, $2 tasks as JSON
SELECT r.task, r.concurrency_index, r.watermark_ms, r.fence
FROM JSON_TABLE(CONVERT($2 USING utf8mb4), '$[*]' COLUMNS ({task_of_list})) AS w
STRAIGHT_JOIN {registers} AS r FORCE INDEX (PRIMARY) ON r.namespace = $1 AND r.task = w.task
WHERE r.watermark_ms IS NOT NULL OR r.fence > 0
ORDER BY r.task, r.concurrency_index
