//! What a driver makes of the store's answers.

use sexton_core::lock::{
    Consumed, Consumption, Denial, Grant, HeldLock, LockError, Reason, Verdict,
};
use sexton_core::policy::Overlap;

use super::{Answered, Driver, Granted, LATE_AFTER_MAX};
use crate::event::Event;
use crate::link::later_us;
use crate::pending::{GivenUp, Origin, PendingClaim, consumption};
use crate::runs::StopCause;

impl Driver {
    pub(super) fn take_answer(&mut self, answered: Answered) {
        match answered {
            Answered::Claim(batch, Ok(verdicts)) => {
                self.failures = 0;
                for (pending, verdict) in batch.into_iter().zip(verdicts) {
                    self.take_verdict(pending, verdict);
                }
            }
            Answered::Claim(batch, Err(error)) => self.claim_again(batch, &error),
            Answered::Consume(batch, Ok(answers)) => {
                self.failures = 0;
                self.take_consumed(batch, &answers);
            }
            Answered::Consume(batch, Err(_)) => {
                self.pending.give_up_again(batch);
                self.failed();
            }
        }
    }

    fn take_verdict(&mut self, pending: PendingClaim, verdict: Verdict) {
        match verdict {
            Verdict::Granted(grant) => self.take_grant(pending, grant),
            Verdict::Denied(Denial::TooEarly) => self.claim_later(pending),
            Verdict::Denied(denial) => {
                let execution = pending.claim.execution.clone();
                if denial == Denial::Placement && pending.origin == Origin::Tick {
                    self.leave_to_others(&pending);
                }
                if denial == Denial::Overlap && pending.claim.overlap == Overlap::CancelEarlier {
                    // The store has noted it for the holder's next heartbeat. If that is us, we know already.
                    self.runs.stop_others(&execution, StopCause::Requested);
                }
                self.shared.events.emit(Event::Denied { execution, denial });
            }
        }
    }

    /// Leaves an index that is not for us open to others until the next tick comes near: a grant of that one would raise the
    /// watermark past this one.
    fn leave_to_others(&mut self, pending: &PendingClaim) {
        let nobody = consumption(pending, &self.shared.instance, Reason::TooLate);
        let lead_us = crate::offset::micros(self.shared.lead.duration());
        let next = pending.task.schedule.next_after(nobody.execution.tick);
        let next_us = next.map_or(pending.deadline_us, |next| {
            next.as_millis().saturating_mul(1_000)
        });
        let until_us = (next_us - lead_us).max(pending.due_us);
        self.unplaced.entry(until_us).or_default().push(nobody);
    }

    fn take_grant(&mut self, pending: PendingClaim, grant: Grant) {
        let PendingClaim {
            task,
            claim,
            due_us,
            permit,
            origin,
            ..
        } = pending;
        if origin == Origin::GivenUp {
            let lock = HeldLock {
                execution: claim.execution,
                claim_id: claim.claim_id,
                fence: grant.fence,
            };
            self.runs.disown(lock);
            return;
        }
        self.shared.events.emit(Event::Granted {
            execution: claim.execution.clone(),
            fence: grant.fence,
            attempt: grant.attempt,
        });
        self.ready.entry(due_us).or_default().push(Granted {
            task,
            claim,
            grant,
            permit,
        });
    }

    /// The store's clock was further behind than we thought: claim again when there is less of the lead left.
    fn claim_later(&mut self, mut pending: PendingClaim) {
        let now_us = self.link.now_us();
        let tick_us = pending
            .claim
            .execution
            .tick
            .as_millis()
            .saturating_mul(1_000);
        let halfway_us = now_us + (tick_us - now_us).max(2_000) / 2;
        pending.not_before_us = halfway_us;
        pending.permit = None;
        self.pending.push(pending);
    }

    /// Asks whether it was we who were granted a tick that was given up since.
    fn claim_to_know(&mut self, mut pending: PendingClaim) {
        pending.origin = Origin::GivenUp;
        pending.deadline_us = later_us(self.link.now_us(), LATE_AFTER_MAX);
        pending.late_us = pending.deadline_us;
        self.pending.push(pending);
    }

    /// Whether the claims took effect is not known: they are sent again as they were, and then answered as if they
    /// had been sent once.
    fn claim_again(&mut self, batch: Vec<PendingClaim>, error: &LockError) {
        tracing::debug!(claims = batch.len(), %error, "claims will be sent again");
        for mut pending in batch {
            pending.is_in_doubt = true;
            self.pending.push(pending);
        }
        self.failed();
    }

    fn take_consumed(&mut self, batch: Vec<GivenUp>, answers: &[Consumed]) {
        for (given_up, answer) in batch.into_iter().zip(answers) {
            let GivenUp {
                consumption,
                in_doubt,
            } = given_up;
            match (answer, in_doubt) {
                (Consumed::Recorded, _) => {
                    let Consumption {
                        execution, reason, ..
                    } = consumption;
                    self.shared.events.emit(Event::Unrun { execution, reason });
                }
                (Consumed::Already, Some(pending)) => self.claim_to_know(*pending),
                (Consumed::Already, None) => {}
            }
        }
        let dropped = self.pending.take_dropped();
        if dropped > 0 {
            tracing::error!(dropped, "ticks were missed that could not even be recorded");
        }
    }
}
