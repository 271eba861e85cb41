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

impl RedisLockManager {
    /// Connects with the default [`RedisOptions`] to a server that a URL names:
    /// see [`RedisOptions::connect`].
    ///
    /// # Errors
    /// [`ConnectError`]: a URL that is none, nobody there, a wrong password, a server that throws keys away.
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
