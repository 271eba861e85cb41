//! The store of a simulation: the claim rules over a state in memory, with a log of everything that
//! took effect, and with one of the rules broken on request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton::clock::Clock;
use sexton::lock::rules::LockState;
use sexton::lock::stored::{self, Definitions, Reported, define};
use sexton::lock::{
    Answer, Claim, ClaimLead, Consumed, Consumption, Covered, Defined, Denial, Enqueue, Enqueued,
    Execution, ExecutionRecord, ExecutionState, InstanceRecord, InstanceReport, Pause, PauseChange,
    Register, Release, Released, Renewal, Renewed, Settled, Settlement, Signals, Sweep, SweepQuery,
    TaskDefinition, TaskState, Verdict,
};
use sexton::name::{ClaimId, Incarnation, InstanceId, TaskName};
use sexton::{ConcurrencyIndex, Fence, Tick};

use super::broken::Break;
use super::history::{Granted, History, What};
use super::plan::Version;

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
    away_until: Arc<Mutex<Duration>>,
}

impl SimStore {
    pub(crate) fn new(clock: Arc<dyn Clock>, history: History, broken: Option<Break>) -> SimStore {
        SimStore {
            clock,
            history,
            broken,
            state: Arc::default(),
            away_until: Arc::default(),
        }
    }

    /// Answers nobody for so long.
    pub(crate) fn be_away(&self, duration: Duration) {
        *self.away_until.lock().unwrap() = self.clock.monotonic() + duration;
    }

    /// Answers from now on.
    pub(crate) fn come_back(&self) {
        *self.away_until.lock().unwrap() = Duration::ZERO;
    }

    pub(crate) fn is_away(&self) -> bool {
        self.clock.monotonic() < *self.away_until.lock().unwrap()
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
        registers.all(|(key, register)| key.task != *task || register.watermark >= Some(last))
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
        state.locks.take_writes();
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
            if matches!(
                self.broken,
                Some(Break::SettledForgotten | Break::NeededRecordForgotten)
            ) {
                state.forget(&settlement.lock.execution);
            }
            settled
        })
    }

    pub(crate) fn release(&self, batch: &[Release]) -> Answer<Vec<Released>> {
        self.each(batch, |state, release, now| {
            let mut release = release.clone();
            if self.broken == Some(Break::DeadlineForgotten) {
                release.deadline = None;
            }
            let released = state.locks.release(&release, now);
            if released != Released::NotHeld {
                self.history.write(What::Released(release.lock.clone()));
            }
            if released == Released::TooLate {
                let execution = release.lock.execution.clone();
                self.history.write(What::Overdue(execution));
            }
            released
        })
    }

    pub(crate) fn consume(&self, batch: &[Consumption]) -> Answer<Vec<Consumed>> {
        self.each(batch, |state, consumption, now| {
            let mut consumption = consumption.clone();
            if self.broken == Some(Break::CoveredNotRecorded) {
                consumption.is_covered = false;
            }
            let consumed = state.locks.consume(&consumption, now);
            let Consumption {
                execution,
                instance,
                reason,
                covers,
                ..
            } = consumption;
            match consumed {
                Consumed::Recorded { .. } => {
                    if let Some(Covered { first, .. }) = covers {
                        let (last, by) = (execution.clone(), instance.clone());
                        self.history.write(What::Covered { first, last, by });
                    }
                    self.history
                        .write(What::GivenUp(execution, instance, reason));
                }
                Consumed::Already { .. } => {
                    self.history.write(What::AccountedFor(execution, instance));
                }
            }
            consumed
        })
    }

    pub(crate) fn enqueue(&self, batch: &[Enqueue]) -> Answer<Vec<Enqueued>> {
        self.each(batch, |state, enqueue, now| {
            let enqueued = state.locks.enqueue(enqueue, now);
            if let (Enqueued::Waiting, Some(deadline)) = (enqueued, enqueue.deadline) {
                let execution = enqueue.execution.clone();
                self.history.write(What::Enqueued(execution, deadline));
            }
            enqueued
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
        let is_present = |id: &InstanceId, granted_at| {
            let known = instances.get(id);
            known.is_some_and(|record| record.is_present_with(granted_at, now))
        };
        let value = locks.sweep(query, &is_present, by);
        for execution in &value.lost {
            self.history.write(What::Lost(execution.clone()));
        }
        for execution in &value.missed {
            self.history.write(What::Overdue(execution.clone()));
        }
        Answer { now, value }
    }

    pub(crate) fn heartbeat(&self, report: &InstanceReport) -> Answer<Signals> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        let before = state.instances.get(&report.instance).cloned();
        let held_by = match stored::report(before, report, now) {
            Reported::Held(holder) => Some(holder),
            Reported::Recorded(record) => {
                state.instances.insert(report.instance.clone(), record);
                None
            }
        };
        let open = state.locks.open();
        let cancel = open
            .filter(|record| record.cancel_requested)
            .filter(|record| record.instance.as_ref() == Some(&report.instance))
            .map(|record| record.execution.clone())
            .collect();
        let value = Signals {
            cancel,
            sweep: state.locks.needs_sweep(now),
            held_by,
        };
        Answer { now, value }
    }

    pub(crate) fn leave(&self, instance: &InstanceId, incarnation: Incarnation) -> Answer<()> {
        let instances = &mut self.state.lock().unwrap().instances;
        instances.retain(|id, record| id != instance || record.report.incarnation != incarnation);
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
            let is_new = match defined {
                Defined::New => true,
                Defined::Differed { was, .. } => was.canonical != definition.canonical,
                Defined::Same => false,
            };
            if is_new {
                let version = match definition.canonical.contains("phase 0ms") {
                    true => Version::First,
                    false => Version::Edited,
                };
                let task = definition.task.clone();
                self.history.write(What::Defined(task, version));
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
                .filter(|(key, _)| key.task == *task)
                .map(|(key, register)| (key.index, register))
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
                schedule_since: defining.and_then(|defining| match self.broken {
                    Some(Break::ScheduleSinceForgotten) => defining.known_since,
                    _ => defining.schedule_since,
                }),
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
        let old = state.locks.records().filter(is_old);
        let old: Vec<Execution> = old.map(|record| record.execution.clone()).collect();
        old.iter().for_each(|execution| state.forget(execution));
    }
}

impl State {
    /// Forgets an execution if it is over.
    fn forget(&mut self, execution: &Execution) {
        let record = self.locks.record(execution);
        if let Some(record) = record.filter(|record| record.state.is_over()).cloned() {
            self.locks.forget(execution);
            self.forgotten.push(record);
        }
    }

    /// Decides a claim as if nothing waited before it.
    fn claim_past_those_that_wait(
        &mut self,
        claim: &Claim,
        lead: ClaimLead,
        by: Timestamp,
    ) -> Verdict {
        let Execution { task, index, tick } = &claim.execution;
        let waits = |record: &&ExecutionRecord| {
            let execution = &record.execution;
            record.state == ExecutionState::Waiting
                && execution.task == *task
                && execution.index == *index
                && execution.tick < *tick
        };
        let waiting: Vec<ExecutionRecord> = self.locks.records().filter(waits).cloned().collect();
        for record in &waiting {
            self.locks.request_cancel(&record.execution, by);
        }
        let verdict = self.locks.claim(claim, lead, by);
        for record in waiting {
            self.locks.load_record(record);
        }
        verdict
    }

    fn claim(
        &mut self,
        claim: &Claim,
        lead: ClaimLead,
        by: Timestamp,
        broken: Option<Break>,
        history: &History,
    ) -> Verdict {
        let execution = claim.execution.clone();
        let before = self.locks.register(&execution.key());
        let had_record = self.locks.record(&execution).cloned();
        let mut claim = claim.clone();
        match broken {
            Some(Break::ClaimIdIgnored) => claim.claim_id = ClaimId::random(),
            Some(Break::DeadlineForgotten) => claim.deadline = None,
            Some(Break::NeededRecordForgotten) => claim.needs_record = false,
            _ => {}
        }
        let had_waited = had_record
            .as_ref()
            .is_some_and(|record| record.state == ExecutionState::Waiting);
        let mut verdict = self.locks.claim(&claim, lead, by);
        if broken == Some(Break::EarlierForgotten)
            && matches!(verdict, Verdict::Denied(Denial::EarlierWaits(_)))
        {
            verdict = self.claim_past_those_that_wait(&claim, lead, by);
        }
        let is_new = |fence: Fence| {
            had_record
                .as_ref()
                .is_none_or(|record| record.fence != fence)
        };
        match &mut verdict {
            Verdict::Granted(grant) if is_new(grant.fence) => {
                let after = self.locks.register(&execution.key());
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
                if broken == Some(Break::WatermarkRaisedByTrigger) {
                    register.watermark = register.watermark.max(Some(execution.tick));
                }
                if broken == Some(Break::FormerHoldersForgotten)
                    && let Some(mut record) = self.locks.record(&execution).cloned()
                {
                    record.former_holders.clear();
                    self.locks.load_record(record);
                }
                self.locks.load_register(execution.key(), register);
                history.write(What::Granted(Granted {
                    execution,
                    instance: claim.instance.clone(),
                    fence: grant.fence,
                    attempt: grant.attempt,
                    lease_until: grant.lease_until,
                    had_record: had_record.is_some(),
                    had_waited,
                }));
            }
            Verdict::Granted(_) => {}
            Verdict::Denied(denial) => {
                let instance = claim.instance.clone();
                history.write(What::Denied(execution.clone(), instance, *denial));
                let record = self.locks.record(&execution);
                let state = record.map(|record| record.state);
                if *denial == Denial::TooLate {
                    history.write(What::Overdue(execution));
                } else if had_record.is_none() && state.is_some() {
                    history.write(match state {
                        Some(ExecutionState::Waiting) => What::Queued(execution),
                        _ => What::Recorded(execution),
                    });
                }
            }
        }
        verdict
    }
}
