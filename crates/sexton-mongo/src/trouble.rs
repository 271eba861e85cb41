//! What goes wrong in a call, and what the caller is told.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::LockError;
use thiserror::Error;

use crate::open_error::OpenError;
use crate::register::OPEN_MAX;
use crate::store::{Kind, StoreError};
use crate::value::Unreadable;

/// What went wrong in a call, before it is known which store and what was tried.
#[derive(Debug)]
pub(crate) enum Trouble {
    Store(StoreError),
    Unreadable(Unreadable),
    Outage(Outage),
    /// This (task, index) has all the open executions that it may have.
    TooManyOpen(String),
    NewerLayout(i64),
}

/// The store does not do its work, though no command has failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Outage {
    #[error("no end within {limit:?}: the server is slow, or there is no primary")]
    Stalled { limit: Duration },
    #[error("the server only reads: it is not the primary, or a failover is in progress")]
    ReadOnly,
    #[error("others changed the same documents again and again")]
    Overtaken,
    #[error("a write was not confirmed by a majority: code {code}, {message}")]
    NotConfirmed { code: i32, message: String },
    #[error("a document was not written: code {code}, {message}")]
    NotWritten { code: i32, message: String },
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        Trouble::Store(error)
    }
}

impl From<Unreadable> for Trouble {
    fn from(unreadable: Unreadable) -> Trouble {
        Trouble::Unreadable(unreadable)
    }
}

impl From<Outage> for Trouble {
    fn from(outage: Outage) -> Trouble {
        Trouble::Outage(outage)
    }
}

const NOT_LET_IN: &str =
    "the server does not let this user in: check user, password and authSource";
pub(crate) const NOT_PRIVILEGED: &str =
    "its user lacks privileges: the role readWrite on the database is enough";

impl Trouble {
    /// Whether somebody else was faster, so that to look again will do.
    pub(crate) fn is_overtaken(&self) -> bool {
        matches!(self, Trouble::Outage(Outage::Overtaken))
    }

    /// Whether the same may go through in a while.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Trouble::Store(error) => error.kind == Kind::Outage,
            Trouble::Outage(_) => true,
            Trouble::Unreadable(_) | Trouble::TooManyOpen(_) | Trouble::NewerLayout(_) => false,
        }
    }

    /// As a call's error.
    pub(crate) fn into_lock_error(self, store: &str, action: &'static str) -> LockError {
        let store = store.to_owned();
        let (kind, source) = match self {
            Trouble::Outage(outage) => {
                let source = Arc::new(outage);
                return LockError::Unavailable {
                    store,
                    action,
                    source,
                };
            }
            Trouble::Unreadable(Unreadable(found)) => {
                return LockError::Unreadable { store, found };
            }
            Trouble::TooManyOpen(whose) => {
                return LockError::Refused {
                    store,
                    action,
                    advice: format!(
                        "{whose} has {OPEN_MAX} executions that wait or run, which is all it may have: let them run first"
                    ),
                    source: None,
                };
            }
            Trouble::NewerLayout(found) => {
                let found = format!("collections of version {found}");
                return LockError::Unreadable { store, found };
            }
            Trouble::Store(StoreError { kind, source }) => (kind, source),
        };
        let advice = match kind {
            Kind::Outage => {
                return LockError::Unavailable {
                    store,
                    action,
                    source: source.into(),
                };
            }
            Kind::NotLetIn => NOT_LET_IN,
            Kind::NotPrivileged => NOT_PRIVILEGED,
            Kind::Permanent(advice) => advice,
        };
        LockError::Refused {
            store,
            action,
            advice: advice.to_owned(),
            source: Some(source.into()),
        }
    }

    /// As the error of opening.
    pub(crate) fn into_open_error(self, store: &str) -> OpenError {
        let store = store.to_owned();
        match self {
            Trouble::Store(StoreError { kind, source }) => match kind {
                Kind::Outage => OpenError::Unreachable { store, source },
                Kind::NotLetIn => OpenError::NotLetIn { store, source },
                Kind::NotPrivileged => OpenError::NotPrivileged { store, source },
                Kind::Permanent(advice) => OpenError::Refused {
                    store,
                    advice,
                    source,
                },
            },
            Trouble::Outage(outage) => {
                let source = Box::new(outage);
                OpenError::Unreachable { store, source }
            }
            Trouble::NewerLayout(found) => OpenError::NewerLayout { store, found },
            Trouble::Unreadable(Unreadable(found)) | Trouble::TooManyOpen(found) => {
                OpenError::Unreadable { store, found }
            }
        }
    }
}
