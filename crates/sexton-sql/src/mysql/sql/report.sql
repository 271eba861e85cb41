-- $1 the namespace, $2 the instance, $3 started, $4 version, $5 offset, $6 running, $7 presence.
INSERT INTO {instances} (namespace, instance, started_at_ms, version, clock_offset_ns, running, presence_ms, seen_at_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, {clock_ms})
ON DUPLICATE KEY UPDATE
    started_at_ms = VALUES(started_at_ms), version = VALUES(version), clock_offset_ns = VALUES(clock_offset_ns),
    running = VALUES(running), presence_ms = VALUES(presence_ms), seen_at_ms = VALUES(seen_at_ms)
