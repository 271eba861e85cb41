-- $1 the namespace, $2 tasks in order. Makes what is missing, locks all in one order, answers what was there.
INSERT INTO {tasks} AS t (namespace, task)
SELECT $1, w.task FROM unnest($2::text[]) WITH ORDINALITY AS w (task, place) ORDER BY w.place
ON CONFLICT (namespace, task) DO UPDATE SET task = excluded.task
RETURNING t.task, t.schedule, t.concurrency, t.definition, t.canonical, t.defined_by, t.known_since_ms,
    t.schedule_since_ms
