//! What can go wrong in a call, and what it means.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::LockError;
use sexton_core::lock::engine::{ErrorClass, PortError, Unavailable};

use crate::error::OpenError;
use crate::record_row::Unreadable;
use crate::server::cause::{Cause, NOT_MADE_BY_US};
use crate::server::tls;

/// What went wrong in a call, before it is known which store and what was tried.
#[derive(Debug)]
pub enum StoreError {
    Driver(sqlx::Error),
    Unreadable(Unreadable),
    Open(OpenError),
    Unavailable(Unavailable),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        match cause(&error) {
            Cause::ReadOnly => Unavailable::ReadOnly.into(),
            _ => StoreError::Driver(error),
        }
    }
}

impl From<Unreadable> for StoreError {
    fn from(unreadable: Unreadable) -> StoreError {
        StoreError::Unreadable(unreadable)
    }
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> StoreError {
        StoreError::Open(error)
    }
}

impl From<Unavailable> for StoreError {
    fn from(reason: Unavailable) -> StoreError {
        StoreError::Unavailable(reason)
    }
}

/// Where the server remembers the password, until it is restarted, it works without.
const PASSWORD_NEEDS_TLS: &str = "the server takes this user's password through TLS alone (caching_sha2_password, sha256_password): \
    let the server offer TLS and write ssl-mode=REQUIRED, or better VERIFY_IDENTITY, in the URL";

/// Judges what the driver reports; what the server has reported, by the server's codes.
pub(crate) fn cause(error: &sqlx::Error) -> Cause {
    match error {
        sqlx::Error::Database(reported) => cause_of_report(&**reported),
        sqlx::Error::Io(error) => match tls::problem(error) {
            Some(problem) => Cause::Permanent(problem),
            None => Cause::Broken,
        },
        sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => Cause::Broken,
        // The driver has no code for it.
        sqlx::Error::Configuration(said) if said.to_string().starts_with("RSA ") => {
            Cause::Permanent(PASSWORD_NEEDS_TLS)
        }
        sqlx::Error::Configuration(_) => Cause::Permanent("the driver does not take its options"),
        sqlx::Error::Tls(_) => Cause::Permanent(
            "TLS failed: the server speaks none, or the certificates that the URL names cannot be used",
        ),
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. } => NOT_MADE_BY_US,
        _ => Cause::Transient,
    }
}

fn cause_of_report(reported: &dyn sqlx::error::DatabaseError) -> Cause {
    #[cfg(feature = "mysql")]
    if let Some(reported) = reported.try_downcast_ref() {
        return crate::mysql::error::cause(reported);
    }
    #[cfg(feature = "postgres")]
    if let Some(reported) = reported.try_downcast_ref() {
        return crate::postgres::error::cause(reported);
    }
    Cause::Permanent("it reports what this version of sexton does not know")
}

impl StoreError {
    /// As it is where tables are made or changed.
    pub(crate) fn in_migrating(self, store: &str, found: i64, needed: i64) -> StoreError {
        match self {
            StoreError::Driver(error) if matches!(cause(&error), Cause::NotPrivileged(_)) => {
                let (store, source) = (store.to_owned(), Box::new(error));
                OpenError::MayNotMakeTables {
                    store,
                    found,
                    needed,
                    source,
                }
                .into()
            }
            other => other,
        }
    }

    /// Whether opening the store again soon may succeed.
    pub(super) fn may_be_tried_again(&self) -> bool {
        matches!(self.class(), ErrorClass::Busy | ErrorClass::Conflict)
    }

    /// As the error of opening the store.
    pub(super) fn into_open_error(self, store: &str, limit: Duration) -> OpenError {
        let store = store.to_owned();
        let error = match self {
            StoreError::Open(error) => return error,
            StoreError::Unreadable(Unreadable(found)) => {
                return OpenError::Unreadable { store, found };
            }
            StoreError::Unavailable(Unavailable::Stalled { limit }) => {
                return OpenError::Busy { store, limit };
            }
            StoreError::Unavailable(reason) => {
                let source = Box::new(reason);
                return OpenError::Unreachable { store, source };
            }
            StoreError::Driver(error) => error,
        };
        let advice = match cause(&error) {
            Cause::Busy => return OpenError::Busy { store, limit },
            Cause::Broken | Cause::Transient | Cause::ReadOnly => {
                let source = Box::new(error);
                return OpenError::Unreachable { store, source };
            }
            Cause::AuthenticationFailed => {
                let source = Box::new(error);
                return OpenError::AuthenticationFailed { store, source };
            }
            Cause::NoDatabase => {
                let source = Box::new(error);
                return OpenError::NoDatabase { store, source };
            }
            Cause::NotPrivileged(advice) | Cause::Permanent(advice) => advice,
        };
        let source = Box::new(error);
        OpenError::Driver {
            store,
            advice,
            source,
        }
    }
}

impl PortError for StoreError {
    fn class(&self) -> ErrorClass {
        match self {
            StoreError::Driver(error) => match cause(error) {
                Cause::Busy => ErrorClass::Busy,
                Cause::Broken => ErrorClass::Broken,
                Cause::Transient | Cause::ReadOnly => ErrorClass::Transient,
                Cause::AuthenticationFailed
                | Cause::NoDatabase
                | Cause::NotPrivileged(_)
                | Cause::Permanent(_) => ErrorClass::Permanent,
            },
            StoreError::Unavailable(Unavailable::Conflict) => ErrorClass::Conflict,
            StoreError::Unavailable(_) => ErrorClass::Transient,
            StoreError::Open(error) if error.is_transient() => ErrorClass::Busy,
            StoreError::Open(_) | StoreError::Unreadable(_) => ErrorClass::Permanent,
        }
    }

    fn into_lock_error(self, store: &str, action: &'static str) -> LockError {
        let store = store.to_owned();
        let error = match self {
            StoreError::Driver(error) => error,
            StoreError::Unreadable(Unreadable(found)) => {
                return LockError::Unreadable { store, found };
            }
            StoreError::Open(error) => return error.into_lock_error(store, action),
            StoreError::Unavailable(reason) => {
                let source = Arc::new(reason);
                return LockError::Unavailable {
                    store,
                    action,
                    source,
                };
            }
        };
        let advice = match cause(&error) {
            Cause::Busy | Cause::Broken | Cause::Transient | Cause::ReadOnly => {
                let source = Arc::new(error);
                return LockError::Unavailable {
                    store,
                    action,
                    source,
                };
            }
            Cause::AuthenticationFailed => "authentication failed: check user and password",
            Cause::NoDatabase => "the database does not exist any more",
            Cause::NotPrivileged(advice) | Cause::Permanent(advice) => advice,
        };
        LockError::Refused {
            store,
            action,
            advice: advice.to_owned(),
            source: Some(Arc::new(error)),
        }
    }
}
