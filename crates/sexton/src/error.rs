//! Why a scheduler cannot be built, changed or asked.

use jiff::Timestamp;
use sexton_core::lock::LockError;
use sexton_core::name::{InstanceId, ManagerName, NameError, TaskName};
use thiserror::Error;

use crate::task::TaskError;

/// Why a scheduler did not start. Nothing was started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No lock manager was given.
    #[error("the scheduler has no lock manager: add one with .manager(…)")]
    NoManager,
    /// Two lock managers have one name.
    #[error("two lock managers are called {name:?}")]
    ManagerNameUsedTwice {
        /// The name.
        name: ManagerName,
    },
    /// A name cannot be used.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Tasks that cannot work.
    #[error("{}", list(.0))]
    Tasks(Vec<TaskError>),
    /// A store cannot be used.
    #[error("lock manager {name:?} cannot be used")]
    Store {
        /// The lock manager.
        name: ManagerName,
        /// Why.
        #[source]
        source: LockError,
    },
    /// Another instance with this id lives: it was seen again while this one waited.
    #[error(
        "instance id {instance:?} is taken: another instance that has it was seen by lock manager {name:?} \
         ({store}) since {since}, and again just now; give each instance another id, or leave it out \
         for a random one"
    )]
    InstanceIdTaken {
        /// The id.
        instance: InstanceId,
        /// The lock manager.
        name: ManagerName,
        /// Its store, without secrets.
        store: String,
        /// Since when the other was seen, by the store's clock.
        since: Timestamp,
    },
}

fn list(errors: &[TaskError]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Why a call on a scheduler's [handle](crate::SchedulerHandle) failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HandleError {
    /// The task cannot work.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The scheduler has a task of this name.
    #[error(
        "task {task:?}: the scheduler has a task of this name already; replace it, or remove it first"
    )]
    NameUsedTwice {
        /// The name.
        task: TaskName,
    },
    /// There is no such task: in the scheduler, where one is removed; in the scheduler or in the
    /// store, where one is triggered.
    #[error("there is no task called {task:?}")]
    NoSuchTask {
        /// The name.
        task: String,
    },
    /// The store cannot be asked or told.
    #[error(transparent)]
    Store(#[from] LockError),
    /// A part of the scheduler panicked, so that it has stopped; see
    /// [`Event::Stopped`](crate::Event::Stopped).
    #[error(
        "the scheduler has stopped, since its {part} panicked: {error}; shut it down and start another"
    )]
    Stopped {
        /// Which part.
        part: &'static str,
        /// The panic's message.
        error: String,
    },
    /// The scheduler is shutting down.
    #[error("the scheduler is shutting down")]
    ShuttingDown,
}
