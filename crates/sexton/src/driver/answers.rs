//! What a driver makes of the store's answers.

use std::time::Duration;

use sexton_core::lock::{
    Consumed, Consumption, Denial, Execution, Grant, HeldLock, LockError, Reason, Release,
    Released, Verdict,
};
use sexton_core::policy::{Overlap, Placement};
use sexton_core::store_time::StoreTime;
use sexton_core::tick::Tick;

use super::calls::Answers;
use super::{Driver, Unwritten};
use crate::command::Found;
use crate::event::{Event, EventBus};
use crate::granted::{GrantedRun, StartGate, store_deadline};
use crate::lines::{Batch, ClaimKind, GivenUp, GivenUpRun, PassedTicks, PendingClaim};
use crate::stop_cause::StopCause;
use crate::task::CheckedTask;

/// Between tries of a claim that an earlier tick holds up: nothing, then this much more with each.
const HELD_UP_STEP: Duration = Duration::from_millis(100);
const HELD_UP_MAX: Duration = Duration::from_secs(1);

/// A claim that was too early waits for half of what is left until its tick, and for half of this
/// at the least.
const TOO_EARLY_PAUSE_MIN: Duration = Duration::from_millis(2);

impl Driver {
    pub(super) fn take_verdicts(
        &mut self,
        kind: Batch,
        batch: Vec<PendingClaim>,
        answer: Answers<Verdict>,
    ) {
        match answer {
            Ok(verdicts) => {
                for (pending, verdict) in batch.into_iter().zip(verdicts) {
                    match verdict {
                        Ok(verdict) => {
                            self.lines.has_answered(&pending.claim.execution);
                            self.take_verdict(pending, verdict);
                        }
                        Err(error) => self.claim_after_rest(pending, &error),
                    }
                }
            }
            Err(error) => self.claim_again(kind, batch, &error),
        }
    }

    fn take_verdict(&mut self, mut pending: PendingClaim, verdict: Verdict) {
        let execution = pending.claim.execution.clone();
        let denial = match verdict {
            Verdict::Granted(grant) => {
                // It may begin for as long as its line was open.
                pending.deadline = self.lines.until(&pending);
                self.lines.resolve(&pending);
                self.move_on(&execution);
                return self.take_grant(pending, &grant);
            }
            Verdict::Denied(denial) => denial,
        };
        let is_scheduled = pending.kind == ClaimKind::Scheduled;
        let overlap = pending.claim.overlap;
        match denial {
            Denial::TooEarly => return self.claim_later(pending),
            Denial::EarlierWaits(tick) => self.claim_behind(pending, tick),
            Denial::Placement if is_scheduled => self.leave_to_others(pending),
            Denial::Placement => self.lines.resolve(&pending),
            _ => {
                self.lines.resolve(&pending);
                self.move_on(&execution);
            }
        }
        match denial {
            // The store has noted it for the holder's next heartbeat. If that is us, we know
            // already.
            Denial::Overlap if overlap == Overlap::CancelEarlier => {
                self.runs.stop_others(&execution, StopCause::Requested);
            }
            Denial::TooLate => self.context.events.emit(Event::Unrun {
                execution: execution.clone(),
                reason: Reason::TooLate,
            }),
            _ => {}
        }
        self.context
            .events
            .emit(Event::Denied { execution, denial });
    }

    /// Leaves an index that is not for us open to others until its tick's window ends, and until
    /// every other instance has had the time to come to it at least.
    fn leave_to_others(&mut self, mut pending: PendingClaim) {
        let now = self.client.now();
        self.keep_open(&pending, now);
        pending.refusals += 1;
        self.lines.leave_open(pending, now);
    }

    /// What stood first in a line was taken, by us or by another.
    fn move_on(&mut self, execution: &Execution) {
        let until = self.client.now() + HELD_UP_MAX;
        self.lines.move_on(execution, until);
    }

    /// Keeps a line open until every other instance has had a heartbeat to come to it, and we have
    /// had a last try behind it.
    fn keep_open(&mut self, pending: &PendingClaim, now: StoreTime) {
        let longest = self.context.heartbeat.saturating_add(HELD_UP_MAX);
        self.lines.keep_open(&pending.claim.execution, now, longest);
    }

    /// Claims what waits in the store before this one, and this one behind it.
    fn claim_behind(&mut self, mut pending: PendingClaim, earlier: Tick) {
        let Execution { task, index, .. } = pending.claim.execution.clone();
        let pause = HELD_UP_STEP
            .saturating_mul(pending.refusals)
            .min(HELD_UP_MAX);
        let now = self.client.now();
        pending.not_before = pending.not_before.max(now + pause);
        pending.refusals += 1;
        // Under distinct placement what waits first may be for another instance.
        if pending.kind == ClaimKind::Scheduled && pending.claim.placement == Placement::Distinct {
            self.keep_open(&pending, now);
        }
        self.lines.put_back(pending);
        let earlier = Execution {
            task,
            index,
            tick: earlier,
        };
        self.claim_found(Found::waiting(earlier, None));
    }

    fn take_grant(&mut self, pending: PendingClaim, grant: &Grant) {
        let PendingClaim {
            task,
            claim,
            due_at,
            deadline,
            permit,
            kind,
            ..
        } = pending;
        let lock = HeldLock {
            execution: claim.execution,
            claim_id: claim.claim_id,
            fence: grant.fence,
        };
        if kind == ClaimKind::ToKnow {
            // What may be repeated is not over: given back too late, it is missed, or repeated if
            // this was not its first attempt.
            if claim.delivery.recovers() {
                let deadline = store_deadline(self.client.now());
                self.to_release.push(Release { lock, deadline });
            } else {
                self.runs.disown(lock);
            }
            return;
        }
        self.context.events.emit(Event::Granted {
            execution: lock.execution.clone(),
            fence: grant.fence,
            attempt: grant.attempt,
        });
        // What waited brings its deadline along, and another attempt is made however late it is.
        let is_first_grant = kind == ClaimKind::Scheduled && grant.attempt.get() == 1;
        let deadline = grant
            .deadline
            .or_else(|| store_deadline(deadline).filter(|_| is_first_grant));
        self.starts.push(GrantedRun {
            task,
            lock,
            concurrency: claim.concurrency,
            attempt: grant.attempt,
            lease_until: grant.lease_until,
            due_at,
            deadline,
            permit,
            gate: StartGate::default(),
        });
    }

    /// The store's clock was further behind than we thought: claim again when there is less of the
    /// lead left.
    fn claim_later(&mut self, mut pending: PendingClaim) {
        let now = self.client.now();
        let tick = StoreTime::from(pending.claim.execution.tick);
        let left = tick.saturating_since(now).max(TOO_EARLY_PAUSE_MIN);
        pending.not_before = now + left / 2;
        self.lines.put_back(pending);
    }

    /// Asks whether it was we who were granted a tick that was given up since.
    fn claim_to_know(&mut self, mut pending: PendingClaim) {
        pending.kind = ClaimKind::ToKnow;
        pending.deadline = StoreTime::MAX;
        pending.late_at = StoreTime::MAX;
        pending.not_before = StoreTime::MIN;
        self.lines.push(pending);
    }

    /// A part of the store is in trouble: what it keeps rests, and the others go on.
    fn claim_after_rest(&mut self, mut pending: PendingClaim, error: &LockError) {
        let execution = pending.claim.execution.clone();
        tracing::debug!(%execution, %error, "a claim will be sent again");
        pending.is_in_doubt = true;
        self.lines.put_back(pending);
        self.lines.rest(&execution, self.client.now());
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
        let pause = slot.back_off(&*self.client.clock);
        self.away_until = self.client.now() + pause;
    }

    pub(super) fn take_consumed(&mut self, batch: Vec<GivenUpRun>, answer: Answers<Consumed>) {
        let Ok(answers) = answer else {
            for run in batch {
                self.lines.give_up_again(run);
            }
            let pause = self.calls.given_up.back_off(&*self.client.clock);
            self.away_until = self.client.now() + pause;
            return;
        };
        for (run, answer) in batch.into_iter().zip(answers) {
            let Ok(answer) = answer else {
                let execution = run.execution().clone();
                self.lines.give_up_again(run);
                self.lines.rest(&execution, self.client.now());
                continue;
            };
            self.lines.has_answered(run.execution());
            self.lines.resolve_given_up(&run);
            match answer {
                Consumed::Recorded { after } => self.take_accounted(run, after),
                Consumed::Already { watermark } => self.take_known(run, watermark),
            }
        }
    }

    /// The last of a run is recorded, and with it the watermark passed all of the run. It was we
    /// who did it, so it is we who tell, and write down the others.
    fn take_accounted(&mut self, run: GivenUpRun, watermark: Option<Tick>) {
        let (earlier, last) = run.into_parts();
        for given_up in earlier {
            if let Some(passed) = given_up.passed {
                self.tell_passed(passed, watermark, &given_up.consumption);
            }
            let mut consumption = given_up.consumption;
            consumption.is_covered = true;
            self.to_record.push_back(Unwritten {
                consumption,
                is_told: given_up.passed.is_some(),
            });
        }
        match last.passed {
            Some(passed) => self.tell_passed(passed, watermark, &last.consumption),
            None => self.context.events.emit(Event::Unrun {
                execution: last.consumption.execution,
                reason: last.consumption.reason,
            }),
        }
    }

    /// Something of a run was dealt with before: what the watermark has passed, or its last tick
    /// alone, which an operator triggered.
    fn take_known(&mut self, run: GivenUpRun, watermark: Option<Tick>) {
        let is_first_passed = watermark >= Some(run.first());
        let (earlier, last) = run.into_parts();
        for given_up in earlier {
            if is_passed(&given_up, watermark) {
                self.find_out(given_up);
            } else if is_first_passed {
                self.lines.give_up_rest(given_up);
            } else {
                self.lines.give_up_alone(given_up);
            }
        }
        if is_first_passed && !is_passed(&last, watermark) {
            self.lines.give_up_rest(last);
        } else {
            self.find_out(last);
        }
    }

    /// Somebody has dealt with a tick that was given up. If that may have been ourselves, without
    /// our knowing, we ask.
    fn find_out(&mut self, given_up: GivenUp) {
        if let Some(pending) = given_up.in_doubt {
            self.claim_to_know(*pending);
        }
    }

    /// Tells how many ticks were passed over together, up to the one that was consumed.
    fn tell_passed(&self, passed: PassedTicks, watermark: Option<Tick>, last: &Consumption) {
        let Execution { task, index, tick } = last.execution.clone();
        let (after, ticks) = self.since(passed, watermark, &last.execution);
        self.context.events.emit(Event::TicksPassed {
            task,
            index,
            after,
            until: tick,
            ticks,
            reason: last.reason,
        });
    }

    /// What of the ticks that were passed over was not accounted for by another instance meanwhile,
    /// up to `watermark`: after which tick, and how many. Counted from both ends, since one of them
    /// is near.
    fn since(&self, passed: PassedTicks, watermark: Option<Tick>, last: &Execution) -> (Tick, u64) {
        let task = self.tasks.by_name(last.task.as_str());
        let (Some(task), Some(watermark)) = (task, watermark.filter(|tick| *tick > passed.after))
        else {
            return (passed.after, passed.ticks);
        };
        let mut of_others = ticks_of(task, passed.after, &self.context.events)
            .take_while(|tick| *tick <= watermark);
        let mut of_ours =
            ticks_of(task, watermark, &self.context.events).take_while(|tick| *tick <= last.tick);
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
            return (watermark, ticks);
        }
    }

    /// The records of ticks that a consumption covered are written, or were there.
    pub(super) fn take_recorded(&mut self, batch: Vec<Unwritten>, answer: Answers<Consumed>) {
        let Ok(answers) = answer else {
            for unwritten in batch.into_iter().rev() {
                self.to_record.push_front(unwritten);
            }
            self.calls.records.back_off(&*self.client.clock);
            return;
        };
        let mut is_any_lost = false;
        for (unwritten, answer) in batch.into_iter().zip(answers) {
            let Ok(answer) = answer else {
                self.to_record.push_back(unwritten);
                is_any_lost = true;
                continue;
            };
            let is_recorded = matches!(answer, Consumed::Recorded { .. });
            if is_recorded && !unwritten.is_told {
                let Consumption {
                    execution, reason, ..
                } = unwritten.consumption;
                self.context.events.emit(Event::Unrun { execution, reason });
            }
        }
        if is_any_lost {
            self.calls.records.back_off(&*self.client.clock);
        }
    }

    pub(super) fn take_released(&mut self, batch: Vec<Release>, answer: Answers<Released>) {
        let unknown = match answer {
            Ok(answers) => self.runs.take_released(batch, answers),
            Err(error) => {
                let all = batch.into_iter();
                all.map(|release| (release, error.clone())).collect()
            }
        };
        if unknown.is_empty() {
            return;
        }
        self.calls.release.back_off(&*self.client.clock);
        for (release, error) in unknown {
            // The lock is held until it is told: nobody else may have it.
            match self.runs.may_release_again() {
                true => self.to_release.push(release),
                false => self.runs.tell_not_released(&release, &error),
            }
        }
    }
}

/// Whether the watermark is at a tick, or past it.
fn is_passed(given_up: &GivenUp, watermark: Option<Tick>) -> bool {
    watermark.is_some_and(|watermark| given_up.consumption.execution.tick <= watermark)
}

/// The ticks of a task's schedule after one.
fn ticks_of(task: &CheckedTask, after: Tick, events: &EventBus) -> impl Iterator<Item = Tick> {
    std::iter::successors(task.next_after(after, events), |tick| {
        task.next_after(*tick, events)
    })
}
