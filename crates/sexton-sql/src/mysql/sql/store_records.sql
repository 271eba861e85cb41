-- Records as the rules made them. Only whoever holds their registers' rows writes them. $1 the namespace, $2 records as JSON.
INSERT INTO {executions} (namespace, tick_ms, task, concurrency_index, concurrency, state, phase, reason, claim_id,
    instance, attempt, fence, delivery, attempts_max, overlap, lease_until_ms, cancel_requested,
    granted_at_ms, started_at_ms, finished_at_ms, origin, deadline_ms, error, output, former_holders)
SELECT $1, w.tick_ms, w.task, w.concurrency_index, w.concurrency, w.state,
    CASE w.state WHEN 'running' THEN IF(w.cancel_requested, 3, 1) WHEN 'waiting' THEN 2 ELSE 0 END,
    w.reason, UNHEX(w.claim_id), w.instance, w.attempt, w.fence, w.delivery, w.attempts_max, w.overlap,
    w.lease_until_ms, w.cancel_requested, w.granted_at_ms, w.started_at_ms, w.finished_at_ms, {others_of_list}
FROM JSON_TABLE(CONVERT($2 USING utf8mb4), '$[*]' COLUMNS ({task_of_list}, {index_of_list}, {tick_of_list},
    concurrency INT PATH '$.concurrency',
    state VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.state',
    reason VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.reason',
    claim_id VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.claim_id',
    instance VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.instance',
    attempt BIGINT PATH '$.attempt',
    fence BIGINT PATH '$.fence',
    delivery VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.delivery',
    attempts_max BIGINT PATH '$.attempts_max',
    overlap VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.overlap',
    lease_until_ms BIGINT PATH '$.lease_until_ms',
    cancel_requested TINYINT PATH '$.cancel_requested',
    granted_at_ms BIGINT PATH '$.granted_at_ms',
    started_at_ms BIGINT PATH '$.started_at_ms',
    finished_at_ms BIGINT PATH '$.finished_at_ms'{other_columns_of_list})) AS w
ON DUPLICATE KEY UPDATE
    concurrency = VALUES(concurrency), state = VALUES(state), phase = VALUES(phase), reason = VALUES(reason),
    claim_id = VALUES(claim_id), instance = VALUES(instance), attempt = VALUES(attempt), fence = VALUES(fence),
    delivery = VALUES(delivery), attempts_max = VALUES(attempts_max), overlap = VALUES(overlap),
    lease_until_ms = VALUES(lease_until_ms), cancel_requested = VALUES(cancel_requested),
    granted_at_ms = VALUES(granted_at_ms), started_at_ms = VALUES(started_at_ms),
    finished_at_ms = VALUES(finished_at_ms), origin = VALUES(origin), deadline_ms = VALUES(deadline_ms),
    error = VALUES(error), output = VALUES(output), former_holders = VALUES(former_holders)
