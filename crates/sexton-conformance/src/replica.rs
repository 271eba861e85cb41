//! One instance of a service as the cases play it: what it asks, and what it expects to be told.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton_core::lock::{
    Answer, Claim, ClaimLead, Denial, Enqueue, Enqueued, Execution, ExecutionRecord,
    ExecutionState, Grant, HeldLock, HistoryQuery, InstanceReport, LockManager, Outcome,
    PauseChange, Reason, Release, Released, Renewal, Renewed, Settled, Settlement, Sweep,
    SweepQuery, TaskQuery, TaskState, Verdict,
};
use sexton_core::name::{Incarnation, InstanceId, TaskName};
use sexton_core::policy::{Delivery, Lease, Overlap, Placement};
use sexton_core::tick::{Concurrency, Fence};

use crate::Failure;

/// The shortest lease: for what is to be over soon.
pub(crate) fn short() -> Result<Lease, Failure> {
    Ok(Lease::new(Lease::MIN)?)
}

/// A lease that is not over before the case is.
pub(crate) fn long() -> Result<Lease, Failure> {
    Ok(Lease::new(Duration::from_secs(3_600))?)
}

/// An instance with a client of its own.
#[derive(Debug, Clone)]
pub(crate) struct Replica {
    pub(crate) manager: Arc<dyn LockManager>,
    pub(crate) instance: InstanceId,
    pub(crate) incarnation: Incarnation,
}

/// A lock, and the grant it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) lock: HeldLock,
    pub(crate) grant: Grant,
}

impl Held {
    pub(crate) fn fence(&self) -> Fence {
        self.grant.fence
    }
}

impl Replica {
    pub(crate) fn new(manager: Arc<dyn LockManager>, instance: InstanceId) -> Replica {
        let incarnation = Incarnation::random();
        Replica {
            manager,
            instance,
            incarnation,
        }
    }

    /// A new claim under the default policies.
    pub(crate) fn asks(&self, execution: &Execution) -> Claim {
        Claim::new(execution.clone(), Concurrency::ONE, self.instance.clone())
    }

    pub(crate) async fn claim_ahead(
        &self,
        claim: &Claim,
        lead: ClaimLead,
    ) -> Result<Answer<Verdict>, Failure> {
        let answer = self
            .manager
            .claim(lead, std::slice::from_ref(claim))
            .await?
            .whole()?;
        one(answer)
    }

    /// The verdict on one claim, without lead.
    pub(crate) async fn claim(&self, claim: &Claim) -> Result<Verdict, Failure> {
        Ok(self.claim_ahead(claim, ClaimLead::ZERO).await?.value)
    }

    pub(crate) async fn claim_all(&self, claims: &[Claim]) -> Result<Vec<Verdict>, Failure> {
        let answer = self.manager.claim(ClaimLead::ZERO, claims).await?.whole()?;
        if answer.value.len() != claims.len() {
            return Err(Failure::new(format_args!(
                "{} claims were answered with {} verdicts",
                claims.len(),
                answer.value.len()
            )));
        }
        Ok(answer.value)
    }

    /// Claims what must be granted.
    pub(crate) async fn take(&self, claim: &Claim) -> Result<Held, Failure> {
        match self.claim(claim).await? {
            Verdict::Granted(grant) => Ok(held(claim, grant)),
            Verdict::Denied(denial) => Err(Failure::new(format_args!(
                "{} should have been granted to {}, but was denied: {denial}",
                claim.execution, claim.instance
            ))),
        }
    }

    /// Claims, under the default policies, what must be granted.
    pub(crate) async fn run(&self, execution: &Execution) -> Result<Held, Failure> {
        self.take(&self.asks(execution)).await
    }

    /// Claims what must be denied, for this reason.
    pub(crate) async fn denied(&self, claim: &Claim, denial: Denial) -> Result<(), Failure> {
        match self.claim(claim).await? {
            Verdict::Denied(found) if found == denial => Ok(()),
            found => Err(Failure::new(format_args!(
                "{} should have been denied ({denial}), but was {found:?}",
                claim.execution
            ))),
        }
    }

    pub(crate) async fn renew(&self, lock: &HeldLock, lease: Lease) -> Result<Renewed, Failure> {
        let lock = lock.clone();
        one(self
            .manager
            .renew(&[Renewal { lock, lease }])
            .await?
            .whole()?)
        .map(|answer| answer.value)
    }

    pub(crate) async fn settle(&self, settlement: &Settlement) -> Result<Settled, Failure> {
        let answer = self
            .manager
            .settle(std::slice::from_ref(settlement))
            .await?
            .whole()?;
        one(answer).map(|answer| answer.value)
    }

    /// Settles with this outcome, started and finished now.
    pub(crate) async fn end(&self, lock: &HeldLock, outcome: Outcome) -> Result<Settled, Failure> {
        self.settle(&self.settlement(lock, outcome).await?).await
    }

    pub(crate) async fn settlement(
        &self,
        lock: &HeldLock,
        outcome: Outcome,
    ) -> Result<Settlement, Failure> {
        let now = self.now_ms().await?;
        Ok(Settlement::new(lock.clone(), outcome, now, now))
    }

    /// The store's clock, in whole milliseconds, as a settlement must be able to keep it.
    pub(crate) async fn now_ms(&self) -> Result<Timestamp, Failure> {
        let now = self.manager.now().await?;
        Ok(Timestamp::from_millisecond(now.as_millisecond())?)
    }

    /// What the store's clock will show after `duration` (has shown, if negative), in whole
    /// milliseconds, as every store can keep it for a deadline.
    pub(crate) async fn after(&self, duration: SignedDuration) -> Result<Timestamp, Failure> {
        Ok(self.now_ms().await?.saturating_add(duration)?)
    }

    pub(crate) async fn release(&self, lock: &HeldLock) -> Result<Released, Failure> {
        self.release_until(lock, None).await
    }

    /// Gives back a lock whose execution may be granted again until `deadline`.
    pub(crate) async fn release_until(
        &self,
        lock: &HeldLock,
        deadline: Option<Timestamp>,
    ) -> Result<Released, Failure> {
        let lock = lock.clone();
        let answer = self
            .manager
            .release(&[Release { lock, deadline }])
            .await?
            .whole()?;
        one(answer).map(|answer| answer.value)
    }

    /// Makes an execution wait, as an operator's trigger does.
    pub(crate) async fn enqueue(&self, execution: &Execution) -> Result<Enqueued, Failure> {
        self.enqueue_until(execution, None).await
    }

    /// Makes an execution wait that may be granted until `deadline`.
    pub(crate) async fn enqueue_until(
        &self,
        execution: &Execution,
        deadline: Option<Timestamp>,
    ) -> Result<Enqueued, Failure> {
        let enqueue = Enqueue {
            execution: execution.clone(),
            concurrency: Concurrency::ONE,
            deadline,
        };
        one(self.manager.enqueue(&[enqueue]).await?).map(|answer| answer.value)
    }

    pub(crate) async fn pause(&self, task: &TaskName, note: &str) -> Result<(), Failure> {
        let change = PauseChange::Pause {
            note: note.to_owned(),
            by: "ops".to_owned(),
        };
        let tasks = std::slice::from_ref(task);
        self.manager.change_pause(tasks, &change).await?;
        Ok(())
    }

    pub(crate) async fn resume(&self, task: &TaskName) -> Result<(), Failure> {
        let tasks = std::slice::from_ref(task);
        self.manager
            .change_pause(tasks, &PauseChange::Resume)
            .await?;
        Ok(())
    }

    /// What the store knows of a task.
    pub(crate) async fn state(&self, task: &TaskName) -> Result<TaskState, Failure> {
        let query = TaskQuery::Named(vec![task.clone()]);
        let mut states = self.manager.tasks(&query).await?.value;
        states
            .pop()
            .ok_or_else(|| Failure::new("a named task is always answered"))
    }

    /// What this instance says of itself.
    pub(crate) async fn report(&self) -> Result<InstanceReport, Failure> {
        Ok(InstanceReport {
            instance: self.instance.clone(),
            incarnation: self.incarnation,
            started_at: self.now_ms().await?,
            version: "1.2.3".to_owned(),
            clock_offset: Some(SignedDuration::from_millis(-7)),
            running: 3,
            presence: Duration::from_secs(60),
        })
    }

    /// Whether a heartbeat says that a sweep is worth while.
    pub(crate) async fn is_told_to_sweep(&self) -> Result<bool, Failure> {
        let report = self.report().await?;
        Ok(self.manager.heartbeat(&report).await?.value.sweep)
    }

    /// A sweep by which nothing counts as abandoned.
    pub(crate) async fn sweep(&self) -> Result<Sweep, Failure> {
        let query = SweepQuery {
            abandoned_after: Duration::from_secs(365 * 24 * 3_600),
            ..SweepQuery::default()
        };
        Ok(self.manager.sweep(&query).await?.value)
    }

    /// What the store keeps of an execution.
    pub(crate) async fn record(
        &self,
        execution: &Execution,
    ) -> Result<Option<ExecutionRecord>, Failure> {
        let query = HistoryQuery {
            task: Some(execution.task.clone()),
            since: Some(execution.tick),
            until: execution.tick.succ(),
            limit: 1_000,
            ..HistoryQuery::default()
        };
        let records = self.manager.history(&query).await?.value;
        Ok(records
            .into_iter()
            .find(|record| record.execution == *execution))
    }

    /// What the store keeps of an execution that it must know.
    pub(crate) async fn known(&self, execution: &Execution) -> Result<ExecutionRecord, Failure> {
        self.record(execution).await?.ok_or_else(|| {
            Failure::new(format_args!(
                "{execution} should be in the history, but is not"
            ))
        })
    }
}

impl Replica {
    /// Looks for the mark of what waited too long: closed as missed between `since` and now.
    pub(crate) async fn finds_missed(
        &self,
        execution: &Execution,
        since: Timestamp,
    ) -> Result<(), Failure> {
        let record = self.known(execution).await?;
        assert_eq!(
            (record.state, record.reason),
            (ExecutionState::Missed, Some(Reason::TooLate)),
            "{execution}"
        );
        let now = self.manager.now().await?;
        assert!(
            record
                .finished_at
                .is_some_and(|finished_at| (since..=now).contains(&finished_at)),
            "{execution} is missed since {:?}, not since between {since} and {now}",
            record.finished_at
        );
        Ok(())
    }
}

/// The answer for the only entry of a batch.
pub(crate) fn one<T>(answer: Answer<Vec<T>>) -> Result<Answer<T>, Failure> {
    let Answer { now, mut value } = answer;
    match (value.pop(), value.len()) {
        (Some(value), 0) => Ok(Answer { now, value }),
        (_, others) => Err(Failure::new(format_args!(
            "a batch of one should have one answer; {others} others came, or none"
        ))),
    }
}

/// The lock of a granted claim.
pub(crate) fn held(claim: &Claim, grant: Grant) -> Held {
    let lock = HeldLock {
        execution: claim.execution.clone(),
        claim_id: claim.claim_id,
        fence: grant.fence,
    };
    Held { lock, grant }
}

/// The policies of a claim, one word each.
pub(crate) trait ClaimWith: Sized {
    fn at_least_once(self, attempts_max: u32) -> Self;
    fn overlap(self, overlap: Overlap) -> Self;
    fn distinct(self, concurrency: u64) -> Result<Self, Failure>;
    fn lease(self, lease: Lease) -> Self;
    fn found(self) -> Self;
    fn of(self, concurrency: u64) -> Result<Self, Failure>;
}

impl ClaimWith for Claim {
    fn at_least_once(self, attempts_max: u32) -> Claim {
        let attempts_max = NonZeroU32::new(attempts_max).unwrap_or(NonZeroU32::MIN);
        Claim {
            delivery: Delivery::AtLeastOnce { attempts_max },
            ..self
        }
    }

    fn overlap(self, overlap: Overlap) -> Claim {
        Claim { overlap, ..self }
    }

    fn distinct(self, concurrency: u64) -> Result<Claim, Failure> {
        let placement = Placement::Distinct;
        Claim { placement, ..self }.of(concurrency)
    }

    fn lease(self, lease: Lease) -> Claim {
        Claim { lease, ..self }
    }

    fn found(self) -> Claim {
        Claim {
            needs_record: true,
            ..self
        }
    }

    fn of(self, concurrency: u64) -> Result<Claim, Failure> {
        let concurrency = Concurrency::new(concurrency)?;
        Ok(Claim {
            concurrency,
            ..self
        })
    }
}
