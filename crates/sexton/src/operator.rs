//! What operators do to tasks through their store.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sexton_core::lock::{
    Answer, CancelRequested, Enqueue, Enqueued, Execution, ExecutionRecord, HistoryQuery,
    InstanceRecord, LockError, LockManager, PauseChange, TaskQuery, TaskState, WAITING_MAX,
};
use sexton_core::name::TaskName;
use sexton_core::tick::{Concurrency, Tick};

/// Milliseconds that are tried until one is no tick of the task.
const TRIGGER_TRIES_MAX: usize = 100;

/// Pauses, triggers, cancels and looks at tasks through the store alone: for tools that run no
/// tasks themselves.
///
/// Instances notice at once on PostgreSQL, and at their next heartbeat (5 s by default) on other
/// stores. If you run a [`Scheduler`](crate::Scheduler), use its [handle](crate::SchedulerHandle)
/// instead.
///
/// Every call is cancel-safe: a change is made or not, whether or not the answer is awaited.
///
/// ```
/// use sexton::{MemoryLockManager, Operator};
/// use sexton::name::TaskName;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let operator = Operator::new(MemoryLockManager::new(), "anna@tower");
/// let name = TaskName::new("digest")?;
/// operator.pause(&name, "until the mail server is back").await?;
/// let pause = operator.task(&name).await?.and_then(|task| task.pause);
/// assert_eq!(pause.map(|pause| pause.by), Some("anna@tower".to_owned()));
/// // No instance has ever said what this task is, so there is nothing to run.
/// assert_eq!(operator.trigger(&name).await?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Operator {
    manager: Arc<dyn LockManager>,
    by: String,
}

impl Operator {
    /// How long a triggered run may wait for an instance that starts it, unless its operator gives it
    /// another time.
    pub const TRIGGER_WITHIN: Duration = Duration::from_secs(60 * 60);

    /// Operates through this store; `by` is who says so, for others to read.
    #[must_use]
    pub fn new(manager: impl LockManager, by: impl Into<String>) -> Operator {
        Operator::shared(Arc::new(manager), by)
    }

    /// As [`Operator::new`], with a manager that others use too.
    #[must_use]
    pub fn shared(manager: Arc<dyn LockManager>, by: impl Into<String>) -> Operator {
        let by = by.into();
        Operator { manager, by }
    }

    /// The lock manager.
    #[must_use]
    pub fn manager(&self) -> &dyn LockManager {
        &*self.manager
    }

    /// What the store knows of a task; `None` if it has never heard of it.
    ///
    /// # Errors
    /// [`LockError`] if the store cannot be asked.
    pub async fn task(&self, task: &TaskName) -> Result<Option<TaskState>, LockError> {
        let query = TaskQuery::Named(vec![task.clone()]);
        let found = self.manager.tasks(&query).await?.value.into_iter().next();
        Ok(found.filter(|task| {
            task.definition.is_some() || task.pause.is_some() || !task.registers.is_empty()
        }))
    }

    /// A page of the tasks that the store knows.
    ///
    /// # Errors
    /// [`LockError`] if the store cannot be asked.
    pub async fn tasks(&self, query: &TaskQuery) -> Result<Vec<TaskState>, LockError> {
        Ok(self.manager.tasks(query).await?.value)
    }

    /// A page of the history.
    ///
    /// # Errors
    /// [`LockError`] if the store cannot be asked.
    pub async fn history(&self, query: &HistoryQuery) -> Result<Vec<ExecutionRecord>, LockError> {
        Ok(self.manager.history(query).await?.value)
    }

    /// The instances that the store knows, by id, with the store's clock, by which
    /// [`InstanceRecord::is_present_at`] tells those that are up. One that has crashed is among them for
    /// a while, one that has shut down is not.
    ///
    /// # Errors
    /// [`LockError`] if the store cannot be asked.
    pub async fn instances(&self) -> Result<Answer<Vec<InstanceRecord>>, LockError> {
        self.manager.instances().await
    }

    /// Pauses a task all over the fleet: ticks that come due are skipped until it is resumed.
    ///
    /// # Errors
    /// [`LockError`] if the store cannot be told.
    pub async fn pause(&self, task: &TaskName, note: &str) -> Result<(), LockError> {
        let (note, by) = (note.to_owned(), self.by.clone());
        self.change_pause(task, &PauseChange::Pause { note, by })
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
        let tasks = std::slice::from_ref(task);
        self.manager.change_pause(tasks, change).await?;
        Ok(())
    }

    /// Runs a task once over the fleet, apart from its schedule, with as many executions as any of its
    /// ticks has. Answers the tick the run has, the store's now; `None` if no instance has told the
    /// store what the task is.
    ///
    /// What no instance starts within an hour is recorded as missed; see
    /// [`Operator::trigger_within`] for another time.
    ///
    /// # Errors
    /// [`LockError::TooManyWaiting`] if [`WAITING_MAX`] of its
    /// executions wait already for each concurrency index; others if the store cannot be asked or
    /// told.
    pub async fn trigger(&self, task: &TaskName) -> Result<Option<Tick>, LockError> {
        self.trigger_within(task, Operator::TRIGGER_WITHIN).await
    }

    /// As [`Operator::trigger`]; what no instance starts within this time, in whole milliseconds,
    /// is recorded as missed. [`Duration::MAX`] waits without a limit.
    ///
    /// # Errors
    /// As [`Operator::trigger`].
    pub async fn trigger_within(
        &self,
        task: &TaskName,
        within: Duration,
    ) -> Result<Option<Tick>, LockError> {
        let definition = self.task(task).await?.and_then(|task| task.definition);
        let Some(definition) = definition else {
            return Ok(None);
        };
        let begin = Tick::at_or_before(self.manager.now().await?);
        let enqueue =
            |batch: Vec<Enqueue>| async move { Ok(self.manager.enqueue(&batch).await?.value) };
        let deadline = trigger_deadline(begin, within);
        let store = self.manager.location();
        let batch = enqueue_now(
            store,
            task,
            definition.concurrency,
            begin,
            deadline,
            enqueue,
        );
        Ok(Some(batch.await?.tick))
    }

    /// Asks for an execution to be cancelled, on whichever instance it runs.
    ///
    /// # Errors
    /// [`LockError`] if the store cannot be told.
    pub async fn cancel(&self, execution: &Execution) -> Result<CancelRequested, LockError> {
        Ok(self.manager.request_cancel(execution).await?.value)
    }
}

/// What a trigger has made wait.
#[derive(Debug)]
pub(crate) struct Triggered {
    pub(crate) tick: Tick,
    /// All of that tick: one for each index, but for those of which too many wait already.
    pub(crate) executions: Vec<Execution>,
}

/// Makes one execution for each index wait, all of a tick of their own: `begin`, or the first
/// millisecond behind it that is no tick of the task yet.
pub(crate) async fn enqueue_now<Enqueuing>(
    store: String,
    task: &TaskName,
    concurrency: Concurrency,
    begin: Tick,
    deadline: Option<Timestamp>,
    enqueue: impl Fn(Vec<Enqueue>) -> Enqueuing,
) -> Result<Triggered, LockError>
where
    Enqueuing: Future<Output = Result<Vec<Enqueued>, LockError>>,
{
    let mut tick = begin;
    for _ in 0..TRIGGER_TRIES_MAX {
        let one = |index| {
            let task = task.clone();
            Enqueue {
                execution: Execution { task, index, tick },
                concurrency,
                deadline,
            }
        };
        let batch: Vec<Enqueue> = concurrency.indices().map(one).collect();
        let enqueued = enqueue(batch.clone()).await?;
        if enqueued.contains(&Enqueued::Waiting) {
            let answered = batch.into_iter().zip(enqueued);
            let executions = answered
                .filter(|(_, enqueued)| *enqueued != Enqueued::Full)
                .map(|(enqueue, _)| enqueue.execution)
                .collect();
            return Ok(Triggered { tick, executions });
        }
        if enqueued.contains(&Enqueued::Full) {
            return Err(LockError::TooManyWaiting {
                task: task.clone(),
                max: WAITING_MAX,
            });
        }
        tick = tick.saturating_add_millis(1);
    }
    Err(LockError::Refused {
        store,
        action: "trigger a task",
        advice: format!("each of {TRIGGER_TRIES_MAX} milliseconds is a tick already"),
        source: None,
    })
}

/// Until when what is triggered at `begin` may be started.
pub(crate) fn trigger_deadline(begin: Tick, within: Duration) -> Option<Timestamp> {
    let deadline = begin.timestamp().checked_add(within).ok()?;
    let deadline = Tick::at_or_before(deadline);
    (deadline < Tick::MAX).then(|| deadline.timestamp())
}
