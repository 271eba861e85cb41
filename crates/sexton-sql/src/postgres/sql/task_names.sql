-- $1 the namespace, $2 the last of the page before, $3 the page's size
SELECT task FROM {tasks}
WHERE namespace = $1 AND task > $2 AND (definition IS NOT NULL OR paused_since_ms IS NOT NULL)
UNION SELECT task FROM {registers} WHERE namespace = $1 AND task > $2 AND (watermark_ms IS NOT NULL OR fence > 0)
ORDER BY task LIMIT $3
