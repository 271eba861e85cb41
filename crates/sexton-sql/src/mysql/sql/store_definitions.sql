-- $1 the namespace, $2 the instance, $3 definitions as JSON
UPDATE JSON_TABLE(CONVERT($3 USING utf8mb4), '$[*]' COLUMNS ({task_of_list},
    new_schedule LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.schedule',
    new_concurrency INT PATH '$.concurrency',
    new_known_since_ms BIGINT PATH '$.known_since_ms',
    new_schedule_since_ms BIGINT PATH '$.schedule_since_ms',
    new_canonical LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.canonical',
    new_definition LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.definition')) AS w
STRAIGHT_JOIN {tasks} AS t FORCE INDEX (PRIMARY) ON t.namespace = $1 AND t.task = w.task
SET t.schedule = w.new_schedule, t.concurrency = w.new_concurrency, t.definition = w.new_definition, t.defined_by = $2,
    t.known_since_ms = w.new_known_since_ms, t.canonical = w.new_canonical, t.schedule_since_ms = w.new_schedule_since_ms
