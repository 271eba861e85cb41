//! Locks as a Kotlin server framework keeps them in Redis, so that replicas of both kinds share ticks during a migration.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use redis::{Pipeline, Value};
use sexton_core::lock::{
    Answer, CancelRequested, Capability, Claim, ClaimLead, Consumed, Consumption, Defined, Denial,
    Enqueue, Enqueued, Execution, ExecutionRecord, Grant, HeldLock, HistoryQuery, InstanceRecord,
    InstanceReport, LockError, LockManager, PauseChange, Released, Renewal, Renewed, Retention,
    Settled, Settlement, Signals, Sweep, SweepQuery, TaskDefinition, TaskQuery, TaskState, Verdict,
    check_batch_size,
};
use sexton_core::name::{InstanceId, Namespace, TaskName};
use sexton_core::tick::{Attempt, Fence};
use thiserror::Error;

use crate::connection::Connection;
use crate::manager::RedisLockManager;

const DELIMITER: &str = "-***-";

/// Claims ticks by the very keys, values and command of the Kotlin system: `SET NAME-***-INDEX-***-TICK TICK NX PX EXPIRATION`.
///
/// It is for a migration, while replicas of both kinds run. It knows nothing but who was first: no leases, recovery or overlap
/// policies, no history, no pause. A task that asks for them is refused when a scheduler is built.
///
/// What that costs, compared with [`RedisLockManager`]:
/// - Names are kept apart only as far as there: `-***-` within a name becomes `_`. Namespaces do not exist.
/// - All fences are 0. They do not rise, so they do not fence.
/// - A claim whose answer was lost cannot be recognised when it is sent again: its tick is lost.
/// - A lock is gone when its expiration is over. Ticks older than that are therefore not claimed here, since nobody knows whether they were
///   run; a Kotlin replica that late would run them again.
#[derive(Clone)]
pub struct KtorLockManager {
    connection: Connection,
    namespace: Namespace,
    expiration: Duration,
}

/// Why locks cannot be shared with a Kotlin system.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KtorError {
    /// An expiration of locks that cannot be.
    #[error(
        "the expiration of locks must be 1s..=24h, found {found:?}: it is how late a replica may be without running a tick again"
    )]
    Expiration {
        /// What was asked for.
        found: Duration,
    },
    /// A cluster, which the Kotlin system does not know.
    #[error("locks are shared with the Kotlin system on one server: connect to it by redis://…")]
    Cluster,
}

impl fmt::Debug for KtorLockManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KtorLockManager")
            .field("location", &self.connection.location)
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

impl RedisLockManager {
    /// The same server, used as the Kotlin system uses it. `lock_expiration` is how long a lock is kept behind its tick, by this
    /// replica: 1 s to 24 h. Let it be more than any replica is ever late.
    ///
    /// # Errors
    /// [`KtorError`] for an expiration out of that range, or a cluster.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use sexton_redis::RedisLockManager;
    ///
    /// let redis = RedisLockManager::connect("redis://127.0.0.1/").await?;
    /// let manager = redis.ktor_compatible(Duration::from_secs(600))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ktor_compatible(&self, lock_expiration: Duration) -> Result<KtorLockManager, KtorError> {
        let allowed = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);
        if !allowed.contains(&lock_expiration) {
            return Err(KtorError::Expiration {
                found: lock_expiration,
            });
        }
        if self.connection.is_cluster() {
            return Err(KtorError::Cluster);
        }
        Ok(KtorLockManager {
            connection: self.connection.clone(),
            namespace: Namespace::default(),
            expiration: lock_expiration,
        })
    }
}

fn key(execution: &Execution) -> String {
    let Execution { task, index, tick } = execution;
    let name = task.as_str().replace(DELIMITER, "_");
    format!("{name}{DELIMITER}{index}{DELIMITER}{tick}")
}

impl KtorLockManager {
    /// For how long from `now` the lock of a tick is to be there; `None`: it might be gone already, had it been there.
    fn expires_after(&self, execution: &Execution, now: Timestamp) -> Option<Duration> {
        let expiration = SignedDuration::try_from(self.expiration).ok()?;
        let until = execution.tick.timestamp().checked_add(expiration).ok()?;
        Duration::try_from(until.duration_since(now))
            .ok()
            .filter(|left| left.as_millis() > 0)
    }

    /// Sets those keys that are not there yet. `None` in the answer for a tick that is too old to tell.
    async fn set(
        &self,
        action: &'static str,
        executions: &[&Execution],
        now: Timestamp,
    ) -> Result<Vec<Option<bool>>, LockError> {
        let expirations: Vec<_> = executions
            .iter()
            .map(|execution| self.expires_after(execution, now))
            .collect();
        let mut pipeline = Pipeline::new();
        for (execution, expiration) in executions.iter().zip(&expirations) {
            if let Some(expiration) = expiration {
                let set = pipeline
                    .cmd("SET")
                    .arg(key(execution))
                    .arg(execution.tick.to_string());
                let millis = u64::try_from(expiration.as_millis()).unwrap_or(u64::MAX);
                set.arg("NX").arg("PX").arg(millis);
            }
        }
        let mut answers = self
            .connection
            .pipeline(action, &pipeline)
            .await?
            .into_iter();
        let mut was_set = |_: Duration| answers.next().is_some_and(|answer| answer != Value::Nil);
        Ok(expirations
            .into_iter()
            .map(|expiration| expiration.map(&mut was_set))
            .collect())
    }

    fn unsupported<T>(&self, capability: Capability) -> Result<T, LockError> {
        let store = self.location();
        Err(LockError::Unsupported { store, capability })
    }
}

#[async_trait]
impl LockManager for KtorLockManager {
    fn location(&self) -> String {
        self.connection.location.to_string()
    }

    fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn supports(&self, _: Capability) -> bool {
        false
    }

    async fn now(&self) -> Result<Timestamp, LockError> {
        self.connection.time().await
    }

    async fn claim(
        &self,
        lead: ClaimLead,
        batch: &[Claim],
    ) -> Result<Answer<Vec<Verdict>>, LockError> {
        check_batch_size(batch.len())?;
        let now = self.now().await?;
        let horizon = now
            .saturating_add(lead.duration())
            .unwrap_or(Timestamp::MAX);
        let is_early = |claim: &Claim| claim.execution.tick.timestamp() > horizon;
        let due: Vec<&Execution> = batch
            .iter()
            .filter(|claim| !is_early(claim))
            .map(|claim| &claim.execution)
            .collect();
        let mut set = self.set("claim", &due, now).await?.into_iter();
        let verdict = |claim: &Claim| {
            if is_early(claim) {
                return Verdict::Denied(Denial::TooEarly);
            }
            match set.next().flatten() {
                Some(true) => Verdict::Granted(Grant {
                    fence: Fence::NONE,
                    attempt: Attempt::FIRST,
                    lease_until: None,
                }),
                Some(false) | None => Verdict::Denied(Denial::Taken),
            }
        };
        let value = batch.iter().map(verdict).collect();
        Ok(Answer { now, value })
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Answer<Vec<Renewed>>, LockError> {
        check_batch_size(batch.len())?;
        let kept = |_| Renewed::Extended {
            lease_until: None,
            cancel_requested: false,
        };
        let value = batch.iter().map(kept).collect();
        let now = self.now().await?;
        Ok(Answer { now, value })
    }

    async fn settle(&self, batch: &[Settlement]) -> Result<Answer<Vec<Settled>>, LockError> {
        check_batch_size(batch.len())?;
        // There is no place for outcomes.
        let value = batch
            .iter()
            .map(|_| Settled::Recorded { waiting: None })
            .collect();
        let now = self.now().await?;
        Ok(Answer { now, value })
    }

    async fn release(&self, batch: &[HeldLock]) -> Result<Answer<Vec<Released>>, LockError> {
        check_batch_size(batch.len())?;
        let mut pipeline = Pipeline::new();
        batch.iter().for_each(|lock| {
            pipeline.cmd("DEL").arg(key(&lock.execution));
        });
        let answers = self.connection.pipeline("release", &pipeline).await?;
        let released = |answer| match answer {
            Value::Int(1) => Released::Open,
            _ => Released::NotHeld,
        };
        let value = answers.into_iter().map(released).collect();
        let now = self.now().await?;
        Ok(Answer { now, value })
    }

    async fn consume(&self, batch: &[Consumption]) -> Result<Answer<Vec<Consumed>>, LockError> {
        check_batch_size(batch.len())?;
        let now = self.now().await?;
        let executions: Vec<&Execution> = batch
            .iter()
            .map(|consumption| &consumption.execution)
            .collect();
        let set = self.set("consume", &executions, now).await?;
        let consumed = |set| match set {
            Some(false) => Consumed::Already,
            Some(true) | None => Consumed::Recorded,
        };
        let value = set.into_iter().map(consumed).collect();
        Ok(Answer { now, value })
    }

    async fn sweep(&self, _: &SweepQuery) -> Result<Answer<Sweep>, LockError> {
        self.unsupported(Capability::History)
    }

    async fn heartbeat(&self, _: &InstanceReport) -> Result<Answer<Signals>, LockError> {
        let now = self.now().await?;
        let value = Signals::default();
        Ok(Answer { now, value })
    }

    async fn leave(&self, _: &InstanceId) -> Result<Answer<()>, LockError> {
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
    use super::*;
    use sexton_core::tick::{ConcurrencyIndex, Tick};

    #[test]
    fn keys_are_those_of_the_kotlin_system() {
        let execution = |name: &str| Execution {
            task: TaskName::new(name).unwrap(),
            index: ConcurrencyIndex::new(2).unwrap(),
            tick: Tick::from_millis(1_706_616_000_050).unwrap(),
        };
        assert_eq!(
            key(&execution("digest")),
            "digest-***-2-***-2024-01-30T12:00:00.050Z"
        );
        assert_eq!(
            key(&execution("a-***-b")),
            "a_b-***-2-***-2024-01-30T12:00:00.050Z"
        );
    }
}
