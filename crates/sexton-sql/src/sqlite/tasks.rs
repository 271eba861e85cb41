//! Definitions, pauses, and what is known of tasks.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use sexton_core::lock::{
    Answer, Defined, LockKey, PAGE_MAX, PauseChange, TaskDefinition, TaskQuery, TaskState,
};
use sexton_core::name::{InstanceId, TaskName};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::SqliteLockManager;
use super::begin::{begin_read, begin_write};
use super::call::Errand;
use super::error::Trouble;
use super::load::{json, read_pause, read_register};
use crate::record_row::{concurrency, concurrency_index, instance_id, instant, millis, task_name};
use crate::task_row::{TaskRow, task_states};
use sexton_core::lock::stored::{Defining, Definitions, define};

pub(super) struct Define<'b> {
    pub(super) instance: &'b InstanceId,
    pub(super) batch: &'b [TaskDefinition],
}

/// $1 the namespace, $2 \[task]
const DEFINITIONS: &str = "\
    SELECT t.task, t.schedule, t.concurrency, t.definition, t.canonical, t.defined_by, t.known_since_ms, \
        t.schedule_since_ms \
    FROM json_each($2) AS w CROSS JOIN sexton_tasks AS t \
    ON t.namespace = $1 AND t.task = w.value AND t.definition IS NOT NULL";

/// $1 the namespace, $2 \[\[task, schedule, concurrency, definition, canonical, known since,
/// schedule since]], $3 the instance
const STORE_DEFINITIONS: &str = "\
    INSERT INTO sexton_tasks (namespace, task, schedule, concurrency, definition, canonical, defined_by, \
        known_since_ms, schedule_since_ms) \
    SELECT $1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, $3, value ->> 5, value ->> 6 \
    FROM json_each($2) WHERE true \
    ON CONFLICT DO UPDATE SET schedule = excluded.schedule, concurrency = excluded.concurrency, \
        definition = excluded.definition, canonical = excluded.canonical, \
        defined_by = excluded.defined_by, known_since_ms = excluded.known_since_ms, \
        schedule_since_ms = excluded.schedule_since_ms";

impl Errand for Define<'_> {
    type Found = Answer<Vec<Defined>>;

    async fn run(
        &self,
        manager: &SqliteLockManager,
        connection: &mut SqliteConnection,
    ) -> Result<Self::Found, Trouble> {
        let namespace = manager.inner.namespace.as_str();
        let names: BTreeSet<&str> = self.batch.iter().map(|new| new.task.as_str()).collect();
        let mut transaction = begin_write(connection).await?;
        let rows = sqlx::query(DEFINITIONS)
            .bind(namespace.to_owned())
            .bind(json(&names))
            .fetch_all(&mut *transaction)
            .await?;
        let now = manager.clock_now();
        let mut known = Definitions::new();
        for row in &rows {
            let defining = Defining {
                definition: read_definition(row, 0)?,
                by: instance_id(row.try_get(5)?)?,
                known_since: instant(row.try_get(6)?)?,
                schedule_since: instant(row.try_get(7)?)?,
            };
            known.insert(defining.definition.task.clone(), defining);
        }
        let value = define(&mut known, self.instance, self.batch, now);
        let columns: Vec<_> = known
            .values()
            .map(|new| {
                let TaskDefinition {
                    task,
                    schedule,
                    canonical,
                    concurrency,
                    definition,
                } = &new.definition;
                (
                    task.as_str(),
                    schedule,
                    concurrency.get(),
                    definition,
                    canonical,
                    new.known_since.map(millis),
                    new.schedule_since.map(millis),
                )
            })
            .collect();
        sqlx::query(STORE_DEFINITIONS)
            .bind(namespace.to_owned())
            .bind(json(&columns))
            .bind(self.instance.as_str().to_owned())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Answer { now, value })
    }
}

fn read_definition(row: &SqliteRow, first: usize) -> Result<TaskDefinition, Trouble> {
    Ok(TaskDefinition {
        task: task_name(row.try_get(first)?)?,
        schedule: row.try_get(first + 1)?,
        concurrency: concurrency(row.try_get(first + 2)?)?,
        definition: row.try_get(first + 3)?,
        canonical: row.try_get(first + 4)?,
    })
}

pub(super) struct ChangePause<'c> {
    pub(super) tasks: BTreeSet<&'c TaskName>,
    pub(super) change: &'c PauseChange,
}

/// $1 the namespace, $2 \[task], $3 the note, $4 by whom, $5 since
const PAUSE: &str = "\
    INSERT INTO sexton_tasks (namespace, task, pause_note, paused_by, paused_since_ms) \
    SELECT $1, value, $3, $4, $5 FROM json_each($2) WHERE true \
    ON CONFLICT DO UPDATE SET pause_note = excluded.pause_note, paused_by = excluded.paused_by, \
        paused_since_ms = excluded.paused_since_ms";

const RESUME: &str = "\
    UPDATE sexton_tasks SET pause_note = NULL, paused_by = NULL, paused_since_ms = NULL \
    WHERE namespace = $1 AND task IN (SELECT value FROM json_each($2))";

impl Errand for ChangePause<'_> {
    type Found = Answer<()>;

    async fn run(
        &self,
        manager: &SqliteLockManager,
        connection: &mut SqliteConnection,
    ) -> Result<Self::Found, Trouble> {
        let namespace = manager.inner.namespace.as_str();
        let names: Vec<_> = self.tasks.iter().map(|task| task.as_str()).collect();
        let mut transaction = begin_write(connection).await?;
        let now: Timestamp = manager.clock_now();
        let query = match self.change {
            PauseChange::Pause { .. } => sqlx::query(PAUSE),
            PauseChange::Resume => sqlx::query(RESUME),
        };
        let mut query = query.bind(namespace.to_owned()).bind(json(&names));
        if let PauseChange::Pause { note, by } = self.change {
            query = query.bind(note.clone()).bind(by.clone()).bind(millis(now));
        }
        query.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Answer { now, value: () })
    }
}

pub(super) struct Tasks<'q>(pub(super) &'q TaskQuery);

/// $1 the namespace, $2 the last of the page before, $3 the page's size. Each half is in order by
/// its key, so that the union is a merge that ends with the page.
pub(super) const NAMES: &str = "\
    SELECT task FROM sexton_tasks WHERE namespace = $1 AND task > $2 \
        AND (definition IS NOT NULL OR paused_since_ms IS NOT NULL) \
    UNION SELECT task FROM sexton_registers WHERE namespace = $1 AND task > $2 \
    ORDER BY task LIMIT $3";

/// $1 the namespace, $2 \[task]
const STATES: &str = "\
    SELECT t.task, t.schedule, t.concurrency, t.definition, t.canonical, t.pause_note, t.paused_by, \
        t.paused_since_ms, t.definition IS NOT NULL, t.paused_since_ms IS NOT NULL, t.known_since_ms, \
        t.schedule_since_ms \
    FROM json_each($2) AS w CROSS JOIN sexton_tasks AS t ON t.namespace = $1 AND t.task = w.value";

/// $1 the namespace, $2 \[task]
const REGISTERS: &str = "\
    SELECT r.task, r.concurrency_index, r.watermark_ms, r.fence \
    FROM json_each($2) AS w CROSS JOIN sexton_registers AS r \
    ON r.namespace = $1 AND r.task = w.value ORDER BY r.task, r.concurrency_index";

impl Errand for Tasks<'_> {
    type Found = Answer<Vec<TaskState>>;

    async fn run(
        &self,
        manager: &SqliteLockManager,
        connection: &mut SqliteConnection,
    ) -> Result<Self::Found, Trouble> {
        let namespace = manager.inner.namespace.as_str();
        let mut snapshot = begin_read(connection).await?;
        let names: Vec<TaskName> = match self.0 {
            TaskQuery::Named(names) => names.clone(),
            TaskQuery::Page { after, limit } => {
                let names: Vec<String> = sqlx::query_scalar(NAMES)
                    .bind(namespace.to_owned())
                    .bind(after.as_ref().map_or_else(String::new, TaskName::to_string))
                    .bind(i64::try_from((*limit).min(PAGE_MAX)).unwrap_or(0))
                    .fetch_all(&mut *snapshot)
                    .await?;
                let names = names.iter().map(|name| task_name(name));
                names.collect::<Result<_, _>>()?
            }
        };
        let distinct: BTreeSet<&str> = names.iter().map(TaskName::as_str).collect();
        let keys = json(&distinct);
        let rows = sqlx::query(STATES)
            .bind(namespace.to_owned())
            .bind(keys.clone())
            .fetch_all(&mut *snapshot)
            .await?;
        let mut task_rows: HashMap<TaskName, TaskRow> = HashMap::new();
        for row in &rows {
            task_rows.insert(task_name(row.try_get(0)?)?, read_row(row)?);
        }
        let rows = sqlx::query(REGISTERS)
            .bind(namespace.to_owned())
            .bind(keys)
            .fetch_all(&mut *snapshot)
            .await?;
        let mut registers = Vec::with_capacity(rows.len());
        for row in &rows {
            let index = concurrency_index(row.try_get(1)?)?;
            let key = LockKey::new(task_name(row.try_get(0)?)?, index);
            registers.push((key, read_register(row, 2)?));
        }
        snapshot.commit().await?;
        let now = manager.clock_now();
        let value = task_states(names, &task_rows, registers);
        Ok(Answer { now, value })
    }
}

fn read_row(row: &SqliteRow) -> Result<TaskRow, Trouble> {
    let is_defined: bool = row.try_get(8)?;
    let is_paused: bool = row.try_get(9)?;
    let definition = is_defined.then(|| read_definition(row, 0)).transpose()?;
    let pause = is_paused.then(|| read_pause(row, 5)).transpose()?;
    Ok(TaskRow {
        definition,
        known_since: instant(row.try_get(10)?)?,
        schedule_since: instant(row.try_get(11)?)?,
        pause,
    })
}
