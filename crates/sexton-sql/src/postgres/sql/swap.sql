-- What the rules changed, written where nobody has changed anything since it was read; answers where that was.
-- $1 the namespace; registers in order: $2 tasks, $3 indices, $4 versions as read (0: none), $5 watermarks, $6 fences;
-- $7 how long to wait for a row that somebody holds, and for a client to take the answer, in ms; $8 to $30 the records' columns, or only to $25
-- where there is nothing in the others.
-- One upsert, and so one order of locks, for rows that are there and rows that are not: no two batches deadlock.
-- (SELECT $2) and not $2: see load.sql. A record is written only by whoever holds its register's row.
WITH kept AS (
    INSERT INTO {registers} AS r (namespace, task, concurrency_index, version, watermark_ms, fence)
    SELECT $1, w.task, w.concurrency_index, w.version + 1, w.watermark_ms, w.fence
    FROM (SELECT set_config('lock_timeout', $7, true), set_config('tcp_user_timeout', $7, true)) AS patience
    CROSS JOIN unnest((SELECT $2::text[]), (SELECT $3::integer[]), (SELECT $4::bigint[]), (SELECT $5::bigint[]), (SELECT $6::bigint[])) WITH ORDINALITY
        AS w (task, concurrency_index, version, watermark_ms, fence, place)
    ORDER BY w.place
    ON CONFLICT (namespace, task, concurrency_index) DO UPDATE
        SET version = excluded.version, watermark_ms = excluded.watermark_ms, fence = excluded.fence
        WHERE r.version = excluded.version - 1
    RETURNING r.task, r.concurrency_index
), written AS (
    INSERT INTO {executions} (namespace, tick_ms, task, concurrency_index, concurrency, state, reason, claim_id,
        instance, attempt, fence, delivery, attempts_max, overlap, lease_until_ms, cancel_requested,
        granted_at_ms, started_at_ms, finished_at_ms, error, output, origin, deadline_ms, former_holders)
    SELECT $1, w.*{columns_of_plain} FROM unnest((SELECT $8::bigint[]), (SELECT $9::text[]), (SELECT $10::integer[]), (SELECT $11::integer[]), (SELECT $12::text[]), (SELECT $13::text[]),
        (SELECT $14::uuid[]), (SELECT $15::text[]), (SELECT $16::bigint[]), (SELECT $17::bigint[]), (SELECT $18::text[]), (SELECT $19::bigint[]), (SELECT $20::text[]),
        (SELECT $21::bigint[]), (SELECT $22::boolean[]), (SELECT $23::bigint[]), (SELECT $24::bigint[]), (SELECT $25::bigint[]){lists_of_others})
        AS w (tick_ms, task, concurrency_index)
    WHERE (w.task, w.concurrency_index) IN (SELECT k.task, k.concurrency_index FROM kept AS k)
    ON CONFLICT (namespace, tick_ms, task, concurrency_index) DO UPDATE
        SET concurrency = excluded.concurrency, state = excluded.state, reason = excluded.reason,
            claim_id = excluded.claim_id, instance = excluded.instance, attempt = excluded.attempt,
            fence = excluded.fence, delivery = excluded.delivery, attempts_max = excluded.attempts_max,
            overlap = excluded.overlap, lease_until_ms = excluded.lease_until_ms,
            cancel_requested = excluded.cancel_requested, granted_at_ms = excluded.granted_at_ms,
            started_at_ms = excluded.started_at_ms, finished_at_ms = excluded.finished_at_ms,
            error = excluded.error, output = excluded.output, origin = excluded.origin,
            deadline_ms = excluded.deadline_ms, former_holders = excluded.former_holders
)
SELECT task, concurrency_index FROM kept
