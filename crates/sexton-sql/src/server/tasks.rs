//! Definitions, pauses, and what is known of tasks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sexton_core::lock::{
    Answer, Defined, Pause, PauseChange, Register, TaskDefinition, TaskQuery, TaskState,
};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::ConcurrencyIndex;

use super::ServerLockManager;
use super::call::Errand;
use super::dialect::Dialect;
use super::error::Trouble;
use crate::said::Said;
use sexton_core::lock::stored::{Defining, define};

pub(super) struct Define<'b> {
    instance: &'b InstanceId,
    batch: Vec<TaskDefinition>,
}

impl<'b> Define<'b> {
    pub(super) fn new<DB: Dialect>(
        instance: &'b InstanceId,
        batch: &[TaskDefinition],
    ) -> Define<'b> {
        let as_kept = |new: &TaskDefinition| TaskDefinition {
            task: new.task.clone(),
            schedule: DB::text(&new.schedule).into_owned(),
            canonical: DB::text(&new.canonical).into_owned(),
            concurrency: new.concurrency,
            definition: DB::text(&new.definition).into_owned(),
        };
        Define {
            instance,
            batch: batch.iter().map(as_kept).collect(),
        }
    }
}

impl<DB: Dialect> Errand<DB> for Define<'_> {
    type Found = Answer<Vec<Defined>>;

    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<Self::Found, Trouble> {
        let names: BTreeSet<&TaskName> = self.batch.iter().map(|new| &new.task).collect();
        DB::begin(manager, connection).await?;
        let mut known = DB::lock_tasks(manager, connection, &names).await?;
        let now = DB::clock_now(manager, connection).await?;
        let value = define(&mut known, self.instance, &self.batch, now);
        let last: BTreeMap<&TaskName, &Defining> = known.iter().collect();
        let last: Vec<&Defining> = last.into_values().collect();
        DB::store_definitions(manager, connection, &last, self.instance).await?;
        let differed = |defined: &&Defined| matches!(defined, Defined::Differed { .. });
        let changed = value.iter().filter(differed).count();
        if changed > 0 {
            let by = i64::try_from(changed).unwrap_or(i64::MAX);
            DB::raise_revision(manager, connection, by).await?;
        }
        DB::commit(connection).await?;
        Ok(Answer { now, value })
    }
}

pub(super) struct ChangePause<'c> {
    pub(super) tasks: BTreeSet<&'c TaskName>,
    pub(super) change: &'c PauseChange,
}

impl<DB: Dialect> Errand<DB> for ChangePause<'_> {
    type Found = Answer<()>;

    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<Self::Found, Trouble> {
        DB::begin(manager, connection).await?;
        let now = DB::clock_now(manager, connection).await?;
        let pause = match self.change {
            PauseChange::Pause { note, by } => {
                DB::lock_tasks(manager, connection, &self.tasks).await?;
                Some(Pause {
                    note: DB::text(note).into_owned(),
                    by: DB::text(by).into_owned(),
                    since: now,
                })
            }
            PauseChange::Resume => None,
        };
        DB::set_pause(manager, connection, &self.tasks, pause.as_ref()).await?;
        DB::commit(connection).await?;
        // Only after the commit: a call that has not seen the pause has read registers that exist
        // by now, and finds that their versions rose.
        DB::begin(manager, connection).await?;
        DB::raise_versions(manager, connection, &self.tasks).await?;
        DB::raise_revision(manager, connection, 1).await?;
        DB::commit(connection).await?;
        Ok(Answer { now, value: () })
    }
}

pub(super) struct Tasks<'q>(pub(super) &'q TaskQuery);

/// The most tasks of a page.
const PAGE_MAX: usize = 1_000;

impl<DB: Dialect> Errand<DB> for Tasks<'_> {
    type Found = Answer<Vec<TaskState>>;

    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<Self::Found, Trouble> {
        DB::begin_snapshot(connection).await?;
        let names: Vec<TaskName> = match self.0 {
            TaskQuery::Named(names) => names.clone(),
            TaskQuery::Page { after, limit } => {
                let limit = i64::try_from((*limit).min(PAGE_MAX)).unwrap_or(0);
                DB::task_names(manager, connection, after.as_ref(), limit).await?
            }
        };
        let distinct: BTreeSet<&TaskName> = names.iter().collect();
        let said = DB::task_states(manager, connection, &distinct).await?;
        let said: HashMap<TaskName, Said> = said.into_iter().collect();
        let mut registers: HashMap<TaskName, Vec<(ConcurrencyIndex, Register)>> = HashMap::new();
        for (task, index, register) in DB::task_registers(manager, connection, &distinct).await? {
            registers.entry(task).or_default().push((index, register));
        }
        let now = DB::clock_now(manager, connection).await?;
        DB::commit(connection).await?;
        let state = |task: &TaskName| {
            let Said {
                definition,
                known_since,
                schedule_since,
                pause,
            } = said.get(task).cloned().unwrap_or_default();
            TaskState {
                task: task.clone(),
                definition,
                known_since,
                schedule_since,
                pause,
                registers: registers.get(task).cloned().unwrap_or_default(),
            }
        };
        let value = names.iter().map(state).collect();
        Ok(Answer { now, value })
    }
}
