-- $1 the namespace, $2 the instance, $3 started, $4 version, $5 offset, $6 running, $7 presence, $8 the incarnation.
-- Nothing changes while another incarnation has the id, by the rules of `stored::report`. Assignments are made one after the
-- other, each seeing those before it: `since_ms` asks first, and the incarnation tells those after it.
INSERT INTO {instances} (namespace, instance, started_at_ms, version, clock_offset_ns, running, presence_ms, seen_at_ms,
    incarnation, since_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, {clock_ms}, $8, {clock_ms})
ON DUPLICATE KEY UPDATE
    since_ms = CASE
        WHEN incarnation = VALUES(incarnation) AND VALUES(seen_at_ms) < seen_at_ms
            THEN LEAST(since_ms, VALUES(seen_at_ms) - LEAST(VALUES(presence_ms), 86400000))
        WHEN incarnation = VALUES(incarnation) THEN since_ms
        WHEN 2 * ABS(VALUES(seen_at_ms) - seen_at_ms) >= presence_ms THEN VALUES(since_ms)
        ELSE since_ms END,
    incarnation = IF(2 * ABS(VALUES(seen_at_ms) - seen_at_ms) >= presence_ms, VALUES(incarnation), incarnation),
    started_at_ms = IF(incarnation = VALUES(incarnation), VALUES(started_at_ms), started_at_ms),
    version = IF(incarnation = VALUES(incarnation), VALUES(version), version),
    clock_offset_ns = IF(incarnation = VALUES(incarnation), VALUES(clock_offset_ns), clock_offset_ns),
    running = IF(incarnation = VALUES(incarnation), VALUES(running), running),
    presence_ms = IF(incarnation = VALUES(incarnation), VALUES(presence_ms), presence_ms),
    seen_at_ms = IF(incarnation = VALUES(incarnation), VALUES(seen_at_ms), seen_at_ms)
