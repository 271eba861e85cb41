//! What the rules changed, swapped into the tables.

use std::collections::BTreeSet;

use sexton_core::lock::engine::{CompareAndSwap, Snapshot, Swap, Versions};
use sexton_core::lock::rules::WriteSet;
use sexton_core::lock::stored::{delivery_word, overlap_word};
use sexton_core::lock::{ExecutionRecord, LockKey, Reason, Register};
use sexton_core::name::{ClaimId, InstanceId};
use sexton_core::tick::{Attempt, Tick};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Postgres, Row};
use uuid::Uuid;

use super::Port;
use super::connect::{begin, commit};
use super::load::text;
use super::settings::patience_ms;
use crate::record_row::{
    concurrency_index, fence_column, former_holders_column, is_plain, millis, task_name,
};
use crate::server::driver::ServerDriver;
use crate::server::error::StoreError;

impl CompareAndSwap for Port {
    /// One statement; where indices depend on each other, in a transaction that writes whole tasks
    /// or nothing.
    async fn swap(
        &self,
        connection: &mut PgConnection,
        snapshot: &mut Snapshot<Versions>,
        swap: &Swap<'_>,
    ) -> Result<BTreeSet<LockKey>, StoreError> {
        if swap.reservations.is_empty() {
            return write(self, connection, snapshot, &swap.keys, swap.writes).await;
        }
        let keys = swap.with_first_keys();
        begin(self, connection).await?;
        let written = write(self, connection, snapshot, &keys, swap.writes).await?;
        if written.len() < keys.len() {
            Postgres::roll_back(connection).await?;
            return Ok(BTreeSet::new());
        }
        commit(connection).await?;
        Ok(written)
    }
}

async fn write(
    port: &Port,
    connection: &mut PgConnection,
    snapshot: &Snapshot<Versions>,
    keys: &BTreeSet<LockKey>,
    writes: &WriteSet,
) -> Result<BTreeSet<LockKey>, StoreError> {
    let registers = || keys.iter().map(|key| snapshot.state.register(key));
    let watermark = |register: Option<Register>| register?.watermark.map(Tick::as_millis);
    let fence =
        |register: Option<Register>| register.map_or(0, |register| fence_column(register.fence));
    let records: Vec<&ExecutionRecord> = writes
        .records
        .iter()
        .filter_map(|execution| snapshot.state.record(execution))
        .collect();
    let sql = port.sql();
    let is_plain = records.iter().all(|record| is_plain(record));
    let statement = if is_plain { &sql.swap_plain } else { &sql.swap };
    let query = statement
        .query()
        .bind(port.namespace_word())
        .bind(column(keys, |key| key.task.as_str()))
        .bind(column(keys, |key| i32::from(key.index.get())))
        .bind(column(keys, |key| snapshot.rows.of(key)))
        .bind(registers().map(watermark).collect::<Vec<_>>())
        .bind(registers().map(fence).collect::<Vec<_>>())
        .bind(patience_ms(port));
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
    let key = |row: &PgRow| -> Result<LockKey, StoreError> {
        let index: i32 = row.try_get_unchecked(1)?;
        let task = task_name(row.try_get_unchecked(0)?)?;
        Ok(LockKey::new(task, concurrency_index(index.into())?))
    };
    rows.iter().map(key).collect()
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
