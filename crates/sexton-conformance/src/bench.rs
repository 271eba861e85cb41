//! What a case works with: replicas of a service, on one store, in a namespace of their own.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton_core::lock::{Execution, LockManager};
use sexton_core::name::{ClaimId, InstanceId, Namespace, TaskName};
use sexton_core::tick::{ConcurrencyIndex, Tick};

use crate::Failure;
use crate::replica::Replica;
use crate::store::Store;

/// A store and a namespace in it that nobody else uses.
#[derive(Clone)]
pub(crate) struct Bench {
    store: Arc<dyn Store>,
    namespace: Namespace,
}

impl Bench {
    pub(crate) fn new(store: Arc<dyn Store>) -> Result<Bench, Failure> {
        let namespace = Namespace::new(format!("conformance-{}", ClaimId::random()))?;
        Ok(Bench { store, namespace })
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// One more client.
    pub(crate) async fn open(&self) -> Result<Arc<dyn LockManager>, Failure> {
        self.store.open(&self.namespace).await
    }

    /// The same store, seen from another namespace.
    pub(crate) fn in_namespace(&self, namespace: Namespace) -> Bench {
        Bench {
            store: Arc::clone(&self.store),
            namespace,
        }
    }

    /// One more instance, with a client of its own.
    pub(crate) async fn replica(&self) -> Result<Replica, Failure> {
        Ok(Replica::new(self.open().await?, InstanceId::random()))
    }

    /// One more instance, whose machine's clock is wrong.
    pub(crate) async fn skewed_replica(&self, by: SignedDuration) -> Result<Replica, Failure> {
        let manager = self.store.open_skewed(&self.namespace, by).await?;
        Ok(Replica::new(manager, InstanceId::random()))
    }

    /// The store's clock.
    pub(crate) async fn now(&self) -> Result<Timestamp, Failure> {
        Ok(self.open().await?.now().await?)
    }

    /// Lets at least `duration` pass by the store's clock.
    pub(crate) async fn pass(&self, duration: Duration) -> Result<(), Failure> {
        let manager = self.open().await?;
        let until = manager.now().await?.saturating_add(duration)?;
        self.store.pass(duration).await;
        while let left = until.duration_since(manager.now().await?)
            && left.is_positive()
        {
            self.store.pass(left.unsigned_abs()).await;
        }
        Ok(())
    }

    /// A task whose ticks come once a second, the first an hour ago.
    pub(crate) async fn task(&self, name: &str) -> Result<Ticks, Failure> {
        let hour_ago = self
            .now()
            .await?
            .saturating_sub(SignedDuration::from_hours(1))?;
        Ok(Ticks {
            task: TaskName::new(name)?,
            index: ConcurrencyIndex::ONE,
            start: Tick::at_or_before(hour_ago),
        })
    }
}

/// The executions of one (task, index), once a second from an hour ago.
#[derive(Debug, Clone)]
pub(crate) struct Ticks {
    pub(crate) task: TaskName,
    pub(crate) index: ConcurrencyIndex,
    start: Tick,
}

impl Ticks {
    /// The same ticks, of another index.
    pub(crate) fn index(&self, index: u64) -> Result<Ticks, Failure> {
        let index = ConcurrencyIndex::new(index)?;
        Ok(Ticks {
            index,
            ..self.clone()
        })
    }

    /// The same ticks, of another task.
    pub(crate) fn of(&self, task: &TaskName) -> Ticks {
        let task = task.clone();
        Ticks {
            task,
            ..self.clone()
        }
    }

    /// The `n`th execution. The first 3,600 are due.
    pub(crate) fn nth(&self, n: i64) -> Execution {
        self.at(self.start.saturating_add_millis(n * 1_000))
    }

    /// The execution of this tick.
    pub(crate) fn at(&self, tick: Tick) -> Execution {
        Execution {
            task: self.task.clone(),
            index: self.index,
            tick,
        }
    }
}
