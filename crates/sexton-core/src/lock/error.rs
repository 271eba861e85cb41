//! Trouble with a store. A denied claim is a verdict, never an error.

use std::error::Error as StdError;
use std::sync::Arc;

use thiserror::Error;

use super::capability::Capability;
use crate::name::TaskName;

/// Why a lock manager could not do what it was asked.
///
/// After [`LockError::Unavailable`] nobody knows whether the call took effect. Every call of a
/// [`LockManager`](super::LockManager) may be repeated as it was, with the same ids, and will then
/// answer as if it had been sent once.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum LockError {
    /// The store could not be reached, did not answer in time, was busy, or broke off. Try again
    /// later.
    #[error("{store} is unavailable while trying to {action}")]
    Unavailable {
        /// Which store, without secrets.
        store: String,
        /// What was tried.
        action: &'static str,
        /// What the store's driver said.
        #[source]
        source: Arc<dyn StdError + Send + Sync>,
    },
    /// The store refuses, and will go on refusing until somebody changes something there:
    /// permissions, a schema from a newer version, a file that is not Sexton's.
    #[error("{store} refuses to {action}: {advice}")]
    Refused {
        /// Which store, without secrets.
        store: String,
        /// What was tried.
        action: &'static str,
        /// What was found, and what to do.
        advice: String,
        /// What the store's driver said, if it did.
        #[source]
        source: Option<Arc<dyn StdError + Send + Sync>>,
    },
    /// The store holds something that this version cannot read.
    #[error("{store} holds {found}, which this version of sexton cannot read")]
    Unreadable {
        /// Which store, without secrets.
        store: String,
        /// What was found, and where.
        found: String,
    },
    /// The manager does not do this at all.
    #[error("{store} does not support {capability}")]
    Unsupported {
        /// Which store, without secrets.
        store: String,
        /// What was asked for.
        capability: Capability,
    },
    /// A trigger of a task of which as many executions wait already as may.
    #[error(
        "{task} has {max} executions that wait already, as many as may: resume the task if it is paused, let them run, or cancel some"
    )]
    TooManyWaiting {
        /// Which task.
        task: TaskName,
        /// How many may wait, for each concurrency index.
        max: usize,
    },
    /// A batch has too many entries.
    #[error("a batch may have at most {max} entries, found {found}")]
    BatchTooLarge {
        /// Entries found.
        found: usize,
        /// Entries allowed.
        max: usize,
    },
}

impl LockError {
    /// Whether the same call may go through later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, LockError::Unavailable { .. })
    }
}
