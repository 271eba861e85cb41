//! A lock manager that does one thing wrong.

mod claims;
mod closing;
mod fault;
mod look;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton_core::lock::{
    Answer, Answers, CancelRequested, Capability, Claim, ClaimLead, Consumed, Consumption, Defined,
    Enqueue, Enqueued, Execution, ExecutionRecord, HeldLock, HistoryQuery, InstanceRecord,
    InstanceReport, LockError, LockManager, Origin, PauseChange, Register, Release, Released,
    Renewal, Renewed, Retention, Settled, Settlement, Signals, Sweep, SweepQuery, TaskDefinition,
    TaskQuery, TaskState, Verdict,
};
use sexton_core::name::{ClaimId, Incarnation, InstanceId, Namespace, TaskName};
use sexton_core::policy::{Delivery, Lease, Overlap, Placement};
use sexton_core::tick::{Attempt, Fence};

pub(crate) use fault::Fault;

#[derive(Debug)]
pub(crate) struct Mutant {
    pub(crate) inner: Arc<dyn LockManager>,
    pub(crate) fault: Fault,
}

impl Mutant {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn execution(&self, execution: &Execution) -> Execution {
        let mut execution = execution.clone();
        if self.has(Fault::NamesWithoutCase) {
            execution.task = TaskName::new(execution.task.as_str().to_lowercase()).unwrap();
        }
        execution
    }

    fn lock(&self, lock: &HeldLock) -> HeldLock {
        let mut lock = lock.clone();
        lock.execution = self.execution(&lock.execution);
        lock
    }

    fn claimed(&self, claim: &Claim) -> Claim {
        let mut claim = claim.clone();
        claim.execution = self.execution(&claim.execution);
        match self.fault {
            Fault::ClaimIdIgnored => claim.claim_id = ClaimId::random(),
            Fault::OverlapIgnored => claim.overlap = Overlap::Allow,
            Fault::PlacementIgnored => claim.placement = Placement::Race,
            Fault::RecoveryForgotten => claim.delivery = Delivery::AtMostOnce,
            Fault::LeaseTooLong => {
                claim.lease = Lease::new(Lease::MAX.min(claim.lease.duration() * 3)).unwrap();
            }
            Fault::DeadlineOfClaimForgotten => claim.deadline = None,
            Fault::NeededRecordForgotten => claim.needs_record = false,
            Fault::LeaseTooShort => claim.lease = Lease::new(Lease::MIN).unwrap(),
            Fault::AttemptsNotCounted if claim.delivery.recovers() => {
                claim.delivery = Delivery::AtLeastOnce {
                    attempts_max: NonZeroU32::MAX,
                };
            }
            _ => {}
        }
        claim
    }
}

type Answered<T> = Result<Answer<T>, LockError>;

/// The answer that would have been right, without doing it.
fn pretend<T: Clone>(now: Timestamp, answer: T, count: usize) -> Answered<Vec<T>> {
    Ok(Answer {
        now,
        value: vec![answer; count],
    })
}

#[async_trait::async_trait]
impl LockManager for Mutant {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn namespace(&self) -> &Namespace {
        self.inner.namespace()
    }

    fn supports(&self, capability: Capability) -> bool {
        self.inner.supports(capability)
    }

    async fn now(&self) -> Result<Timestamp, LockError> {
        self.inner.now().await
    }

    async fn claim(&self, lead: ClaimLead, batch: &[Claim]) -> Result<Answers<Verdict>, LockError> {
        let mut batch: Vec<Claim> = batch.iter().map(|claim| self.claimed(claim)).collect();
        let lead = match self.fault {
            Fault::TooEarlyGranted => ClaimLead::new(ClaimLead::MAX).unwrap(),
            _ => lead,
        };
        if self.has(Fault::LargeBatchTaken) {
            batch.truncate(sexton_core::lock::BATCH_MAX);
        }
        let mut answer = match self.fault.is_about_claims() {
            true => self.claim_each(lead, &batch).await?,
            false => self.inner.claim(lead, &batch).await?.whole()?,
        };
        for verdict in &mut answer.value {
            if let Verdict::Granted(grant) = verdict {
                match self.fault {
                    Fault::FenceReused => grant.fence = Fence::new(1),
                    Fault::AttemptsNotCounted => grant.attempt = Attempt::FIRST,
                    Fault::RecoveryHasDeadline if grant.attempt != Attempt::FIRST => {
                        grant.deadline = Some(answer.now);
                    }
                    _ => {}
                }
            }
        }
        match self.fault {
            Fault::BatchReversed => answer.value.reverse(),
            Fault::ClockOfTheEpoch => answer.now = Timestamp::UNIX_EPOCH,
            _ => {}
        }
        Ok(answer.each())
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Answers<Renewed>, LockError> {
        let now = self.inner.now().await?;
        if self.has(Fault::RenewalForgotten) {
            let lease_until = Some(now + SignedDuration::from_hours(1));
            return pretend(
                now,
                Ok(Renewed::Extended {
                    lease_until,
                    cancel_requested: false,
                }),
                batch.len(),
            );
        }
        let batch: Vec<Renewal> = batch
            .iter()
            .map(|one| Renewal {
                lock: self.lock(&one.lock),
                lease: one.lease,
            })
            .collect();
        let mut answer = self.inner.renew(&batch).await?.whole()?;
        for renewed in &mut answer.value {
            if let (
                Fault::CancelNotTold,
                Renewed::Extended {
                    cancel_requested, ..
                },
            ) = (self.fault, renewed)
            {
                *cancel_requested = false;
            }
        }
        Ok(answer.each())
    }

    async fn settle(&self, batch: &[Settlement]) -> Result<Answers<Settled>, LockError> {
        let now = self.inner.now().await?;
        let recorded = Settled::Recorded { waiting: None };
        let batch: Vec<Settlement> = batch
            .iter()
            .map(|one| {
                let lock = self.lock(&one.lock);
                let mut copy = Settlement::new(lock, one.outcome, one.started_at, one.finished_at);
                if let Some(output) = one.output() {
                    copy = copy.with_output(output);
                }
                match one.error() {
                    Some(error) if !self.has(Fault::ErrorForgotten) => copy.with_error(error),
                    _ => copy,
                }
            })
            .collect();
        match self.fault {
            Fault::OutcomeForgotten => pretend(now, Ok(recorded), batch.len()),
            Fault::SettledWithoutAsking => {
                self.inner.settle(&batch).await?;
                pretend(now, Ok(recorded), batch.len())
            }
            _ => Ok(self.settle_each(&batch).await?.each()),
        }
    }

    async fn release(&self, batch: &[Release]) -> Result<Answers<Released>, LockError> {
        if self.has(Fault::ReleaseForgotten) {
            return pretend(self.inner.now().await?, Ok(Released::Open), batch.len());
        }
        let one = |release: &Release| Release {
            lock: self.lock(&release.lock),
            deadline: match self.fault {
                Fault::DeadlineOfReleaseForgotten => None,
                _ => release.deadline,
            },
        };
        let batch: Vec<Release> = batch.iter().map(one).collect();
        let mut answer = self.inner.release(&batch).await?.whole()?;
        for (release, released) in batch.iter().zip(&mut answer.value) {
            let has_passed = release.deadline.is_some_and(|until| until <= answer.now);
            *released = match (self.fault, *released) {
                (Fault::TooLateReleaseCalledOpen, Released::TooLate) => Released::Open,
                (Fault::DeadlineOfReleaseRules, Released::Open) if has_passed => Released::TooLate,
                (Fault::DeadlineOfARepeatRules, Released::Open) if has_passed => {
                    self.close_a_repeat(&release.lock.execution).await?
                }
                (_, released) => released,
            };
        }
        Ok(answer.each())
    }

    async fn consume(&self, batch: &[Consumption]) -> Result<Answers<Consumed>, LockError> {
        if self.has(Fault::ConsumptionForgotten) {
            let recorded = Consumed::Recorded { after: None };
            return pretend(self.inner.now().await?, Ok(recorded), batch.len());
        }
        let mut batch = batch.to_vec();
        if self.has(Fault::ReasonsConfused) {
            batch
                .iter_mut()
                .for_each(|one| one.reason = sexton_core::lock::Reason::TooLate);
        }
        if self.has(Fault::CoveredNotRecorded) {
            batch.iter_mut().for_each(|one| one.is_covered = false);
        }
        if self.has(Fault::CoveredAlwaysRecorded) {
            batch.iter_mut().for_each(|one| one.is_covered = true);
        }
        if self.has(Fault::CoveredByAnother) {
            batch.iter_mut().for_each(|one| {
                let tick = one.execution.tick;
                if let Some(covered) = &mut one.covers {
                    covered.first = tick;
                }
            });
        }
        if self.has(Fault::NoteForgotten) {
            batch.iter_mut().for_each(|one| one.covers = None);
        }
        let mut answer = self.inner.consume(&batch).await?.whole()?;
        for consumed in &mut answer.value {
            match consumed {
                Consumed::Recorded { after } if self.has(Fault::WatermarkBeforeNotTold) => {
                    *after = None;
                }
                Consumed::Already { watermark } if self.has(Fault::WatermarkOfConsumedNotTold) => {
                    *watermark = None;
                }
                _ => {}
            }
        }
        Ok(answer.each())
    }

    async fn sweep(&self, query: &SweepQuery) -> Answered<Sweep> {
        let mut query = query.clone();
        match self.fault {
            Fault::SweepFindsNothing => query.after = Some(last_of_all()),
            Fault::SweepForgetsAbsence => query.abandoned_after = Duration::from_secs(1_000_000),
            _ => {}
        }
        let mut answer = self.sweep_wrongly(&query).await?;
        if self.has(Fault::MissedNotTold) {
            answer.value.missed.clear();
        }
        Ok(answer)
    }

    async fn heartbeat(&self, report: &InstanceReport) -> Answered<Signals> {
        let mut report = report.clone();
        if self.has(Fault::IncarnationIgnored) {
            report.incarnation = Incarnation::from_u128(1);
        }
        if self.has(Fault::IncarnationsTakeTurns) {
            report.presence /= 1_000_000;
        }
        let mut answer = self.inner.heartbeat(&report).await?;
        if self.has(Fault::CancelNotTold) {
            answer.value.cancel.clear();
        }
        if self.has(Fault::MissedNotWorthASweep) {
            answer.value.sweep &= self.has_waiting_in_time(answer.now).await?;
        }
        Ok(answer)
    }

    async fn leave(&self, instance: &InstanceId, incarnation: Incarnation) -> Answered<()> {
        let instances = self.inner.instances().await?;
        if self.has(Fault::LeaveForgotten) {
            return Ok(Answer {
                now: instances.now,
                value: (),
            });
        }
        let is_it = |record: &&InstanceRecord| record.report.instance == *instance;
        let incarnation = match instances.value.iter().find(is_it) {
            Some(record) if self.has(Fault::LeavesForAnother) => record.report.incarnation,
            _ => incarnation,
        };
        self.inner.leave(instance, incarnation).await
    }

    async fn instances(&self) -> Answered<Vec<InstanceRecord>> {
        self.inner.instances().await
    }

    async fn define(
        &self,
        instance: &InstanceId,
        batch: &[TaskDefinition],
    ) -> Answered<Vec<Defined>> {
        if self.has(Fault::DefinitionForgotten) {
            return pretend(self.inner.now().await?, Defined::New, batch.len());
        }
        let mut batch = batch.to_vec();
        if self.has(Fault::ScheduleSinceOfAnyChange) {
            for one in &mut batch {
                one.canonical = format!("{} {}", one.canonical, one.definition);
            }
        }
        self.inner.define(instance, &batch).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Answered<Vec<TaskState>> {
        let mut answer = self.inner.tasks(query).await?;
        for state in &mut answer.value {
            match self.fault {
                Fault::KnownSinceForgotten => {
                    state.known_since = state.known_since.map(|_| answer.now);
                }
                Fault::ScheduleSinceForgotten => state.schedule_since = state.known_since,
                Fault::TriggeredNotListed => {
                    let has_watermark =
                        |(_, register): &(_, Register)| register.watermark.is_some();
                    state.registers.retain(has_watermark);
                }
                _ => {}
            }
        }
        Ok(answer)
    }

    async fn change_pause(&self, tasks: &[TaskName], change: &PauseChange) -> Answered<()> {
        if self.has(Fault::PauseIgnored) {
            return Ok(Answer {
                now: self.inner.now().await?,
                value: (),
            });
        }
        self.inner.change_pause(tasks, change).await
    }

    async fn enqueue(&self, batch: &[Enqueue]) -> Answered<Vec<Enqueued>> {
        if self.has(Fault::EnqueueForgotten) {
            return pretend(self.inner.now().await?, Enqueued::Waiting, batch.len());
        }
        let mut batch = batch.to_vec();
        if self.has(Fault::DeadlineOfEnqueueForgotten) {
            batch.iter_mut().for_each(|one| one.deadline = None);
        }
        let mut answer = self.inner.enqueue(&batch).await?;
        for enqueued in &mut answer.value {
            *enqueued = match (self.fault, *enqueued) {
                (Fault::FullNotRefused, Enqueued::Full) => Enqueued::Waiting,
                (Fault::FullTooEarly, Enqueued::Already) => Enqueued::Full,
                (_, enqueued) => enqueued,
            };
        }
        Ok(answer)
    }

    async fn request_cancel(&self, execution: &Execution) -> Answered<CancelRequested> {
        if self.has(Fault::CancelForgotten) {
            return Ok(Answer {
                now: self.inner.now().await?,
                value: CancelRequested::Told,
            });
        }
        let answer = self.inner.request_cancel(execution).await?;
        let is_withdrawn = answer.value == CancelRequested::Withdrawn;
        if self.has(Fault::WithdrawalRaisesTheWatermark) && is_withdrawn {
            self.consume_behind(execution).await?;
        }
        Ok(answer)
    }

    async fn history(&self, query: &HistoryQuery) -> Answered<Vec<ExecutionRecord>> {
        let mut query = query.clone();
        match self.fault {
            Fault::HistoryUnfiltered => {
                query = HistoryQuery {
                    limit: query.limit,
                    after: query.after,
                    ..HistoryQuery::default()
                };
            }
            Fault::PageRepeated if query.after.is_some() => query.limit += 1,
            _ => {}
        }
        let mut answer = self.inner.history(&query).await?;
        if self.has(Fault::HistoryInTheWrongOrder) {
            answer.value.reverse();
        }
        for record in &mut answer.value {
            let is_granted = record.attempt.is_some();
            match self.fault {
                Fault::OriginForgotten => record.origin = Origin::Scheduled,
                Fault::OriginLostByAGrant if is_granted => record.origin = Origin::Scheduled,
                Fault::FormerHoldersNotRecorded => record.former_holders.clear(),
                _ => {}
            }
        }
        Ok(answer)
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Answered<usize> {
        match self.fault {
            Fault::PrunedTooMuch => {
                let everything = Retention {
                    age_max: Some(Duration::ZERO),
                    per_task_max: None,
                };
                self.inner.prune(&everything, limit).await
            }
            Fault::PruneForgotten => Ok(Answer {
                now: self.inner.now().await?,
                value: 0,
            }),
            _ => self.inner.prune(retention, limit).await,
        }
    }
}

fn last_of_all() -> Execution {
    Execution {
        task: TaskName::new("\u{10ffff}".repeat(50)).unwrap(),
        index: sexton_core::tick::ConcurrencyIndex::new(1_000).unwrap(),
        tick: sexton_core::tick::Tick::MAX,
    }
}
