//! Who is granted what.

use jiff::Timestamp;

use super::{LockState, blank_record, may_have_begun};
use crate::lock::{
    Claim, ClaimLead, Denial, Execution, ExecutionRecord, ExecutionState, Grant, Origin, Reason,
    Verdict,
};
use crate::name::InstanceId;
use crate::policy::{Overlap, Placement};
use crate::tick::Attempt;

impl LockState {
    /// Decides one claim. See the table in the [module of the protocol](crate::lock).
    pub fn claim(&mut self, claim: &Claim, lead: ClaimLead, now: Timestamp) -> Verdict {
        match self.decide(claim, lead, now) {
            Ok(attempt) => {
                self.supersede(claim, now);
                Verdict::Granted(self.grant(claim, attempt, now))
            }
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
            Err(Refusal::Close) => {
                self.close_as_missed(&claim.execution, now);
                Verdict::Denied(Denial::TooLate)
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
        let is_new = record.is_none() && !claim.needs_record && self.is_above_watermark(execution);
        if self.pauses.contains_key(&execution.task) {
            return Err(if is_new {
                Refusal::Consume(Denial::Paused, Reason::Paused)
            } else {
                Refusal::Denied(Denial::Paused)
            });
        }
        if record.is_some_and(|record| self.is_too_late(record, now)) {
            return Err(Refusal::Close);
        }
        let attempt = match record {
            Some(record) => attempt_open(record, now).ok_or(Refusal::Denied(Denial::Taken))?,
            None if is_new => Attempt::FIRST,
            None => return Err(Refusal::Denied(Denial::Taken)),
        };
        if claim.placement == Placement::Distinct && self.has_another_index(claim) {
            return Err(Refusal::Denied(Denial::Placement));
        }
        let keeps_newest = matches!(claim.overlap, Overlap::QueueOne | Overlap::CancelEarlier);
        if claim.overlap != Overlap::Allow && self.overlaps(execution, now) {
            return Err(match claim.overlap {
                Overlap::Skip if is_new => Refusal::Consume(Denial::Overlap, Reason::Overlap),
                _ if keeps_newest && is_new => Refusal::Queue,
                _ => Refusal::Denied(Denial::Overlap),
            });
        }
        // A lost holder's execution had its turn already.
        let has_had_its_turn = record.is_some_and(|record| record.state == ExecutionState::Running);
        let mut earlier = self
            .waiting_before(execution, now)
            .filter(|_| !has_had_its_turn);
        let goes_first = match keeps_newest && is_new {
            true => earlier.find(|record| !is_superseded_by_newer(record)),
            false => earlier.next(),
        };
        match goes_first {
            Some(first) => Err(Refusal::Denied(Denial::EarlierWaits(first.execution.tick))),
            None => Ok(attempt),
        }
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
                    let holds = record.claim_id.is_some()
                        && record.instance.as_ref() == Some(&claim.instance);
                    holds || record.former_holders.contains(&claim.instance)
                })
            })
    }

    fn grant(&mut self, claim: &Claim, attempt: Attempt, now: Timestamp) -> Grant {
        let execution = &claim.execution;
        let before = self.records.get(execution).cloned();
        // A lost holder may have begun: what is repeated is repeated however late it is.
        let waited = before
            .as_ref()
            .filter(|before| before.state == ExecutionState::Waiting);
        let deadline = waited.and_then(|waited| {
            let behind_running = self.deadline_behind_running(waited);
            behind_running.or(waited.deadline)
        });
        if before.is_none() {
            self.raise_watermark(execution);
        }
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
        if let Some(before) = before {
            record.origin = before.origin;
            record.former_holders = former_holders(&before, claim);
        }
        record.deadline = deadline;
        self.put(record);
        Grant {
            fence,
            attempt,
            lease_until,
            deadline,
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
        if !state.is_over() {
            record.deadline = claim.deadline;
        }
        if state.is_over() {
            record.instance = Some(claim.instance.clone());
            record.finished_at = Some(now);
        }
        self.put(record);
    }

    /// Lets the tick wait for the one that runs, in the place of what waited so far.
    fn queue(&mut self, claim: &Claim, now: Timestamp) {
        self.supersede(claim, now);
        let execution = &claim.execution;
        let running: Vec<Execution> = self
            .open_records(&execution.task, execution.index)
            .filter(|other| claim.overlap == Overlap::CancelEarlier && other.is_leased_at(now))
            .map(|other| other.execution.clone())
            .collect();
        for earlier in running {
            self.update(&earlier, |earlier| earlier.cancel_requested = true);
        }
        self.record_not_granted(claim, ExecutionState::Waiting, Reason::Overlap, now);
    }

    /// Skips what waits before a tick that takes its place: one waits at most, the newest. What was
    /// triggered keeps its turn, and so does what may have begun.
    fn supersede(&mut self, claim: &Claim, now: Timestamp) {
        let keeps_newest = matches!(claim.overlap, Overlap::QueueOne | Overlap::CancelEarlier);
        if !keeps_newest || self.records.contains_key(&claim.execution) {
            return;
        }
        let superseded: Vec<Execution> = self
            .waiting_before(&claim.execution, now)
            .filter(|record| is_superseded_by_newer(record))
            .map(|record| record.execution.clone())
            .collect();
        for execution in superseded {
            self.update(&execution, |record| {
                record.state = ExecutionState::Skipped;
                record.reason = Some(Reason::Superseded);
                record.finished_at = Some(now);
            });
        }
    }
}

fn is_superseded_by_newer(record: &ExecutionRecord) -> bool {
    record.origin == Origin::Scheduled && !may_have_begun(record)
}

/// Who held an execution before this grant and lost it, where that decides about the tick's other
/// indices.
fn former_holders(before: &ExecutionRecord, claim: &Claim) -> Vec<InstanceId> {
    let mut holders = before.former_holders.clone();
    let lost_by = before.instance.as_ref().filter(|holder| {
        before.state == ExecutionState::Running
            && **holder != claim.instance
            && !holders.contains(holder)
    });
    if let Some(holder) = lost_by
        && claim.placement == Placement::Distinct
    {
        holders.push(holder.clone());
    }
    let surplus = holders
        .len()
        .saturating_sub(ExecutionRecord::FORMER_HOLDERS_MAX);
    holders.drain(..surplus);
    holders
}

/// Why [`LockState::decide`] makes no new grant, and what to record for it.
enum Refusal {
    AsBefore(Grant),
    Denied(Denial),
    Consume(Denial, Reason),
    Queue,
    /// Its deadline has passed.
    Close,
}

fn granted_before(record: &ExecutionRecord, claim: &Claim) -> Option<Grant> {
    let is_ours =
        record.state == ExecutionState::Running && record.claim_id == Some(claim.claim_id);
    let attempt = record.attempt.filter(|_| is_ours)?;
    Some(Grant {
        fence: record.fence,
        attempt,
        lease_until: record.lease_until,
        deadline: record.deadline,
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
