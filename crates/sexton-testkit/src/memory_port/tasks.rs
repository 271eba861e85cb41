//! Definitions, pauses, and what is known of tasks.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sexton_core::lock::engine::{NewPause, Tasks, Unavailable};
use sexton_core::lock::stored::{DefineBatch, Definitions};
use sexton_core::lock::{Answer, LockKey, TaskQuery, TaskState};
use sexton_core::name::TaskName;
use sexton_core::tick::Fence;

use super::rows::Rows;
use super::{Call, Connection, MemoryError, MemoryPort, Omission};

impl Tasks for MemoryPort {
    async fn define(
        &self,
        connection: &mut Connection,
        batch: &mut DefineBatch,
    ) -> Result<Timestamp, MemoryError> {
        self.check_writable()?;
        let names: BTreeSet<TaskName> = batch.tasks().into_iter().cloned().collect();
        let read = self.step(connection, Call::ReadDefinitions, |rows, now| {
            Ok((rows.definitions_of(&names), now))
        });
        let (known, now) = read.await?;
        let changed = batch.decide(&known, now);
        let write = self.step(connection, Call::WriteDefinitions, |rows, _| {
            let mut conflicts = BTreeSet::new();
            for new in changed {
                let task = new.definition.task.clone();
                if rows.definitions.get(&task) == known.get(&task) {
                    rows.definitions.insert(task, new);
                } else {
                    conflicts.insert(task);
                }
            }
            Ok(conflicts)
        });
        let conflicts = write.await?;
        match batch.written(&conflicts) {
            true => Err(Unavailable::Conflict.into()),
            false => Ok(now),
        }
    }

    async fn change_pause(
        &self,
        connection: &mut Connection,
        tasks: &BTreeSet<&TaskName>,
        pause: Option<&NewPause>,
    ) -> Result<Timestamp, MemoryError> {
        self.check_writable()?;
        let set = self.step(connection, Call::SetPause, |rows, now| {
            for task in tasks {
                match pause {
                    Some(pause) => rows.pauses.insert((*task).clone(), pause.since(now)),
                    None => rows.pauses.remove(*task),
                };
            }
            Ok(now)
        });
        let now = set.await?;
        let by = Connection::open(connection.id, 0);
        let raise = self.step(connection, Call::RaiseVersions, |rows, _| {
            if self.omission == Some(Omission::RaisedVersions) {
                return Ok(());
            }
            let keys: Vec<LockKey> = tasks.iter().flat_map(|task| rows.keys_of(task)).collect();
            rows.check_free(&keys, &by)?;
            keys.into_iter().for_each(|key| rows.touch(key));
            Ok(())
        });
        raise.await?;
        Ok(now)
    }

    async fn tasks(
        &self,
        connection: &mut Connection,
        query: &TaskQuery,
    ) -> Result<Answer<Vec<TaskState>>, MemoryError> {
        self.step(connection, Call::Tasks, |rows, now| {
            let names: Vec<TaskName> = match query {
                TaskQuery::Named(names) => names.clone(),
                TaskQuery::Page { after, limit } => {
                    let known = rows.known_tasks().into_iter();
                    let behind =
                        known.filter(|task| after.as_ref().is_none_or(|after| task > after));
                    behind.take(*limit).collect()
                }
            };
            let value = names.iter().map(|task| rows.task_state(task)).collect();
            Ok(Answer { now, value })
        })
        .await
    }
}

impl Rows {
    fn definitions_of(&self, tasks: &BTreeSet<TaskName>) -> Definitions {
        let known = self.definitions.iter();
        let asked = known.filter(|(task, _)| tasks.contains(*task));
        asked
            .map(|(task, one)| (task.clone(), one.clone()))
            .collect()
    }

    fn known_tasks(&self) -> BTreeSet<TaskName> {
        let registered = self.registers.iter();
        let registered = registered.filter(|(_, row)| {
            row.register.watermark.is_some() || row.register.fence != Fence::NONE
        });
        let defined = self.definitions.keys();
        let known = registered.map(|(key, _)| &key.task).chain(defined);
        known.chain(self.pauses.keys()).cloned().collect()
    }

    fn task_state(&self, task: &TaskName) -> TaskState {
        let keys = self.keys_of(task).into_iter();
        let registers = keys.map(|key| (key.index, self.registers[&key].register));
        let known = registers
            .filter(|(_, register)| register.watermark.is_some() || register.fence != Fence::NONE);
        let defining = self.definitions.get(task);
        TaskState {
            task: task.clone(),
            definition: defining.map(|one| one.definition.clone()),
            known_since: defining.and_then(|one| one.known_since),
            schedule_since: defining.and_then(|one| one.schedule_since),
            pause: self.pauses.get(task).cloned(),
            registers: known.collect(),
        }
    }
}
