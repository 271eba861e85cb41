//! Definitions, pauses, and what is known of tasks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sexton_core::lock::{
    Answer, Defined, Pause, PauseChange, Register, TaskDefinition, TaskQuery, TaskState,
};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::ConcurrencyIndex;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};

use super::PostgresLockManager;
use super::call::Errand;
use super::error::Trouble;
use super::load::{read_pause, text};
use crate::define::{Definitions, define};
use crate::record_row::{
    concurrency, concurrency_index, fence, instance_id, millis, task_name, tick,
};

pub(super) struct Define<'b> {
    instance: &'b InstanceId,
    batch: Vec<TaskDefinition>,
}

impl<'b> Define<'b> {
    pub(super) fn new(instance: &'b InstanceId, batch: &[TaskDefinition]) -> Define<'b> {
        let as_kept = |new: &TaskDefinition| TaskDefinition {
            task: new.task.clone(),
            schedule: text(&new.schedule).into_owned(),
            concurrency: new.concurrency,
            definition: text(&new.definition).into_owned(),
        };
        Define {
            instance,
            batch: batch.iter().map(as_kept).collect(),
        }
    }
}

impl Errand for Define<'_> {
    type Found = Answer<Vec<Defined>>;

    async fn run(
        &mut self,
        manager: &PostgresLockManager,
        connection: &mut PgConnection,
    ) -> Result<Self::Found, Trouble> {
        let sql = &manager.inner.sql;
        let namespace = manager.inner.namespace.as_str();
        let names: BTreeSet<&str> = self.batch.iter().map(|new| new.task.as_str()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let (mut transaction, now) = manager.begin(connection).await?;
        let lock = sql.lock_tasks.query().bind(namespace).bind(names);
        let mut known = Definitions::new();
        for row in lock.fetch_all(&mut *transaction).await? {
            let by: Option<&str> = row.try_get(4)?;
            if let (Some(definition), Some(by)) = (read_definition(&row)?, by) {
                known.insert(definition.task.clone(), (definition, instance_id(by)?));
            }
        }
        let value = define(&mut known, self.instance, &self.batch);
        let last: BTreeMap<&TaskName, &TaskDefinition> =
            known.values().map(|(new, _)| (&new.task, new)).collect();
        let new = || last.values();
        sql.store_definitions
            .query()
            .bind(namespace)
            .bind(new().map(|new| new.task.as_str()).collect::<Vec<_>>())
            .bind(new().map(|new| new.schedule.as_str()).collect::<Vec<_>>())
            .bind(
                new()
                    .map(|new| i32::from(new.concurrency.get()))
                    .collect::<Vec<_>>(),
            )
            .bind(new().map(|new| new.definition.as_str()).collect::<Vec<_>>())
            .bind(self.instance.as_str())
            .execute(&mut *transaction)
            .await?;
        let differed = |defined: &&Defined| matches!(defined, Defined::Differed { .. });
        let changed = value.iter().filter(differed).count();
        if changed > 0 {
            raise_revision(manager, &mut transaction, changed).await?;
        }
        transaction.commit().await?;
        Ok(Answer { now, value })
    }
}

async fn raise_revision(
    manager: &PostgresLockManager,
    connection: &mut PgConnection,
    by: usize,
) -> Result<(), Trouble> {
    let raise = manager.inner.sql.raise_revision.query();
    raise
        .bind(manager.inner.namespace.as_str())
        .bind(i64::try_from(by).unwrap_or(i64::MAX))
        .execute(connection)
        .await?;
    Ok(())
}

/// The columns task, schedule, concurrency, definition.
fn read_definition(row: &PgRow) -> Result<Option<TaskDefinition>, Trouble> {
    let Some(definition) = row.try_get(3)? else {
        return Ok(None);
    };
    let count: i32 = row.try_get(2)?;
    Ok(Some(TaskDefinition {
        task: task_name(row.try_get(0)?)?,
        schedule: row.try_get(1)?,
        concurrency: concurrency(count.into())?,
        definition,
    }))
}

pub(super) struct ChangePause<'c> {
    pub(super) tasks: BTreeSet<&'c TaskName>,
    pub(super) change: &'c PauseChange,
}

impl Errand for ChangePause<'_> {
    type Found = Answer<()>;

    async fn run(
        &mut self,
        manager: &PostgresLockManager,
        connection: &mut PgConnection,
    ) -> Result<Self::Found, Trouble> {
        let sql = &manager.inner.sql;
        let namespace = manager.inner.namespace.as_str();
        let names: Vec<&str> = self.tasks.iter().map(|task| task.as_str()).collect();
        let (mut transaction, now) = manager.begin(connection).await?;
        let (note, by, since) = match self.change {
            PauseChange::Pause { note, by } => {
                let lock = sql.lock_tasks.query().bind(namespace).bind(&names);
                lock.execute(&mut *transaction).await?;
                (Some(text(note)), Some(text(by)), Some(millis(now)))
            }
            PauseChange::Resume => (None, None, None),
        };
        let change = sql.pause.query().bind(namespace).bind(&names);
        change
            .bind(note)
            .bind(by)
            .bind(since)
            .execute(&mut *transaction)
            .await?;
        let raise = sql.raise_versions.query().bind(namespace).bind(&names);
        raise.execute(&mut *transaction).await?;
        raise_revision(manager, &mut transaction, 1).await?;
        transaction.commit().await?;
        Ok(Answer { now, value: () })
    }
}

pub(super) struct Tasks<'q>(pub(super) &'q TaskQuery);

/// The most tasks of a page.
const PAGE_MAX: usize = 1_000;

impl Errand for Tasks<'_> {
    type Found = Answer<Vec<TaskState>>;

    async fn run(
        &mut self,
        manager: &PostgresLockManager,
        connection: &mut PgConnection,
    ) -> Result<Self::Found, Trouble> {
        let sql = &manager.inner.sql;
        let namespace = manager.inner.namespace.as_str();
        let mut snapshot = connection
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        let names: Vec<TaskName> = match self.0 {
            TaskQuery::Named(names) => names.clone(),
            TaskQuery::Page { after, limit } => {
                let page = sql
                    .task_names
                    .query()
                    .bind(namespace)
                    .bind(after.as_ref().map_or("", TaskName::as_str))
                    .bind(i64::try_from((*limit).min(PAGE_MAX)).unwrap_or(0));
                let rows = page.fetch_all(&mut *snapshot).await?;
                let name =
                    |row: &PgRow| -> Result<TaskName, Trouble> { Ok(task_name(row.try_get(0)?)?) };
                rows.iter().map(name).collect::<Result<_, _>>()?
            }
        };
        let distinct: BTreeSet<&str> = names.iter().map(TaskName::as_str).collect();
        let keys: Vec<&str> = distinct.into_iter().collect();
        let mut said: HashMap<TaskName, Said> = HashMap::new();
        let states = sql.task_states.query().bind(namespace).bind(&keys);
        for row in states.fetch_all(&mut *snapshot).await? {
            said.insert(task_name(row.try_get(0)?)?, read_said(&row)?);
        }
        let mut registers: HashMap<TaskName, Vec<(ConcurrencyIndex, Register)>> = HashMap::new();
        let rows = sql.task_registers.query().bind(namespace).bind(&keys);
        for row in rows.fetch_all(&mut *snapshot).await? {
            let index: i32 = row.try_get(1)?;
            let register = Register {
                watermark: tick(row.try_get(2)?)?,
                fence: fence(row.try_get(3)?)?,
            };
            let of_task = registers.entry(task_name(row.try_get(0)?)?).or_default();
            of_task.push((concurrency_index(index.into())?, register));
        }
        let now = manager.clock_now(&mut snapshot).await?;
        snapshot.commit().await?;
        let state = |task: &TaskName| {
            let (definition, pause) = said.get(task).cloned().unwrap_or_default();
            TaskState {
                task: task.clone(),
                definition,
                pause,
                registers: registers.get(task).cloned().unwrap_or_default(),
            }
        };
        let value = names.iter().map(state).collect();
        Ok(Answer { now, value })
    }
}

type Said = (Option<TaskDefinition>, Option<Pause>);

fn read_said(row: &PgRow) -> Result<Said, Trouble> {
    let since: Option<i64> = row.try_get(6)?;
    let pause = since.map(|_| read_pause(row, 6, 4, 5)).transpose()?;
    Ok((read_definition(row)?, pause))
}
