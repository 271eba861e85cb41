//! The lock manager.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use sexton_core::lock::{
    Answer, Answers, CancelRequested, Capability, Claim, ClaimLead, Consumed, Consumption, Defined,
    Enqueue, Enqueued, Execution, ExecutionRecord, HistoryQuery, InstanceRecord, InstanceReport,
    LockError, LockManager, PauseChange, Release, Released, Renewal, Renewed, Retention, Settled,
    Settlement, Signals, Sweep, SweepQuery, TaskDefinition, TaskQuery, TaskState, Verdict,
};
use sexton_core::name::{Incarnation, InstanceId, Namespace};

use crate::connection::Connection;
use crate::error::ConnectError;
use crate::options::RedisOptions;

/// Keeps task locks in a Redis or Valkey server. Clones share its connection.
///
/// The connection comes back by itself. While it is away every call is [`LockError::Unavailable`],
/// within the response timeout. Every call is cancel-safe: dropping its future loses its answer, no
/// more.
#[derive(Clone)]
pub struct RedisLockManager {
    pub(crate) connection: Connection,
    namespace: Namespace,
}

impl fmt::Debug for RedisLockManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLockManager")
            .field("location", &self.connection.location)
            .field("namespace", &self.namespace)
            .finish()
    }
}

impl RedisOptions {
    /// Connects and looks whether what is there can be used.
    ///
    /// | URL | |
    /// |---|---|
    /// | `redis://[user:password@]host[:port][/database]` | one server, or one that something else keeps reachable there |
    /// | `redis+sentinel://[user:password@]host[:port],…/MASTER[/database]` | the master that Sentinels name, whichever server that is at the time; the login is for the servers, `?sentinel_username=` and `sentinel_password=` for the Sentinels |
    /// | `redis+cluster://[user:password@]host[:port],…` | a cluster, found from any of its nodes |
    ///
    /// With `rediss` in place of `redis` all of it goes through TLS, by the certificates of the
    /// machine or by those in the PEM files of `?ca_file=`, and with a login by certificate by
    /// `cert_file=` and `key_file=`. What a URL's parts hold is percent-encoded.
    /// `?wait_for_replicas=N`, or `wait_for_append_only_files=N`, and `wait_ms=` (1,000 if left
    /// out) say what [`wait_for_replicas`](RedisOptions::wait_for_replicas) does, and go before it.
    /// An application that has more than one of rustls's crypto providers and has chosen none is
    /// given that of `ring`.
    ///
    /// # Errors
    /// [`ConnectError`]: an invalid URL, an unreachable server, a wrong password, an eviction policy
    /// that throws keys away, a namespace that is kept in another number of buckets.
    ///
    /// ```no_run
    /// use sexton_redis::RedisOptions;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let sentinels = "redis+sentinel://app:secret@a.example,b.example,c.example/mymaster";
    /// let manager = RedisOptions::new().connect(sentinels).await?;
    ///
    /// let cluster = "rediss+cluster://app:secret@a.example:7000,b.example:7000?ca_file=/etc/ssl/redis.pem";
    /// let manager = RedisOptions::new().buckets(32).connect(cluster).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(self, url: &str) -> Result<RedisLockManager, ConnectError> {
        // Boxed: the drivers' futures are deep, and would make those of every caller too
        // deep to compile.
        let connection = Box::pin(Connection::open(url, self.clone())).await?;
        Ok(RedisLockManager::new(connection, self.namespace))
    }
}

impl RedisLockManager {
    /// Connects with the default [`RedisOptions`] to a server that a URL names:
    /// see [`RedisOptions::connect`].
    ///
    /// # Errors
    /// [`ConnectError`]: an invalid URL, an unreachable server, a wrong password, an eviction policy
    /// that throws keys away.
    pub async fn connect(url: &str) -> Result<RedisLockManager, ConnectError> {
        RedisOptions::new().connect(url).await
    }

    pub(crate) fn new(connection: Connection, namespace: Namespace) -> RedisLockManager {
        RedisLockManager {
            connection,
            namespace,
        }
    }
}

#[async_trait]
impl LockManager for RedisLockManager {
    fn location(&self) -> String {
        self.connection.location.to_string()
    }

    fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn supports(&self, capability: Capability) -> bool {
        capability != Capability::Transactions
    }

    async fn now(&self) -> Result<Timestamp, LockError> {
        self.connection.time().await
    }

    async fn claim(&self, lead: ClaimLead, batch: &[Claim]) -> Result<Answers<Verdict>, LockError> {
        self.claim_batch(lead, batch).await
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Answers<Renewed>, LockError> {
        self.renew_batch(batch).await
    }

    async fn settle(&self, batch: &[Settlement]) -> Result<Answers<Settled>, LockError> {
        self.settle_batch(batch).await
    }

    async fn release(&self, batch: &[Release]) -> Result<Answers<Released>, LockError> {
        self.release_batch(batch).await
    }

    async fn consume(&self, batch: &[Consumption]) -> Result<Answers<Consumed>, LockError> {
        self.consume_batch(batch).await
    }

    async fn sweep(&self, query: &SweepQuery) -> Result<Answer<Sweep>, LockError> {
        self.sweep_page(query).await
    }

    async fn heartbeat(&self, report: &InstanceReport) -> Result<Answer<Signals>, LockError> {
        self.beat(report).await
    }

    async fn leave(
        &self,
        instance: &InstanceId,
        incarnation: Incarnation,
    ) -> Result<Answer<()>, LockError> {
        self.leave_for_good(instance, incarnation).await
    }

    async fn instances(&self) -> Result<Answer<Vec<InstanceRecord>>, LockError> {
        self.known_instances().await
    }

    async fn define(
        &self,
        instance: &InstanceId,
        batch: &[TaskDefinition],
    ) -> Result<Answer<Vec<Defined>>, LockError> {
        self.define_batch(instance, batch).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Answer<Vec<TaskState>>, LockError> {
        self.known_tasks(query).await
    }

    async fn change_pause(
        &self,
        tasks: &[sexton_core::name::TaskName],
        change: &PauseChange,
    ) -> Result<Answer<()>, LockError> {
        self.change_pauses(tasks, change).await
    }

    async fn enqueue(&self, batch: &[Enqueue]) -> Result<Answer<Vec<Enqueued>>, LockError> {
        self.enqueue_batch(batch).await
    }

    async fn request_cancel(
        &self,
        execution: &Execution,
    ) -> Result<Answer<CancelRequested>, LockError> {
        self.ask_to_cancel(execution).await
    }

    async fn history(
        &self,
        query: &HistoryQuery,
    ) -> Result<Answer<Vec<ExecutionRecord>>, LockError> {
        self.history_page(query).await
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Answer<usize>, LockError> {
        self.forget_what_retention_does_not_keep(retention, limit)
            .await
    }
}
