//! The rules of the claim protocol as plain code over plain state: no clock, no store, no waiting.
//!
//! [`LockState`] holds what a store holds, whole (the in-memory manager) or as much of it as a batch
//! touches (a manager that reads rows, decides here, and writes back [`Changes`]). Every method takes the
//! store's now. Entries of a batch are decided one after the other, each seeing what those
//! before it changed.

mod claim;
mod hold;
mod sweep;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::{
    Consumed, Consumption, Enqueue, Enqueued, Execution, ExecutionRecord, ExecutionState, HeldLock,
    Pause, Reason, Register,
};
use crate::name::{InstanceId, TaskName};
use crate::policy::{Delivery, Overlap};
use crate::tick::{Concurrency, ConcurrencyIndex, Fence, Tick};

/// Registers, records and pauses, and the rules over them.
///
/// A manager that loads a part must load, for every entry of a batch: the register of its (task,
/// index); its own record; for claims also the task's pause, all records of its (task, index) that are
/// open (running or waiting), and under [`Placement::Distinct`](crate::policy::Placement::Distinct)
/// the records of all indices of its tick.
#[derive(Debug, Default)]
pub struct LockState {
    registers: HashMap<(TaskName, ConcurrencyIndex), Register>,
    records: BTreeMap<Execution, ExecutionRecord>,
    open: BTreeSet<Execution>,
    pauses: HashMap<TaskName, Pause>,
    changes: Changes,
}

/// What the rules changed since it was last asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// (task, index) pairs whose register changed.
    pub registers: BTreeSet<(TaskName, ConcurrencyIndex)>,
    /// Executions whose record was made or changed.
    pub records: BTreeSet<Execution>,
}

impl LockState {
    /// An empty state.
    #[must_use]
    pub fn new() -> LockState {
        LockState::default()
    }

    /// Puts in a register as the store has it. Not a change.
    pub fn load_register(&mut self, task: TaskName, index: ConcurrencyIndex, register: Register) {
        self.registers.insert((task, index), register);
    }

    /// Puts in a record as the store has it. Not a change.
    pub fn load_record(&mut self, record: ExecutionRecord) {
        self.index_as_open_or_not(&record);
        self.records.insert(record.execution.clone(), record);
    }

    /// Puts in a pause as the store has it, or takes it out. Not a change.
    pub fn load_pause(&mut self, task: TaskName, pause: Option<Pause>) {
        match pause {
            Some(pause) => self.pauses.insert(task, pause),
            None => self.pauses.remove(&task),
        };
    }

    /// The register of a (task, index), if it was ever granted or consumed.
    #[must_use]
    pub fn register(&self, task: &TaskName, index: ConcurrencyIndex) -> Option<Register> {
        self.registers.get(&(task.clone(), index)).copied()
    }

    /// All registers.
    pub fn registers(&self) -> impl Iterator<Item = (&TaskName, ConcurrencyIndex, Register)> {
        self.registers
            .iter()
            .map(|((task, index), register)| (task, *index, *register))
    }

    /// The record of an execution.
    #[must_use]
    pub fn record(&self, execution: &Execution) -> Option<&ExecutionRecord> {
        self.records.get(execution)
    }

    /// All records, by (task, index, tick).
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &ExecutionRecord> {
        self.records.values()
    }

    /// A task's pause, while it is paused.
    #[must_use]
    pub fn pause(&self, task: &TaskName) -> Option<&Pause> {
        self.pauses.get(task)
    }

    /// All pauses.
    pub fn pauses(&self) -> impl Iterator<Item = (&TaskName, &Pause)> {
        self.pauses.iter()
    }

    /// What changed since this was last called, for a manager to write back.
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Drops a record that is over. Not a change.
    pub fn forget(&mut self, execution: &Execution) {
        if self
            .records
            .get(execution)
            .is_some_and(|record| record.state.is_over())
        {
            self.records.remove(execution);
        }
    }

    /// Accounts for a tick that will not be run. See [`LockManager::consume`](super::LockManager::consume).
    pub fn consume(&mut self, consumption: &Consumption, now: Timestamp) -> Consumed {
        let Consumption {
            execution,
            concurrency,
            reason,
            instance,
        } = consumption;
        if self.records.contains_key(execution) || !self.is_above_watermark(execution) {
            return Consumed::Already;
        }
        self.raise_watermark(execution);
        let mut record = blank_record(execution.clone(), *concurrency, reason.state(), now);
        record.reason = Some(*reason);
        record.instance = Some(instance.clone());
        record.finished_at = Some(now);
        self.put(record);
        Consumed::Recorded
    }

    /// Makes an execution wait for the next claim. See [`LockManager::enqueue`](super::LockManager::enqueue).
    pub fn enqueue(&mut self, enqueue: &Enqueue, now: Timestamp) -> Enqueued {
        if self.records.contains_key(&enqueue.execution) {
            return Enqueued::Already;
        }
        let Enqueue {
            execution,
            concurrency,
        } = enqueue.clone();
        self.put(blank_record(
            execution,
            concurrency,
            ExecutionState::Waiting,
            now,
        ));
        Enqueued::Waiting
    }

    fn is_above_watermark(&self, execution: &Execution) -> bool {
        self.register(&execution.task, execution.index)
            .is_none_or(|register| execution.tick > register.watermark)
    }

    fn raise_watermark(&mut self, execution: &Execution) {
        self.raise_register(execution, |fence| fence);
    }

    /// The fence of the grant that is being made.
    fn raise_fence(&mut self, execution: &Execution) -> Fence {
        self.raise_register(execution, Fence::next).fence
    }

    fn raise_register(
        &mut self,
        execution: &Execution,
        fence: impl FnOnce(Fence) -> Fence,
    ) -> Register {
        let key = (execution.task.clone(), execution.index);
        let register = self.registers.entry(key.clone()).or_insert(Register {
            watermark: execution.tick,
            fence: Fence::NONE,
        });
        register.watermark = register.watermark.max(execution.tick);
        register.fence = fence(register.fence);
        self.changes.registers.insert(key);
        *register
    }

    fn put(&mut self, record: ExecutionRecord) {
        self.index_as_open_or_not(&record);
        self.changes.records.insert(record.execution.clone());
        self.records.insert(record.execution.clone(), record);
    }

    fn index_as_open_or_not(&mut self, record: &ExecutionRecord) {
        if record.state.is_over() {
            self.open.remove(&record.execution);
        } else if !self.open.contains(&record.execution) {
            self.open.insert(record.execution.clone());
        }
    }

    /// Changes a record in place and keeps the index of open ones true.
    fn update(&mut self, execution: &Execution, change: impl FnOnce(&mut ExecutionRecord)) {
        if let Some(mut record) = self.records.remove(execution) {
            change(&mut record);
            self.put(record);
        }
    }

    /// The record of a lock, if it is still granted to this very claim.
    fn held(&self, lock: &HeldLock) -> Option<&ExecutionRecord> {
        self.records
            .get(&lock.execution)
            .filter(|record| record.claim_id == Some(lock.claim_id) && record.fence == lock.fence)
    }

    /// The open records of a (task, index), oldest first.
    fn open_records(
        &self,
        task: &TaskName,
        index: ConcurrencyIndex,
    ) -> impl Iterator<Item = &ExecutionRecord> {
        let bound = |tick| Execution {
            task: task.clone(),
            index,
            tick,
        };
        self.open
            .range(bound(Tick::MIN)..=bound(Tick::MAX))
            .filter_map(|execution| self.records.get(execution))
    }

    /// Whether an execution of the same (task, index) other than this one runs under a lease.
    fn overlaps(&self, execution: &Execution, now: Timestamp) -> bool {
        self.open_records(&execution.task, execution.index)
            .any(|other| other.execution.tick != execution.tick && other.is_leased_at(now))
    }

    /// The tick queued behind earlier executions of a (task, index), if nothing runs there any more.
    fn queued_and_free(&self, execution: &Execution, now: Timestamp) -> Option<Tick> {
        let queued = self
            .open_records(&execution.task, execution.index)
            .find(|record| is_queued(record))?;
        (!self.overlaps(&queued.execution, now)).then_some(queued.execution.tick)
    }
}

/// Whether a record waits for an earlier execution to end.
fn is_queued(record: &ExecutionRecord) -> bool {
    record.state == ExecutionState::Waiting && record.reason == Some(Reason::Overlap)
}

fn blank_record(
    execution: Execution,
    concurrency: Concurrency,
    state: ExecutionState,
    now: Timestamp,
) -> ExecutionRecord {
    ExecutionRecord {
        execution,
        concurrency,
        state,
        reason: None,
        claim_id: None,
        instance: None,
        attempt: None,
        fence: Fence::NONE,
        delivery: Delivery::default(),
        overlap: Overlap::default(),
        lease_until: None,
        cancel_requested: false,
        granted_at: now,
        started_at: None,
        finished_at: None,
        error: None,
        output: None,
    }
}

/// Whether an instance counts as present, asked by a sweep for executions without a lease.
pub type IsPresent<'a> = &'a dyn Fn(&InstanceId) -> bool;
