//! Definitions, pauses, and what is known of tasks.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use sexton_core::lock::engine::{Load, NewPause, Tasks};
use sexton_core::lock::stored::{DefineBatch, Defining, Definitions};
use sexton_core::lock::{Answer, LockKey, Register, TaskDefinition, TaskQuery, TaskState};
use sexton_core::name::TaskName;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::Port;
use super::connect::{begin, begin_snapshot, commit};
use super::load::read_pause;
use crate::record_row::{
    concurrency, concurrency_index, instance_id, instant, millis, register, task_name,
};
use crate::server::error::StoreError;
use crate::task_row::{TaskRow, task_states};

impl Tasks for Port {
    async fn define(
        &self,
        connection: &mut PgConnection,
        batch: &mut DefineBatch,
    ) -> Result<Timestamp, StoreError> {
        begin(self, connection).await?;
        let known = self.lock_tasks(connection, &batch.tasks()).await?;
        let now = self.now(connection).await?;
        let changed = batch.decide(&known, now);
        self.store_definitions(connection, &changed).await?;
        commit(connection).await?;
        batch.written(&BTreeSet::new());
        Ok(now)
    }

    async fn change_pause(
        &self,
        connection: &mut PgConnection,
        tasks: &BTreeSet<&TaskName>,
        pause: Option<&NewPause>,
    ) -> Result<Timestamp, StoreError> {
        begin(self, connection).await?;
        let now = self.now(connection).await?;
        if pause.is_some() {
            self.lock_tasks(connection, tasks).await?;
        }
        let change = self.sql().pause.query().bind(self.namespace_word());
        change
            .bind(words(tasks))
            .bind(pause.map(|pause| pause.note.as_str()))
            .bind(pause.map(|pause| pause.by.as_str()))
            .bind(pause.map(|_| millis(now)))
            .execute(&mut *connection)
            .await?;
        commit(connection).await?;
        // Only after the commit: a call that has not seen the pause has read registers that exist
        // by now, and finds that their versions rose.
        begin(self, connection).await?;
        let raise = self.sql().raise_versions.query();
        raise
            .bind(self.namespace_word())
            .bind(words(tasks))
            .execute(&mut *connection)
            .await?;
        commit(connection).await?;
        Ok(now)
    }

    async fn tasks(
        &self,
        connection: &mut PgConnection,
        query: &TaskQuery,
    ) -> Result<Answer<Vec<TaskState>>, StoreError> {
        begin_snapshot(connection).await?;
        let names = match query {
            TaskQuery::Named(names) => names.clone(),
            TaskQuery::Page { after, limit } => {
                self.task_names(connection, after.as_ref(), *limit).await?
            }
        };
        let distinct: BTreeSet<&TaskName> = names.iter().collect();
        let rows = self.task_rows(connection, &distinct).await?;
        let registers = self.task_registers(connection, &distinct).await?;
        let now = self.now(connection).await?;
        commit(connection).await?;
        let value = task_states(names, &rows, registers);
        Ok(Answer { now, value })
    }
}

impl Port {
    /// Makes the rows of tasks that are missing, locks all in their order, and answers the
    /// definitions that are there.
    async fn lock_tasks(
        &self,
        connection: &mut PgConnection,
        tasks: &BTreeSet<&TaskName>,
    ) -> Result<Definitions, StoreError> {
        let lock = self.sql().lock_tasks.query();
        let lock = lock.bind(self.namespace_word()).bind(words(tasks));
        let mut known = Definitions::new();
        for row in lock.fetch_all(connection).await? {
            let by: Option<&str> = row.try_get(5)?;
            if let (Some(definition), Some(by)) = (read_definition(&row)?, by) {
                let defining = Defining {
                    by: instance_id(by)?,
                    known_since: instant(row.try_get(6)?)?,
                    schedule_since: instant(row.try_get(7)?)?,
                    definition,
                };
                known.insert(defining.definition.task.clone(), defining);
            }
        }
        Ok(known)
    }

    /// Writes definitions into rows that are there.
    async fn store_definitions(
        &self,
        connection: &mut PgConnection,
        definitions: &[Defining],
    ) -> Result<(), StoreError> {
        if definitions.is_empty() {
            return Ok(());
        }
        let column = |of: fn(&Defining) -> &str| definitions.iter().map(of).collect::<Vec<_>>();
        let times = |of: fn(&Defining) -> Option<Timestamp>| {
            let times = definitions.iter().map(|new| of(new).map(millis));
            times.collect::<Vec<_>>()
        };
        let concurrencies = definitions
            .iter()
            .map(|new| i32::from(new.definition.concurrency.get()));
        self.sql()
            .store_definitions
            .query()
            .bind(self.namespace_word())
            .bind(column(|new| new.definition.task.as_str()))
            .bind(column(|new| &new.definition.schedule))
            .bind(concurrencies.collect::<Vec<_>>())
            .bind(column(|new| &new.definition.definition))
            .bind(column(|new| new.by.as_str()))
            .bind(times(|new| new.known_since))
            .bind(column(|new| &new.definition.canonical))
            .bind(times(|new| new.schedule_since))
            .execute(connection)
            .await?;
        Ok(())
    }

    /// A page of the names of tasks that anything is known of.
    async fn task_names(
        &self,
        connection: &mut PgConnection,
        after: Option<&TaskName>,
        limit: usize,
    ) -> Result<Vec<TaskName>, StoreError> {
        let page = self.sql().task_names.query();
        let rows = page
            .bind(self.namespace_word())
            .bind(after.map_or("", TaskName::as_str))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(connection)
            .await?;
        let name =
            |row: &PgRow| -> Result<TaskName, StoreError> { Ok(task_name(row.try_get(0)?)?) };
        rows.iter().map(name).collect()
    }

    async fn task_rows(
        &self,
        connection: &mut PgConnection,
        tasks: &BTreeSet<&TaskName>,
    ) -> Result<HashMap<TaskName, TaskRow>, StoreError> {
        let states = self.sql().task_states.query();
        let states = states.bind(self.namespace_word()).bind(words(tasks));
        let rows = states.fetch_all(connection).await?;
        let read = |row: &PgRow| Ok((task_name(row.try_get(0)?)?, read_row(row)?));
        rows.iter().map(read).collect()
    }

    /// The registers of tasks, by task and index.
    async fn task_registers(
        &self,
        connection: &mut PgConnection,
        tasks: &BTreeSet<&TaskName>,
    ) -> Result<Vec<(LockKey, Register)>, StoreError> {
        let registers = self.sql().task_registers.query();
        let registers = registers.bind(self.namespace_word()).bind(words(tasks));
        let rows = registers.fetch_all(connection).await?;
        let read = |row: &PgRow| {
            let index: i32 = row.try_get(1)?;
            let register = register(row.try_get(2)?, row.try_get(3)?)?;
            let task = task_name(row.try_get(0)?)?;
            let key = LockKey::new(task, concurrency_index(index.into())?);
            Ok((key, register))
        };
        rows.iter().map(read).collect()
    }
}

fn words<'t>(tasks: &BTreeSet<&'t TaskName>) -> Vec<&'t str> {
    tasks.iter().map(|task| task.as_str()).collect()
}

fn read_row(row: &PgRow) -> Result<TaskRow, StoreError> {
    let since: Option<i64> = row.try_get(7)?;
    Ok(TaskRow {
        definition: read_definition(row)?,
        known_since: instant(row.try_get(8)?)?,
        schedule_since: instant(row.try_get(9)?)?,
        pause: since.map(|_| read_pause(row, 7, 5, 6)).transpose()?,
    })
}

/// The columns task, schedule, concurrency, definition, canonical.
fn read_definition(row: &PgRow) -> Result<Option<TaskDefinition>, StoreError> {
    let Some(definition) = row.try_get(3)? else {
        return Ok(None);
    };
    let count: i32 = row.try_get(2)?;
    Ok(Some(TaskDefinition {
        task: task_name(row.try_get(0)?)?,
        schedule: row.try_get(1)?,
        concurrency: concurrency(count.into())?,
        definition,
        canonical: row.try_get(4)?,
    }))
}
