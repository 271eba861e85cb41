//! How one try of a run ended, and what becomes of that.

use std::time::Duration;

use sexton_core::lock::Outcome;

use crate::error_chain::chain;
use crate::handler::{BoxError, Completion};
use crate::stop_cause::StopCause;

/// What the store is still to be told of a run that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// The outcome.
    Due,
    /// Nothing new: the outcome was committed with what the handler wrote.
    Committed,
    /// Nothing: what the store knows stands. If it knows of no end, the lease runs out and the
    /// execution is granted again.
    LeftToTheStore,
    /// Nothing: the lock was lost meanwhile, and the store would refuse to hear of it.
    LockLost,
    /// Nothing: it did not begin, and its lock goes back.
    NotBegun,
}

impl Report {
    /// Whether the outcome goes to the settler. One that was committed goes there too: it changes
    /// nothing to tell it again, but the answer names what waited for this one.
    pub(crate) fn is_told(self) -> bool {
        match self {
            Report::Due | Report::Committed => true,
            Report::LeftToTheStore | Report::LockLost | Report::NotBegun => false,
        }
    }
}

/// How one try of a run ended.
pub(crate) enum AttemptOutcome {
    Ended(Completion),
    Panicked(String),
    /// Its run was stopped; with how it ended, if that was within the grace period.
    Stopped(StopCause, Option<Completion>),
    /// With what it wrote, and settled.
    Committed(Completion),
    /// Perhaps with what it wrote, and settled.
    Unknown(String),
    /// The database failed it, and what it wrote is not there: another attempt may do better.
    Undone(BoxError),
    /// It lacked something, such as a transaction or memory, and so nothing was done: this costs no
    /// attempt.
    NotBegun(BoxError),
}

impl AttemptOutcome {
    /// How a try ended whose handler returned, or panicked.
    pub(crate) fn of(ended: Result<Completion, String>) -> AttemptOutcome {
        match ended {
            Ok(Completion {
                has_begun: false,
                error: Some(error),
                ..
            }) => AttemptOutcome::NotBegun(error),
            Ok(completion) => AttemptOutcome::Ended(completion),
            Err(panic) => AttemptOutcome::Panicked(panicked(&panic)),
        }
    }

    /// A try that has not begun is a failure like any other, where an earlier one has: what began
    /// before is not undone.
    pub(crate) fn failed_if_not_begun(self) -> AttemptOutcome {
        match self {
            AttemptOutcome::NotBegun(error) => AttemptOutcome::Ended(Completion::failed(error)),
            other => other,
        }
    }

    /// What the store must still be told.
    pub(crate) fn report(&self) -> Report {
        match self {
            AttemptOutcome::Committed(_) => Report::Committed,
            AttemptOutcome::Unknown(_) | AttemptOutcome::Undone(_) => Report::LeftToTheStore,
            AttemptOutcome::Stopped(StopCause::LockLost, _) => Report::LockLost,
            AttemptOutcome::NotBegun(_) => Report::NotBegun,
            _ => Report::Due,
        }
    }

    /// The run's outcome, with the error and the output for the history.
    pub(crate) fn into_outcome(
        self,
        timeout: Option<Duration>,
    ) -> (Outcome, Option<String>, Option<String>) {
        let text = |error: BoxError| chain(&*error);
        match self {
            AttemptOutcome::Ended(Completion {
                outcome,
                error,
                output,
                ..
            }) => (outcome, error.map(text), output),
            AttemptOutcome::Committed(Completion {
                outcome, output, ..
            }) => (outcome, None, output),
            AttemptOutcome::Unknown(why) => (Outcome::Lost, Some(why), None),
            AttemptOutcome::Undone(error) => {
                let why = format!(
                    "undone by trouble of the store, for another attempt: {}",
                    text(error)
                );
                (Outcome::Lost, Some(why), None)
            }
            AttemptOutcome::NotBegun(error) => {
                let why = format!(
                    "could not begin, given back without spending an attempt: {}",
                    text(error)
                );
                (Outcome::Lost, Some(why), None)
            }
            AttemptOutcome::Panicked(message) => (Outcome::Panicked, Some(message), None),
            AttemptOutcome::Stopped(cause, completion) => {
                let mut why = cause.reason(timeout);
                let completion = completion.unwrap_or_else(Completion::succeeded);
                if let Some(error) = completion.error {
                    why = format!("{why}: {}", text(error));
                }
                (cause.outcome(), Some(why), completion.output)
            }
        }
    }
}

/// What a run's error says of a panic.
pub(crate) fn panicked(panic: &str) -> String {
    format!("panicked: {panic}")
}
