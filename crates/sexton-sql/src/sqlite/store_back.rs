//! What the rules changed, back into the tables.

use sexton_core::lock::rules::{LockState, WriteSet};
use sexton_core::name::Namespace;
use sexton_core::tick::Tick;
use sqlx::Executor;
use sqlx::sqlite::SqliteConnection;

use super::error::Trouble;
use super::load::json;
use super::record_json::RecordColumns;
use crate::record_row::{fence_column, is_plain};

/// One statement for each table, both in one message to the connection's thread.
///
/// $1 the namespace, $2 \[\[task, index, watermark, fence]], $3 \[[`RecordColumns`]].
/// `WHERE true` tells SQLite's parser that `ON CONFLICT` is no join constraint:
/// <https://www.sqlite.org/lang_upsert.html#parsing_ambiguity>.
macro_rules! store_back_sql {
    ($others:literal) => {
        concat!(
            "INSERT INTO sexton_registers (namespace, task, concurrency_index, watermark_ms, fence) \
             SELECT $1, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($2) WHERE true \
             ON CONFLICT DO UPDATE SET watermark_ms = excluded.watermark_ms, fence = excluded.fence;\
             INSERT INTO sexton_executions (namespace, tick_ms, task, concurrency_index, concurrency, \
                 state, reason, claim_id, instance, attempt, fence, delivery, attempts_max, overlap, \
                 lease_until_ms, cancel_requested, granted_at_ms, started_at_ms, finished_at_ms, \
                 error, output, origin, deadline_ms, former_holders) \
             SELECT $1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, \
                 unhex(value ->> 6), value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, \
                 value ->> 12, value ->> 13, value ->> 14, value ->> 15, value ->> 16, value ->> 17, ",
            $others,
            " FROM json_each($3) WHERE true \
             ON CONFLICT DO UPDATE SET concurrency = excluded.concurrency, state = excluded.state, \
                 reason = excluded.reason, claim_id = excluded.claim_id, instance = excluded.instance, \
                 attempt = excluded.attempt, fence = excluded.fence, delivery = excluded.delivery, \
                 attempts_max = excluded.attempts_max, overlap = excluded.overlap, \
                 lease_until_ms = excluded.lease_until_ms, \
                 cancel_requested = excluded.cancel_requested, \
                 granted_at_ms = excluded.granted_at_ms, started_at_ms = excluded.started_at_ms, \
                 finished_at_ms = excluded.finished_at_ms, error = excluded.error, \
                 output = excluded.output, origin = excluded.origin, \
                 deadline_ms = excluded.deadline_ms, former_holders = excluded.former_holders"
        )
    };
}

const STORE_BACK: &str =
    store_back_sql!("value ->> 18, value ->> 19, value ->> 20, value ->> 21, value ->> 22");

/// The same for records that are plain, of which only the first columns are given.
const STORE_BACK_PLAIN: &str = store_back_sql!("NULL, NULL, 'scheduled', NULL, NULL");

/// Writes back registers and records that changed, in the connection's transaction.
pub(super) async fn store_back(
    connection: &mut SqliteConnection,
    namespace: &Namespace,
    state: &LockState,
    writes: &WriteSet,
) -> Result<(), Trouble> {
    let registers: Vec<_> = writes
        .registers
        .iter()
        .filter_map(|key| {
            let register = state.register(key)?;
            let fence = fence_column(register.fence);
            Some((
                key.task.as_str(),
                key.index.get(),
                register.watermark.map(Tick::as_millis),
                fence,
            ))
        })
        .collect();
    let records: Vec<_> = writes
        .records
        .iter()
        .filter_map(|execution| state.record(execution))
        .collect();
    let of_plain = records.iter().all(|record| is_plain(record));
    let sql = match of_plain {
        true => STORE_BACK_PLAIN,
        false => STORE_BACK,
    };
    let columns = |record| RecordColumns { record, of_plain };
    let records: Vec<_> = records.into_iter().map(columns).collect();
    let query = sqlx::query(sql)
        .bind(namespace.as_str().to_owned())
        .bind(json(&registers))
        .bind(json(&records));
    connection.execute(query).await?;
    Ok(())
}
