//! What can go wrong in a call, and what it means.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::LockError;
use thiserror::Error;

use crate::error::OpenError;
use crate::record_row::Unreadable;
use crate::server::tls;

/// What went wrong in a call, before it is known which store and what was tried.
#[derive(Debug)]
pub enum Trouble {
    Driver(sqlx::Error),
    Unreadable(Unreadable),
    Open(OpenError),
    Outage(Outage),
}

/// The store does not do its work, though no statement has failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Outage {
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
        match kind(&error) {
            Kind::ReadOnly => Outage::ReadOnly.into(),
            _ => Trouble::Driver(error),
        }
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
pub(crate) enum Kind {
    /// Others were in the way: try again soon.
    Busy,
    /// The connection broke: another one may do.
    Broken,
    /// May pass by itself.
    Transient,
    /// The server does not let this user in.
    NotLetIn,
    NoDatabase,
    /// The user may not do this; what it needs.
    NotPrivileged(&'static str),
    /// The server only reads.
    ReadOnly,
    /// Will not pass until somebody acts on this advice.
    Permanent(&'static str),
}

/// Tables that no version made.
pub(crate) const NOT_MADE_BY_US: Kind =
    Kind::Permanent("its tables are not as this version of sexton made them");

/// Where the server remembers the password, until it is restarted, it works without.
const PASSWORD_NEEDS_TLS: &str = "the server takes this user's password through TLS alone (caching_sha2_password, sha256_password): \
    let the server offer TLS and write ssl-mode=REQUIRED, or better VERIFY_IDENTITY, in the URL";

/// Judges what the driver reports; what the server has reported, by the server's codes.
pub(crate) fn kind(error: &sqlx::Error) -> Kind {
    match error {
        sqlx::Error::Database(reported) => kind_of_report(&**reported),
        sqlx::Error::Io(error) => match tls::problem(error) {
            Some(problem) => Kind::Permanent(problem),
            None => Kind::Broken,
        },
        sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => Kind::Broken,
        // The driver has no code for it.
        sqlx::Error::Configuration(said) if said.to_string().starts_with("RSA ") => {
            Kind::Permanent(PASSWORD_NEEDS_TLS)
        }
        sqlx::Error::Configuration(_) => Kind::Permanent("the driver does not take its options"),
        sqlx::Error::Tls(_) => Kind::Permanent(
            "TLS failed: the server speaks none, or the certificates that the URL names cannot be used",
        ),
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. } => NOT_MADE_BY_US,
        _ => Kind::Transient,
    }
}

fn kind_of_report(reported: &dyn sqlx::error::DatabaseError) -> Kind {
    #[cfg(feature = "mysql")]
    if let Some(reported) = reported.try_downcast_ref() {
        return crate::mysql::error::kind(reported);
    }
    #[cfg(feature = "postgres")]
    if let Some(reported) = reported.try_downcast_ref() {
        return crate::postgres::error::kind(reported);
    }
    Kind::Permanent("it reports what this version of sexton does not know")
}

impl Trouble {
    /// As it is where tables are made or changed.
    pub(crate) fn in_migrating(self, store: &str, found: i64, needed: i64) -> Trouble {
        match self {
            Trouble::Driver(error) if matches!(kind(&error), Kind::NotPrivileged(_)) => {
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

    /// Whether the same connection may be asked again soon.
    pub(super) fn is_busy(&self) -> bool {
        match self {
            Trouble::Driver(error) => kind(error) == Kind::Busy,
            Trouble::Outage(_) => self.is_overtaken(),
            Trouble::Open(error) => error.is_transient(),
            Trouble::Unreadable(_) => false,
        }
    }

    /// Whether others were only faster: nothing of the call's is open then.
    pub(super) fn is_overtaken(&self) -> bool {
        matches!(self, Trouble::Outage(Outage::Overtaken))
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
            Kind::Broken | Kind::Transient | Kind::ReadOnly => {
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
            Kind::NotPrivileged(advice) | Kind::Permanent(advice) => advice,
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
                let source = Arc::new(outage);
                return LockError::Unavailable {
                    store,
                    action,
                    source,
                };
            }
        };
        let advice = match kind(&error) {
            Kind::Busy | Kind::Broken | Kind::Transient | Kind::ReadOnly => {
                let source = Arc::new(error);
                return LockError::Unavailable {
                    store,
                    action,
                    source,
                };
            }
            Kind::NotLetIn => "the server does not let this user in: check user and password",
            Kind::NoDatabase => "the database does not exist any more",
            Kind::NotPrivileged(advice) | Kind::Permanent(advice) => advice,
        };
        LockError::Refused {
            store,
            action,
            advice: advice.to_owned(),
            source: Some(Arc::new(error)),
        }
    }
}
