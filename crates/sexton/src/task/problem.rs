//! What can be wrong with a task.

use sexton_core::name::NameError;
use sexton_core::schedule::ScheduleError;
use sexton_core::tick::OutOfRange;
use thiserror::Error;

use crate::policy::LeaseError;

/// A task that cannot work, and why.
#[derive(Debug, Error)]
#[non_exhaustive]
#[error("task {task:?}: {problem}")]
pub struct TaskError {
    /// The task's name, as it was given.
    pub task: String,
    /// What is wrong with it.
    #[source]
    pub problem: TaskProblem,
}

/// What is wrong with a task.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TaskProblem {
    /// Its name cannot be used.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Its schedule, time zone, jitter or period cannot be used.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// Its schedule, of the user's own, panicked when it was asked what it is.
    #[error("its schedule panicked: {message}")]
    SchedulePanicked {
        /// The panic's message.
        message: String,
    },
    /// Its concurrency is out of range.
    #[error(transparent)]
    Concurrency(#[from] OutOfRange),
    /// Its lease is out of range.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// A value of a policy cannot be used.
    #[error("{policy} {advice}")]
    Policy {
        /// Which policy.
        policy: &'static str,
        /// What is allowed.
        advice: String,
    },
    /// A name of something it refers to is not known.
    #[error("no {what} is called {name:?}; known: {known}")]
    Unknown {
        /// What kind of thing.
        what: &'static str,
        /// The name it was referred to by.
        name: String,
        /// The names that are known.
        known: String,
    },
    /// Another task has its name.
    #[error("another task of this scheduler has the same name")]
    NameUsedTwice,
    /// Its lock manager cannot do what it asks for.
    #[error("it asks for {policy}, which {store} does not support: no {capability}")]
    Unsupported {
        /// The policy.
        policy: &'static str,
        /// The store.
        store: String,
        /// What the store would have to be able to do.
        capability: sexton_core::lock::Capability,
    },
    /// Its handler takes a state that the scheduler was not given.
    #[error(transparent)]
    Argument(#[from] crate::extract::MissingArgument),
    /// Its delivery is transactional, and its handler writes in no transaction.
    #[error(
        "its delivery is transactional, but its handler takes no transaction: let it take sexton::Tx<…>, or deliver at least once"
    )]
    NoTransaction,
}
