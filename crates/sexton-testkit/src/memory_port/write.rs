//! What a call writes.

use sexton_core::lock::{ExecutionRecord, LockKey, Register};

/// What is written of one key.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) key: LockKey,
    /// `None` leaves the register as it is.
    pub(super) register: Option<Register>,
    pub(super) records: Vec<ExecutionRecord>,
}
