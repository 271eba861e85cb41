//! Locks as a Kotlin server framework keeps them in Redis, so that replicas of both kinds share
//! ticks during a migration.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use redis::{Pipeline, Value};
use sexton_core::lock::{Execution, LockError, Released, Taking, TickLockManager, TickLocks};
use sexton_core::name::{NameError, TaskName};
use sexton_core::tick::Fence;
use thiserror::Error;

use crate::connection::Connection;
use crate::manager::RedisLockManager;
use crate::task_lock::{self, RedisTaskLock};

/// Claims ticks by the very keys, values and command of the Kotlin system: `SET
/// NAME-***-INDEX-***-TICK TICK NX PX EXPIRATION`. The key is a [`RedisTaskLock`]'s value.
///
/// It is for a migration, while replicas of both kinds run. It knows nothing but who was first: no
/// leases, recovery or overlap policies, no history, no pause. A task that asks for them is refused
/// when a scheduler is built.
///
/// What that costs, compared with [`RedisLockManager`]:
/// - A task whose name holds `-***-` is refused when a scheduler is built: there, `_` stands for it in keys, and
///   the task shares its ticks with one that has `_` in its name.
/// - Namespaces do not exist.
/// - All fences are 0. They do not rise, so they do not fence.
/// - A claim whose answer was lost cannot be recognised when it is sent again: its tick is lost.
/// - A lock is gone when its expiration is over. Ticks older than that are therefore not claimed
///   here, since nobody knows whether they were run; a Kotlin replica that late would run them
///   again.
pub type KtorLockManager = TickLockManager<KtorLocks>;

/// The keys of the Kotlin system. See [`KtorLockManager`].
#[derive(Clone)]
pub struct KtorLocks {
    connection: Connection,
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
    /// A server that throws locks away before they expire.
    #[error(
        "its maxmemory-policy is {policy}, so it may throw away the locks of the Kotlin system, which expire: set it to noeviction"
    )]
    Evicts {
        /// Its `maxmemory-policy`.
        policy: String,
    },
}

impl fmt::Debug for KtorLocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KtorLockManager")
            .field("location", &self.connection.location)
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

impl RedisLockManager {
    /// The same server, used as the Kotlin system uses it. `lock_expiration` is how long a lock is
    /// kept behind its tick, by this replica: 1 s to 24 h. Let it be more than any replica is ever
    /// late.
    ///
    /// # Errors
    /// [`KtorError`] for an expiration out of that range, a cluster, or a `maxmemory-policy` other than `noeviction`.
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
        if let Some(policy) = &self.connection.evicts {
            let policy = policy.clone();
            return Err(KtorError::Evicts { policy });
        }
        Ok(KtorLockManager::new(KtorLocks {
            connection: self.connection.clone(),
            expiration: lock_expiration,
        }))
    }
}

fn lock(execution: &Execution) -> RedisTaskLock {
    RedisTaskLock::new(execution.clone(), Fence::NONE)
}

impl KtorLocks {
    /// For how long from `now` the lock of a tick is to be there; `None`: it might be gone already,
    /// had it been there.
    fn expires_after(&self, execution: &Execution, now: Timestamp) -> Option<Duration> {
        let expiration = SignedDuration::try_from(self.expiration).ok()?;
        let until = execution.tick.timestamp().checked_add(expiration).ok()?;
        Duration::try_from(until.duration_since(now))
            .ok()
            .filter(|left| left.as_millis() > 0)
    }
}

#[async_trait]
impl TickLocks for KtorLocks {
    fn location(&self) -> String {
        self.connection.location.to_string()
    }

    fn check_name(&self, task: &TaskName) -> Result<(), NameError> {
        task_lock::check_name(task)
    }

    async fn now(&self) -> Result<Timestamp, LockError> {
        self.connection.time().await
    }

    /// Sets those keys that are not there yet.
    async fn take(
        &self,
        action: &'static str,
        executions: &[&Execution],
        now: Timestamp,
    ) -> Result<Vec<Taking>, LockError> {
        let expirations: Vec<_> = executions
            .iter()
            .map(|execution| self.expires_after(execution, now))
            .collect();
        let mut pipeline = Pipeline::new();
        for (execution, expiration) in executions.iter().zip(&expirations) {
            if let Some(expiration) = expiration {
                let set = pipeline
                    .cmd("SET")
                    .arg(lock(execution).value())
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
        let mut taking = |expiration: Option<Duration>| match expiration {
            None => Taking::TooOld,
            Some(_) if answers.next().is_some_and(|answer| answer != Value::Nil) => {
                Taking::TakenNow
            }
            Some(_) => Taking::TakenBefore,
        };
        Ok(expirations.into_iter().map(&mut taking).collect())
    }

    async fn open(&self, executions: &[&Execution]) -> Result<Vec<Released>, LockError> {
        let mut pipeline = Pipeline::new();
        for execution in executions {
            pipeline.cmd("DEL").arg(lock(execution).value());
        }
        let answers = self.connection.pipeline("release", &pipeline).await?;
        let released = |answer| match answer {
            Value::Int(1) => Released::Open,
            _ => Released::NotHeld,
        };
        Ok(answers.into_iter().map(released).collect())
    }
}
