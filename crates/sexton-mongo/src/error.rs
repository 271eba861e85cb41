//! What goes wrong in a call, and what the caller learns of it.

use std::sync::Arc;

use sexton_core::lock::engine::{ErrorClass, PortError, Unavailable};
use sexton_core::lock::{LockError, LockKey};

use crate::open_error::OpenError;
use crate::register::OPEN_MAX;
use crate::store::{Cause, CommandError};
use crate::value::Unreadable;

/// What went wrong in a call, before it is known which store and what was tried.
#[derive(Debug)]
pub enum StoreError {
    /// A command failed.
    Command(CommandError),
    /// The store does not do its work, though no command has failed.
    Unavailable(Unavailable),
    /// A document holds something that no version wrote.
    Unreadable(Unreadable),
    /// The (task, index) has all the open executions that it may have.
    TooManyOpen(LockKey),
    /// The documents are of a newer version than this build knows.
    NewerLayout {
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
}

impl From<CommandError> for StoreError {
    fn from(error: CommandError) -> StoreError {
        StoreError::Command(error)
    }
}

impl From<Unavailable> for StoreError {
    fn from(unavailable: Unavailable) -> StoreError {
        StoreError::Unavailable(unavailable)
    }
}

impl From<Unreadable> for StoreError {
    fn from(unreadable: Unreadable) -> StoreError {
        StoreError::Unreadable(unreadable)
    }
}

const AUTHENTICATION_FAILED: &str = "authentication failed: check user, password and authSource";
const NOT_PRIVILEGED: &str =
    "its user lacks privileges: the role readWrite on the database is enough";

impl PortError for StoreError {
    fn class(&self) -> ErrorClass {
        match self {
            StoreError::Command(error) => match error.cause {
                Cause::Transient => ErrorClass::Transient,
                Cause::AuthenticationFailed | Cause::NotPrivileged | Cause::Permanent(_) => {
                    ErrorClass::Permanent
                }
            },
            StoreError::Unavailable(Unavailable::Conflict) => ErrorClass::Conflict,
            StoreError::Unavailable(_) => ErrorClass::Transient,
            StoreError::Unreadable(_)
            | StoreError::TooManyOpen(_)
            | StoreError::NewerLayout { .. } => ErrorClass::Permanent,
        }
    }

    fn into_lock_error(self, store: &str, action: &'static str) -> LockError {
        let store = store.to_owned();
        match self {
            StoreError::Unavailable(unavailable) => LockError::Unavailable {
                store,
                action,
                source: Arc::new(unavailable),
            },
            StoreError::Unreadable(Unreadable(found)) => LockError::Unreadable { store, found },
            StoreError::TooManyOpen(key) => LockError::Refused {
                store,
                action,
                advice: format!(
                    "{key} has {OPEN_MAX} executions that wait or run, which is all it may have: let them run first"
                ),
                source: None,
            },
            StoreError::NewerLayout { found, .. } => LockError::Unreadable {
                store,
                found: format!("collections of version {found}"),
            },
            StoreError::Command(CommandError { cause, source }) => {
                let advice = match cause {
                    Cause::Transient => {
                        return LockError::Unavailable {
                            store,
                            action,
                            source: source.into(),
                        };
                    }
                    Cause::AuthenticationFailed => AUTHENTICATION_FAILED,
                    Cause::NotPrivileged => NOT_PRIVILEGED,
                    Cause::Permanent(advice) => advice,
                };
                LockError::Refused {
                    store,
                    action,
                    advice: advice.to_owned(),
                    source: Some(source.into()),
                }
            }
        }
    }
}

impl StoreError {
    /// As the error of opening.
    pub(crate) fn into_open_error(self, store: &str) -> OpenError {
        let store = store.to_owned();
        match self {
            StoreError::Command(CommandError { cause, source }) => match cause {
                Cause::Transient => OpenError::Unreachable { store, source },
                Cause::AuthenticationFailed => OpenError::AuthenticationFailed { store, source },
                Cause::NotPrivileged => OpenError::NotPrivileged { store, source },
                Cause::Permanent(advice) => OpenError::Refused {
                    store,
                    advice,
                    source,
                },
            },
            StoreError::Unavailable(unavailable) => OpenError::Unreachable {
                store,
                source: Box::new(unavailable),
            },
            StoreError::NewerLayout { found, known } => OpenError::NewerLayout {
                store,
                found,
                known,
            },
            StoreError::Unreadable(Unreadable(found)) => OpenError::Unreadable { store, found },
            StoreError::TooManyOpen(key) => OpenError::Unreadable {
                store,
                found: format!("too many open executions of {key}"),
            },
        }
    }
}
