//! What a batch touches, out of the tables and into the rules' state.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use serde::Serialize;
use sexton_core::lock::rules::LockState;
use sexton_core::lock::{ExecutionRecord, LockKey, Pause, Register};
use sexton_core::name::{Namespace, TaskName};
use sexton_core::tick::Tick;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Either, Executor, Row};

use super::error::Trouble;
use crate::record_row::{RecordRow, Unreadable, register, tick};
use sexton_core::lock::engine::ReadSet;

/// The columns of an execution in the order in which [`read_record`] takes them.
macro_rules! record_columns {
    () => {
        "e.tick_ms, e.task, e.concurrency_index, e.concurrency, e.state, e.reason, e.claim_id, \
         e.instance, e.attempt, e.fence, e.delivery, e.attempts_max, e.overlap, e.lease_until_ms, \
         e.cancel_requested, e.granted_at_ms, e.started_at_ms, e.finished_at_ms, e.error, e.output, \
         e.origin, e.deadline_ms, e.former_holders"
    };
}
pub(super) use record_columns;

/// Parameters are `$1`, never `?1`: SQLite counts the numbers that a statement leaves out of `?NNN`
/// as parameters without a name, sqlx takes those from the list in turn, and beyond its end leaves
/// the rest of the statement's parameters NULL.
///
/// One statement for each kind of row; all go to the connection's thread in one message, because
/// each message costs more than most of the statements. `CROSS JOIN` keeps SQLite from looping over
/// the table, `INDEXED BY` from looking through all executions for the few that are open.
///
/// $1 the namespace, $2 \[\[task, index]], $3 \[\[task, index, tick]], $4 \[\[task, index]], $5
/// \[\[task, tick]], $6 \[task], $7 whether what waits of the pairs in $2 counts. Nearly always
/// nothing waits: that is asked once for all pairs before it is asked for each, and by scalars,
/// which SQLite finds before it looks for `e`; of an `EXISTS` it makes a join behind that.
pub(super) const LOAD: &str = concat!(
    "SELECT w.key, r.watermark_ms, r.fence \
     FROM json_each($2) AS w CROSS JOIN sexton_registers AS r \
     ON r.namespace = $1 AND r.task = w.value ->> 0 AND r.concurrency_index = w.value ->> 1;",
    "SELECT ",
    record_columns!(),
    " FROM json_each($3) AS w CROSS JOIN sexton_executions AS e \
     ON e.namespace = $1 AND e.tick_ms = w.value ->> 2 AND e.task = w.value ->> 0 \
     AND e.concurrency_index = w.value ->> 1;",
    "SELECT ",
    record_columns!(),
    " FROM json_each($4) AS w CROSS JOIN sexton_executions AS e INDEXED BY sexton_executions_open \
     ON e.namespace = $1 AND e.task = w.value ->> 0 AND e.concurrency_index = w.value ->> 1 \
     AND e.state IN ('waiting', 'running') \
     AND (e.state = 'waiting' OR e.lease_until_ms IS NOT NULL);",
    "SELECT ",
    record_columns!(),
    " FROM json_each($5) AS w CROSS JOIN sexton_executions AS e \
     ON e.namespace = $1 AND e.tick_ms = w.value ->> 1 AND e.task = w.value ->> 0;",
    "SELECT ",
    record_columns!(),
    " FROM json_each($2) AS w CROSS JOIN sexton_executions AS e INDEXED BY sexton_executions_open \
     ON e.namespace = $1 AND e.task = w.value ->> 0 AND e.concurrency_index = w.value ->> 1 \
     AND e.state IN ('waiting', 'running') \
     AND (e.state = 'waiting' OR e.lease_until_ms IS NOT NULL) \
     WHERE $7 AND (SELECT 1 FROM sexton_executions AS a INDEXED BY sexton_executions_waiting \
         WHERE a.namespace = $1 AND a.state = 'waiting' LIMIT 1) \
     AND (SELECT 1 FROM sexton_executions AS q INDEXED BY sexton_executions_waiting \
         WHERE q.namespace = $1 AND q.task = w.value ->> 0 AND q.concurrency_index = w.value ->> 1 \
         AND q.state = 'waiting' LIMIT 1);",
    "SELECT w.key, t.pause_note, t.paused_by, t.paused_since_ms \
     FROM json_each($6) AS w CROSS JOIN sexton_tasks AS t \
     ON t.namespace = $1 AND t.task = w.value AND t.paused_since_ms IS NOT NULL",
);

/// The keys of a batch, written down once for however many tries it takes.
#[derive(Debug)]
pub(super) struct Keys {
    registers: Vec<LockKey>,
    pauses: Vec<TaskName>,
    json: [String; 5],
    waiting: bool,
}

impl Keys {
    pub(super) fn new(read_set: ReadSet) -> Keys {
        let key = |key: &LockKey| (key.task.to_string(), key.index.get());
        let tick = |(task, tick): &(&TaskName, Tick)| (task.to_string(), tick.as_millis());
        let records: Vec<_> = read_set
            .records
            .iter()
            .map(|one| (one.task.as_str(), one.index.get(), one.tick.as_millis()))
            .collect();
        let json = [
            json(&all(&read_set.keys, key)),
            json(&records),
            json(&all(&read_set.open, key)),
            json(&all(&read_set.whole_ticks(), tick)),
            json(&all(&read_set.pauses, TaskName::to_string)),
        ];
        Keys {
            registers: read_set.keys.into_iter().collect(),
            pauses: read_set.pauses.into_iter().collect(),
            json,
            waiting: read_set.waiting,
        }
    }
}

fn all<K, T>(keys: &BTreeSet<K>, one: impl FnMut(&K) -> T) -> Vec<T> {
    keys.iter().map(one).collect()
}

/// Text and whole numbers always have a form in JSON.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Loads what a batch touches, as the connection's transaction sees it.
pub(super) async fn load(
    connection: &mut SqliteConnection,
    namespace: &Namespace,
    keys: &Keys,
) -> Result<LockState, Trouble> {
    let mut query = sqlx::query(LOAD).bind(namespace.as_str().to_owned());
    for part in &keys.json {
        query = query.bind(part.clone());
    }
    query = query.bind(keys.waiting);
    let mut state = LockState::new();
    let mut statement = 0;
    let mut rows = connection.fetch_many(query);
    while let Some(step) = rows.try_next().await? {
        let row = match step {
            Either::Left(_) => {
                statement += 1;
                continue;
            }
            Either::Right(row) => row,
        };
        match statement {
            0 => {
                let key = key(&row, &keys.registers)?.clone();
                state.load_register(key, read_register(&row, 1)?);
            }
            1..=4 => state.load_record(read_record(&row, 0)?),
            _ => {
                let task = key(&row, &keys.pauses)?.clone();
                state.load_pause(task, Some(read_pause(&row, 1)?));
            }
        }
    }
    Ok(state)
}

fn key<'k, K>(row: &SqliteRow, keys: &'k [K]) -> Result<&'k K, Trouble> {
    let place: i64 = row.try_get_unchecked(0)?;
    let key = usize::try_from(place)
        .ok()
        .and_then(|place| keys.get(place));
    key.ok_or_else(|| Unreadable(format!("row {place} of a shorter list")).into())
}

pub(super) fn read_register(row: &SqliteRow, first: usize) -> Result<Register, Trouble> {
    let watermark_ms = row.try_get_unchecked(first)?;
    Ok(register(watermark_ms, row.try_get_unchecked(first + 1)?)?)
}

pub(super) fn read_pause(row: &SqliteRow, first: usize) -> Result<Pause, Trouble> {
    let since: i64 = row.try_get_unchecked(first + 2)?;
    Ok(Pause {
        note: row.try_get_unchecked(first)?,
        by: row.try_get_unchecked(first + 1)?,
        since: tick(since)?.timestamp(),
    })
}

/// Reads the columns of [`record_columns`], the first of them at `first`.
pub(super) fn read_record(row: &SqliteRow, first: usize) -> Result<ExecutionRecord, Trouble> {
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

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::super::schema;
    use super::*;

    #[tokio::test]
    async fn each_row_of_a_batch_is_looked_up_by_its_whole_key() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        schema::prepare(&mut connection, schema::Place::Memory, "memory")
            .await
            .unwrap();
        let mut found = Vec::new();
        for statement in LOAD.split(';') {
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
            for row in connection.fetch_all(explain).await.unwrap() {
                let step: String = row.get("detail");
                if step.starts_with("SEARCH") {
                    found.push(step);
                }
            }
        }
        let searched = |by: &str| format!("SEARCH {by}");
        assert_eq!(
            found,
            [
                "r USING PRIMARY KEY (namespace=? AND task=? AND concurrency_index=?)",
                "e USING PRIMARY KEY (namespace=? AND tick_ms=? AND task=? AND concurrency_index=?)",
                "e USING INDEX sexton_executions_open (namespace=? AND task=? AND concurrency_index=?)",
                "e USING PRIMARY KEY (namespace=? AND tick_ms=? AND task=?)",
                "a USING COVERING INDEX sexton_executions_waiting (namespace=?)",
                "q USING COVERING INDEX sexton_executions_waiting (namespace=? AND task=? AND concurrency_index=?)",
                "e USING INDEX sexton_executions_open (namespace=? AND task=? AND concurrency_index=?)",
                "t USING PRIMARY KEY (namespace=? AND task=?)",
            ]
            .map(searched)
        );
    }
}
