//! Talking to a scheduler while it runs.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{
    CancelRequested, Capability, Enqueue, Execution, ExecutionRecord, HistoryQuery, LockError,
    LockManager, PauseChange, TaskQuery, TaskState,
};
use sexton_core::name::{ManagerName, TaskName};
use sexton_core::tick::{Concurrency, Tick};
use tokio::sync::{mpsc, oneshot};

use super::accounted::accounted_until;
use super::{Scheduler, Shared, builder};
use crate::driver::{Command, Found, Put};
use crate::error::RegistryError;
use crate::housekeeping::announce_batch;
use crate::link::Link;
use crate::operator::{TRIGGER_WITHIN, enqueue_now, no_free_tick, trigger_deadline};
use crate::runs::{Runs, StopCause};
use crate::task::{ReadyTask, TaskError, TaskProblem};

/// Changes a running scheduler's tasks, and tells the fleet what to do. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SchedulerHandle {
    shared: Arc<Shared>,
    homes: Arc<[HomeHandle]>,
}

#[derive(Debug)]
struct HomeHandle {
    name: ManagerName,
    link: Arc<Link>,
    runs: Arc<Runs>,
    commands: mpsc::Sender<Command>,
}

impl Scheduler {
    /// A handle to talk to the scheduler from anywhere.
    #[must_use]
    pub fn handle(&self) -> SchedulerHandle {
        let homes = self.homes.iter().map(|home| HomeHandle {
            name: home.name.clone(),
            link: Arc::clone(&home.link),
            runs: Arc::clone(&home.runs),
            commands: home.commands.clone(),
        });
        SchedulerHandle {
            shared: Arc::clone(&self.shared),
            homes: homes.collect(),
        }
    }
}

impl SchedulerHandle {
    /// Adds a task. Its ticks count as they do for a task that a scheduler starts with: from now
    /// on, or from where the fleet stopped, if the store knows the task with this schedule.
    ///
    /// # Errors
    /// [`RegistryError`] if it cannot work, its name is used, or the scheduler is shutting down.
    pub async fn add(&self, task: ReadyTask) -> Result<(), RegistryError> {
        self.put(task, Put::Add).await
    }

    /// Puts a task in the place of the one that has its name, or adds it. What runs stays as it is;
    /// with another schedule, its ticks count from now on.
    ///
    /// # Errors
    /// [`RegistryError`] if it cannot work, or the scheduler is shutting down.
    pub async fn replace(&self, task: ReadyTask) -> Result<(), RegistryError> {
        self.put(task, Put::Replace).await
    }

    async fn put(&self, task: ReadyTask, put: Put) -> Result<(), RegistryError> {
        let managers: Vec<(ManagerName, Arc<dyn LockManager>)> = self
            .homes
            .iter()
            .map(|home| (home.name.clone(), Arc::clone(&home.link.manager)))
            .collect();
        let task = builder::check_task(task, &self.shared, &managers)?;
        if !self.shared.has_labels_of(&task) {
            return Ok(());
        }
        let home = self.home(&task.manager).map_err(|problem| TaskError {
            task: task.name.to_string(),
            problem,
        })?;
        let accounted = match home.link.is_lost() {
            true => None,
            // If the store cannot be asked, the task is due from now on, which the call has told.
            false => accounted_until(&home.link, &[&task]).await.ok(),
        };
        let after = accounted.and_then(|accounted| accounted.get(&task.name).copied());
        let task = Arc::new(task);
        let (answer, answered) = oneshot::channel();
        let command = Command::Put(Arc::clone(&task), put, after, answer);
        home.ask(command, answered).await?;
        if home.link.manager.supports(Capability::Operations) {
            // It runs whether or not the store could be told how it is defined; that it could not,
            // the call has told.
            let _ = announce_batch(&home.link, &self.shared, &[task]).await;
        }
        Ok(())
    }

    /// Removes a task. What runs goes on; what was claimed ahead is still run.
    ///
    /// # Errors
    /// [`RegistryError`] if there is no such task, or the scheduler is shutting down.
    pub async fn remove(&self, task: &str) -> Result<(), RegistryError> {
        let mut result = Err(RegistryError::NoSuchTask {
            task: task.to_owned(),
        });
        for home in self.homes.iter() {
            let (answer, answered) = oneshot::channel();
            let removed = home
                .ask(Command::Remove(task.to_owned(), answer), answered)
                .await;
            if !matches!(removed, Err(RegistryError::NoSuchTask { .. })) {
                result = removed;
            }
        }
        result
    }

    /// Pauses a task all over the fleet: ticks that come due are skipped until it is resumed.
    ///
    /// # Errors
    /// [`LockError`] if the store cannot be told.
    pub async fn pause(&self, task: &TaskName, note: &str) -> Result<(), LockError> {
        let by = self.shared.instance.to_string();
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
    /// [`LockError`] if the store cannot be told.
    pub async fn resume(&self, task: &TaskName) -> Result<(), LockError> {
        self.change_pause(task, &PauseChange::Resume).await
    }

    async fn change_pause(&self, task: &TaskName, change: &PauseChange) -> Result<(), LockError> {
        for home in self.homes.iter() {
            let tasks = std::slice::from_ref(task);
            home.link
                .call(home.link.manager.change_pause(tasks, change))
                .await?;
        }
        Ok(())
    }

    /// Runs a task once over the fleet, now, besides its schedule. Answers the tick the run has:
    /// the store's now.
    ///
    /// What no instance starts within an hour is recorded as missed; see
    /// [`SchedulerHandle::trigger_within`] for another time.
    ///
    /// # Errors
    /// [`LockError`] if the store cannot be told.
    pub async fn trigger(
        &self,
        manager: &ManagerName,
        task: &TaskName,
        concurrency: Concurrency,
    ) -> Result<Tick, LockError> {
        self.trigger_within(manager, task, concurrency, TRIGGER_WITHIN)
            .await
    }

    /// As [`SchedulerHandle::trigger`]; what no instance starts within this time, in whole
    /// milliseconds, is recorded as missed. [`Duration::MAX`] waits without a limit.
    ///
    /// # Errors
    /// [`LockError`] if the store cannot be told.
    pub async fn trigger_within(
        &self,
        manager: &ManagerName,
        task: &TaskName,
        concurrency: Concurrency,
        within: Duration,
    ) -> Result<Tick, LockError> {
        let home = self.home_for(manager, "trigger a task")?;
        let begin = Tick::at_or_before(home.link.manager.now().await?);
        let enqueue = |batch: Vec<Enqueue>| async move {
            home.link.call(home.link.manager.enqueue(&batch)).await
        };
        let deadline = trigger_deadline(begin, within);
        let batch = enqueue_now(task, concurrency, begin, deadline, enqueue).await?;
        let Some(tick) = batch.first().map(|enqueue| enqueue.execution.tick) else {
            return Err(no_free_tick(home.link.manager.location()));
        };
        let found = batch
            .into_iter()
            .map(|enqueue| Found::waiting(enqueue.execution, Some(concurrency)))
            .collect();
        // If the driver is busy, the next heartbeat finds it.
        let _ = home.commands.try_send(Command::Claim(found));
        Ok(tick)
    }

    /// Asks for an execution to be cancelled, on whichever instance it runs.
    ///
    /// # Errors
    /// [`LockError`] if the store cannot be told.
    pub async fn cancel(&self, execution: &Execution) -> Result<CancelRequested, LockError> {
        let mut answer = CancelRequested::NotRunning;
        for home in self.homes.iter() {
            let told = home
                .link
                .call(home.link.manager.request_cancel(execution))
                .await?;
            if told != CancelRequested::NotRunning {
                answer = told;
            }
            home.runs.stop_execution(execution, StopCause::Requested);
        }
        Ok(answer)
    }

    /// A page of the history of one lock manager's store.
    ///
    /// # Errors
    /// [`LockError`] if the store cannot be asked.
    pub async fn history(
        &self,
        manager: &ManagerName,
        query: &HistoryQuery,
    ) -> Result<Vec<ExecutionRecord>, LockError> {
        let home = self.home_for(manager, "read the history")?;
        home.link.call(home.link.manager.history(query)).await
    }

    /// What one lock manager's store knows of tasks.
    ///
    /// # Errors
    /// [`LockError`] if the store cannot be asked.
    pub async fn tasks(
        &self,
        manager: &ManagerName,
        query: &TaskQuery,
    ) -> Result<Vec<TaskState>, LockError> {
        let home = self.home_for(manager, "read the tasks")?;
        home.link.call(home.link.manager.tasks(query)).await
    }

    fn home_for(
        &self,
        manager: &ManagerName,
        action: &'static str,
    ) -> Result<&HomeHandle, LockError> {
        self.home(manager).map_err(|problem| LockError::Refused {
            store: manager.to_string(),
            action,
            advice: problem.to_string(),
            source: None,
        })
    }

    fn home(&self, manager: &ManagerName) -> Result<&HomeHandle, TaskProblem> {
        self.homes
            .iter()
            .find(|home| home.name == *manager)
            .ok_or_else(|| {
                let known: Vec<&str> = self.homes.iter().map(|home| home.name.as_str()).collect();
                TaskProblem::Unknown {
                    what: "lock manager",
                    name: manager.to_string(),
                    known: known.join(", "),
                }
            })
    }
}

impl HomeHandle {
    async fn ask(
        &self,
        command: Command,
        answered: oneshot::Receiver<Result<(), RegistryError>>,
    ) -> Result<(), RegistryError> {
        self.commands
            .send(command)
            .await
            .map_err(|_| RegistryError::ShuttingDown)?;
        answered.await.unwrap_or(Err(RegistryError::ShuttingDown))
    }
}
