-- $1 the namespace, $2 the last of the page before, $3 the page's size
SELECT t.task FROM {tasks} AS t
WHERE t.namespace = $1 AND t.task > $2 AND (t.definition IS NOT NULL OR t.paused_since_ms IS NOT NULL)
UNION SELECT r.task FROM {registers} AS r WHERE r.namespace = $1 AND r.task > $2 AND (r.watermark_ms IS NOT NULL OR r.fence > 0)
ORDER BY task LIMIT $3
