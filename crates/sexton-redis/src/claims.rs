//! Batches about executions: claimed, renewed, settled, released, consumed, enqueued, cancelled.

use std::collections::HashMap;
use std::fmt::Display;

use jiff::Timestamp;
use sexton_core::lock::ExecutionState;
use sexton_core::lock::{
    Answer, CancelRequested, Claim, ClaimLead, Consumed, Consumption, Denial, Enqueue, Enqueued,
    Execution, Grant, HeldLock, LockError, Reason, Released, Renewal, Renewed, Settled, Settlement,
    Verdict, check_batch_size,
};
use sexton_core::policy::Placement;
use sexton_core::tick::{Attempt, Fence};

use crate::answer::{Answers, NumberOrText};
use crate::manager::RedisLockManager;
use crate::record_text::{
    claim_text, delivery_text, field, member, nanos_text, overlap_text, tail_text, tick_of_millis,
    tick_text,
};
use crate::scripts;

/// Arguments of a script, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Arguments(Vec<Vec<u8>>);

impl Arguments {
    pub(crate) fn add(&mut self, number: impl Display) {
        self.text(format!("{number}"));
    }

    pub(crate) fn text(&mut self, argument: impl Into<String>) {
        self.0.push(argument.into().into_bytes());
    }

    /// What shows a lock: member, claim, fence.
    fn lock(&mut self, lock: &HeldLock) {
        self.text(member(&lock.execution));
        self.text(claim_text(lock.claim_id));
        self.add(lock.fence.get());
    }

    pub(crate) fn as_slice(&self) -> &[Vec<u8>] {
        &self.0
    }
}

pub(crate) fn micros(duration: std::time::Duration) -> u128 {
    duration.as_micros()
}

/// What claims of a batch have in common is sent once: it is most of what there is to send.
fn profiles_of(batch: &[Claim]) -> (Vec<usize>, Vec<&Claim>) {
    let mut numbers = HashMap::new();
    let mut first = Vec::new();
    let profile = |claim: &Claim, first: &mut Vec<_>| {
        let lease = claim.is_leased().then_some(claim.lease);
        let is_distinct = claim.placement == Placement::Distinct;
        let same = (
            claim.instance.clone(),
            delivery_text(claim.delivery),
            overlap_text(claim.overlap),
            is_distinct,
            lease,
            claim.concurrency,
        );
        (same, first.len())
    };
    let places = batch.iter().map(|claim| {
        let (same, next) = profile(claim, &mut first);
        *numbers.entry(same).or_insert_with(|| {
            first.push(claim);
            next
        })
    });
    let places = places.collect();
    (places, first)
}

fn profile_arguments(arguments: &mut Arguments, number: usize, claim: &Claim) {
    arguments.add(number);
    arguments.text(claim.instance.as_str());
    arguments.text(delivery_text(claim.delivery));
    arguments.text(overlap_text(claim.overlap));
    let is_distinct = claim.placement == Placement::Distinct;
    arguments.text(if is_distinct { "distinct" } else { "race" });
    let lease = claim
        .is_leased()
        .then(|| micros(claim.lease.duration()).to_string());
    arguments.text(lease.unwrap_or_default());
    arguments.add(claim.concurrency.get());
}

impl RedisLockManager {
    pub(crate) async fn claim_batch(
        &self,
        lead: ClaimLead,
        batch: &[Claim],
    ) -> Result<Answer<Vec<Verdict>>, LockError> {
        check_batch_size(batch.len())?;
        if batch.is_empty() {
            let now = sexton_core::lock::LockManager::now(self).await?;
            let value = Vec::new();
            return Ok(Answer { now, value });
        }
        let (places, profiles) = profiles_of(batch);
        let mut arguments = Arguments::default();
        arguments.add(micros(lead.duration()));
        arguments.add(profiles.len());
        for (number, claim) in profiles.into_iter().enumerate() {
            profile_arguments(&mut arguments, number, claim);
        }
        for (claim, place) in batch.iter().zip(places) {
            let Execution { task, index, tick } = &claim.execution;
            arguments.text(field(task, *index));
            arguments.text(tick_text(*tick));
            arguments.text(claim_text(claim.claim_id));
            arguments.add(place);
        }
        let claiming =
            self.connection
                .run_confirmed("claim", &scripts::CLAIM, arguments.as_slice());
        claiming.await?.answer_each(batch.len(), verdict)
    }

    pub(crate) async fn renew_batch(
        &self,
        batch: &[Renewal],
    ) -> Result<Answer<Vec<Renewed>>, LockError> {
        check_batch_size(batch.len())?;
        let mut arguments = Arguments::default();
        for renewal in batch {
            arguments.lock(&renewal.lock);
            arguments.add(micros(renewal.lease.duration()));
        }
        let renewing = self
            .connection
            .run("renew", &scripts::RENEW, arguments.as_slice());
        renewing.await?.answer_each(batch.len(), renewed)
    }

    pub(crate) async fn settle_batch(
        &self,
        batch: &[Settlement],
    ) -> Result<Answer<Vec<Settled>>, LockError> {
        check_batch_size(batch.len())?;
        let mut arguments = Arguments::default();
        for settlement in batch {
            arguments.lock(&settlement.lock);
            arguments.text(ExecutionState::Ended(settlement.outcome).as_str());
            arguments.text(nanos_text(settlement.started_at));
            arguments.text(nanos_text(settlement.finished_at));
            arguments.text(tail_text(settlement.error(), settlement.output()));
        }
        let settling = self
            .connection
            .run("settle", &scripts::SETTLE, arguments.as_slice());
        settling.await?.answer_each(batch.len(), |answers| {
            Ok(match answers.text()?.as_str() {
                "refused" => Settled::Refused,
                "" => Settled::Recorded { waiting: None },
                tick => {
                    let tick = tick_of_millis(tick).map_err(|found| answers.strange(found.0))?;
                    Settled::Recorded {
                        waiting: Some(tick),
                    }
                }
            })
        })
    }

    pub(crate) async fn release_batch(
        &self,
        batch: &[HeldLock],
    ) -> Result<Answer<Vec<Released>>, LockError> {
        check_batch_size(batch.len())?;
        let mut arguments = Arguments::default();
        batch.iter().for_each(|lock| arguments.lock(lock));
        let releasing = self
            .connection
            .run("release", &scripts::RELEASE, arguments.as_slice());
        releasing.await?.answer_each(batch.len(), |answers| {
            word(
                answers,
                &[("open", Released::Open), ("not_held", Released::NotHeld)],
            )
        })
    }

    pub(crate) async fn consume_batch(
        &self,
        batch: &[Consumption],
    ) -> Result<Answer<Vec<Consumed>>, LockError> {
        check_batch_size(batch.len())?;
        let mut arguments = Arguments::default();
        for consumption in batch {
            let Execution { task, index, tick } = &consumption.execution;
            arguments.text(field(task, *index));
            arguments.text(tick_text(*tick));
            arguments.text(consumption.reason.state().as_str());
            arguments.text(Reason::as_str(consumption.reason));
            arguments.add(consumption.concurrency.get());
            arguments.text(consumption.instance.as_str());
        }
        let consuming = self
            .connection
            .run("consume", &scripts::CONSUME, arguments.as_slice());
        consuming.await?.answer_each(batch.len(), |answers| {
            word(
                answers,
                &[
                    ("recorded", Consumed::Recorded),
                    ("already", Consumed::Already),
                ],
            )
        })
    }

    pub(crate) async fn enqueue_batch(
        &self,
        batch: &[Enqueue],
    ) -> Result<Answer<Vec<Enqueued>>, LockError> {
        check_batch_size(batch.len())?;
        let mut arguments = Arguments::default();
        for enqueue in batch {
            let Execution { task, index, tick } = &enqueue.execution;
            arguments.text(field(task, *index));
            arguments.text(tick_text(*tick));
            arguments.add(enqueue.concurrency.get());
        }
        let enqueuing = self
            .connection
            .run("enqueue", &scripts::ENQUEUE, arguments.as_slice());
        enqueuing.await?.answer_each(batch.len(), |answers| {
            word(
                answers,
                &[
                    ("waiting", Enqueued::Waiting),
                    ("already", Enqueued::Already),
                ],
            )
        })
    }

    pub(crate) async fn ask_to_cancel(
        &self,
        execution: &Execution,
    ) -> Result<Answer<CancelRequested>, LockError> {
        let mut arguments = Arguments::default();
        arguments.text(member(execution));
        let asking = self.connection.run(
            "request a cancellation",
            &scripts::REQUEST_CANCEL,
            arguments.as_slice(),
        );
        asking.await?.answer(|answers| {
            word(
                answers,
                &[
                    ("told", CancelRequested::Told),
                    ("withdrawn", CancelRequested::Withdrawn),
                    ("not_running", CancelRequested::NotRunning),
                ],
            )
        })
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
        // The plainest grant: the first attempt, without a lease.
        NumberOrText::Number(fence @ 1..) => {
            return Ok(Verdict::Granted(Grant {
                fence: Fence::new(fence.unsigned_abs()),
                attempt: Attempt::FIRST,
                lease_until: None,
            }));
        }
        NumberOrText::Number(-1) => Denial::TooEarly,
        NumberOrText::Number(-2) => Denial::Paused,
        NumberOrText::Number(-3) => Denial::Taken,
        NumberOrText::Number(-4) => Denial::Overlap,
        NumberOrText::Number(-5) => Denial::Placement,
        NumberOrText::Number(other) => {
            return Err(answers.strange(format!("{other} for a verdict")));
        }
        NumberOrText::Text(text) => {
            let grant =
                grant(&text).ok_or_else(|| answers.strange(format!("{text:?} for a grant")))?;
            return Ok(Verdict::Granted(grant));
        }
    };
    Ok(Verdict::Denied(denial))
}

/// `FENCE ATTEMPT LEASE_UNTIL`, the last empty where there is none.
fn grant(text: &str) -> Option<Grant> {
    let mut parts = text.splitn(3, ' ');
    let fence = parts.next()?.parse().ok()?;
    let attempt = parts.next()?.parse().ok()?;
    Some(Grant {
        fence: Fence::new(fence),
        attempt: Attempt::new(attempt)?,
        lease_until: lease_until(parts.next()?)?,
    })
}

fn lease_until(text: &str) -> Option<Option<Timestamp>> {
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
            lease_until: lease_until(until)?,
            cancel_requested: cancel == "1",
        })
    });
    read.ok_or_else(|| answers.strange(format!("{text:?} for a renewal")))
}
