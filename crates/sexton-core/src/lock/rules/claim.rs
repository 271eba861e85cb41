//! Who is granted what.

use jiff::Timestamp;

use super::{LockState, blank_record, is_queued};
use crate::lock::{
    Claim, ClaimLead, Denial, Execution, ExecutionRecord, ExecutionState, Grant, Reason, Verdict,
};
use crate::policy::{Overlap, Placement};
use crate::tick::Attempt;

impl LockState {
    /// Decides one claim. See the table in the [module of the protocol](crate::lock).
    pub fn claim(&mut self, claim: &Claim, lead: ClaimLead, now: Timestamp) -> Verdict {
        match self.decide(claim, lead, now) {
            Ok(attempt) => Verdict::Granted(self.grant(claim, attempt, now)),
            Err(Refusal::AsBefore(grant)) => Verdict::Granted(grant),
            Err(Refusal::Denied(denial)) => Verdict::Denied(denial),
            Err(Refusal::Consume(denial, reason)) => {
                self.record_not_granted(claim, reason.state(), reason, now);
                Verdict::Denied(denial)
            }
            Err(Refusal::Queue) => {
                self.queue(claim, now);
                Verdict::Denied(Denial::Overlap)
            }
        }
    }

    fn decide(&self, claim: &Claim, lead: ClaimLead, now: Timestamp) -> Result<Attempt, Refusal> {
        let execution = &claim.execution;
        let record = self.records.get(execution);
        if let Some(grant) = record.and_then(|record| granted_before(record, claim)) {
            return Err(Refusal::AsBefore(grant));
        }
        let horizon = now
            .saturating_add(lead.duration())
            .unwrap_or(Timestamp::MAX);
        if execution.tick.timestamp() > horizon {
            return Err(Refusal::Denied(Denial::TooEarly));
        }
        let is_new = record.is_none() && self.is_above_watermark(execution);
        if self.pauses.contains_key(&execution.task) {
            return Err(if is_new {
                Refusal::Consume(Denial::Paused, Reason::Paused)
            } else {
                Refusal::Denied(Denial::Paused)
            });
        }
        let attempt = match record {
            Some(record) => attempt_open(record, now).ok_or(Refusal::Denied(Denial::Taken))?,
            None if is_new => Attempt::FIRST,
            None => return Err(Refusal::Denied(Denial::Taken)),
        };
        if claim.placement == Placement::Distinct && self.has_another_index(claim) {
            return Err(Refusal::Denied(Denial::Placement));
        }
        if claim.overlap != Overlap::Allow && self.overlaps(execution, now) {
            return Err(match claim.overlap {
                Overlap::Skip if is_new => Refusal::Consume(Denial::Overlap, Reason::Overlap),
                Overlap::QueueOne | Overlap::CancelEarlier if is_new => Refusal::Queue,
                _ => Refusal::Denied(Denial::Overlap),
            });
        }
        Ok(attempt)
    }

    fn has_another_index(&self, claim: &Claim) -> bool {
        let Execution { task, index, tick } = &claim.execution;
        claim
            .concurrency
            .indices()
            .filter(|other| other != index)
            .any(|other| {
                let execution = Execution {
                    task: task.clone(),
                    index: other,
                    tick: *tick,
                };
                self.records.get(&execution).is_some_and(|record| {
                    record.claim_id.is_some() && record.instance.as_ref() == Some(&claim.instance)
                })
            })
    }

    fn grant(&mut self, claim: &Claim, attempt: Attempt, now: Timestamp) -> Grant {
        let execution = &claim.execution;
        let fence = self.raise_fence(execution);
        let lease_until = claim.is_leased().then(|| {
            now.saturating_add(claim.lease.duration())
                .unwrap_or(Timestamp::MAX)
        });
        let mut record = blank_record(
            execution.clone(),
            claim.concurrency,
            ExecutionState::Running,
            now,
        );
        record.claim_id = Some(claim.claim_id);
        record.instance = Some(claim.instance.clone());
        record.attempt = Some(attempt);
        record.fence = fence;
        record.delivery = claim.delivery;
        record.overlap = claim.overlap;
        record.lease_until = lease_until;
        self.put(record);
        Grant {
            fence,
            attempt,
            lease_until,
        }
    }

    fn record_not_granted(
        &mut self,
        claim: &Claim,
        state: ExecutionState,
        reason: Reason,
        now: Timestamp,
    ) {
        self.raise_watermark(&claim.execution);
        let mut record = blank_record(claim.execution.clone(), claim.concurrency, state, now);
        record.reason = Some(reason);
        record.delivery = claim.delivery;
        record.overlap = claim.overlap;
        if state.is_over() {
            record.instance = Some(claim.instance.clone());
            record.finished_at = Some(now);
        }
        self.put(record);
    }

    /// Lets the tick wait for those before it, in the place of whatever waited so far.
    fn queue(&mut self, claim: &Claim, now: Timestamp) {
        let execution = &claim.execution;
        let others: Vec<ExecutionRecord> = self
            .open_records(&execution.task, execution.index)
            .cloned()
            .collect();
        for mut other in others {
            if is_queued(&other) {
                other.state = ExecutionState::Skipped;
                other.reason = Some(Reason::Superseded);
                other.finished_at = Some(now);
                self.put(other);
            } else if claim.overlap == Overlap::CancelEarlier && other.is_leased_at(now) {
                other.cancel_requested = true;
                self.put(other);
            }
        }
        self.record_not_granted(claim, ExecutionState::Waiting, Reason::Overlap, now);
    }
}

/// Why [`LockState::decide`] does not grant anew, and what is to be recorded for it.
enum Refusal {
    AsBefore(Grant),
    Denied(Denial),
    Consume(Denial, Reason),
    Queue,
}

fn granted_before(record: &ExecutionRecord, claim: &Claim) -> Option<Grant> {
    let is_ours =
        record.state == ExecutionState::Running && record.claim_id == Some(claim.claim_id);
    let attempt = record.attempt.filter(|_| is_ours)?;
    Some(Grant {
        fence: record.fence,
        attempt,
        lease_until: record.lease_until,
    })
}

/// The attempt that a grant of this record would be, if it is open to a claim at all.
pub(super) fn attempt_open(record: &ExecutionRecord, now: Timestamp) -> Option<Attempt> {
    match record.state {
        ExecutionState::Waiting => Some(record.attempt.unwrap_or(Attempt::FIRST)),
        ExecutionState::Running => {
            let attempt = record.attempt?.next();
            let lease_is_over = record.lease_until.is_some_and(|until| until <= now);
            let is_left = attempt.get() <= record.delivery.attempts_max();
            (record.delivery.recovers() && lease_is_over && is_left && !record.cancel_requested)
                .then_some(attempt)
        }
        ExecutionState::Ended(_) | ExecutionState::Skipped | ExecutionState::Missed => None,
    }
}
