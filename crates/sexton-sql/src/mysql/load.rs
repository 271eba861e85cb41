//! What a batch touches, out of the tables and into the rules' state.

use futures::TryStreamExt;
use jiff::Timestamp;
use sexton_core::lock::engine::{
    Candidates, CandidatesPage, Connect, Found, Load, ReadSet, Snapshot, Unavailable, Versions,
};
use sexton_core::lock::{ExecutionRecord, LockKey, Pause};
use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlRow};
use sqlx::query::Query;
use sqlx::{MySql, Row};

use super::sql::Bound;
use super::{Port, lists};
use crate::record_row::{
    RecordRow, concurrency_index, instance_id, interval_ms, register, task_name, tick,
};
use crate::server::error::StoreError;
use crate::server::rows::LoadedRows;

impl Load for Port {
    type Rows = Versions;

    async fn now(&self, connection: &mut MySqlConnection) -> Result<Timestamp, StoreError> {
        let clock = self.sql().clock.query(&[]);
        let row = clock.fetch_one(connection).await?;
        Ok(tick(row.try_get_unchecked(0)?)?.timestamp())
    }

    /// One statement, and so one snapshot.
    async fn load(
        &self,
        connection: &mut MySqlConnection,
        read_set: &ReadSet,
    ) -> Result<Snapshot<Versions>, StoreError> {
        let registers = lists::of_keys(&read_set.versioned_keys());
        let records = lists::of_executions(&read_set.records);
        let open = lists::of_keys(&read_set.open);
        let ticks = lists::of_ticks(read_set.whole_ticks());
        let pauses = lists::of_tasks(&read_set.pauses);
        let query = self.sql().load.query(&[
            Bound::Text(self.namespace_word()),
            Bound::Text(&registers),
            Bound::Text(&records),
            Bound::Text(&open),
            Bound::Text(&ticks),
            Bound::Text(&pauses),
            Bound::Number(read_set.waiting.into()),
        ]);
        Ok(read_all(connection, query).await?.snapshot)
    }

    async fn candidates(
        &self,
        connection: &mut MySqlConnection,
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
        let query = statement.query(&[
            Bound::Text(self.namespace_word()),
            Bound::Text(after.map_or("", |after| after.task.as_str())),
            Bound::Number(after.map_or(0, |after| after.index.get().into())),
            Bound::Number(after.map_or(0, |after| after.tick.as_millis())),
            Bound::Number(i64::try_from(size).unwrap_or(i64::MAX)),
            Bound::Number(interval_ms(page.abandoned_after)),
        ]);
        let mut loaded = read_all(connection, query).await?;
        // A union's parts come in any order.
        loaded.asked.sort_unstable();
        Ok(loaded.into_found(size, after))
    }
}

/// Reads the rows of a statement in parts, as `sql/load.sql` and `sql/sweep.sql` are.
async fn read_all(
    connection: &mut MySqlConnection,
    query: Query<'_, MySql, MySqlArguments>,
) -> Result<LoadedRows, StoreError> {
    let mut loaded = LoadedRows::default();
    let mut is_read_only = false;
    let mut rows = query.fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let part: i64 = row.try_get_unchecked(PART)?;
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

fn put_register(loaded: &mut LoadedRows, row: &MySqlRow) -> Result<(), StoreError> {
    let key = LockKey::new(
        task_name(row.try_get_unchecked(TASK)?)?,
        concurrency_index(row.try_get_unchecked(INDEX)?)?,
    );
    let watermark_ms = row.try_get_unchecked(TICK)?;
    let register = register(watermark_ms, row.try_get_unchecked(FENCE)?)?;
    let version = row.try_get_unchecked(VERSION)?;
    loaded.snapshot.load_register(key, version, register);
    Ok(())
}

pub(super) fn read_pause(
    row: &MySqlRow,
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
pub(super) fn read_record(row: &MySqlRow, first: usize) -> Result<ExecutionRecord, StoreError> {
    let cancel_requested: i64 = row.try_get_unchecked(first + 14)?;
    let columns = RecordRow {
        tick_ms: row.try_get_unchecked(first)?,
        task: row.try_get_unchecked(first + 1)?,
        concurrency_index: row.try_get_unchecked(first + 2)?,
        concurrency: row.try_get_unchecked(first + 3)?,
        state: row.try_get_unchecked(first + 4)?,
        reason: row.try_get_unchecked(first + 5)?,
        claim_id: row.try_get_unchecked(first + 6)?,
        instance: row.try_get_unchecked(first + 7)?,
        attempt: row.try_get_unchecked(first + 8)?,
        fence: row.try_get_unchecked(first + 9)?,
        delivery: row.try_get_unchecked(first + 10)?,
        attempts_max: row.try_get_unchecked(first + 11)?,
        overlap: row.try_get_unchecked(first + 12)?,
        lease_until_ms: row.try_get_unchecked(first + 13)?,
        cancel_requested: cancel_requested != 0,
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
