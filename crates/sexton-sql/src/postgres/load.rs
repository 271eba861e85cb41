//! What a batch touches, out of the tables and into the rules' state.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use jiff::Timestamp;
use sexton_core::lock::engine::{
    Candidates, CandidatesPage, Connect, Found, Load, ReadSet, Snapshot, Unavailable, Versions,
};
use sexton_core::lock::{ExecutionRecord, LockKey, Pause};
use sexton_core::name::TaskName;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row};
use uuid::Uuid;

use super::Port;
use crate::record_row::{
    RecordRow, concurrency_index, instance_id, interval_ms, register, task_name, tick,
};
use crate::server::error::StoreError;
use crate::server::rows::LoadedRows;

impl Load for Port {
    type Rows = Versions;

    async fn now(&self, connection: &mut PgConnection) -> Result<Timestamp, StoreError> {
        let row = self.sql().clock.query().fetch_one(connection).await?;
        Ok(tick(row.try_get(0)?)?.timestamp())
    }

    /// One statement, and so one snapshot.
    async fn load(
        &self,
        connection: &mut PgConnection,
        read_set: &ReadSet,
    ) -> Result<Snapshot<Versions>, StoreError> {
        let keys = read_set.versioned_keys();
        let (register_tasks, register_indices) = columns(&keys);
        let (open_tasks, open_indices) = columns(&read_set.open);
        let records = || read_set.records.iter();
        let ticks = read_set.whole_ticks();
        let query = self
            .sql()
            .load
            .query()
            .bind(self.namespace_word())
            .bind(register_tasks)
            .bind(register_indices)
            .bind(records().map(|one| one.task.as_str()).collect::<Vec<_>>())
            .bind(
                records()
                    .map(|one| i32::from(one.index.get()))
                    .collect::<Vec<_>>(),
            )
            .bind(
                records()
                    .map(|one| one.tick.as_millis())
                    .collect::<Vec<_>>(),
            )
            .bind(open_tasks)
            .bind(open_indices)
            .bind(
                ticks
                    .iter()
                    .map(|(task, _)| task.as_str())
                    .collect::<Vec<_>>(),
            )
            .bind(
                ticks
                    .iter()
                    .map(|(_, tick)| tick.as_millis())
                    .collect::<Vec<_>>(),
            )
            .bind(
                read_set
                    .pauses
                    .iter()
                    .map(TaskName::as_str)
                    .collect::<Vec<_>>(),
            )
            .bind(read_set.waiting);
        Ok(read_all(connection, query).await?.snapshot)
    }

    async fn candidates(
        &self,
        connection: &mut PgConnection,
        page: &CandidatesPage<'_>,
    ) -> Result<Found<Versions>, StoreError> {
        let sql = self.sql();
        let statement = match page.candidates {
            Candidates::Open => &sql.sweep_open,
            Candidates::Waiting => &sql.sweep_waiting,
            Candidates::LeaseOver => &sql.sweep_lease_over,
        };
        let after = page.after;
        let size = self.limits().candidates_page;
        let query = statement
            .query()
            .bind(self.namespace_word())
            .bind(after.map_or("", |after| after.task.as_str()))
            .bind(after.map_or(0, |after| i32::from(after.index.get())))
            .bind(after.map_or(0, |after| after.tick.as_millis()))
            .bind(i64::try_from(size).unwrap_or(i64::MAX))
            .bind(interval_ms(page.abandoned_after));
        Ok(read_all(connection, query).await?.into_found(size, after))
    }
}

/// Keys as two columns.
fn columns(keys: &BTreeSet<LockKey>) -> (Vec<&str>, Vec<i32>) {
    let row = |key: &LockKey| i32::from(key.index.get());
    keys.iter().map(|key| (key.task.as_str(), row(key))).unzip()
}

/// Reads the rows of a statement in parts, as `sql/load.sql` and `sql/sweep.sql` are.
async fn read_all(
    connection: &mut PgConnection,
    query: Query<'_, Postgres, PgArguments>,
) -> Result<LoadedRows, StoreError> {
    let mut loaded = LoadedRows::default();
    let mut is_read_only = false;
    let mut rows = query.fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let part: i32 = row.try_get_unchecked(PART)?;
        match part {
            0 => {
                loaded.snapshot.now = tick(row.try_get_unchecked(TICK)?)?.timestamp();
                is_read_only = row.try_get_unchecked::<i64, _>(VERSION)? != 0;
            }
            1 => put_register(&mut loaded, &row)?,
            2 => {
                let record = read_record(&row, TICK)?;
                loaded.asked.push(record.execution.clone());
                loaded.snapshot.state.load_record(record);
            }
            3 => {
                let task = task_name(row.try_get_unchecked(TASK)?)?;
                let pause = read_pause(&row, TICK, ERROR, OUTPUT)?;
                loaded.snapshot.state.load_pause(task, Some(pause));
            }
            4 => {
                let instance = instance_id(row.try_get_unchecked(INSTANCE)?)?;
                let since = tick(row.try_get_unchecked(TICK)?)?.timestamp();
                loaded.present.insert(instance, since);
            }
            _ => loaded.snapshot.state.load_record(read_record(&row, TICK)?),
        }
    }
    // Refuse a read-only server: deciding may require a write, and its data may be stale.
    if is_read_only {
        return Err(Unavailable::ReadOnly.into());
    }
    Ok(loaded)
}

const PART: usize = 0;
const VERSION: usize = 1;
const TICK: usize = 2;
const TASK: usize = 3;
const INDEX: usize = 4;
const INSTANCE: usize = 9;
const FENCE: usize = 11;
const ERROR: usize = 20;
const OUTPUT: usize = 21;

fn put_register(loaded: &mut LoadedRows, row: &PgRow) -> Result<(), StoreError> {
    let index: i32 = row.try_get_unchecked(INDEX)?;
    let key = LockKey::new(
        task_name(row.try_get_unchecked(TASK)?)?,
        concurrency_index(index.into())?,
    );
    let watermark_ms = row.try_get_unchecked(TICK)?;
    let register = register(watermark_ms, row.try_get_unchecked(FENCE)?)?;
    let version = row.try_get_unchecked(VERSION)?;
    loaded.snapshot.load_register(key, version, register);
    Ok(())
}

pub(super) fn read_pause(
    row: &PgRow,
    since: usize,
    note: usize,
    by: usize,
) -> Result<Pause, StoreError> {
    Ok(Pause {
        note: row.try_get_unchecked(note)?,
        by: row.try_get_unchecked(by)?,
        since: tick(row.try_get_unchecked(since)?)?.timestamp(),
    })
}

/// Reads the columns of an execution, the first of them at `first`.
pub(super) fn read_record(row: &PgRow, first: usize) -> Result<ExecutionRecord, StoreError> {
    let index: i32 = row.try_get_unchecked(first + 2)?;
    let concurrency: i32 = row.try_get_unchecked(first + 3)?;
    let claim_id: Option<Uuid> = row.try_get_unchecked(first + 6)?;
    let columns = RecordRow {
        tick_ms: row.try_get_unchecked(first)?,
        task: row.try_get_unchecked(first + 1)?,
        concurrency_index: index.into(),
        concurrency: concurrency.into(),
        state: row.try_get_unchecked(first + 4)?,
        reason: row.try_get_unchecked(first + 5)?,
        claim_id: claim_id.as_ref().map(|id| id.as_bytes().as_slice()),
        instance: row.try_get_unchecked(first + 7)?,
        attempt: row.try_get_unchecked(first + 8)?,
        fence: row.try_get_unchecked(first + 9)?,
        delivery: row.try_get_unchecked(first + 10)?,
        attempts_max: row.try_get_unchecked(first + 11)?,
        overlap: row.try_get_unchecked(first + 12)?,
        lease_until_ms: row.try_get_unchecked(first + 13)?,
        cancel_requested: row.try_get_unchecked(first + 14)?,
        granted_at_ms: row.try_get_unchecked(first + 15)?,
        started_at_ms: row.try_get_unchecked(first + 16)?,
        finished_at_ms: row.try_get_unchecked(first + 17)?,
        error: row.try_get_unchecked(first + 18)?,
        output: row.try_get_unchecked(first + 19)?,
        origin: row.try_get_unchecked(first + 20)?,
        deadline_ms: row.try_get_unchecked(first + 21)?,
        former_holders: row.try_get_unchecked(first + 22)?,
    };
    Ok(columns.to_record()?)
}

/// PostgreSQL's text holds every character but NUL: it is shown by its picture.
pub(super) fn text(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') {
        text.replace('\0', "\u{2400}").into()
    } else {
        text.into()
    }
}
