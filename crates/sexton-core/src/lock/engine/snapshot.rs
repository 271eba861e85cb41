//! What a store says of the keys that decide a batch, at one moment.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::lock::rules::LockState;
use crate::lock::{LockKey, Register};
use crate::tick::Fence;

/// What a port has loaded: the rules' state, and by what the port knows whether it still stands.
#[derive(Debug)]
pub struct Snapshot<R> {
    /// The store's clock, read after everything else.
    pub now: Timestamp,
    /// Registers, records and pauses, for the rules to decide on.
    pub state: LockState,
    /// The port's own knowledge of the rows: their versions, or the documents as they were read.
    pub rows: R,
}

/// What a port remembers of the rows of a snapshot.
pub trait Rows: Send + Sync {
    /// Whether the store has a row for the register of this key.
    fn contains(&self, key: &LockKey) -> bool;
}

/// The rows of a port that gives each register a version, which rises with every write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions(HashMap<LockKey, i64>);

impl Versions {
    /// The version of a register as it was read, 0 if it has no row.
    #[must_use]
    pub fn of(&self, key: &LockKey) -> i64 {
        self.0.get(key).copied().unwrap_or(0)
    }

    /// Notes the version of a register that has a row.
    pub fn insert(&mut self, key: LockKey, version: i64) {
        self.0.insert(key, version);
    }
}

impl Rows for Versions {
    fn contains(&self, key: &LockKey) -> bool {
        self.0.contains_key(key)
    }
}

impl<R: Default> Snapshot<R> {
    /// A snapshot that nothing was loaded into yet.
    #[must_use]
    pub fn empty() -> Snapshot<R> {
        Snapshot {
            now: Timestamp::UNIX_EPOCH,
            state: LockState::new(),
            rows: R::default(),
        }
    }
}

impl Snapshot<Versions> {
    /// Puts in the row of a register. A row that was never granted nor consumed has a version and
    /// no register.
    pub fn load_register(&mut self, key: LockKey, version: i64, register: Register) {
        if register.watermark.is_some() || register.fence != Fence::NONE {
            self.state.load_register(key.clone(), register);
        }
        self.rows.insert(key, version);
    }
}
