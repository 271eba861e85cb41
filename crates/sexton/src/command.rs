//! What other parts of a scheduler may ask of a driver.

use std::sync::Arc;

use sexton_core::lock::Execution;
use sexton_core::tick::{Attempt, Concurrency, Tick};
use tokio::sync::oneshot;

use crate::error::HandleError;
use crate::task::CheckedTask;

/// What a driver may be asked for.
#[derive(Debug)]
pub(crate) enum Command {
    /// Adds a task, or puts it in the place of the one that has its name. Its ticks up to the given
    /// one are accounted for; `None`: those up to now.
    Put(
        Arc<CheckedTask>,
        Put,
        Option<Tick>,
        oneshot::Sender<Result<(), HandleError>>,
    ),
    /// Removes a task. Answers its last tick that may still run here, granted or about to be.
    Remove(String, oneshot::Sender<Result<Option<Tick>, HandleError>>),
    /// Answers the concurrency of a task, if there is such a task.
    Find(String, oneshot::Sender<Option<Concurrency>>),
    /// Claims what may be claimed by now.
    Claim(Vec<Found>),
}

/// Something that the store has to claim although no schedule brings it up.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) execution: Execution,
    /// With which it was recorded, if that is known.
    pub(crate) concurrency: Option<Concurrency>,
    /// The attempt that a grant would be.
    pub(crate) attempt: Attempt,
}

impl Found {
    /// What waits for its first grant.
    pub(crate) fn waiting(execution: Execution, concurrency: Option<Concurrency>) -> Found {
        Found {
            execution,
            concurrency,
            attempt: Attempt::FIRST,
        }
    }
}

/// Whether a task may or must take the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    Add,
    Replace,
}
