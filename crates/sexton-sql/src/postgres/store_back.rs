//! What the rules changed, back into the tables, in one statement.

use std::collections::BTreeSet;

use sexton_core::lock::rules::Changes;
use sexton_core::lock::{ExecutionRecord, Reason};
use sexton_core::name::{ClaimId, InstanceId};
use sexton_core::tick::{Attempt, Tick};
use sqlx::Row;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::PostgresLockManager;
use super::dialect::patience_ms;
use super::load::text;
use crate::record_row::{
    concurrency_index, fence_column, former_holders_column, is_plain, millis, task_name,
};
use crate::server::dialect::Kept;
use crate::server::error::Trouble;
use crate::server::loaded::{Loaded, Pair};
use sexton_core::lock::stored::{delivery_word, overlap_word};

pub(super) async fn store_back(
    manager: &PostgresLockManager,
    connection: &mut PgConnection,
    loaded: &Loaded,
    pairs: &BTreeSet<Pair>,
    changes: &Changes,
) -> Result<Kept, Trouble> {
    let registers = || {
        pairs
            .iter()
            .map(|pair| (pair, loaded.state.register(&pair.0, pair.1)))
    };
    let watermark = |(_, register): (_, Option<sexton_core::lock::Register>)| {
        register.and_then(|register| register.watermark.map(Tick::as_millis))
    };
    let fence = |(_, register): (_, Option<sexton_core::lock::Register>)| {
        register.map_or(0, |register| fence_column(register.fence))
    };
    let records: Vec<&ExecutionRecord> = changes
        .records
        .iter()
        .filter_map(|execution| loaded.state.record(execution))
        .collect();
    let sql = manager.sql();
    let is_plain = records.iter().all(|record| is_plain(record));
    let statement = if is_plain {
        &sql.store_back_plain
    } else {
        &sql.store_back
    };
    let query = statement
        .query()
        .bind(manager.namespace_word())
        .bind(column(pairs, |(task, _)| task.as_str()))
        .bind(column(pairs, |(_, index)| i32::from(index.get())))
        .bind(column(pairs, |pair| loaded.version(pair)))
        .bind(registers().map(watermark).collect::<Vec<_>>())
        .bind(registers().map(fence).collect::<Vec<_>>())
        .bind(patience_ms(manager));
    let query = query
        .bind(column(&records, |one| one.execution.tick.as_millis()))
        .bind(column(&records, |one| one.execution.task.as_str()))
        .bind(column(&records, |one| i32::from(one.execution.index.get())))
        .bind(column(&records, |one| i32::from(one.concurrency.get())))
        .bind(column(&records, |one| one.state.as_str()))
        .bind(column(&records, |one| one.reason.map(Reason::as_str)))
        .bind(column(&records, |one| one.claim_id.map(uuid)))
        .bind(column(&records, |one| {
            one.instance.as_ref().map(InstanceId::as_str)
        }))
        .bind(column(&records, |one| {
            one.attempt.map(Attempt::get).map(i64::from)
        }))
        .bind(column(&records, |one| fence_column(one.fence)))
        .bind(column(&records, |one| delivery_word(one.delivery)))
        .bind(column(&records, |one| {
            i64::from(one.delivery.attempts_max())
        }))
        .bind(column(&records, |one| overlap_word(one.overlap)))
        .bind(column(&records, |one| one.lease_until.map(millis)))
        .bind(column(&records, |one| one.cancel_requested))
        .bind(column(&records, |one| millis(one.granted_at)))
        .bind(column(&records, |one| one.started_at.map(millis)))
        .bind(column(&records, |one| one.finished_at.map(millis)));
    let query = if is_plain {
        query
    } else {
        query
            .bind(column(&records, |one| one.error.as_deref().map(text)))
            .bind(column(&records, |one| one.output.as_deref().map(text)))
            .bind(column(&records, |one| one.origin.as_str()))
            .bind(column(&records, |one| one.deadline.map(millis)))
            .bind(column(&records, |one| former_holders_column(one)))
    };
    let rows = query.fetch_all(connection).await?;
    let pair = |row: &sqlx::postgres::PgRow| -> Result<Pair, Trouble> {
        let index: i32 = row.try_get_unchecked(1)?;
        let task = task_name(row.try_get_unchecked(0)?)?;
        Ok((task, concurrency_index(index.into())?))
    };
    rows.iter().map(pair).collect()
}

fn column<'r, R, T>(rows: impl IntoIterator<Item = &'r R>, of: impl Fn(&'r R) -> T) -> Vec<T>
where
    R: 'r + ?Sized,
{
    rows.into_iter().map(of).collect()
}

fn uuid(id: ClaimId) -> Uuid {
    Uuid::from_u128(id.as_u128())
}
