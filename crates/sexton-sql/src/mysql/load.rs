//! What a batch touches, out of the tables and into the rules' state.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use sexton_core::lock::{ExecutionRecord, Pause};
use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlRow};
use sqlx::query::Query;
use sqlx::{MySql, Row};

use super::MySqlLockManager as Manager;
use super::lists;
use super::sql::Bound;
use crate::record_row::{RecordRow, concurrency_index, instance_id, register, task_name, tick};
use crate::server::dialect::{Candidates, CandidatesPage};
use crate::server::error::{Outage, Trouble};
use crate::server::loaded::{Loaded, Pair};
use crate::wanted::Wanted;

pub(super) async fn load(
    manager: &Manager,
    connection: &mut MySqlConnection,
    wanted: &Wanted,
    pairs: &BTreeSet<Pair>,
) -> Result<Loaded, Trouble> {
    let registers = lists::of_pairs(pairs);
    let records = lists::of_executions(&wanted.records);
    let open = lists::of_pairs(&wanted.open);
    let ticks = lists::of_ticks(&wanted.ticks);
    let pauses = lists::of_tasks(&wanted.pauses);
    let query = manager.sql().load.query(&[
        Bound::Text(manager.namespace_word()),
        Bound::Text(&registers),
        Bound::Text(&records),
        Bound::Text(&open),
        Bound::Text(&ticks),
        Bound::Text(&pauses),
        Bound::Number(wanted.waiting.into()),
    ]);
    read_all(connection, query).await
}

pub(super) async fn load_candidates(
    manager: &Manager,
    connection: &mut MySqlConnection,
    page: CandidatesPage<'_>,
) -> Result<Loaded, Trouble> {
    let sql = manager.sql();
    let statement = match page.candidates {
        Candidates::Open => &sql.sweep_open,
        Candidates::Waiting => &sql.sweep_waiting,
        Candidates::LeaseOver => &sql.sweep_lease_over,
    };
    let after = page.after;
    let query = statement.query(&[
        Bound::Text(manager.namespace_word()),
        Bound::Text(after.map_or("", |after| after.task.as_str())),
        Bound::Number(after.map_or(0, |after| after.index.get().into())),
        Bound::Number(after.map_or(0, |after| after.tick.as_millis())),
        Bound::Number(page.size),
        Bound::Number(page.abandoned_after_ms),
    ]);
    let mut loaded = read_all(connection, query).await?;
    // A union's parts come in any order.
    loaded.asked.sort_unstable();
    Ok(loaded)
}

/// Reads the rows of a statement in parts, as `sql/load.sql` and `sql/sweep.sql` are.
async fn read_all(
    connection: &mut MySqlConnection,
    query: Query<'_, MySql, MySqlArguments>,
) -> Result<Loaded, Trouble> {
    let mut loaded = Loaded::nothing();
    let mut is_read_only = false;
    let mut rows = query.fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let part: i64 = row.try_get_unchecked(PART)?;
        match part {
            0 => {
                loaded.now = tick(row.try_get_unchecked(TICK)?)?.timestamp();
                is_read_only = row.try_get_unchecked::<i64, _>(VERSION)? != 0;
            }
            1 => put_register(&mut loaded, &row)?,
            2 => {
                let record = read_record(&row, TICK)?;
                loaded.asked.push(record.execution.clone());
                loaded.state.load_record(record);
            }
            3 => {
                let task = task_name(row.try_get_unchecked(TASK)?)?;
                let pause = read_pause(&row, TICK, ERROR, OUTPUT)?;
                loaded.state.load_pause(task, Some(pause));
            }
            4 => {
                let instance = instance_id(row.try_get_unchecked(INSTANCE)?)?;
                let since = tick(row.try_get_unchecked(TICK)?)?.timestamp();
                loaded.present.insert(instance, since);
            }
            _ => loaded.state.load_record(read_record(&row, TICK)?),
        }
    }
    // Whoever decides might have to write. What a server says that only reads may be old besides.
    if is_read_only {
        return Err(Outage::ReadOnly.into());
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

fn put_register(loaded: &mut Loaded, row: &MySqlRow) -> Result<(), Trouble> {
    let pair = (
        task_name(row.try_get_unchecked(TASK)?)?,
        concurrency_index(row.try_get_unchecked(INDEX)?)?,
    );
    let watermark_ms = row.try_get_unchecked(TICK)?;
    let register = register(watermark_ms, row.try_get_unchecked(FENCE)?)?;
    loaded.put_register(pair, row.try_get_unchecked(VERSION)?, register);
    Ok(())
}

pub(super) fn read_pause(
    row: &MySqlRow,
    since: usize,
    note: usize,
    by: usize,
) -> Result<Pause, Trouble> {
    Ok(Pause {
        note: row.try_get_unchecked(note)?,
        by: row.try_get_unchecked(by)?,
        since: tick(row.try_get_unchecked(since)?)?.timestamp(),
    })
}

/// Reads the columns of an execution, the first of them at `first`.
pub(super) fn read_record(row: &MySqlRow, first: usize) -> Result<ExecutionRecord, Trouble> {
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
