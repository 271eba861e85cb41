//! What becomes of a grant: renewed, settled, released, cancelled.

use jiff::Timestamp;

use super::{LockState, may_have_begun};
use crate::lock::{
    CancelRequested, Execution, ExecutionState, Outcome, Release, Released, Renewal, Renewed,
    Settled, Settlement,
};
use crate::policy::Overlap;

impl LockState {
    /// Keeps a lock for another lease. See [`LockManager::renew`](crate::lock::LockManager::renew).
    pub fn renew(&mut self, renewal: &Renewal, now: Timestamp) -> Renewed {
        let Renewal { lock, lease } = renewal;
        let Some(record) = self.held(lock) else {
            return Renewed::Lost;
        };
        if record.state != ExecutionState::Running {
            return Renewed::Lost;
        }
        let cancel_requested = record.cancel_requested;
        let Some(until) = record.lease_until else {
            return Renewed::Extended {
                lease_until: None,
                cancel_requested,
            };
        };
        let overtaken = self
            .register(&lock.execution.key())
            .is_some_and(|register| register.fence > lock.fence);
        if until <= now && record.overlap != Overlap::Allow && overtaken {
            return Renewed::Lost;
        }
        let lease_until = now
            .saturating_add(lease.duration())
            .unwrap_or(Timestamp::MAX)
            .max(until);
        self.update(&lock.execution, |record| {
            record.lease_until = Some(lease_until);
        });
        Renewed::Extended {
            lease_until: Some(lease_until),
            cancel_requested,
        }
    }

    /// Records how an execution ended. See
    /// [`LockManager::settle`](crate::lock::LockManager::settle).
    pub fn settle(&mut self, settlement: &Settlement, now: Timestamp) -> Settled {
        let lock = &settlement.lock;
        // What ran without a lease held nobody up.
        let held_others_up = self
            .held(lock)
            .is_some_and(|record| record.delivery.recovers() || record.overlap != Overlap::Allow);
        match self.held(lock).map(|record| record.state) {
            Some(ExecutionState::Running | ExecutionState::Ended(Outcome::Lost)) => {
                if held_others_up {
                    self.extend_deadlines(&lock.execution, now);
                }
                self.update(&lock.execution, |record| {
                    record.state = ExecutionState::Ended(settlement.outcome);
                    record.lease_until = None;
                    record.started_at = Some(settlement.started_at);
                    record.finished_at = Some(settlement.finished_at);
                    record.error = settlement.error().map(str::to_owned);
                    record.output = settlement.output().map(str::to_owned);
                });
            }
            Some(ExecutionState::Ended(_)) => {}
            _ => return Settled::Refused,
        }
        let waiting = held_others_up
            .then(|| self.waiting_and_free(&lock.execution, now))
            .flatten();
        Settled::Recorded { waiting }
    }

    /// Gives back a lock whose execution was not started. See
    /// [`LockManager::release`](crate::lock::LockManager::release).
    pub fn release(&mut self, release: &Release, now: Timestamp) -> Released {
        let lock = &release.lock;
        let is_running = self
            .held(lock)
            .is_some_and(|record| record.state == ExecutionState::Running);
        if !is_running {
            return Released::NotHeld;
        }
        self.update(&lock.execution, |record| {
            let cancelled = record.cancel_requested;
            record.state = if cancelled {
                ExecutionState::Ended(Outcome::Cancelled)
            } else {
                ExecutionState::Waiting
            };
            record.finished_at = cancelled.then_some(now);
            record.claim_id = None;
            record.instance = None;
            record.lease_until = None;
            // What is repeated is repeated however late it is.
            let until = record.deadline.or(release.deadline);
            record.deadline = until.filter(|_| !may_have_begun(record));
        });
        let record = self.records.get(&lock.execution);
        if record.is_some_and(|record| self.is_too_late(record, now)) {
            self.close_as_missed(&lock.execution, now);
            return Released::TooLate;
        }
        Released::Open
    }

    /// Asks for an execution to be cancelled. See
    /// [`LockManager::request_cancel`](crate::lock::LockManager::request_cancel).
    pub fn request_cancel(&mut self, execution: &Execution, now: Timestamp) -> CancelRequested {
        match self.record(execution).map(|record| record.state) {
            Some(ExecutionState::Running) => {
                self.update(execution, |record| record.cancel_requested = true);
                CancelRequested::Told
            }
            Some(ExecutionState::Waiting) => {
                self.update(execution, |record| {
                    record.state = ExecutionState::Ended(Outcome::Cancelled);
                    record.cancel_requested = true;
                    record.finished_at = Some(now);
                });
                CancelRequested::Withdrawn
            }
            _ => CancelRequested::NotRunning,
        }
    }
}
