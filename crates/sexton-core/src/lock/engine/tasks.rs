//! Definitions, pauses, and what is known of tasks.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Engine, NewPause, Operation, Port};
use crate::lock::stored::DefineBatch;
use crate::lock::{
    Answer, Defined, LockError, PAGE_MAX, PauseChange, TaskDefinition, TaskQuery, TaskState,
};
use crate::name::{InstanceId, TaskName};

/// Defines tasks.
struct Define(DefineBatch);

impl<P: Port> Operation<P> for Define {
    type Output = Timestamp;

    async fn run(
        &mut self,
        engine: &Engine<P>,
        connection: &mut P::Connection,
    ) -> Result<Timestamp, P::Error> {
        engine.port.define(connection, &mut self.0).await
    }
}

/// Pauses or resumes tasks.
struct ChangePause<'c> {
    tasks: BTreeSet<&'c TaskName>,
    pause: Option<NewPause>,
}

impl<P: Port> Operation<P> for ChangePause<'_> {
    type Output = Answer<()>;

    async fn run(
        &mut self,
        engine: &Engine<P>,
        connection: &mut P::Connection,
    ) -> Result<Answer<()>, P::Error> {
        let changing = engine
            .port
            .change_pause(connection, &self.tasks, self.pause.as_ref());
        let now = changing.await?;
        Ok(Answer { now, value: () })
    }
}

/// Reads what is known of tasks.
struct ListTasks(TaskQuery);

impl<P: Port> Operation<P> for ListTasks {
    type Output = Answer<Vec<TaskState>>;

    async fn run(
        &mut self,
        engine: &Engine<P>,
        connection: &mut P::Connection,
    ) -> Result<Self::Output, P::Error> {
        engine.port.tasks(connection, &self.0).await
    }
}

impl<P: Port> Engine<P> {
    pub(super) async fn define(
        &self,
        instance: &InstanceId,
        batch: &[TaskDefinition],
    ) -> Result<Answer<Vec<Defined>>, LockError> {
        let text = |text: &str| self.port.text(text).into_owned();
        let as_stored = |new: &TaskDefinition| TaskDefinition {
            task: new.task.clone(),
            schedule: text(&new.schedule),
            canonical: text(&new.canonical),
            concurrency: new.concurrency,
            definition: text(&new.definition),
        };
        let batch = batch.iter().map(as_stored).collect();
        let mut define = Define(DefineBatch::new(instance.clone(), batch));
        let now = self.call("define tasks", &mut define).await?;
        let value = define.0.into_answers();
        if value.iter().any(|defined| *defined != Defined::Same) {
            self.notify_others().await;
        }
        Ok(Answer { now, value })
    }

    pub(super) async fn change_pause(
        &self,
        tasks: &[TaskName],
        change: &PauseChange,
    ) -> Result<Answer<()>, LockError> {
        let pause = match change {
            PauseChange::Resume => None,
            PauseChange::Pause { note, by } => Some(NewPause {
                note: self.port.text(note).into_owned(),
                by: self.port.text(by).into_owned(),
            }),
        };
        let mut change = ChangePause {
            tasks: tasks.iter().collect(),
            pause,
        };
        let changed = self.call("pause or resume", &mut change).await?;
        self.notify_others().await;
        Ok(changed)
    }

    pub(super) async fn tasks(
        &self,
        query: &TaskQuery,
    ) -> Result<Answer<Vec<TaskState>>, LockError> {
        let query = match query {
            TaskQuery::Page { after, limit } => TaskQuery::Page {
                after: after.clone(),
                limit: (*limit).min(PAGE_MAX),
            },
            named @ TaskQuery::Named(_) => named.clone(),
        };
        self.call("list tasks", &mut ListTasks(query)).await
    }
}
