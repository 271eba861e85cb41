//! The rules of the claim protocol as plain code over plain state: no clock, no store, no waiting.
//!
//! [`LockState`] holds what a store holds, whole (the in-memory manager) or as much of it as a
//! batch touches (a manager that reads rows, decides here, and writes back a [`WriteSet`]). Every
//! method takes the store's now. Entries of a batch are decided one after the other, each seeing
//! what those before it changed.

mod claim;
mod hold;
mod sweep;
pub(crate) mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::{
    Consumed, Consumption, Enqueue, Enqueued, Execution, ExecutionRecord, ExecutionState, HeldLock,
    LockKey, Origin, Pause, Reason, Register, WAITING_MAX,
};
use crate::name::{InstanceId, TaskName};
use crate::policy::{Delivery, Overlap};
use crate::tick::{Attempt, Concurrency, ConcurrencyIndex, Fence, Tick};

/// Registers, records and pauses, and the rules over them.
///
/// A manager that loads a part must load, for every entry of a batch: the register of its (task,
/// index); its own record; for an [`Enqueue`] also all records of its (task, index) that wait; for
/// claims those as well, the task's pause, the records that run unless its overlap policy allows
/// them, and under [`Placement::Distinct`](crate::policy::Placement::Distinct) the records of all
/// indices of its tick.
#[derive(Debug, Default)]
pub struct LockState {
    registers: BTreeMap<LockKey, Register>,
    records: BTreeMap<Execution, ExecutionRecord>,
    open: BTreeSet<Execution>,
    waiting: BTreeSet<Execution>,
    pauses: HashMap<TaskName, Pause>,
    writes: WriteSet,
}

/// What the rules changed, and a store has to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteSet {
    /// The keys whose register changed.
    pub registers: BTreeSet<LockKey>,
    /// The executions whose record was made or changed.
    pub records: BTreeSet<Execution>,
}

impl WriteSet {
    /// Every key that something changed of.
    #[must_use]
    pub fn keys(&self) -> BTreeSet<LockKey> {
        let by_record = self.records.iter().map(Execution::key);
        self.registers.iter().cloned().chain(by_record).collect()
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.registers.is_empty() && self.records.is_empty()
    }
}

impl LockState {
    /// An empty state.
    #[must_use]
    pub fn new() -> LockState {
        LockState::default()
    }

    /// Puts in a register as the store has it. Not a change.
    pub fn load_register(&mut self, key: LockKey, register: Register) {
        self.registers.insert(key, register);
    }

    /// Puts in a record as the store has it. Not a change.
    pub fn load_record(&mut self, record: ExecutionRecord) {
        self.index_by_state(&record);
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
    pub fn register(&self, key: &LockKey) -> Option<Register> {
        self.registers.get(key).copied()
    }

    /// The registers of a task, by index.
    pub fn registers_of(
        &self,
        task: &TaskName,
    ) -> impl Iterator<Item = (ConcurrencyIndex, Register)> {
        self.registers
            .range(LockKey::new(task.clone(), ConcurrencyIndex::ONE)..)
            .take_while(move |(key, _)| key.task == *task)
            .map(|(key, register)| (key.index, *register))
    }

    /// All registers, by (task, index).
    pub fn registers(&self) -> impl Iterator<Item = (&LockKey, Register)> {
        self.registers
            .iter()
            .map(|(key, register)| (key, *register))
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

    /// The records that are not over, by (task, index, tick).
    pub fn open(&self) -> impl Iterator<Item = &ExecutionRecord> {
        work::seen(self.open.iter()).filter_map(|execution| self.records.get(execution))
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

    /// What changed since this was last called, for a manager to write.
    pub fn take_writes(&mut self) -> WriteSet {
        std::mem::take(&mut self.writes)
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

    /// Accounts for a tick that will not be run. See
    /// [`LockManager::consume`](super::LockManager::consume).
    pub fn consume(&mut self, consumption: &Consumption, now: Timestamp) -> Consumed {
        let Consumption {
            execution,
            concurrency,
            reason,
            instance,
            covers,
            is_covered,
        } = consumption;
        let register = self.register(&execution.key());
        let watermark = register.and_then(|register| register.watermark);
        let is_above = self.is_above_watermark(execution);
        let covers_passed = covers.is_some_and(|covered| watermark >= Some(covered.first));
        if covers_passed {
            return Consumed::Already { watermark };
        }
        if self.records.contains_key(execution) || !(is_above || *is_covered) {
            return Consumed::Already { watermark };
        }
        if is_above {
            self.raise_watermark(execution);
        }
        let mut record = blank_record(execution.clone(), *concurrency, reason.state(), now);
        record.reason = Some(*reason);
        record.instance = Some(instance.clone());
        record.finished_at = Some(now);
        record.error = consumption.note();
        self.put(record);
        Consumed::Recorded { after: watermark }
    }

    /// Makes an execution wait for the next claim. See
    /// [`LockManager::enqueue`](super::LockManager::enqueue).
    pub fn enqueue(&mut self, enqueue: &Enqueue, now: Timestamp) -> Enqueued {
        if self.records.contains_key(&enqueue.execution) {
            return Enqueued::Already;
        }
        let Execution { task, index, .. } = &enqueue.execution;
        if self
            .waiting_records(task, *index)
            .nth(WAITING_MAX - 1)
            .is_some()
        {
            return Enqueued::Full;
        }
        let Enqueue {
            execution,
            concurrency,
            deadline,
        } = enqueue.clone();
        let mut record = blank_record(execution, concurrency, ExecutionState::Waiting, now);
        record.origin = Origin::Triggered;
        record.deadline = deadline;
        self.put(record);
        Enqueued::Waiting
    }

    fn is_above_watermark(&self, execution: &Execution) -> bool {
        self.register(&execution.key())
            .and_then(|register| register.watermark)
            .is_none_or(|watermark| execution.tick > watermark)
    }

    fn raise_watermark(&mut self, execution: &Execution) {
        let register = self.register_to_change(execution);
        register.watermark = register.watermark.max(Some(execution.tick));
    }

    /// The fence of the grant that is being made.
    fn raise_fence(&mut self, execution: &Execution) -> Fence {
        let register = self.register_to_change(execution);
        register.fence = register.fence.next();
        register.fence
    }

    fn register_to_change(&mut self, execution: &Execution) -> &mut Register {
        let key = execution.key();
        self.writes.registers.insert(key.clone());
        self.registers.entry(key).or_insert(Register {
            watermark: None,
            fence: Fence::NONE,
        })
    }

    fn put(&mut self, record: ExecutionRecord) {
        self.index_by_state(&record);
        self.writes.records.insert(record.execution.clone());
        self.records.insert(record.execution.clone(), record);
    }

    fn index_by_state(&mut self, record: &ExecutionRecord) {
        let is_waiting = record.state == ExecutionState::Waiting;
        for (index, belongs) in [
            (&mut self.open, !record.state.is_over()),
            (&mut self.waiting, is_waiting),
        ] {
            if !belongs {
                index.remove(&record.execution);
            } else if !index.contains(&record.execution) {
                index.insert(record.execution.clone());
            }
        }
    }

    /// Changes a record in place and keeps the indexes true.
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
        self.records_in(&self.open, task, index)
    }

    /// The records of a (task, index) that wait, oldest first.
    fn waiting_records(
        &self,
        task: &TaskName,
        index: ConcurrencyIndex,
    ) -> impl Iterator<Item = &ExecutionRecord> {
        self.records_in(&self.waiting, task, index)
    }

    fn records_in<'s>(
        &'s self,
        executions: &'s BTreeSet<Execution>,
        task: &TaskName,
        index: ConcurrencyIndex,
    ) -> impl Iterator<Item = &'s ExecutionRecord> + use<'s> {
        let bound = |tick| Execution {
            task: task.clone(),
            index,
            tick,
        };
        work::seen(executions.range(bound(Tick::MIN)..=bound(Tick::MAX)))
            .filter_map(|execution| self.records.get(execution))
    }

    /// Whether an execution of the same (task, index) other than this one runs under a lease.
    fn overlaps(&self, execution: &Execution, now: Timestamp) -> bool {
        self.open_records(&execution.task, execution.index)
            .any(|other| other.execution.tick != execution.tick && other.is_leased_at(now))
    }

    /// What waits of the same (task, index) and is earlier than this execution, oldest first.
    fn waiting_before(
        &self,
        execution: &Execution,
        now: Timestamp,
    ) -> impl Iterator<Item = &ExecutionRecord> {
        self.waiting_records(&execution.task, execution.index)
            .take_while(|record| record.execution.tick < execution.tick)
            .filter(move |record| !self.is_too_late(record, now))
    }

    /// The earliest tick that waits in a (task, index), if nothing runs there under a lease any
    /// more.
    fn waiting_and_free(&self, execution: &Execution, now: Timestamp) -> Option<Tick> {
        let waiting = self
            .waiting_records(&execution.task, execution.index)
            .find(|record| !self.is_too_late(record, now))?;
        (!self.overlaps(&waiting.execution, now)).then_some(waiting.execution.tick)
    }

    /// Whether a record waits although its deadline has passed.
    fn is_too_late(&self, record: &ExecutionRecord, now: Timestamp) -> bool {
        let has_passed = |deadline: Timestamp| deadline <= now;
        record.state == ExecutionState::Waiting
            && record.deadline.is_some_and(has_passed)
            && self.deadline_behind_running(record).is_none_or(has_passed)
    }

    /// The deadline of what is queued behind an execution that runs, counted from the end of that
    /// one's lease.
    fn deadline_behind_running(&self, record: &ExecutionRecord) -> Option<Timestamp> {
        if !is_queued(record) || record.deadline.is_none() {
            return None;
        }
        let Execution { task, index, tick } = &record.execution;
        let ends = self
            .open_records(task, *index)
            .take_while(|other| other.execution.tick < *tick)
            .filter(|other| other.state == ExecutionState::Running)
            .filter_map(|other| other.lease_until);
        Some(later_deadline(record, ends.max()?))
    }

    /// Gives what is queued behind an execution some time from that one's end.
    fn extend_deadlines(&mut self, ended: &Execution, end: Timestamp) {
        let queued: Vec<Execution> = self
            .open_records(&ended.task, ended.index)
            .filter(|record| record.execution.tick > ended.tick)
            .filter(|record| is_queued(record) && record.deadline.is_some())
            .filter(|record| Some(later_deadline(record, end)) > record.deadline)
            .map(|record| record.execution.clone())
            .collect();
        for execution in queued {
            self.update(&execution, |record| {
                record.deadline = Some(later_deadline(record, end));
            });
        }
    }

    fn close_as_missed(&mut self, execution: &Execution, now: Timestamp) {
        self.update(execution, |record| {
            record.state = ExecutionState::Missed;
            record.reason = Some(Reason::TooLate);
            record.finished_at = Some(now);
        });
    }
}

/// The most time that what is queued has from the end of what it waits for, should its own deadline
/// have passed by then.
const QUEUED_AFTER_MAX: SignedDuration = SignedDuration::from_secs(60);

/// The deadline of what is queued, if what it waits for ends at `end`: as long after that as it was
/// behind its tick, within a bound, since a deadline may be moved more than once.
fn later_deadline(record: &ExecutionRecord, end: Timestamp) -> Timestamp {
    let last = Tick::MAX.timestamp();
    let deadline = record.deadline.unwrap_or(last);
    let after = deadline.duration_since(record.execution.tick.timestamp());
    let after = after.clamp(SignedDuration::ZERO, QUEUED_AFTER_MAX);
    let later = end.saturating_add(after).unwrap_or(last);
    later.min(last).max(deadline)
}

/// Whether a record waits for an earlier execution to end.
fn is_queued(record: &ExecutionRecord) -> bool {
    record.state == ExecutionState::Waiting && record.reason == Some(Reason::Overlap)
}

/// Whether a record that waits may have begun already: an earlier attempt of it was lost.
fn may_have_begun(record: &ExecutionRecord) -> bool {
    record
        .attempt
        .is_some_and(|attempt| attempt > Attempt::FIRST)
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
        origin: Origin::default(),
        state,
        reason: None,
        claim_id: None,
        instance: None,
        attempt: None,
        fence: Fence::NONE,
        delivery: Delivery::default(),
        overlap: Overlap::default(),
        lease_until: None,
        deadline: None,
        former_holders: Vec::new(),
        cancel_requested: false,
        granted_at: now,
        started_at: None,
        finished_at: None,
        error: None,
        output: None,
    }
}

/// Whether an instance counts as present in the incarnation that was granted something at this
/// time, asked by a sweep for executions without a lease.
pub type IsPresent<'a> = &'a dyn Fn(&InstanceId, Timestamp) -> bool;
