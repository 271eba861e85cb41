-- $1 the namespace, $2 the instance, $3 started, $4 version, $5 offset, $6 running, $7 presence,
-- $8 how long an instance that stopped reporting is still listed, in ms, $9 how long to wait for a row.
-- $10 the incarnation. Answers a row with the clock and, unless another incarnation has the id, when the instance
-- was seen; then one for each execution that is to be cancelled. The rules are those of `stored::report`.
WITH reported AS (
    INSERT INTO {instances} AS i (namespace, instance, started_at_ms, version, clock_offset_ns, running, presence_ms,
        seen_at_ms, incarnation, since_ms)
    SELECT $1, $2, $3, $4, $5, $6, $7, now_ms, $10, now_ms
    FROM (SELECT set_config('lock_timeout', $9, true), {clock_ms} AS now_ms) AS patience
    ON CONFLICT (namespace, instance) DO UPDATE
        SET started_at_ms = excluded.started_at_ms, version = excluded.version,
            clock_offset_ns = excluded.clock_offset_ns, running = excluded.running,
            presence_ms = excluded.presence_ms, seen_at_ms = excluded.seen_at_ms,
            incarnation = excluded.incarnation,
            since_ms = CASE
                WHEN i.incarnation <> excluded.incarnation THEN excluded.since_ms
                WHEN excluded.seen_at_ms < i.seen_at_ms THEN least(i.since_ms, excluded.seen_at_ms - least(excluded.presence_ms, 86400000))
                ELSE i.since_ms END
        WHERE i.incarnation = excluded.incarnation OR 2 * abs(excluded.seen_at_ms - i.seen_at_ms) >= i.presence_ms
    RETURNING seen_at_ms
), gone AS (
    SELECT instance FROM {instances}
    WHERE namespace = $1 AND instance <> $2 AND seen_at_ms + presence_ms < {clock_ms} - $8
    FOR UPDATE SKIP LOCKED
), forgotten AS (
    DELETE FROM {instances} AS i USING gone AS g WHERE i.namespace = $1 AND i.instance = g.instance
)
SELECT coalesce((SELECT seen_at_ms FROM reported), {clock_ms}), NULL::text, NULL::integer, (SELECT seen_at_ms FROM reported)
UNION ALL
(
    SELECT NULL, task, concurrency_index, tick_ms FROM {executions}
    WHERE namespace = $1 AND instance = $2 AND cancel_requested AND state = 'running'
    ORDER BY task, concurrency_index, tick_ms
)
