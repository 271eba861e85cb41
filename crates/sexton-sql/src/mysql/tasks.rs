//! Definitions, pauses, and what is known of tasks.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use sexton_core::lock::engine::{Load, NewPause, Tasks};
use sexton_core::lock::stored::{DefineBatch, Defining, Definitions};
use sexton_core::lock::{Answer, LockKey, Register, TaskDefinition, TaskQuery, TaskState};
use sexton_core::name::TaskName;
use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use super::connect::{begin, begin_snapshot, commit};
use super::load::read_pause;
use super::sql::Bound;
use super::{Port, lists};
use crate::record_row::{
    concurrency, concurrency_index, instance_id, instant, millis, register, task_name,
};
use crate::server::error::StoreError;
use crate::task_row::{TaskRow, task_states};

impl Tasks for Port {
    async fn define(
        &self,
        connection: &mut MySqlConnection,
        batch: &mut DefineBatch,
    ) -> Result<Timestamp, StoreError> {
        begin(connection).await?;
        let known = self.lock_tasks(connection, &batch.tasks()).await?;
        let now = self.now(connection).await?;
        let changed = batch.decide(&known, now);
        if !changed.is_empty() {
            let list = lists::of_definitions(&changed);
            let store = self.sql().store_definitions.query(&[
                Bound::Text(self.namespace_word()),
                Bound::Text(batch.instance().as_str()),
                Bound::Text(&list),
            ]);
            store.execute(&mut *connection).await?;
        }
        commit(connection).await?;
        batch.written(&BTreeSet::new());
        Ok(now)
    }

    async fn change_pause(
        &self,
        connection: &mut MySqlConnection,
        tasks: &BTreeSet<&TaskName>,
        pause: Option<&NewPause>,
    ) -> Result<Timestamp, StoreError> {
        let list = lists::of_tasks(tasks.iter().copied());
        let namespace = Bound::Text(self.namespace_word());
        begin(connection).await?;
        let now = self.now(connection).await?;
        if pause.is_some() {
            self.lock_tasks(connection, tasks).await?;
        }
        let change = self.sql().pause.query(&[
            namespace,
            Bound::Text(&list),
            Bound::MaybeText(pause.map(|pause| pause.note.as_str())),
            Bound::MaybeText(pause.map(|pause| pause.by.as_str())),
            Bound::MaybeNumber(pause.map(|_| millis(now))),
        ]);
        change.execute(&mut *connection).await?;
        commit(connection).await?;
        // Only after the commit: a call that has not seen the pause has read registers that exist
        // by now, and finds that their versions rose.
        begin(connection).await?;
        let bound = [namespace, Bound::Text(&list)];
        let raise = self.sql().raise_versions.query(&bound);
        raise.execute(&mut *connection).await?;
        commit(connection).await?;
        Ok(now)
    }

    async fn tasks(
        &self,
        connection: &mut MySqlConnection,
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
        connection: &mut MySqlConnection,
        tasks: &BTreeSet<&TaskName>,
    ) -> Result<Definitions, StoreError> {
        let sql = self.sql();
        let list = lists::of_tasks(tasks.iter().copied());
        let bound = [Bound::Text(self.namespace_word()), Bound::Text(&list)];
        let lock = sql.lock_tasks.query(&bound);
        lock.execute(&mut *connection).await?;
        let mut known = Definitions::new();
        for row in sql.task_states.query(&bound).fetch_all(connection).await? {
            let by: Option<&str> = row.try_get_unchecked(4)?;
            if let (Some(definition), Some(by)) = (read_definition(&row)?, by) {
                let defining = Defining {
                    by: instance_id(by)?,
                    known_since: instant(row.try_get_unchecked(8)?)?,
                    schedule_since: instant(row.try_get_unchecked(10)?)?,
                    definition,
                };
                known.insert(defining.definition.task.clone(), defining);
            }
        }
        Ok(known)
    }

    /// A page of the names of tasks that anything is known of.
    async fn task_names(
        &self,
        connection: &mut MySqlConnection,
        after: Option<&TaskName>,
        limit: usize,
    ) -> Result<Vec<TaskName>, StoreError> {
        let page = self.sql().task_names.query(&[
            Bound::Text(self.namespace_word()),
            Bound::Text(after.map_or("", TaskName::as_str)),
            Bound::Number(i64::try_from(limit).unwrap_or(i64::MAX)),
        ]);
        let rows = page.fetch_all(connection).await?;
        let name = |row: &MySqlRow| Ok(task_name(row.try_get_unchecked(0)?)?);
        rows.iter().map(name).collect()
    }

    async fn task_rows(
        &self,
        connection: &mut MySqlConnection,
        tasks: &BTreeSet<&TaskName>,
    ) -> Result<HashMap<TaskName, TaskRow>, StoreError> {
        let list = lists::of_tasks(tasks.iter().copied());
        let bound = [Bound::Text(self.namespace_word()), Bound::Text(&list)];
        let states = self.sql().task_states.query(&bound);
        let rows = states.fetch_all(connection).await?;
        let read = |row: &MySqlRow| Ok((task_name(row.try_get_unchecked(0)?)?, read_row(row)?));
        rows.iter().map(read).collect()
    }

    /// The registers of tasks, by task and index.
    async fn task_registers(
        &self,
        connection: &mut MySqlConnection,
        tasks: &BTreeSet<&TaskName>,
    ) -> Result<Vec<(LockKey, Register)>, StoreError> {
        let list = lists::of_tasks(tasks.iter().copied());
        let bound = [Bound::Text(self.namespace_word()), Bound::Text(&list)];
        let registers = self.sql().task_registers.query(&bound);
        let rows = registers.fetch_all(connection).await?;
        let read = |row: &MySqlRow| {
            let register = register(row.try_get_unchecked(2)?, row.try_get_unchecked(3)?)?;
            let task = task_name(row.try_get_unchecked(0)?)?;
            let index = concurrency_index(row.try_get_unchecked(1)?)?;
            Ok((LockKey::new(task, index), register))
        };
        rows.iter().map(read).collect()
    }
}

fn read_row(row: &MySqlRow) -> Result<TaskRow, StoreError> {
    let since: Option<i64> = row.try_get_unchecked(7)?;
    Ok(TaskRow {
        definition: read_definition(row)?,
        known_since: instant(row.try_get_unchecked(8)?)?,
        schedule_since: instant(row.try_get_unchecked(10)?)?,
        pause: since.map(|_| read_pause(row, 7, 5, 6)).transpose()?,
    })
}

/// The columns of a definition, in the order of `sql/task_states.sql`.
fn read_definition(row: &MySqlRow) -> Result<Option<TaskDefinition>, StoreError> {
    let definition: Option<String> = row.try_get_unchecked(3)?;
    let Some(definition) = definition else {
        return Ok(None);
    };
    Ok(Some(TaskDefinition {
        task: task_name(row.try_get_unchecked(0)?)?,
        schedule: row.try_get_unchecked(1)?,
        concurrency: concurrency(row.try_get_unchecked(2)?)?,
        definition,
        canonical: row.try_get_unchecked(9)?,
    }))
}
