-- $1 the namespace, $2 tasks as JSON
SELECT t.task, t.schedule, t.concurrency, t.definition, t.defined_by, t.pause_note, t.paused_by, t.paused_since_ms,
    t.known_since_ms, t.canonical, t.schedule_since_ms
FROM JSON_TABLE(CONVERT($2 USING utf8mb4), '$[*]' COLUMNS ({task_of_list})) AS w
STRAIGHT_JOIN {tasks} AS t FORCE INDEX (PRIMARY) ON t.namespace = $1 AND t.task = w.task
