-- $1 the namespace, $2 tasks in order, as JSON. Makes what is missing, and locks all in one order.
INSERT INTO {tasks} (namespace, task)
SELECT $1, w.task
FROM JSON_TABLE(CONVERT($2 USING utf8mb4), '$[*]' COLUMNS ({task_of_list}, place FOR ORDINALITY)) AS w
ORDER BY w.place
ON DUPLICATE KEY UPDATE task = VALUES(task)
