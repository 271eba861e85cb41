-- $1 the namespace, $2 tasks as JSON, $3 the note, $4 by whom, $5 since; three nulls to resume
UPDATE JSON_TABLE(CONVERT($2 USING utf8mb4), '$[*]' COLUMNS ({task_of_list})) AS w
STRAIGHT_JOIN {tasks} AS t FORCE INDEX (PRIMARY) ON t.namespace = $1 AND t.task = w.task
SET t.pause_note = $3, t.paused_by = $4, t.paused_since_ms = $5
