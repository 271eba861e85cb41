//! Batches about executions: claimed, renewed, settled, released, consumed, enqueued, cancelled.

use std::collections::HashSet;

use jiff::Timestamp;
use sexton_core::lock::{
    self, Answer, CancelRequested, Claim, ClaimLead, Consumed, Consumption, Denial, Enqueue,
    Enqueued, Execution, ExecutionState, Grant, HeldLock, LockError, Reason, Release, Released,
    Renewal, Renewed, Settled, Settlement, Verdict,
};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::policy::{Delivery, Lease, Overlap, Placement};
use sexton_core::tick::{Attempt, Concurrency, ConcurrencyIndex, Fence, Tick};

use crate::answer::{Answers, NumberOrText};
use crate::arguments::Arguments;
use crate::connection::Call;
use crate::manager::RedisLockManager;
use crate::record_text::{delivery_text, nanos_text, tail_text, tick_of_millis, tick_text};
use crate::scripts;

/// Claims that differ only in their field and id.
#[derive(Debug, PartialEq, Eq)]
struct Stretch<'b> {
    tick: Tick,
    instance: &'b InstanceId,
    delivery: Delivery,
    overlap: Overlap,
    placement: Placement,
    lease: Option<Lease>,
    concurrency: Concurrency,
    deadline: Option<Timestamp>,
    needs_record: bool,
}

impl<'b> Stretch<'b> {
    fn of(claim: &'b Claim) -> Stretch<'b> {
        // Under no other policy a claim makes its tick wait.
        let may_queue = matches!(claim.overlap, Overlap::QueueOne | Overlap::CancelEarlier);
        Stretch {
            tick: claim.execution.tick,
            instance: &claim.instance,
            delivery: claim.delivery,
            overlap: claim.overlap,
            placement: claim.placement,
            lease: claim.is_leased().then_some(claim.lease),
            concurrency: claim.concurrency,
            deadline: claim.deadline.filter(|_| may_queue),
            needs_record: claim.needs_record,
        }
    }

    fn arguments(&self, count: usize, arguments: &mut Arguments) {
        arguments.add(count);
        arguments.text(tick_text(self.tick));
        arguments.text(self.instance.as_str());
        arguments.text(delivery_text(self.delivery));
        arguments.text(self.overlap.as_str());
        let is_distinct = self.placement == Placement::Distinct;
        arguments.text(if is_distinct { "distinct" } else { "race" });
        match self.lease {
            Some(lease) => arguments.micros(lease.duration()),
            None => arguments.text(""),
        }
        arguments.add(self.concurrency.get());
        arguments.deadline(self.deadline);
        arguments.flag(self.needs_record);
    }
}

/// What claims of a batch have in common is sent once: mostly it is all of it.
fn stretches_of<'b>(batch: &[&'b Claim]) -> Vec<(Stretch<'b>, usize)> {
    let mut stretches: Vec<(Stretch<'b>, usize)> = Vec::new();
    for claim in batch {
        let stretch = Stretch::of(claim);
        match stretches.last_mut() {
            Some((last, count)) if *last == stretch => *count += 1,
            _ => stretches.push((stretch, 1)),
        }
    }
    stretches
}

/// Whether no (task, index) is there twice.
fn is_each_once<'b>(executions: impl ExactSizeIterator<Item = &'b Execution>) -> bool {
    let count = executions.len();
    let fields: HashSet<(&TaskName, ConcurrencyIndex)> =
        executions.map(|one| (&one.task, one.index)).collect();
    fields.len() == count
}

impl RedisLockManager {
    pub(crate) async fn claim_batch(
        &self,
        lead: ClaimLead,
        batch: &[Claim],
    ) -> Result<lock::Answers<Verdict>, LockError> {
        let write = |claims: &[&Claim], arguments: &mut Arguments| {
            arguments.micros(lead.duration());
            arguments.flag(is_each_once(claims.iter().map(|claim| &claim.execution)));
            arguments.add(claims.len());
            let stretches = stretches_of(claims);
            arguments.add(stretches.len());
            for (stretch, count) in &stretches {
                stretch.arguments(*count, arguments);
            }
            for claim in claims {
                arguments.field(&claim.execution.task, claim.execution.index);
            }
            arguments.claim_ids(claims.iter().map(|claim| claim.claim_id));
        };
        let call = Call::new("claim", &scripts::CLAIM).confirmed();
        self.each(call, batch, write, |_, answers| verdict(answers))
            .await
    }

    pub(crate) async fn renew_batch(
        &self,
        batch: &[Renewal],
    ) -> Result<lock::Answers<Renewed>, LockError> {
        let write = |renewals: &[&Renewal], arguments: &mut Arguments| {
            for renewal in renewals {
                arguments.lock(&renewal.lock);
                arguments.micros(renewal.lease.duration());
            }
        };
        let call = Call::new("renew", &scripts::RENEW);
        self.each(call, batch, write, |_, answers| renewed(answers))
            .await
    }

    pub(crate) async fn settle_batch(
        &self,
        batch: &[Settlement],
    ) -> Result<lock::Answers<Settled>, LockError> {
        let write = |settlements: &[&Settlement], arguments: &mut Arguments| {
            arguments.add(settlements.len());
            let executions = settlements
                .iter()
                .map(|settlement| &settlement.lock.execution);
            arguments.flag(is_each_once(executions));
            for Settlement { lock, .. } in settlements {
                arguments.field(&lock.execution.task, lock.execution.index);
            }
            for settlement in settlements {
                let HeldLock {
                    execution,
                    claim_id,
                    fence,
                } = &settlement.lock;
                arguments.text(tick_text(execution.tick));
                arguments.claim_id(*claim_id);
                arguments.add(fence.get());
                arguments.text(ExecutionState::Ended(settlement.outcome).as_str());
                arguments.text(nanos_text(settlement.started_at));
                arguments.text(nanos_text(settlement.finished_at));
                arguments.text(tail_text(settlement.error(), settlement.output()));
            }
        };
        let read = |_: &Settlement, answers: &mut Answers| match answers.text()?.as_str() {
            "refused" => Ok(Settled::Refused),
            "" => Ok(Settled::Recorded { waiting: None }),
            tick => {
                let tick = tick_of_millis(tick).map_err(|found| answers.strange(found.0))?;
                let waiting = Some(tick);
                Ok(Settled::Recorded { waiting })
            }
        };
        let call = Call::new("settle", &scripts::SETTLE);
        self.each(call, batch, write, read).await
    }

    pub(crate) async fn release_batch(
        &self,
        batch: &[Release],
    ) -> Result<lock::Answers<Released>, LockError> {
        let write = |releases: &[&Release], arguments: &mut Arguments| {
            for release in releases {
                arguments.lock(&release.lock);
                arguments.deadline(release.deadline);
            }
        };
        let words = [
            ("open", Released::Open),
            ("too_late", Released::TooLate),
            ("not_held", Released::NotHeld),
        ];
        let call = Call::new("release", &scripts::RELEASE);
        self.each(call, batch, write, |_, answers| word(answers, &words))
            .await
    }

    pub(crate) async fn consume_batch(
        &self,
        batch: &[Consumption],
    ) -> Result<lock::Answers<Consumed>, LockError> {
        let write = |consumptions: &[&Consumption], arguments: &mut Arguments| {
            for consumption in consumptions {
                let Execution { task, index, tick } = &consumption.execution;
                arguments.field(task, *index);
                arguments.text(tick_text(*tick));
                arguments.text(consumption.reason.state().as_str());
                arguments.text(Reason::as_str(consumption.reason));
                arguments.add(consumption.concurrency.get());
                arguments.text(consumption.instance.as_str());
                let first = consumption.covers.map(|covered| tick_text(covered.first));
                arguments.text(first.unwrap_or_default());
                arguments.add(u8::from(consumption.is_covered));
                arguments.text(tail_text(consumption.note().as_deref(), None));
            }
        };
        let read = |_: &Consumption, answers: &mut Answers| {
            let is_recorded = match answers.text()?.as_str() {
                "recorded" => true,
                "already" => false,
                found => return Err(answers.strange(found)),
            };
            let watermark = match answers.text()?.as_str() {
                "" => None,
                tick => Some(tick_of_millis(tick).map_err(|found| answers.strange(found.0))?),
            };
            Ok(match is_recorded {
                true => Consumed::Recorded { after: watermark },
                false => Consumed::Already { watermark },
            })
        };
        let call = Call::new("consume", &scripts::CONSUME);
        self.each(call, batch, write, read).await
    }

    pub(crate) async fn enqueue_batch(
        &self,
        batch: &[Enqueue],
    ) -> Result<Answer<Vec<Enqueued>>, LockError> {
        let write = |enqueues: &[&Enqueue], arguments: &mut Arguments| {
            for enqueue in enqueues {
                let Execution { task, index, tick } = &enqueue.execution;
                arguments.field(task, *index);
                arguments.text(tick_text(*tick));
                arguments.add(enqueue.concurrency.get());
                arguments.deadline(enqueue.deadline);
            }
        };
        let words = [
            ("waiting", Enqueued::Waiting),
            ("already", Enqueued::Already),
            ("full", Enqueued::Full),
        ];
        let call = Call::new("enqueue", &scripts::ENQUEUE);
        self.each(call, batch, write, |_, answers| word(answers, &words))
            .await?
            .whole()
    }

    pub(crate) async fn ask_to_cancel(
        &self,
        execution: &Execution,
    ) -> Result<Answer<CancelRequested>, LockError> {
        let mut arguments = Arguments::default();
        arguments.member(execution);
        let words = [
            ("told", CancelRequested::Told),
            ("withdrawn", CancelRequested::Withdrawn),
            ("not_running", CancelRequested::NotRunning),
        ];
        let call = Call::new("request a cancellation", &scripts::REQUEST_CANCEL);
        let bucket = self.connection.buckets.of(&execution.task);
        self.in_bucket(call, bucket, &arguments, |answers| word(answers, &words))
            .await
    }
}

/// One of these words.
fn word<T: Copy>(answers: &mut Answers, words: &[(&str, T)]) -> Result<T, LockError> {
    let found = answers.text()?;
    let known = words.iter().find(|(word, _)| *word == found);
    known
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| answers.strange(format!("{found:?} in an answer")))
}

fn verdict(answers: &mut Answers) -> Result<Verdict, LockError> {
    let denial = match answers.number_or_text()? {
        // The plainest grant: the first attempt, without a lease or a deadline.
        NumberOrText::Number(fence @ 1..) => {
            return Ok(Verdict::Granted(Grant {
                fence: Fence::new(fence.unsigned_abs()),
                attempt: Attempt::FIRST,
                lease_until: None,
                deadline: None,
            }));
        }
        NumberOrText::Number(-1) => Denial::TooEarly,
        NumberOrText::Number(-2) => Denial::Paused,
        NumberOrText::Number(-3) => Denial::Taken,
        NumberOrText::Number(-4) => Denial::Overlap,
        NumberOrText::Number(-5) => Denial::Placement,
        NumberOrText::Number(-6) => Denial::TooLate,
        NumberOrText::Number(other) => {
            return Err(answers.strange(format!("{other} for a verdict")));
        }
        NumberOrText::Text(text) => {
            if let Some(tick) = text.strip_prefix("earlier_waits ") {
                let tick = tick_of_millis(tick).map_err(|found| answers.strange(found.0))?;
                return Ok(Verdict::Denied(Denial::EarlierWaits(tick)));
            }
            let grant =
                grant(&text).ok_or_else(|| answers.strange(format!("{text:?} for a grant")))?;
            return Ok(Verdict::Granted(grant));
        }
    };
    Ok(Verdict::Denied(denial))
}

/// `FENCE ATTEMPT LEASE_UNTIL DEADLINE`, the last two empty where there is none.
fn grant(text: &str) -> Option<Grant> {
    let mut parts = text.splitn(4, ' ');
    let fence = parts.next()?.parse().ok()?;
    let attempt = parts.next()?.parse().ok()?;
    Some(Grant {
        fence: Fence::new(fence),
        attempt: Attempt::new(attempt)?,
        lease_until: micros(parts.next()?)?,
        deadline: micros(parts.next()?)?,
    })
}

/// A time in µs, or none.
fn micros(text: &str) -> Option<Option<Timestamp>> {
    match text {
        "" => Some(None),
        us => Timestamp::from_microsecond(us.parse().ok()?).ok().map(Some),
    }
}

fn renewed(answers: &mut Answers) -> Result<Renewed, LockError> {
    let text = answers.text()?;
    if text == "lost" {
        return Ok(Renewed::Lost);
    }
    let read = text.split_once(' ').and_then(|(cancel, until)| {
        Some(Renewed::Extended {
            lease_until: micros(until)?,
            cancel_requested: cancel == "1",
        })
    });
    read.ok_or_else(|| answers.strange(format!("{text:?} for a renewal")))
}
