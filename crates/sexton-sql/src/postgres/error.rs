//! What the driver reports, judged by its code. See <https://www.postgresql.org/docs/current/errcodes-appendix.html>.

use std::time::Duration;

use sexton_core::lock::LockError;
use thiserror::Error;

use crate::error::OpenError;
use crate::record_row::Unreadable;

/// What went wrong in a call, before it is known which store and what was tried.
#[derive(Debug)]
pub(super) enum Trouble {
    Driver(sqlx::Error),
    Unreadable(Unreadable),
    Open(OpenError),
    Outage(Outage),
}

/// The store does not do its work, though no statement has failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Outage {
    #[error("no end within {limit:?}: the server is slow, or somebody holds what is needed")]
    Stalled { limit: Duration },
    #[error("no connection within {limit:?}: all {connections} are in use")]
    Full { limit: Duration, connections: u32 },
    #[error("the server only reads: a standby, or a failover in progress")]
    ReadOnly,
    #[error("others changed the same rows again and again")]
    Overtaken,
    #[error("the pool it was given is closed")]
    Closed,
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

impl From<Outage> for Trouble {
    fn from(outage: Outage) -> Trouble {
        Trouble::Outage(outage)
    }
}

/// A kind of failure, as far as it makes a difference here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Others were in the way: try again soon.
    Busy,
    /// The connection broke: another one may do.
    Broken,
    /// May pass by itself.
    Transient,
    /// The server does not let this user in.
    NotLetIn,
    NoDatabase,
    /// The user may not do this.
    NotPrivileged,
    /// Will not pass until somebody acts on this advice.
    Permanent(&'static str),
}

pub(super) const NOT_PRIVILEGED: &str = "its user lacks privileges: SELECT, INSERT, UPDATE and DELETE on the tables, \
    USAGE on their schema";

/// Judges by SQLSTATE, most of it by the class that its first two digits name.
pub(super) fn kind(error: &sqlx::Error) -> Kind {
    let database = match error {
        sqlx::Error::Database(database) => database,
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            return Kind::Broken;
        }
        sqlx::Error::Configuration(_) => {
            return Kind::Permanent("the driver does not take its options");
        }
        sqlx::Error::Tls(_) => {
            return Kind::Permanent("TLS does not come about: check sslmode and the certificates");
        }
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. } => {
            return Kind::Permanent("its tables are not as this version of sexton made them");
        }
        _ => return Kind::Transient,
    };
    let code = database.code().unwrap_or_default();
    match &*code {
        // Serialization failure, deadlock, a lock not to be had in time.
        "40001" | "40P01" | "55P03" => Kind::Busy,
        // A statement prepared before somebody changed the tables, or lost by a pooler; a session that was ended.
        "0A000" | "26000" | "57P01" | "57P02" => Kind::Broken,
        "3D000" => Kind::NoDatabase,
        "42501" => Kind::NotPrivileged,
        _ => match code.get(..2).unwrap_or_default() {
            "08" => Kind::Broken,
            "28" => Kind::NotLetIn,
            // Read-only and idle for too long; resources; a cancelled statement, a shutdown; the system.
            "25" | "53" | "57" | "58" => Kind::Transient,
            "42" | "3F" | "22" | "23" => {
                Kind::Permanent("its tables are not as this version of sexton made them")
            }
            "XX" => Kind::Permanent("the server reports an internal error or damaged data"),
            _ => Kind::Permanent("the server does not take the statement"),
        },
    }
}

impl Trouble {
    /// Whether the same connection may be asked again soon.
    pub(super) fn is_busy(&self) -> bool {
        match self {
            Trouble::Driver(error) => kind(error) == Kind::Busy,
            Trouble::Outage(outage) => *outage == Outage::Overtaken,
            Trouble::Open(error) => error.is_transient(),
            Trouble::Unreadable(_) => false,
        }
    }

    /// Whether the connection broke under the call, so that another may do.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self, Trouble::Driver(error) if kind(error) == Kind::Broken)
    }

    /// As the error of opening the store.
    pub(super) fn into_open_error(self, store: &str, limit: Duration) -> OpenError {
        let store = store.to_owned();
        let error = match self {
            Trouble::Open(error) => return error,
            Trouble::Unreadable(Unreadable(found)) => {
                return OpenError::Unreadable { store, found };
            }
            Trouble::Outage(Outage::Stalled { limit }) => return OpenError::Busy { store, limit },
            Trouble::Outage(outage) => {
                let source = Box::new(outage);
                return OpenError::Unreachable { store, source };
            }
            Trouble::Driver(error) => error,
        };
        let advice = match kind(&error) {
            Kind::Busy => return OpenError::Busy { store, limit },
            Kind::Broken | Kind::Transient => {
                let source = Box::new(error);
                return OpenError::Unreachable { store, source };
            }
            Kind::NotLetIn => {
                let source = Box::new(error);
                return OpenError::NotLetIn { store, source };
            }
            Kind::NoDatabase => {
                let source = Box::new(error);
                return OpenError::NoDatabase { store, source };
            }
            Kind::NotPrivileged => NOT_PRIVILEGED,
            Kind::Permanent(advice) => advice,
        };
        let source = Box::new(error);
        OpenError::Driver {
            store,
            advice,
            source,
        }
    }

    /// As a call's error.
    pub(super) fn into_lock_error(self, store: &str, action: &'static str) -> LockError {
        let store = store.to_owned();
        let error = match self {
            Trouble::Driver(error) => error,
            Trouble::Unreadable(Unreadable(found)) => {
                return LockError::Unreadable { store, found };
            }
            Trouble::Open(error) => return error.into_lock_error(store, action),
            Trouble::Outage(outage) => {
                let source = Box::new(outage);
                return LockError::Unavailable {
                    store,
                    action,
                    source,
                };
            }
        };
        let advice = match kind(&error) {
            Kind::Busy | Kind::Broken | Kind::Transient => {
                let source = Box::new(error);
                return LockError::Unavailable {
                    store,
                    action,
                    source,
                };
            }
            Kind::NotLetIn => "the server does not let this user in: check user and password",
            Kind::NoDatabase => "the database does not exist any more",
            Kind::NotPrivileged => NOT_PRIVILEGED,
            Kind::Permanent(advice) => advice,
        };
        LockError::Refused {
            store,
            action,
            advice: advice.to_owned(),
            source: Some(Box::new(error)),
        }
    }
}
