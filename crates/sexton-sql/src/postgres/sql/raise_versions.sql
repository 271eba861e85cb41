-- $1 the namespace, $2 tasks. A claim that did not see the change finds another version, and looks again.
UPDATE {registers} AS r SET version = r.version + 1
FROM (
    SELECT f.task, f.concurrency_index FROM {registers} AS f
    WHERE f.namespace = $1 AND f.task = ANY ($2::text[])
    ORDER BY f.task, f.concurrency_index FOR UPDATE
) AS w
WHERE r.namespace = $1 AND r.task = w.task AND r.concurrency_index = w.concurrency_index
