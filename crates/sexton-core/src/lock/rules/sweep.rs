//! What may be claimed although no schedule brings it up, and what nobody will finish.

use std::ops::Bound;

use jiff::Timestamp;

use super::claim::attempt_open;
use super::{IsPresent, LockState, work};
use crate::lock::{
    Claimable, Execution, ExecutionRecord, ExecutionState, Outcome, Sweep, SweepQuery,
};
use crate::policy::Overlap;

impl LockState {
    /// Finds what may be claimed and closes what is lost. See
    /// [`LockManager::sweep`](crate::lock::LockManager::sweep).
    pub fn sweep(
        &mut self,
        query: &SweepQuery,
        is_present: IsPresent<'_>,
        now: Timestamp,
    ) -> Sweep {
        let start = query
            .after
            .clone()
            .map_or(Bound::Unbounded, Bound::Excluded);
        let mut sweep = Sweep::default();
        for execution in work::seen(self.open.range((start, Bound::Unbounded))) {
            if sweep.len() >= query.limit {
                break;
            }
            let Some(record) = self.records.get(execution) else {
                continue;
            };
            if self.is_overdue(record, now) {
                sweep.missed.push(execution.clone());
            } else if let Some(claimable) = self.claimable(record, now) {
                sweep.claimable.push(claimable);
            } else if is_lost(record, query, is_present, now) {
                sweep.lost.push(execution.clone());
            }
        }
        for execution in &sweep.missed {
            self.close_as_missed(execution, now);
        }
        for execution in &sweep.lost {
            self.close_as_lost(execution, now);
        }
        sweep
    }

    /// Whether a [`LockState::sweep`] would find something to claim, or to close because it waited
    /// too long.
    #[must_use]
    pub fn needs_sweep(&self, now: Timestamp) -> bool {
        self.open()
            .any(|record| self.is_overdue(record, now) || self.claimable(record, now).is_some())
    }

    /// Whether a record is closed because it waited too long. While its task is paused nothing of
    /// it is closed.
    fn is_overdue(&self, record: &ExecutionRecord, now: Timestamp) -> bool {
        let is_paused = self.pauses.contains_key(&record.execution.task);
        !is_paused && self.is_too_late(record, now)
    }

    fn claimable(&self, record: &ExecutionRecord, now: Timestamp) -> Option<Claimable> {
        let attempt = attempt_open(record, now)?;
        if record.overlap != Overlap::Allow && self.overlaps(&record.execution, now) {
            return None;
        }
        if self.pauses.contains_key(&record.execution.task) {
            return None;
        }
        let ExecutionRecord {
            execution,
            concurrency,
            ..
        } = record;
        Some(Claimable {
            execution: execution.clone(),
            concurrency: *concurrency,
            attempt,
        })
    }

    fn close_as_lost(&mut self, execution: &Execution, now: Timestamp) {
        if let Some(end) = self.record(execution).and_then(|record| record.lease_until) {
            self.extend_deadlines(execution, end);
        }
        self.update(execution, |record| {
            let outcome = if record.cancel_requested {
                Outcome::Cancelled
            } else {
                Outcome::Lost
            };
            record.state = ExecutionState::Ended(outcome);
            record.finished_at = Some(now);
            record.error = Some(lost_because(record));
            record.lease_until = None;
        });
    }
}

fn is_lost(
    record: &ExecutionRecord,
    query: &SweepQuery,
    is_present: IsPresent<'_>,
    now: Timestamp,
) -> bool {
    if record.state != ExecutionState::Running {
        return false;
    }
    let Some(lease_until) = record.lease_until else {
        let since = record.granted_at.max(record.execution.tick.timestamp());
        let is_old = since
            .saturating_add(query.abandoned_after)
            .is_ok_and(|until| until <= now);
        let holder = record.instance.as_ref();
        return is_old && !holder.is_some_and(|holder| is_present(holder, record.granted_at));
    };
    let may_be_granted_again = record.delivery.recovers()
        && !record.cancel_requested
        && record
            .attempt
            .is_some_and(|attempt| attempt.get() < record.delivery.attempts_max());
    lease_until <= now && !may_be_granted_again
}

fn lost_because(record: &ExecutionRecord) -> String {
    let holder = record
        .instance
        .as_ref()
        .map_or("its holder", |instance| instance.as_str());
    match (record.lease_until, record.attempt) {
        (Some(_), Some(attempt)) => {
            let max = record.delivery.attempts_max();
            format!("{holder} stopped renewing its lease in attempt {attempt} of {max}")
        }
        _ => format!("{holder} vanished without settling"),
    }
}
