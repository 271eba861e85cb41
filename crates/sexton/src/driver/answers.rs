//! What a driver makes of the store's answers.

use std::time::Duration;

use sexton_core::lock::{
    Consumed, Consumption, Denial, Execution, Grant, HeldLock, LockError, Reason, Release,
    Released, Verdict,
};
use sexton_core::policy::{Overlap, Placement};
use sexton_core::tick::Tick;

use super::{Driver, Found};
use crate::event::Event;
use crate::lines::{Batch, ClaimKind, GivenUp, PassedTicks, PendingClaim};
use crate::link::later_us;
use crate::runs::StopCause;
use crate::starts::{Granted, deadline};
use crate::task::CheckedTask;

/// Between tries of a claim that an earlier tick holds up: nothing, then this much more with each.
const HELD_UP_STEP: Duration = Duration::from_millis(100);
const HELD_UP_MAX: Duration = Duration::from_secs(1);

impl Driver {
    pub(super) fn take_verdicts(
        &mut self,
        kind: Batch,
        batch: Vec<PendingClaim>,
        answer: Result<Vec<Verdict>, LockError>,
    ) {
        match answer {
            Ok(verdicts) => {
                for (pending, verdict) in batch.into_iter().zip(verdicts) {
                    self.take_verdict(pending, verdict);
                }
            }
            Err(error) => self.claim_again(kind, batch, &error),
        }
    }

    fn take_verdict(&mut self, pending: PendingClaim, verdict: Verdict) {
        let denial = match verdict {
            Verdict::Granted(grant) => {
                self.lines.resolve(&pending);
                return self.take_grant(pending, grant);
            }
            Verdict::Denied(denial) => denial,
        };
        let execution = pending.claim.execution.clone();
        let is_scheduled = pending.kind == ClaimKind::Scheduled;
        match denial {
            Denial::TooEarly => return self.claim_later(pending),
            Denial::EarlierWaits(tick) => self.claim_behind(pending, tick),
            Denial::Placement if is_scheduled => self.leave_to_others(pending),
            Denial::Overlap => {
                self.lines.resolve(&pending);
                if pending.claim.overlap == Overlap::CancelEarlier {
                    // The store has noted it for the holder's next heartbeat. If that is us, we
                    // know already.
                    self.runs.stop_others(&execution, StopCause::Requested);
                }
            }
            Denial::TooLate => {
                self.lines.resolve(&pending);
                self.shared.events.emit(Event::Unrun {
                    execution: execution.clone(),
                    reason: Reason::TooLate,
                });
            }
            _ => self.lines.resolve(&pending),
        }
        self.shared.events.emit(Event::Denied { execution, denial });
    }

    /// Leaves an index that is not for us open to others until its tick's window ends, and for a
    /// heartbeat at least: until then every other instance has had the time to come to it.
    fn leave_to_others(&mut self, mut pending: PendingClaim) {
        let now_us = self.link.now_us();
        let first_denied_us = *pending.open_since_us.get_or_insert(now_us);
        let heartbeat_us = later_us(first_denied_us, self.shared.heartbeat);
        let until_us = pending.deadline_us.max(heartbeat_us);
        pending.refusals += 1;
        self.lines.leave_open(pending, now_us, until_us);
    }

    /// Claims what waits in the store before this one, and this one behind it.
    fn claim_behind(&mut self, mut pending: PendingClaim, earlier: Tick) {
        let Execution { task, index, .. } = pending.claim.execution.clone();
        let pause = HELD_UP_STEP
            .saturating_mul(pending.refusals)
            .min(HELD_UP_MAX);
        let now_us = self.link.now_us();
        pending.not_before_us = pending.not_before_us.max(later_us(now_us, pause));
        pending.refusals += 1;
        // Under distinct placement what waits first may be for another instance, which comes to it
        // within a heartbeat, and then this one has another try.
        if pending.kind == ClaimKind::Scheduled && pending.claim.placement == Placement::Distinct {
            let first_denied_us = *pending.open_since_us.get_or_insert(now_us);
            let come_to_us = self.shared.heartbeat.saturating_add(HELD_UP_MAX);
            let until_us = later_us(first_denied_us, come_to_us);
            pending.deadline_us = pending.deadline_us.max(until_us);
        }
        self.lines.put_back(pending);
        let earlier = Execution {
            task,
            index,
            tick: earlier,
        };
        self.claim_found(Found::waiting(earlier, None));
    }

    fn take_grant(&mut self, pending: PendingClaim, grant: Grant) {
        let PendingClaim {
            task,
            claim,
            due_us,
            deadline_us,
            permit,
            kind,
            ..
        } = pending;
        if kind == ClaimKind::ToKnow {
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
        // What waited brings its deadline along, and another attempt is made however late it is.
        let is_first_grant = kind == ClaimKind::Scheduled && grant.attempt.get() == 1;
        let deadline = grant
            .deadline
            .or_else(|| deadline(deadline_us).filter(|_| is_first_grant));
        self.starts.push(Granted {
            task,
            claim,
            grant,
            permit,
            due_us,
            deadline,
        });
    }

    /// The store's clock was further behind than we thought: claim again when there is less of the
    /// lead left.
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
        self.lines.put_back(pending);
    }

    /// Asks whether it was we who were granted a tick that was given up since.
    fn claim_to_know(&mut self, mut pending: PendingClaim) {
        pending.kind = ClaimKind::ToKnow;
        pending.deadline_us = i64::MAX;
        pending.late_us = i64::MAX;
        pending.not_before_us = i64::MIN;
        self.lines.push(pending);
    }

    /// Whether the claims took effect is not known: they are sent again as they were, and then
    /// answered as if they had been sent once.
    fn claim_again(&mut self, kind: Batch, batch: Vec<PendingClaim>, error: &LockError) {
        tracing::debug!(claims = batch.len(), %error, "claims will be sent again");
        for mut pending in batch {
            pending.is_in_doubt = true;
            self.lines.put_back(pending);
        }
        let slot = match kind {
            Batch::Fresh => &mut self.calls.fresh,
            Batch::Backlog => &mut self.calls.backlog,
        };
        let pause = slot.back_off(&*self.link.clock);
        self.away_until_us = later_us(self.link.now_us(), pause);
    }

    pub(super) fn take_consumed(
        &mut self,
        batch: Vec<GivenUp>,
        answer: Result<Vec<Consumed>, LockError>,
    ) {
        let answers = match answer {
            Ok(answers) => answers,
            Err(_) => {
                for given_up in batch {
                    self.lines.give_up_again(given_up);
                }
                let pause = self.calls.given_up.back_off(&*self.link.clock);
                self.away_until_us = later_us(self.link.now_us(), pause);
                return;
            }
        };
        for (given_up, answer) in batch.into_iter().zip(answers) {
            self.lines.resolve_given_up(&given_up);
            let GivenUp {
                consumption,
                in_doubt,
                passed,
            } = given_up;
            let Consumption {
                execution, reason, ..
            } = consumption;
            match (answer, in_doubt, passed) {
                (Consumed::Recorded { .. }, _, None) => {
                    self.shared.events.emit(Event::Unrun { execution, reason });
                }
                // Of all instances that passed over these ticks, one records the last of them, and
                // tells.
                (Consumed::Recorded { after }, _, Some(passed)) => {
                    let passed = self.since(passed, after, &execution);
                    self.shared.events.emit(Event::TicksPassed {
                        task: execution.task,
                        index: execution.index,
                        after: passed.after,
                        until: execution.tick,
                        ticks: passed.ticks,
                        reason,
                    });
                }
                (Consumed::Already, Some(pending), _) => self.claim_to_know(*pending),
                (Consumed::Already, None, _) => {}
            }
        }
    }

    /// What of the ticks that were passed over was not accounted for by another instance meanwhile,
    /// up to `watermark`. Counted from both ends, since one of them is near.
    fn since(&self, passed: PassedTicks, watermark: Option<Tick>, last: &Execution) -> PassedTicks {
        let task = self.tasks.by_name(last.task.as_str());
        let (Some(task), Some(watermark)) = (task, watermark.filter(|tick| *tick > passed.after))
        else {
            return passed;
        };
        let mut of_others = ticks_of(task, passed.after).take_while(|tick| *tick <= watermark);
        let mut of_ours = ticks_of(task, watermark).take_while(|tick| *tick <= last.tick);
        let mut counted = 0;
        loop {
            let ticks = match (of_others.next(), of_ours.next()) {
                (None, _) => passed.ticks.saturating_sub(counted),
                (_, None) => counted,
                _ => {
                    counted += 1;
                    continue;
                }
            };
            let after = watermark;
            return PassedTicks { after, ticks };
        }
    }

    pub(super) fn take_released(
        &mut self,
        batch: Vec<Release>,
        answer: Result<Vec<Released>, LockError>,
    ) {
        match answer {
            Ok(answers) => self.runs.tell_released(&batch, &answers),
            Err(_) => {
                // The lock is held until it is told: nobody else may have it.
                self.to_release.extend(batch);
                self.calls.release.back_off(&*self.link.clock);
            }
        }
    }
}

/// The ticks of a task's schedule after one.
fn ticks_of(task: &CheckedTask, after: Tick) -> impl Iterator<Item = Tick> {
    std::iter::successors(task.schedule.next_after(after), |tick| {
        task.schedule.next_after(*tick)
    })
}
