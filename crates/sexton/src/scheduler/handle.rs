//! Talking to a scheduler while it runs.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{
    Answer, CancelRequested, Capability, Enqueue, Execution, ExecutionRecord, HistoryQuery,
    LockError, LockManager, PauseChange, TaskQuery, TaskState,
};
use sexton_core::name::{ManagerName, TaskName};
use sexton_core::tick::{Concurrency, Tick};
use tokio::sync::{mpsc, oneshot};

use super::accounted::accounted_until;
use super::{Scheduler, builder};
use crate::command::{Command, Found, Put};
use crate::context::Context;
use crate::error::HandleError;
use crate::housekeeping::announce_batch;
use crate::operator::{Operator, enqueue_now, trigger_deadline};
use crate::runs::Runs;
use crate::stop_cause::StopCause;
use crate::store_client::StoreClient;
use crate::task::{ReadyTask, TaskError, TaskProblem};
use crate::watched::{Failure, Watch};

/// Changes a running scheduler's tasks, and tells the fleet what to do. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SchedulerHandle {
    context: Arc<Context>,
    backends: Arc<[BackendHandle]>,
}

#[derive(Debug)]
struct BackendHandle {
    name: ManagerName,
    client: Arc<StoreClient>,
    runs: Arc<Runs>,
    commands: mpsc::Sender<Command>,
}

impl Scheduler {
    /// A handle to talk to the scheduler from anywhere.
    #[must_use]
    pub fn handle(&self) -> SchedulerHandle {
        let backends = self.backends.iter().map(|backend| BackendHandle {
            name: backend.name.clone(),
            client: Arc::clone(&backend.client),
            runs: Arc::clone(&backend.runs),
            commands: backend.commands.clone(),
        });
        SchedulerHandle {
            context: Arc::clone(&self.context),
            backends: backends.collect(),
        }
    }
}

impl SchedulerHandle {
    /// Adds a task. Its ticks count as they do for a task that a scheduler starts with: from now
    /// on, or from where the fleet stopped, if the store knows the task with this schedule.
    ///
    /// # Errors
    /// [`HandleError`] if it cannot work, its name is used, on whichever lock manager, or the
    /// scheduler is shutting down or has stopped.
    pub async fn add(&self, task: ReadyTask) -> Result<(), HandleError> {
        self.put(task, Put::Add).await
    }

    /// Puts a task in the place of the one that has its name, or adds it. What runs stays as it is;
    /// with another schedule, its ticks count from now on.
    ///
    /// On another lock manager its ticks count from now on as well: this instance takes the task
    /// from the one that had it first. Other instances go on there until theirs is replaced too. If
    /// the instance has not all [labels](crate::Task::only_on) of the task, the one that had its
    /// name is removed.
    ///
    /// # Errors
    /// [`HandleError`] if it cannot work, or the scheduler is shutting down or has stopped.
    pub async fn replace(&self, task: ReadyTask) -> Result<(), HandleError> {
        self.put(task, Put::Replace).await
    }

    async fn put(&self, task: ReadyTask, put: Put) -> Result<(), HandleError> {
        self.check()?;
        let managers: Vec<(ManagerName, Arc<dyn LockManager>)> = self
            .backends
            .iter()
            .map(|backend| (backend.name.clone(), Arc::clone(&backend.client.manager)))
            .collect();
        let task = Arc::new(builder::check_task(task, &self.context, &managers)?);
        // Of two changes of one task at once, neither must overlook what the other puts.
        let _changing = self.context.changing.lock().await;
        let is_ours = self.context.has_labels_of(&task);
        let is_elsewhere = |backend: &&BackendHandle| !is_ours || backend.name != task.manager;
        let mut moved_after = None;
        for backend in self.backends.iter().filter(is_elsewhere) {
            let name = task.name.as_str();
            match put {
                Put::Add if backend.find(name).await?.is_some() => {
                    let task = task.name.clone();
                    return Err(HandleError::NameUsedTwice { task });
                }
                Put::Add => {}
                Put::Replace => match backend.remove(name).await {
                    Ok(last) => moved_after = moved_after.max(Some(last.unwrap_or(Tick::MIN))),
                    Err(HandleError::NoSuchTask { .. }) => {}
                    Err(error) => return Err(error),
                },
            }
        }
        if !is_ours {
            return Ok(());
        }
        let backend = self.backend(&task.manager).map_err(|problem| TaskError {
            task: task.name.to_string(),
            problem,
        })?;
        let accounted = match backend.client.is_lost() {
            true => None,
            // If the store cannot be asked, the task is due from now on, which the call has told.
            false => accounted_until(&backend.client, &[&task]).await.ok(),
        };
        let mut after = accounted.and_then(|accounted| accounted.get(&task.name).copied());
        if let Some(last) = moved_after {
            // What was granted on the other manager runs, and what was missed is missed there.
            let now = backend.client.now().tick_at_or_before();
            after = after.max(Some(last)).max(Some(now));
        }
        let put = |answer| Command::Put(Arc::clone(&task), put, after, answer);
        backend.ask(put).await??;
        if backend.client.manager.supports(Capability::Operations) {
            // It runs whether or not the store could be told how it is defined; that it could not,
            // the call has told.
            let _ = announce_batch(&backend.client, &self.context, &[task]).await;
        }
        Ok(())
    }

    /// Removes a task. Its runs continue, and what was claimed ahead is still run.
    ///
    /// # Errors
    /// [`HandleError`] if there is no such task, or the scheduler is shutting down or has stopped.
    pub async fn remove(&self, task: &str) -> Result<(), HandleError> {
        self.check()?;
        let _changing = self.context.changing.lock().await;
        let mut result = Err(HandleError::NoSuchTask {
            task: task.to_owned(),
        });
        for backend in self.backends.iter() {
            let removed = backend.remove(task).await;
            if !matches!(removed, Err(HandleError::NoSuchTask { .. })) {
                result = removed.map(|_| ());
            }
        }
        result
    }

    /// Pauses a task all over the fleet: ticks that come due are skipped until it is resumed.
    ///
    /// # Errors
    /// [`HandleError`] if the store cannot be told, or the scheduler has stopped.
    pub async fn pause(&self, task: &TaskName, note: &str) -> Result<(), HandleError> {
        let by = self.context.instance.to_string();
        self.change_pause(
            task,
            &PauseChange::Pause {
                note: note.to_owned(),
                by,
            },
        )
        .await
    }

    /// Resumes a task all over the fleet.
    ///
    /// # Errors
    /// [`HandleError`] if the store cannot be told, or the scheduler has stopped.
    pub async fn resume(&self, task: &TaskName) -> Result<(), HandleError> {
        self.change_pause(task, &PauseChange::Resume).await
    }

    async fn change_pause(&self, task: &TaskName, change: &PauseChange) -> Result<(), HandleError> {
        for backend in self.backends.iter() {
            let tasks = std::slice::from_ref(task);
            self.call(backend, backend.client.manager.change_pause(tasks, change))
                .await?;
        }
        Ok(())
    }

    /// Runs a task once over the fleet, now, apart from its schedule, with as many executions as any
    /// of its ticks has. Answers the tick the run has: the store's now.
    ///
    /// What no instance starts within an hour is recorded as missed; see
    /// [`SchedulerHandle::trigger_within`] for another time.
    ///
    /// # Errors
    /// [`HandleError::NoSuchTask`] if neither the store nor this scheduler knows the task;
    /// [`LockError::TooManyWaiting`] if 100 of its executions wait already for each concurrency
    /// index; others if the store cannot be told, or the scheduler has stopped.
    pub async fn trigger(
        &self,
        manager: &ManagerName,
        task: &TaskName,
    ) -> Result<Tick, HandleError> {
        self.trigger_within(manager, task, Operator::TRIGGER_WITHIN)
            .await
    }

    /// As [`SchedulerHandle::trigger`]; what no instance starts within this time, in whole
    /// milliseconds, is recorded as missed. [`Duration::MAX`] waits without a limit.
    ///
    /// # Errors
    /// As [`SchedulerHandle::trigger`].
    pub async fn trigger_within(
        &self,
        manager: &ManagerName,
        task: &TaskName,
        within: Duration,
    ) -> Result<Tick, HandleError> {
        let backend = self.backend_for(manager, "trigger a task")?;
        let concurrency = self.concurrency_of(backend, task).await?;
        let now = async {
            let now = backend.client.manager.now().await?;
            Ok(Answer { now, value: now })
        };
        let begin = Tick::at_or_before(self.call(backend, now).await?);
        let enqueue = |batch: Vec<Enqueue>| async move {
            backend
                .client
                .call(backend.client.manager.enqueue(&batch))
                .await
        };
        let deadline = trigger_deadline(begin, within);
        let store = backend.client.manager.location();
        let triggered = enqueue_now(store, task, concurrency, begin, deadline, enqueue).await?;
        let executions = triggered.executions.into_iter();
        let found = executions
            .map(|execution| Found::waiting(execution, Some(concurrency)))
            .collect();
        // If the driver is busy, the next heartbeat finds it.
        let _ = backend.commands.try_send(Command::Claim(found));
        Ok(triggered.tick)
    }

    /// The concurrency of a task as the store knows it; as this scheduler does, if it has not told
    /// the store yet.
    async fn concurrency_of(
        &self,
        backend: &BackendHandle,
        task: &TaskName,
    ) -> Result<Concurrency, HandleError> {
        let query = TaskQuery::Named(vec![task.clone()]);
        let states = self
            .call(backend, backend.client.manager.tasks(&query))
            .await?;
        let mut definitions = states.into_iter().filter_map(|state| state.definition);
        if let Some(definition) = definitions.next() {
            return Ok(definition.concurrency);
        }
        let own = backend.find(task.as_str()).await?;
        own.ok_or_else(|| HandleError::NoSuchTask {
            task: task.to_string(),
        })
    }

    /// Asks for an execution to be cancelled, on whichever instance it runs.
    ///
    /// # Errors
    /// [`HandleError`] if the store cannot be told, or the scheduler has stopped.
    pub async fn cancel(&self, execution: &Execution) -> Result<CancelRequested, HandleError> {
        let mut answer = CancelRequested::NotRunning;
        for backend in self.backends.iter() {
            let told = self
                .call(backend, backend.client.manager.request_cancel(execution))
                .await?;
            if told != CancelRequested::NotRunning {
                answer = told;
            }
            backend.runs.stop_execution(execution, StopCause::Requested);
        }
        Ok(answer)
    }

    /// A page of the history of one lock manager's store.
    ///
    /// # Errors
    /// [`HandleError`] if the store cannot be asked, or the scheduler has stopped.
    pub async fn history(
        &self,
        manager: &ManagerName,
        query: &HistoryQuery,
    ) -> Result<Vec<ExecutionRecord>, HandleError> {
        let backend = self.backend_for(manager, "read the history")?;
        self.call(backend, backend.client.manager.history(query))
            .await
    }

    /// What one lock manager's store knows of tasks.
    ///
    /// # Errors
    /// [`HandleError`] if the store cannot be asked, or the scheduler has stopped.
    pub async fn tasks(
        &self,
        manager: &ManagerName,
        query: &TaskQuery,
    ) -> Result<Vec<TaskState>, HandleError> {
        let backend = self.backend_for(manager, "read the tasks")?;
        self.call(backend, backend.client.manager.tasks(query))
            .await
    }

    /// # Errors
    /// [`HandleError::Stopped`] if a part of the scheduler has panicked.
    fn check(&self) -> Result<(), HandleError> {
        stopped(&self.context.watch).map_or(Ok(()), Err)
    }

    async fn call<T>(
        &self,
        backend: &BackendHandle,
        call: impl Future<Output = Result<Answer<T>, LockError>>,
    ) -> Result<T, HandleError> {
        self.check()?;
        let answer = backend.client.call(call).await;
        answer.map_err(|error| stopped(&self.context.watch).unwrap_or(error.into()))
    }

    fn backend_for(
        &self,
        manager: &ManagerName,
        action: &'static str,
    ) -> Result<&BackendHandle, HandleError> {
        self.backend(manager).map_err(|problem| {
            HandleError::Store(LockError::Refused {
                store: manager.to_string(),
                action,
                advice: problem.to_string(),
                source: None,
            })
        })
    }

    fn backend(&self, manager: &ManagerName) -> Result<&BackendHandle, TaskProblem> {
        self.backends
            .iter()
            .find(|backend| backend.name == *manager)
            .ok_or_else(|| {
                let known: Vec<&str> = self
                    .backends
                    .iter()
                    .map(|backend| backend.name.as_str())
                    .collect();
                TaskProblem::Unknown {
                    what: "lock manager",
                    name: manager.to_string(),
                    known: known.join(", "),
                }
            })
    }

    /// Completes when each of the scheduler's drivers has answered, and so still decides what is
    /// due when: what a watchdog wants to know. A driver that is stuck, as by a schedule that
    /// blocks its thread, does not answer: give this a time limit. Cancel safe.
    ///
    /// # Errors
    /// [`HandleError::ShuttingDown`] or [`HandleError::Stopped`]: there is no driver any more.
    ///
    /// ```no_run
    /// # async fn fed(handle: sexton::SchedulerHandle) {
    /// use std::time::Duration;
    ///
    /// let answered = tokio::time::timeout(Duration::from_secs(10), handle.ping()).await;
    /// let is_healthy = matches!(answered, Ok(Ok(())));
    /// # }
    /// ```
    pub async fn ping(&self) -> Result<(), HandleError> {
        for backend in &*self.backends {
            // No task has an empty name.
            backend.find("").await?;
        }
        Ok(())
    }
}

impl BackendHandle {
    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, HandleError> {
        let gone = || stopped(&self.runs.context.watch).unwrap_or(HandleError::ShuttingDown);
        let (answer, answered) = oneshot::channel();
        let sent = self.commands.send(command(answer)).await;
        sent.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())
    }

    async fn find(&self, task: &str) -> Result<Option<Concurrency>, HandleError> {
        self.ask(|answer| Command::Find(task.to_owned(), answer))
            .await
    }

    /// Answers the last tick of the task that may still run here.
    async fn remove(&self, task: &str) -> Result<Option<Tick>, HandleError> {
        self.ask(|answer| Command::Remove(task.to_owned(), answer))
            .await?
    }
}

fn stopped(watch: &Watch) -> Option<HandleError> {
    let Failure { part, error } = watch.failure()?.clone();
    Some(HandleError::Stopped { part, error })
}
