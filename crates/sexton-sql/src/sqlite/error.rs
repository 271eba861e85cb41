//! What the driver reports, judged by its code. See <https://www.sqlite.org/rescode.html>.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::LockError;
use sqlx::error::DatabaseError;
use thiserror::Error;

use crate::error::OpenError;
use crate::record_row::Unreadable;

/// What went wrong in a call, before it is known which store and what was tried.
#[derive(Debug)]
pub(super) enum Trouble {
    Driver(sqlx::Error),
    /// The connection is in a transaction that was left on it, or the driver takes it to be in one.
    InDoubt(sqlx::Error),
    Unreadable(Unreadable),
    Open(OpenError),
    Stalled(Stalled),
}

/// A call that did not end in time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no end within {limit:?}: the disk is slow, or other calls are before this one")]
pub(super) struct Stalled {
    pub(super) limit: Duration,
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Trouble {
        Trouble::Driver(error)
    }
}

impl From<Unreadable> for Trouble {
    fn from(unreadable: Unreadable) -> Trouble {
        Trouble::Unreadable(unreadable)
    }
}

impl From<OpenError> for Trouble {
    fn from(error: OpenError) -> Trouble {
        Trouble::Open(error)
    }
}

/// A kind of failure, as far as it makes a difference here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Another connection has the lock: try again soon.
    Busy,
    /// May pass by itself.
    Transient(&'static str),
    /// Will not pass until somebody acts on this advice.
    Permanent(&'static str),
    OutOfMemory,
    CannotOpen,
    ReadOnly,
    NotADatabase,
}

pub(super) const SQLITE_ERROR: i32 = 1;
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;

/// The low byte of the extended result code.
fn primary_code(reported: &dyn DatabaseError) -> i32 {
    let extended: Option<i32> = reported.code().and_then(|code| code.parse().ok());
    extended.unwrap_or_default() & 0xff
}

/// Whether it is this primary result code.
pub(super) fn has_code(reported: &dyn DatabaseError, code: i32) -> bool {
    primary_code(reported) == code
}

/// Judges by SQLite's primary result code.
pub(super) fn kind(error: &sqlx::Error) -> Kind {
    let sqlx::Error::Database(database) = error else {
        return match error {
            sqlx::Error::PoolClosed => Kind::Permanent("the pool it was given is closed"),
            sqlx::Error::Configuration(_) => {
                Kind::Permanent("the driver does not take its options")
            }
            _ => Kind::Transient("the driver lost its connection"),
        };
    };
    match primary_code(&**database) {
        SQLITE_BUSY | SQLITE_LOCKED => Kind::Busy,
        4 | 9 => Kind::Transient("the statement was interrupted"),
        7 => Kind::OutOfMemory,
        8 => Kind::ReadOnly,
        10 => Kind::Transient("the disk fails to read or write: check it and its mount"),
        11 => Kind::Permanent(
            "the file is damaged: restore it, or let `sqlite3 FILE .recover` save what it can",
        ),
        13 => Kind::Transient("the disk is full: make room"),
        14 => Kind::CannotOpen,
        15 => Kind::Transient("the file's locks are in disorder"),
        3 | 23 => Kind::Permanent("access is denied"),
        26 => Kind::NotADatabase,
        1 | 19 | 20 => Kind::Permanent("its tables are not as this version of sexton made them"),
        _ => Kind::Permanent("the database does not take the statement"),
    }
}

impl Trouble {
    pub(super) fn is_busy(&self) -> bool {
        match self {
            Trouble::Driver(error) => kind(error) == Kind::Busy,
            Trouble::Open(error) => error.is_transient(),
            Trouble::InDoubt(_) | Trouble::Unreadable(_) | Trouble::Stalled(_) => false,
        }
    }

    /// Whether another connection may do.
    pub(super) fn is_in_doubt(&self) -> bool {
        matches!(self, Trouble::InDoubt(_))
    }

    /// What became of a BEGIN, which SQLite refuses for one reason alone besides a lock.
    pub(super) fn of_begin(error: sqlx::Error) -> Trouble {
        let is_within_another = match &error {
            sqlx::Error::InvalidSavePointStatement | sqlx::Error::BeginFailed => true,
            sqlx::Error::Database(reported) => has_code(&**reported, SQLITE_ERROR),
            _ => false,
        };
        match is_within_another {
            true => Trouble::InDoubt(error),
            false => Trouble::Driver(error),
        }
    }

    /// As the error of opening the store.
    pub(super) fn into_open_error(self, store: &str, limit: Duration) -> OpenError {
        let store = store.to_owned();
        match self {
            Trouble::Open(error) => error,
            Trouble::Unreadable(Unreadable(found)) => OpenError::Unreadable { store, found },
            Trouble::Stalled(Stalled { limit }) => OpenError::Busy { store, limit },
            Trouble::Driver(error) | Trouble::InDoubt(error) => {
                let advice = match kind(&error) {
                    Kind::Busy => return OpenError::Busy { store, limit },
                    Kind::OutOfMemory => {
                        let source = Box::new(error);
                        return OpenError::OutOfMemory { store, source };
                    }
                    Kind::Transient(advice) | Kind::Permanent(advice) => advice,
                    Kind::CannotOpen => "the operating system does not open it",
                    Kind::ReadOnly => "it is read-only",
                    Kind::NotADatabase => "it is not a SQLite database",
                };
                let source = Box::new(error);
                OpenError::Driver {
                    store,
                    advice,
                    source,
                }
            }
        }
    }

    /// As a call's error.
    pub(super) fn into_lock_error(self, store: &str, action: &'static str) -> LockError {
        let store = store.to_owned();
        let error = match self {
            Trouble::Driver(error) => error,
            Trouble::InDoubt(error) => {
                let source = Arc::new(error);
                return LockError::Unavailable {
                    store,
                    action,
                    source,
                };
            }
            Trouble::Unreadable(Unreadable(found)) => {
                return LockError::Unreadable { store, found };
            }
            Trouble::Open(error) => return error.into_lock_error(store, action),
            Trouble::Stalled(stalled) => {
                let source = Arc::new(stalled);
                return LockError::Unavailable {
                    store,
                    action,
                    source,
                };
            }
        };
        let advice = match kind(&error) {
            Kind::Busy | Kind::Transient(_) | Kind::OutOfMemory | Kind::CannotOpen => {
                let source = Arc::new(error);
                return LockError::Unavailable {
                    store,
                    action,
                    source,
                };
            }
            Kind::Permanent(advice) => advice,
            Kind::ReadOnly => {
                "it is read-only; the file and its directory must be writable for this user"
            }
            Kind::NotADatabase => "the file is not a SQLite database any more",
        };
        LockError::Refused {
            store,
            action,
            advice: advice.to_owned(),
            source: Some(Arc::new(error)),
        }
    }
}
