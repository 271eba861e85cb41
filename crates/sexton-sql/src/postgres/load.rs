//! What a batch touches, out of the tables and into the rules' state.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use sexton_core::lock::{ExecutionRecord, Pause};
use sexton_core::name::TaskName;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row};
use uuid::Uuid;

use super::PostgresLockManager as Manager;
use crate::record_row::{RecordRow, concurrency_index, instance_id, register, task_name, tick};
use crate::server::dialect::{Candidates, CandidatesPage};
use crate::server::error::{Outage, Trouble};
use crate::server::loaded::{Loaded, Pair};
use crate::wanted::Wanted;

pub(super) async fn load(
    manager: &Manager,
    connection: &mut PgConnection,
    wanted: &Wanted,
    pairs: &BTreeSet<Pair>,
) -> Result<Loaded, Trouble> {
    fn tasks<'t>(pairs: impl IntoIterator<Item = &'t Pair>) -> (Vec<&'t str>, Vec<i32>) {
        let pair = |(task, index): &'t Pair| (task.as_str(), i32::from(index.get()));
        pairs.into_iter().map(pair).unzip()
    }
    let (register_tasks, register_indices) = tasks(pairs);
    let (open_tasks, open_indices) = tasks(&wanted.open);
    let records = || wanted.records.iter();
    let ticks = || wanted.ticks.iter();
    let query = manager
        .sql()
        .load
        .query()
        .bind(manager.namespace_word())
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
        .bind(ticks().map(|(task, _)| task.as_str()).collect::<Vec<_>>())
        .bind(
            ticks()
                .map(|(_, tick)| tick.as_millis())
                .collect::<Vec<_>>(),
        )
        .bind(
            wanted
                .pauses
                .iter()
                .map(TaskName::as_str)
                .collect::<Vec<_>>(),
        )
        .bind(wanted.waiting);
    read_all(connection, query).await
}

pub(super) async fn load_candidates(
    manager: &Manager,
    connection: &mut PgConnection,
    page: CandidatesPage<'_>,
) -> Result<Loaded, Trouble> {
    let sql = manager.sql();
    let statement = match page.candidates {
        Candidates::Open => &sql.sweep_open,
        Candidates::Waiting => &sql.sweep_waiting,
        Candidates::LeaseOver => &sql.sweep_lease_over,
    };
    let after = page.after;
    let query = statement
        .query()
        .bind(manager.namespace_word())
        .bind(after.map_or("", |after| after.task.as_str()))
        .bind(after.map_or(0, |after| i32::from(after.index.get())))
        .bind(after.map_or(0, |after| after.tick.as_millis()))
        .bind(page.size)
        .bind(page.abandoned_after_ms);
    read_all(connection, query).await
}

/// Reads the rows of a statement in parts, as `sql/load.sql` and `sql/sweep.sql` are.
async fn read_all(
    connection: &mut PgConnection,
    query: Query<'_, Postgres, PgArguments>,
) -> Result<Loaded, Trouble> {
    let mut loaded = Loaded::nothing();
    let mut is_read_only = false;
    let mut rows = query.fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let part: i32 = row.try_get_unchecked(PART)?;
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
                loaded
                    .state
                    .load_pause(task, Some(read_pause(&row, TICK, ERROR, OUTPUT)?));
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

fn put_register(loaded: &mut Loaded, row: &PgRow) -> Result<(), Trouble> {
    let index: i32 = row.try_get_unchecked(INDEX)?;
    let pair = (
        task_name(row.try_get_unchecked(TASK)?)?,
        concurrency_index(index.into())?,
    );
    let watermark_ms = row.try_get_unchecked(TICK)?;
    let register = register(watermark_ms, row.try_get_unchecked(FENCE)?)?;
    loaded.put_register(pair, row.try_get_unchecked(VERSION)?, register);
    Ok(())
}

pub(super) fn read_pause(
    row: &PgRow,
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
pub(super) fn read_record(row: &PgRow, first: usize) -> Result<ExecutionRecord, Trouble> {
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
