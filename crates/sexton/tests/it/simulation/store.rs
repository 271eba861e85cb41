//! The store of a simulation: the claim rules over a state in memory, with a log of everything that took effect, and
//! with one of the rules broken on request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use sexton::clock::Clock;
use sexton::lock::rules::LockState;
use sexton::lock::stored::{Definitions, define};
use sexton::lock::{
    Answer, Claim, ClaimLead, Consumed, Consumption, Defined, Enqueue, Enqueued, ExecutionRecord,
    HeldLock, InstanceRecord, InstanceReport, Pause, PauseChange, Register, Released, Renewal,
    Renewed, Settled, Settlement, Signals, Sweep, SweepQuery, TaskDefinition, TaskState, Verdict,
};
use sexton::name::{ClaimId, InstanceId, TaskName};
use sexton::{ConcurrencyIndex, Fence, Tick};

use super::history::{Granted, History, What};

/// A rule that the store does not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// A grant does not raise the watermark.
    WatermarkNotAdvanced,
    /// Whose claim an execution was granted to is not remembered.
    ClaimIdIgnored,
    /// An execution is granted again whether or not its lease is over.
    LeaseNotChecked,
    /// What time it is, the claimant says.
    ClientsClockTrusted,
    /// A grant does not raise the fence.
    FenceReused,
    /// Since when a task is known is not remembered.
    KnownSinceForgotten,
}

#[derive(Debug, Default)]
struct State {
    locks: LockState,
    instances: BTreeMap<InstanceId, InstanceRecord>,
    definitions: Definitions,
    forgotten: Vec<ExecutionRecord>,
}

/// Clones share the state.
#[derive(Debug, Clone)]
pub(crate) struct SimStore {
    clock: Arc<dyn Clock>,
    history: History,
    broken: Option<Break>,
    state: Arc<Mutex<State>>,
}

impl SimStore {
    pub(crate) fn new(clock: Arc<dyn Clock>, history: History, broken: Option<Break>) -> SimStore {
        SimStore {
            clock,
            history,
            broken,
            state: Arc::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// All records there ever were, those that were forgotten since among them.
    pub(crate) fn records(&self) -> Vec<ExecutionRecord> {
        let state = self.state.lock().unwrap();
        state
            .forgotten
            .iter()
            .chain(state.locks.records())
            .cloned()
            .collect()
    }

    /// Whether nothing runs or waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.state
            .lock()
            .unwrap()
            .locks
            .records()
            .all(|record| record.state.is_over())
    }

    /// Whether all that was ever claimed of a task is accounted for up to its last tick.
    pub(crate) fn has_passed(&self, task: &TaskName, last: Tick) -> bool {
        let state = self.state.lock().unwrap();
        let mut registers = state.locks.registers();
        registers.all(|(name, _, register)| name != task || register.watermark >= last)
    }

    fn each<E, T>(
        &self,
        batch: &[E],
        mut decide: impl FnMut(&mut State, &E, Timestamp) -> T,
    ) -> Answer<Vec<T>> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        let value = batch
            .iter()
            .map(|entry| decide(&mut state, entry, now))
            .collect();
        state.locks.take_changes();
        Answer { now, value }
    }

    /// `clients_now`: by the claimant's own clock.
    pub(crate) fn claim(
        &self,
        lead: ClaimLead,
        batch: &[Claim],
        clients_now: Timestamp,
    ) -> Answer<Vec<Verdict>> {
        let broken = self.broken;
        self.each(batch, |state, claim, now| {
            let by = match broken {
                Some(Break::ClientsClockTrusted) => clients_now,
                Some(Break::LeaseNotChecked) if claim.delivery.recovers() => {
                    now + SignedDuration::from_mins(1)
                }
                _ => now,
            };
            state.claim(claim, lead, by, broken, &self.history)
        })
    }

    pub(crate) fn renew(&self, batch: &[Renewal]) -> Answer<Vec<Renewed>> {
        self.each(batch, |state, renewal, now| {
            let renewed = state.locks.renew(renewal, now);
            if let Renewed::Extended {
                lease_until: Some(until),
                ..
            } = renewed
            {
                self.history
                    .write(What::Extended(renewal.lock.clone(), until));
            }
            renewed
        })
    }

    pub(crate) fn settle(&self, batch: &[Settlement]) -> Answer<Vec<Settled>> {
        self.each(batch, |state, settlement, now| {
            let settled = state.locks.settle(settlement, now);
            if matches!(settled, Settled::Recorded { .. }) {
                let Settlement { lock, outcome, .. } = settlement;
                self.history.write(What::Settled(lock.clone(), *outcome));
            }
            settled
        })
    }

    pub(crate) fn release(&self, batch: &[HeldLock]) -> Answer<Vec<Released>> {
        self.each(batch, |state, lock, now| {
            let released = state.locks.release(lock, now);
            if released == Released::Open {
                self.history.write(What::Released(lock.clone()));
            }
            released
        })
    }

    pub(crate) fn consume(&self, batch: &[Consumption]) -> Answer<Vec<Consumed>> {
        self.each(batch, |state, consumption, now| {
            let consumed = state.locks.consume(consumption, now);
            let Consumption {
                execution,
                instance,
                ..
            } = consumption.clone();
            self.history.write(match consumed {
                Consumed::Recorded => What::Recorded(execution),
                Consumed::Already => What::AccountedFor(execution, instance),
            });
            consumed
        })
    }

    pub(crate) fn enqueue(&self, batch: &[Enqueue]) -> Answer<Vec<Enqueued>> {
        self.each(batch, |state, enqueue, now| {
            state.locks.enqueue(enqueue, now)
        })
    }

    pub(crate) fn sweep(&self, query: &SweepQuery) -> Answer<Sweep> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        let by = match self.broken {
            Some(Break::LeaseNotChecked) => now + SignedDuration::from_mins(1),
            _ => now,
        };
        let State {
            locks, instances, ..
        } = &mut *state;
        let is_present = |instance: &InstanceId| {
            instances
                .get(instance)
                .is_some_and(|record| record.is_present_at(now))
        };
        let value = locks.sweep(query, &is_present, by);
        for execution in &value.lost {
            self.history.write(What::Lost(execution.clone()));
        }
        Answer { now, value }
    }

    pub(crate) fn heartbeat(&self, report: &InstanceReport) -> Answer<Signals> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        let record = InstanceRecord {
            report: report.clone(),
            seen_at: now,
        };
        state.instances.insert(report.instance.clone(), record);
        let cancel = state
            .locks
            .records()
            .filter(|record| record.cancel_requested && !record.state.is_over())
            .filter(|record| record.instance.as_ref() == Some(&report.instance))
            .map(|record| record.execution.clone())
            .collect();
        let sweep = state.locks.has_claimable(now);
        Answer {
            now,
            value: Signals {
                cancel,
                sweep,
                revision: 0,
            },
        }
    }

    pub(crate) fn leave(&self, instance: &InstanceId) -> Answer<()> {
        self.state.lock().unwrap().instances.remove(instance);
        Answer {
            now: self.clock.now(),
            value: (),
        }
    }

    pub(crate) fn define(
        &self,
        instance: &InstanceId,
        batch: &[TaskDefinition],
    ) -> Answer<Vec<Defined>> {
        let now = self.clock.now();
        let known = &mut self.state.lock().unwrap().definitions;
        let value = define(known, instance, batch, now);
        for (definition, defined) in batch.iter().zip(&value) {
            if *defined == Defined::New {
                self.history.write(What::Defined(definition.task.clone()));
            }
        }
        Answer { now, value }
    }

    pub(crate) fn tasks(&self, names: &[TaskName]) -> Answer<Vec<TaskState>> {
        let state = self.state.lock().unwrap();
        let of = |task: &TaskName| {
            let mut registers: Vec<(ConcurrencyIndex, Register)> = state
                .locks
                .registers()
                .filter(|(name, _, _)| *name == task)
                .map(|(_, index, register)| (index, register))
                .collect();
            registers.sort_by_key(|(index, _)| *index);
            let pause = state.locks.pause(task).cloned();
            let defining = state.definitions.get(task);
            TaskState {
                task: task.clone(),
                definition: defining.map(|defining| defining.definition.clone()),
                known_since: defining
                    .and_then(|defining| defining.known_since)
                    .filter(|_| self.broken != Some(Break::KnownSinceForgotten)),
                pause,
                registers,
            }
        };
        Answer {
            now: self.clock.now(),
            value: names.iter().map(of).collect(),
        }
    }

    pub(crate) fn change_pause(&self, tasks: &[TaskName], change: &PauseChange) -> Answer<()> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        for task in tasks {
            let pause = match change {
                PauseChange::Resume => None,
                PauseChange::Pause { note, by } => Some(Pause {
                    note: note.clone(),
                    by: by.clone(),
                    since: now,
                }),
            };
            state.locks.load_pause(task.clone(), pause);
        }
        Answer { now, value: () }
    }

    /// Forgets what is over and has a tick before `oldest`, as a short retention would.
    pub(crate) fn forget_before(&self, oldest: Timestamp) {
        let mut state = self.state.lock().unwrap();
        let is_old = |record: &&ExecutionRecord| {
            record.state.is_over() && record.execution.tick.timestamp() < oldest
        };
        let old: Vec<ExecutionRecord> = state.locks.records().filter(is_old).cloned().collect();
        old.iter()
            .for_each(|record| state.locks.forget(&record.execution));
        state.forgotten.extend(old);
    }
}

impl State {
    fn claim(
        &mut self,
        claim: &Claim,
        lead: ClaimLead,
        by: Timestamp,
        broken: Option<Break>,
        history: &History,
    ) -> Verdict {
        let execution = claim.execution.clone();
        let before = self.locks.register(&execution.task, execution.index);
        let had_record = self.locks.record(&execution).cloned();
        let mut claim = claim.clone();
        if broken == Some(Break::ClaimIdIgnored) {
            claim.claim_id = ClaimId::random();
        }
        let mut verdict = self.locks.claim(&claim, lead, by);
        let is_new = |fence: Fence| {
            had_record
                .as_ref()
                .is_none_or(|record| record.fence != fence)
        };
        match &mut verdict {
            Verdict::Granted(grant) if is_new(grant.fence) => {
                let after = self.locks.register(&execution.task, execution.index);
                let mut register = after.unwrap();
                if broken == Some(Break::FenceReused)
                    && let (Some(before), Some(mut record)) =
                        (before, self.locks.record(&execution).cloned())
                {
                    register.fence = before.fence;
                    record.fence = before.fence;
                    grant.fence = before.fence;
                    self.locks.load_record(record);
                }
                if broken == Some(Break::WatermarkNotAdvanced)
                    && let Some(before) = before
                {
                    register.watermark = before.watermark;
                }
                self.locks
                    .load_register(execution.task.clone(), execution.index, register);
                history.write(What::Granted(Granted {
                    execution,
                    instance: claim.instance.clone(),
                    fence: grant.fence,
                    attempt: grant.attempt,
                    lease_until: grant.lease_until,
                    had_record: had_record.is_some(),
                }));
            }
            Verdict::Granted(_) => {}
            Verdict::Denied(denial) => {
                let instance = claim.instance.clone();
                history.write(What::Denied(execution.clone(), instance, *denial));
                if had_record.is_none() && self.locks.record(&execution).is_some() {
                    history.write(What::Recorded(execution));
                }
            }
        }
        verdict
    }
}
