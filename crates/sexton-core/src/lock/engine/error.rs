//! What can go wrong in a port's call, as far as it makes a difference to the engine.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::lock::LockError;

/// How a failed try is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// Another client wrote first, and nothing of this try is open: loading again will do.
    Conflict,
    /// Another client holds what the try needs, or the store chose it to end a deadlock: once it is
    /// undone ([`Connect::undo`](super::Connect::undo)), the same connection may try again.
    Busy,
    /// The connection broke, perhaps after the try took effect: another connection may do.
    Broken,
    /// The store is out of order and may recover: no primary, a failover, a server that is away.
    Transient,
    /// Nothing will change until somebody acts: a missing privilege, a row that cannot be read.
    Permanent,
}

impl ErrorClass {
    /// Whether a try that failed so has written nothing, or nothing that is not undone.
    pub(super) fn is_without_effect(self) -> bool {
        matches!(self, ErrorClass::Conflict | ErrorClass::Busy)
    }
}

/// The error of a port: what its driver says, and what that means.
pub trait PortError: From<Unavailable> + fmt::Debug + Send {
    /// How the engine answers it.
    fn class(&self) -> ErrorClass;

    /// The error of a call, given the store for people to read and what was tried.
    fn into_lock_error(self, store: &str, action: &'static str) -> LockError;
}

/// Why a store does not do its work, though its driver reports no error.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unavailable {
    /// A call ran into its limit.
    #[error("timed out after {limit:?}: the server is slow or away, or a lock is held")]
    Stalled {
        /// The limit.
        limit: Duration,
    },
    /// Other clients wrote first, each time that the call tried.
    #[error("conflicts with other clients' writes until the call's time was over")]
    Conflict,
    /// The server accepts no writes, so what it says may be old.
    #[error("the server is read-only: a standby, or a failover in progress")]
    ReadOnly,
    /// All connections are in use.
    #[error("no connection within {limit:?}: all {connections} are in use")]
    Full {
        /// The limit.
        limit: Duration,
        /// How many connections there are.
        connections: u32,
    },
    /// The pool was closed.
    #[error("the connection pool is closed")]
    Closed,
}
