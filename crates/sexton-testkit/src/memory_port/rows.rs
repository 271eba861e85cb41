//! The rows of one namespace, and reading and writing them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sexton_core::lock::stored::Definitions;
use sexton_core::lock::{
    Execution, ExecutionRecord, ExecutionState, InstanceRecord, LockKey, Pause, Register,
};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::{ConcurrencyIndex, Fence, Tick};

use super::connection::Connection;
use super::error::MemoryError;
use super::write::Write;

/// What one namespace holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pub(super) registers: BTreeMap<LockKey, RegisterRow>,
    pub(super) records: BTreeMap<Execution, ExecutionRecord>,
    pub(super) pauses: BTreeMap<TaskName, Pause>,
    pub(super) definitions: Definitions,
    pub(super) instances: BTreeMap<InstanceId, InstanceRecord>,
    /// The keys that a connection has written to in a transaction that is open.
    held: BTreeMap<LockKey, u64>,
}

/// A register and its version, which rises with every write.
#[derive(Debug, Clone, Copy)]
pub(super) struct RegisterRow {
    pub(super) version: i64,
    pub(super) register: Register,
}

/// The row of a key that was never granted nor consumed.
const EMPTY: RegisterRow = RegisterRow {
    version: 0,
    register: Register {
        watermark: None,
        fence: Fence::NONE,
    },
};

impl Rows {
    /// The rows as a connection sees them: with what its transaction has written.
    pub(super) fn seen_by(&self, transaction: Option<&[Write]>) -> Cow<'_, Rows> {
        match transaction {
            None | Some([]) => Cow::Borrowed(self),
            Some(writes) => {
                let mut seen = self.clone();
                writes.iter().cloned().for_each(|write| seen.write(write));
                Cow::Owned(seen)
            }
        }
    }

    pub(super) fn version(&self, key: &LockKey) -> i64 {
        self.registers.get(key).map_or(0, |row| row.version)
    }

    /// Writes a key, and raises its version.
    pub(super) fn write(&mut self, write: Write) {
        let row = self.registers.entry(write.key).or_insert(EMPTY);
        row.version += 1;
        row.register = write.register.unwrap_or(row.register);
        for record in write.records {
            self.records.insert(record.execution.clone(), record);
        }
    }

    /// Raises a key's version, and changes nothing.
    pub(super) fn touch(&mut self, key: LockKey) {
        self.write(Write {
            key,
            register: None,
            records: Vec::new(),
        });
    }

    /// The keys of a task that have a row.
    pub(super) fn keys_of(&self, task: &TaskName) -> Vec<LockKey> {
        let first = LockKey::new(task.clone(), ConcurrencyIndex::ONE);
        let rows = self.registers.range(first..);
        let of_task = rows.take_while(|(key, _)| key.task == *task);
        of_task.map(|(key, _)| key.clone()).collect()
    }

    /// What waits or is leased of a key.
    pub(super) fn open<'r>(
        &'r self,
        key: &LockKey,
    ) -> impl Iterator<Item = &'r ExecutionRecord> + use<'r> {
        let records = self.of(key);
        records.filter(|record| match record.state {
            ExecutionState::Waiting => true,
            ExecutionState::Running => record.lease_until.is_some(),
            _ => false,
        })
    }

    /// Whether anything waits of a key.
    pub(super) fn is_waiting(&self, key: &LockKey) -> bool {
        self.of(key)
            .any(|record| record.state == ExecutionState::Waiting)
    }

    fn of<'r>(&'r self, key: &LockKey) -> impl Iterator<Item = &'r ExecutionRecord> + use<'r> {
        let bound = |tick| Execution {
            task: key.task.clone(),
            index: key.index,
            tick,
        };
        let range = self.records.range(bound(Tick::MIN)..=bound(Tick::MAX));
        range.map(|(_, record)| record)
    }

    /// A key that another connection's transaction has written to is held until it ends.
    pub(super) fn check_free<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k LockKey>,
        connection: &Connection,
    ) -> Result<(), MemoryError> {
        let is_free = |key: &LockKey| {
            self.held
                .get(key)
                .is_none_or(|holder| *holder == connection.id)
        };
        match keys.into_iter().all(is_free) {
            true => Ok(()),
            false => Err(MemoryError::Busy),
        }
    }

    pub(super) fn hold(&mut self, key: LockKey, connection: u64) {
        self.held.insert(key, connection);
    }

    pub(super) fn free(&mut self, connection: u64) {
        self.held.retain(|_, holder| *holder != connection);
    }

    pub(super) fn free_all(&mut self) {
        self.held.clear();
    }
}
