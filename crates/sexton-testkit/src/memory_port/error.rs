//! What can go wrong in the port's calls.

use std::sync::Arc;

use sexton_core::lock::LockError;
use sexton_core::lock::engine::{ErrorClass, PortError, Unavailable};
use thiserror::Error;

/// What can go wrong.
#[derive(Debug, Clone, Error)]
pub enum MemoryError {
    /// As the engine names it.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// Another client holds what the call needs.
    #[error("deadlock found, or a row is held")]
    Busy,
    /// The connection broke.
    #[error("the connection broke")]
    Broken,
    /// Nothing changes until somebody acts.
    #[error("permission denied")]
    Permanent,
}

impl PortError for MemoryError {
    fn class(&self) -> ErrorClass {
        match self {
            MemoryError::Unavailable(Unavailable::Conflict) => ErrorClass::Conflict,
            MemoryError::Unavailable(_) => ErrorClass::Transient,
            MemoryError::Busy => ErrorClass::Busy,
            MemoryError::Broken => ErrorClass::Broken,
            MemoryError::Permanent => ErrorClass::Permanent,
        }
    }

    fn into_lock_error(self, store: &str, action: &'static str) -> LockError {
        let store = store.to_owned();
        match self {
            MemoryError::Permanent => LockError::Refused {
                store,
                action,
                advice: self.to_string(),
                source: None,
            },
            _ => LockError::Unavailable {
                store,
                action,
                source: Arc::new(self),
            },
        }
    }
}
