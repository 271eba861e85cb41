//! What stands for the answer of a lock manager that gave none: it panicked, or took too long.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{LockError, LockManager};

use crate::contained::contained;

/// The answer of a call that was spawned. A lock manager that panicked is as good as one that does
/// not answer.
pub(crate) fn joined<T>(
    joined: Result<Result<T, LockError>, tokio::task::JoinError>,
) -> Result<T, LockError> {
    joined.unwrap_or_else(|error| {
        Err(LockError::Unavailable {
            store: "the lock manager".to_owned(),
            action: "get an answer",
            source: Arc::new(error),
        })
    })
}

#[derive(Debug, thiserror::Error)]
#[error("panicked: {0}")]
struct Panicked(String);

#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
struct NoAnswer(Duration);

/// The error of a call that took longer than its limit.
pub(crate) fn no_answer(manager: &dyn LockManager, limit: Duration) -> LockError {
    LockError::Unavailable {
        store: location(manager),
        action: "get an answer",
        source: Arc::new(NoAnswer(limit)),
    }
}

/// The error of a call that panicked.
pub(crate) fn panicked(manager: &dyn LockManager, panic: &str) -> LockError {
    LockError::Unavailable {
        store: location(manager),
        action: "get an answer",
        source: Arc::new(Panicked(panic.to_owned())),
    }
}

fn location(manager: &dyn LockManager) -> String {
    contained(|| manager.location()).unwrap_or_else(|_| "the lock manager".to_owned())
}
