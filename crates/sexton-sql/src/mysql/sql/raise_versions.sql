-- $1 the namespace, $2 tasks in order, as JSON. A claim that did not see the change finds another version, and looks again.
UPDATE JSON_TABLE(CONVERT($2 USING utf8mb4), '$[*]' COLUMNS ({task_of_list})) AS w
STRAIGHT_JOIN {registers} AS r FORCE INDEX (PRIMARY) ON r.namespace = $1 AND r.task = w.task
SET r.version = r.version + 1
