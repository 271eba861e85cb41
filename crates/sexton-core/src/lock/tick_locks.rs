//! Stores that know of each execution whether it was taken, and nothing else: what other systems'
//! locks are, beside which replicas of Sexton may run for a while.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    Answer, Answers, CancelRequested, Capability, Claim, ClaimLead, Consumed, Consumption, Defined,
    Denial, Enqueue, Enqueued, Execution, ExecutionRecord, Grant, HistoryQuery, InstanceRecord,
    InstanceReport, LockError, LockManager, PauseChange, Release, Released, Renewal, Renewed,
    Retention, Settled, Settlement, Signals, Sweep, SweepQuery, TaskDefinition, TaskQuery,
    TaskState, Verdict, check_batch_size,
};
use crate::name::{Incarnation, InstanceId, NameError, Namespace, TaskName};
use crate::tick::{Attempt, Fence};

/// What became of an execution that was to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Taking {
    /// It was taken by this call.
    TakenNow,
    /// It had been taken before, or the answer to an earlier sending of this call was lost.
    TakenBefore,
    /// It is so old that the store may have forgotten who took it. It was not taken.
    TooOld,
}

/// The least that a store of locks can do: say who was first to take an execution.
/// [`TickLockManager`] makes a [`LockManager`] of it.
///
/// # For implementers
/// - Of all who ever take an execution, whatever system they belong to, at most one is told that it was taken now, unless it
///   was opened again in between.
/// - Trouble is an error, never [`Taking::TakenBefore`]. An error leaves it unknown which of the executions were taken.
/// - Calls are cancel-safe, and end within the store's own limit.
#[async_trait]
pub trait TickLocks: fmt::Debug + Send + Sync + 'static {
    /// The store for people to read, without secrets.
    fn location(&self) -> String;

    /// Whether the locks of a task of this name are told from those of every other task; see
    /// [`LockManager::check_name`].
    ///
    /// # Errors
    /// A [`NameError`] that says which name to take instead.
    fn check_name(&self, _: &TaskName) -> Result<(), NameError> {
        Ok(())
    }

    /// The store's clock.
    async fn now(&self) -> Result<Timestamp, LockError>;

    /// Takes executions, at most [`BATCH_MAX`](super::BATCH_MAX), and answers in their order.
    /// `action` is what an error says was tried, `now` what the store's clock just said.
    async fn take(
        &self,
        action: &'static str,
        executions: &[&Execution],
        now: Timestamp,
    ) -> Result<Vec<Taking>, LockError>;

    /// Opens executions again that were taken here, at most [`BATCH_MAX`](super::BATCH_MAX), for
    /// anybody to take; answers in their order. Must not be sent again after a lost answer:
    /// somebody else may have taken meanwhile what the first sending opened.
    async fn open(&self, executions: &[&Execution]) -> Result<Vec<Released>, LockError>;
}

/// A [`LockManager`] over [`TickLocks`], for tasks that ask for no more than that one replica runs
/// each tick.
///
/// It supports no [`Capability`]: no leases, recovery or overlap policies, no history, no pause. A
/// task that asks for them is refused when a scheduler is built. Ticks ahead of the store's clock
/// by more than the claim lead are denied, as everywhere; outcomes have no place and are dropped;
/// all fences are 0: they do not rise, so they do not fence.
///
/// A claim whose answer was lost cannot be recognised when it is sent again: it is denied, and its
/// tick is lost. So a tick is run at most once.
#[derive(Clone)]
pub struct TickLockManager<L> {
    locks: L,
    namespace: Namespace,
}

impl<L: fmt::Debug> fmt::Debug for TickLockManager<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.locks.fmt(f)
    }
}

impl<L: TickLocks> TickLockManager<L> {
    /// A manager whose locks are these. Namespaces do not exist there: it says it has the default
    /// one.
    #[must_use]
    pub fn new(locks: L) -> TickLockManager<L> {
        TickLockManager {
            locks,
            namespace: Namespace::default(),
        }
    }

    fn unsupported<T>(&self, capability: Capability) -> Result<T, LockError> {
        let store = self.location();
        Err(LockError::Unsupported { store, capability })
    }
}

#[async_trait]
impl<L: TickLocks> LockManager for TickLockManager<L> {
    fn location(&self) -> String {
        self.locks.location()
    }

    fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn supports(&self, _: Capability) -> bool {
        false
    }

    fn check_name(&self, task: &TaskName) -> Result<(), NameError> {
        self.locks.check_name(task)
    }

    async fn now(&self) -> Result<Timestamp, LockError> {
        self.locks.now().await
    }

    async fn claim(&self, lead: ClaimLead, batch: &[Claim]) -> Result<Answers<Verdict>, LockError> {
        check_batch_size(batch.len())?;
        let now = self.now().await?;
        let horizon = now
            .saturating_add(lead.duration())
            .unwrap_or(Timestamp::MAX);
        let is_early = |claim: &Claim| claim.execution.tick.timestamp() > horizon;
        let due: Vec<&Execution> = batch
            .iter()
            .filter(|claim| !is_early(claim) && !claim.needs_record)
            .map(|claim| &claim.execution)
            .collect();
        let mut taken = self.locks.take("claim", &due, now).await?.into_iter();
        let verdict = |claim: &Claim| {
            if is_early(claim) {
                return Verdict::Denied(Denial::TooEarly);
            }
            // There are no records here.
            if claim.needs_record {
                return Verdict::Denied(Denial::Taken);
            }
            match taken.next() {
                Some(Taking::TakenNow) => Verdict::Granted(Grant {
                    fence: Fence::NONE,
                    attempt: Attempt::FIRST,
                    lease_until: None,
                    deadline: None,
                }),
                Some(Taking::TakenBefore | Taking::TooOld) | None => Verdict::Denied(Denial::Taken),
            }
        };
        let value: Vec<Verdict> = batch.iter().map(verdict).collect();
        Ok(Answer { now, value }.each())
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Answers<Renewed>, LockError> {
        check_batch_size(batch.len())?;
        let kept = |_| Renewed::Extended {
            lease_until: None,
            cancel_requested: false,
        };
        let value: Vec<Renewed> = batch.iter().map(kept).collect();
        let now = self.now().await?;
        Ok(Answer { now, value }.each())
    }

    async fn settle(&self, batch: &[Settlement]) -> Result<Answers<Settled>, LockError> {
        check_batch_size(batch.len())?;
        // There is no place for outcomes.
        let value: Vec<Settled> = batch
            .iter()
            .map(|_| Settled::Recorded { waiting: None })
            .collect();
        let now = self.now().await?;
        Ok(Answer { now, value }.each())
    }

    async fn release(&self, batch: &[Release]) -> Result<Answers<Released>, LockError> {
        check_batch_size(batch.len())?;
        let executions: Vec<&Execution> = batch
            .iter()
            .map(|release| &release.lock.execution)
            .collect();
        let value = self.locks.open(&executions).await?;
        let now = self.now().await?;
        Ok(Answer { now, value }.each())
    }

    async fn consume(&self, batch: &[Consumption]) -> Result<Answers<Consumed>, LockError> {
        check_batch_size(batch.len())?;
        let now = self.now().await?;
        let executions: Vec<&Execution> = batch
            .iter()
            .map(|consumption| &consumption.execution)
            .collect();
        let taken = self.locks.take("consume", &executions, now).await?;
        let consumed = |taking| match taking {
            Taking::TakenBefore => Consumed::Already { watermark: None },
            Taking::TakenNow | Taking::TooOld => Consumed::Recorded { after: None },
        };
        let value: Vec<Consumed> = taken.into_iter().map(consumed).collect();
        Ok(Answer { now, value }.each())
    }

    async fn sweep(&self, _: &SweepQuery) -> Result<Answer<Sweep>, LockError> {
        self.unsupported(Capability::History)
    }

    async fn heartbeat(&self, _: &InstanceReport) -> Result<Answer<Signals>, LockError> {
        let now = self.now().await?;
        let value = Signals::default();
        Ok(Answer { now, value })
    }

    async fn leave(&self, _: &InstanceId, _: Incarnation) -> Result<Answer<()>, LockError> {
        self.unsupported(Capability::Operations)
    }

    async fn instances(&self) -> Result<Answer<Vec<InstanceRecord>>, LockError> {
        self.unsupported(Capability::Operations)
    }

    async fn define(
        &self,
        _: &InstanceId,
        _: &[TaskDefinition],
    ) -> Result<Answer<Vec<Defined>>, LockError> {
        self.unsupported(Capability::Operations)
    }

    async fn tasks(&self, _: &TaskQuery) -> Result<Answer<Vec<TaskState>>, LockError> {
        self.unsupported(Capability::Operations)
    }

    async fn change_pause(&self, _: &[TaskName], _: &PauseChange) -> Result<Answer<()>, LockError> {
        self.unsupported(Capability::Operations)
    }

    async fn enqueue(&self, _: &[Enqueue]) -> Result<Answer<Vec<Enqueued>>, LockError> {
        self.unsupported(Capability::Operations)
    }

    async fn request_cancel(&self, _: &Execution) -> Result<Answer<CancelRequested>, LockError> {
        self.unsupported(Capability::Operations)
    }

    async fn history(&self, _: &HistoryQuery) -> Result<Answer<Vec<ExecutionRecord>>, LockError> {
        self.unsupported(Capability::History)
    }

    async fn prune(&self, _: &Retention, _: usize) -> Result<Answer<usize>, LockError> {
        self.unsupported(Capability::History)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use futures::executor::block_on;

    use super::*;
    use crate::lock::{HeldLock, Reason};
    use crate::name::ClaimId;
    use crate::tick::{Concurrency, ConcurrencyIndex, Tick};

    const NOW_MS: i64 = 1_706_616_000_000;

    /// Locks of the last minute.
    #[derive(Debug, Default)]
    struct LastMinute(Mutex<BTreeSet<Execution>>);

    #[async_trait]
    impl TickLocks for LastMinute {
        fn location(&self) -> String {
            "memory".to_owned()
        }

        async fn now(&self) -> Result<Timestamp, LockError> {
            Ok(at(0).tick.timestamp())
        }

        async fn take(
            &self,
            _: &'static str,
            executions: &[&Execution],
            now: Timestamp,
        ) -> Result<Vec<Taking>, LockError> {
            let mut taken = self.0.lock().unwrap();
            let oldest = Tick::at_or_before(now).saturating_add_millis(-60_000);
            let mut taking = |execution: &&Execution| {
                if execution.tick < oldest {
                    Taking::TooOld
                } else if taken.insert((*execution).clone()) {
                    Taking::TakenNow
                } else {
                    Taking::TakenBefore
                }
            };
            Ok(executions.iter().map(&mut taking).collect())
        }

        async fn open(&self, executions: &[&Execution]) -> Result<Vec<Released>, LockError> {
            let mut taken = self.0.lock().unwrap();
            let mut open = |execution: &&Execution| match taken.remove(*execution) {
                true => Released::Open,
                false => Released::NotHeld,
            };
            Ok(executions.iter().map(&mut open).collect())
        }
    }

    fn at(millis: i64) -> Execution {
        Execution {
            task: TaskName::new("t").unwrap(),
            index: ConcurrencyIndex::ONE,
            tick: Tick::from_millis(NOW_MS + millis).unwrap(),
        }
    }

    fn claim(millis: i64) -> Claim {
        let instance = InstanceId::new("one").unwrap();
        Claim::new(at(millis), Concurrency::ONE, instance)
    }

    fn verdicts(manager: &TickLockManager<LastMinute>, batch: &[Claim]) -> Vec<&'static str> {
        let answer = block_on(manager.claim(ClaimLead::default(), batch))
            .unwrap()
            .whole()
            .unwrap();
        let word = |verdict: &Verdict| match verdict {
            Verdict::Granted(_) => "granted",
            Verdict::Denied(denial) => denial.as_str(),
        };
        answer.value.iter().map(word).collect()
    }

    #[test]
    fn each_claim_of_a_batch_has_its_own_verdict_in_its_own_place() {
        let manager = TickLockManager::new(LastMinute::default());
        assert_eq!(verdicts(&manager, &[claim(2)]), ["granted"]);
        let batch = [claim(501), claim(1), claim(-60_001), claim(2), claim(500)];
        let expected = ["too_early", "granted", "taken", "taken", "granted"];
        assert_eq!(verdicts(&manager, &batch), expected);
        let mut found = claim(3);
        found.needs_record = true;
        assert_eq!(verdicts(&manager, &[found, claim(3)]), ["taken", "granted"]);
        let far = ClaimLead::new(ClaimLead::MAX).unwrap();
        let answer = block_on(manager.claim(far, &[claim(501)]))
            .unwrap()
            .whole()
            .unwrap();
        assert!(answer.value[0].grant().is_some());
        let too_many = vec![claim(0); super::super::BATCH_MAX + 1];
        let refused = block_on(manager.claim(far, &too_many)).unwrap_err();
        assert!(matches!(refused, LockError::BatchTooLarge { .. }));
    }

    #[test]
    fn what_is_consumed_is_taken_and_what_is_released_is_open() {
        let manager = TickLockManager::new(LastMinute::default());
        let consumption = |millis| {
            let instance = InstanceId::new("one").unwrap();
            Consumption::new(at(millis), Concurrency::ONE, Reason::TooLate, instance)
        };
        assert_eq!(verdicts(&manager, &[claim(1)]), ["granted"]);
        let batch = [consumption(1), consumption(2), consumption(-60_001)];
        let answer = block_on(manager.consume(&batch)).unwrap().whole().unwrap();
        let recorded = Consumed::Recorded { after: None };
        let already = Consumed::Already { watermark: None };
        let expected = [already, recorded, recorded];
        assert_eq!(answer.value, expected);
        assert_eq!(verdicts(&manager, &[claim(2)]), ["taken"]);
        let held = |millis| Release {
            lock: HeldLock {
                execution: at(millis),
                claim_id: ClaimId::random(),
                fence: Fence::NONE,
            },
            deadline: None,
        };
        let answer = block_on(manager.release(&[held(1), held(3)]))
            .unwrap()
            .whole()
            .unwrap();
        assert_eq!(answer.value, [Released::Open, Released::NotHeld]);
        assert_eq!(verdicts(&manager, &[claim(1)]), ["granted"]);
    }
}
