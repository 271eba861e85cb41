-- $1 the namespace, $2 the instance, $3 started, $4 version, $5 offset, $6 running, $7 presence,
-- $8 how long an instance that stopped reporting is still listed, in ms, $9 how long to wait for a row.
-- Answers a row with the clock and the revision, then one for each execution that is to be cancelled.
WITH reported AS (
    INSERT INTO {instances} (namespace, instance, started_at_ms, version, clock_offset_ns, running, presence_ms, seen_at_ms)
    SELECT $1, $2, $3, $4, $5, $6, $7, {clock_ms}
    FROM (SELECT set_config('lock_timeout', $9, true)) AS patience
    ON CONFLICT (namespace, instance) DO UPDATE
        SET started_at_ms = excluded.started_at_ms, version = excluded.version,
            clock_offset_ns = excluded.clock_offset_ns, running = excluded.running,
            presence_ms = excluded.presence_ms, seen_at_ms = excluded.seen_at_ms
    RETURNING seen_at_ms
), gone AS (
    SELECT instance FROM {instances}
    WHERE namespace = $1 AND instance <> $2 AND seen_at_ms + presence_ms < {clock_ms} - $8
    FOR UPDATE SKIP LOCKED
), forgotten AS (
    DELETE FROM {instances} AS i USING gone AS g WHERE i.namespace = $1 AND i.instance = g.instance
)
SELECT (SELECT seen_at_ms FROM reported), (SELECT revision FROM {namespaces} WHERE namespace = $1),
    NULL::text, NULL::integer, NULL::bigint
UNION ALL
(
    SELECT NULL, NULL, task, concurrency_index, tick_ms FROM {executions}
    WHERE namespace = $1 AND instance = $2 AND cancel_requested AND state = 'running'
    ORDER BY task, concurrency_index, tick_ms
)
