//! What a handler sees of its execution.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use sexton_core::lock::{HeldLock, TransactionSlot};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::{Attempt, Concurrency, ConcurrencyIndex, Fence, Tick};
use tokio_util::sync::CancellationToken;

/// One run of a task: what a handler sees of its execution. Cheap to clone.
#[derive(Clone)]
pub struct Run {
    inner: Arc<RunInner>,
}

pub(crate) struct RunInner {
    pub(crate) lock: HeldLock,
    pub(crate) concurrency: Concurrency,
    pub(crate) attempt: Attempt,
    pub(crate) retry: u32,
    pub(crate) instance: InstanceId,
    pub(crate) cancellation: CancellationToken,
    pub(crate) states: Arc<States>,
    /// Of a run with transactional delivery.
    pub(crate) transaction: Option<TransactionSlot>,
}

impl Run {
    pub(crate) fn new(inner: RunInner) -> Run {
        Run {
            inner: Arc::new(inner),
        }
    }

    /// The permission to run the execution: a [`TaskLock`](crate::lock::TaskLock) of any store.
    ///
    /// A [`RedisTaskLock`](https://docs.rs/sexton-redis/latest/sexton_redis/struct.RedisTaskLock.html) is made of it: one string that names the execution,
    /// to log or to write with what the run writes. It is the key of the lock, where replicas share
    /// their locks with the Kotlin system's in Redis.
    ///
    /// ```
    /// # #[cfg(feature = "redis")]
    /// # mod with_redis {
    /// use sexton::Run;
    /// use sexton::redis::RedisTaskLock;
    ///
    /// async fn send_digest(run: Run) {
    ///     let lock = RedisTaskLock::from(run.lock());
    ///     // digest-***-1-***-2024-01-30T12:00:00.000Z
    ///     println!("sending under {}", lock.value());
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn lock(&self) -> &HeldLock {
        &self.inner.lock
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> &TaskName {
        &self.inner.lock.execution.task
    }

    /// The tick, the instant at which the task was due by its schedule.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.inner.lock.execution.tick
    }

    /// Which of the tick's executions this is, from 1 to [`Run::concurrency`].
    #[must_use]
    pub fn index(&self) -> ConcurrencyIndex {
        self.inner.lock.execution.index
    }

    /// How many executions the tick has.
    #[must_use]
    pub fn concurrency(&self) -> Concurrency {
        self.inner.concurrency
    }

    /// A number that grows with every grant of this (task, index): hand it to whatever the run writes
    /// to, for it to refuse an older one.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.inner.lock.fence
    }

    /// 1, or more where an earlier holder of the execution was lost.
    #[must_use]
    pub fn attempt(&self) -> Attempt {
        self.inner.attempt
    }

    /// How often this run has been retried by the task's retry policy: 0 the first time.
    #[must_use]
    pub fn retry(&self) -> u32 {
        self.inner.retry
    }

    /// The instance that runs it.
    #[must_use]
    pub fn instance(&self) -> &InstanceId {
        &self.inner.instance
    }

    /// Cancelled when the run should stop: on shutdown, on a timeout, on request, or when its lock was
    /// lost. A run that continues nevertheless is dropped after a grace period.
    ///
    /// ```
    /// # use sexton::Run;
    /// async fn drain_queue(run: Run) {
    ///     while !run.cancellation().is_cancelled() {
    ///         // … one message …
    ///         # break;
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        &self.inner.cancellation
    }

    /// Where the run's transaction is taken from, if its task has transactional delivery: for arguments that make something else of it
    /// than `Tx` does.
    #[must_use]
    pub fn transaction(&self) -> Option<&TransactionSlot> {
        self.inner.transaction.as_ref()
    }

    pub(crate) fn states(&self) -> &States {
        &self.inner.states
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("execution", &self.inner.lock.execution.to_string())
            .field("fence", &self.fence())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

/// Values that handlers ask for with [`State`](crate::State), by type.
#[derive(Default, Clone)]
pub(crate) struct States {
    values: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

impl States {
    pub(crate) fn insert<T: Clone + Send + Sync + 'static>(&mut self, value: T) {
        self.values.insert(TypeId::of::<T>(), Arc::new(value));
    }

    pub(crate) fn has<T: 'static>(&self) -> bool {
        self.values.contains_key(&TypeId::of::<T>())
    }

    pub(crate) fn get<T: Clone + 'static>(&self) -> Option<T> {
        self.values
            .get(&TypeId::of::<T>())
            .and_then(|value| value.downcast_ref())
            .cloned()
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "States({})", self.values.len())
    }
}
