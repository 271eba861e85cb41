//! What the tables say, and what the rules made of it.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use sexton_core::lock::rules::{Changes, LockState};
use sexton_core::lock::{Execution, Register};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::{ConcurrencyIndex, Fence};

/// What has a register, and so one version for everything of it.
pub(crate) type Pair = (TaskName, ConcurrencyIndex);

/// What the tables say, at one moment.
#[derive(Debug)]
pub struct Loaded {
    pub now: Timestamp,
    pub state: LockState,
    /// Of every register asked for that has a row.
    pub versions: HashMap<Pair, i64>,
    /// The records asked for, in the statement's order.
    pub asked: Vec<Execution>,
    /// Who is present, and since when in its incarnation.
    pub present: HashMap<InstanceId, Timestamp>,
}

impl Loaded {
    pub fn nothing() -> Loaded {
        Loaded {
            now: Timestamp::UNIX_EPOCH,
            state: LockState::new(),
            versions: HashMap::new(),
            asked: Vec::new(),
            present: HashMap::new(),
        }
    }

    /// A register's row. It has no register yet if it was never granted nor consumed.
    pub fn put_register(&mut self, pair: Pair, version: i64, register: Register) {
        if register.watermark.is_some() || register.fence != Fence::NONE {
            self.state.load_register(pair.0.clone(), pair.1, register);
        }
        self.versions.insert(pair, version);
    }

    /// The version of a register as it was read, 0 if there was none.
    pub fn version(&self, pair: &Pair) -> i64 {
        self.versions.get(pair).copied().unwrap_or(0)
    }
}

/// Whatever the rules changed something of.
pub(super) fn touched(changes: &Changes) -> BTreeSet<Pair> {
    let records = changes.records.iter();
    let by_record = records.map(|execution| (execution.task.clone(), execution.index));
    changes.registers.iter().cloned().chain(by_record).collect()
}
