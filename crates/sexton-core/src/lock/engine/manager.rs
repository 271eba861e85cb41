//! A lock manager that has an engine.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;

use super::decide::BatchOp;
use super::fleet::{Heartbeat, Instances, Leave, Now};
use super::settle::settlements;
use super::{Connect, Engine, Fleet, Port, ReadSet};
use crate::lock::rules::LockState;
use crate::lock::{
    Answer, Answers, CancelRequested, Capability, Claim, ClaimLead, Consumed, Consumption, Defined,
    Enqueue, Enqueued, Execution, ExecutionRecord, HistoryQuery, InstanceRecord, InstanceReport,
    LockError, LockManager, PauseChange, Release, Released, Renewal, Renewed, Retention, Settled,
    Settlement, Signals, Sweep, SweepQuery, TaskDefinition, TaskQuery, TaskState, Transactions,
    Verdict, check_batch_size,
};
use crate::name::{Incarnation, InstanceId, Namespace, TaskName};

/// A store's lock manager: the engine over the store's port, and its transactions if it has any.
pub trait PortManager: fmt::Debug + Send + Sync + 'static {
    /// The store.
    type Port: Port;

    /// What answers the manager's calls.
    fn engine(&self) -> &Engine<Self::Port>;

    /// As [`LockManager::transactions`].
    fn transactions(&self) -> Option<Arc<dyn Transactions>> {
        None
    }
}

#[async_trait]
impl<M: PortManager> LockManager for M {
    fn location(&self) -> String {
        self.engine().port().location().to_owned()
    }

    fn namespace(&self) -> &Namespace {
        self.engine().port().namespace()
    }

    fn supports(&self, capability: Capability) -> bool {
        capability != Capability::Transactions || PortManager::transactions(self).is_some()
    }

    fn transactions(&self) -> Option<Arc<dyn Transactions>> {
        PortManager::transactions(self)
    }

    fn notifications(&self) -> Option<BoxStream<'static, ()>> {
        self.engine().port().notifications()
    }

    async fn now(&self) -> Result<Timestamp, LockError> {
        self.engine().call("read the clock", &mut Now).await
    }

    async fn claim(&self, lead: ClaimLead, batch: &[Claim]) -> Result<Answers<Verdict>, LockError> {
        check_batch_size(batch.len())?;
        let rule = |state: &mut LockState, claim: &Claim, now| state.claim(claim, lead, now);
        let op = BatchOp::new("claim", ReadSet::of_claims, |claim: &Claim| {
            &claim.execution
        });
        Ok(self.engine().decide(op, batch, rule).await?.each())
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Answers<Renewed>, LockError> {
        check_batch_size(batch.len())?;
        let op = BatchOp::new("renew", ReadSet::of_renewals, |renewal: &Renewal| {
            &renewal.lock.execution
        });
        // A renewal knows its lock again by its claim, and extends it from now: a lease of an earlier
        // try may be over.
        let op = op.for_holders().without_memory();
        let renewed = self.engine().decide(op, batch, LockState::renew);
        Ok(renewed.await?.each())
    }

    async fn settle(&self, batch: &[Settlement]) -> Result<Answers<Settled>, LockError> {
        check_batch_size(batch.len())?;
        let settled = self
            .engine()
            .decide(settlements(), batch, LockState::settle);
        Ok(settled.await?.each())
    }

    async fn release(&self, batch: &[Release]) -> Result<Answers<Released>, LockError> {
        check_batch_size(batch.len())?;
        let op = BatchOp::new("release", ReadSet::of_releases, |release: &Release| {
            &release.lock.execution
        });
        let released = self
            .engine()
            .decide(op.for_holders(), batch, LockState::release)
            .await?;
        self.engine().notify_others().await;
        Ok(released.each())
    }

    async fn consume(&self, batch: &[Consumption]) -> Result<Answers<Consumed>, LockError> {
        check_batch_size(batch.len())?;
        let op = BatchOp::new("consume", ReadSet::of_consumptions, |one: &Consumption| {
            &one.execution
        });
        let consumed = self.engine().decide(op, batch, LockState::consume).await?;
        Ok(consumed.each())
    }

    async fn sweep(&self, query: &SweepQuery) -> Result<Answer<Sweep>, LockError> {
        self.engine().sweep(query).await
    }

    async fn heartbeat(&self, report: &InstanceReport) -> Result<Answer<Signals>, LockError> {
        self.engine().call("report", &mut Heartbeat(report)).await
    }

    async fn leave(
        &self,
        instance: &InstanceId,
        incarnation: Incarnation,
    ) -> Result<Answer<()>, LockError> {
        let mut leave = Leave(instance, incarnation);
        self.engine().call("leave", &mut leave).await
    }

    async fn instances(&self) -> Result<Answer<Vec<InstanceRecord>>, LockError> {
        self.engine().call("list instances", &mut Instances).await
    }

    async fn define(
        &self,
        instance: &InstanceId,
        batch: &[TaskDefinition],
    ) -> Result<Answer<Vec<Defined>>, LockError> {
        check_batch_size(batch.len())?;
        self.engine().define(instance, batch).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Answer<Vec<TaskState>>, LockError> {
        if let TaskQuery::Named(names) = query {
            check_batch_size(names.len())?;
        }
        self.engine().tasks(query).await
    }

    async fn change_pause(
        &self,
        tasks: &[TaskName],
        change: &PauseChange,
    ) -> Result<Answer<()>, LockError> {
        check_batch_size(tasks.len())?;
        self.engine().change_pause(tasks, change).await
    }

    async fn enqueue(&self, batch: &[Enqueue]) -> Result<Answer<Vec<Enqueued>>, LockError> {
        check_batch_size(batch.len())?;
        let enqueued = self.engine().enqueue(batch).await?;
        self.engine().notify_others().await;
        Ok(enqueued)
    }

    async fn request_cancel(
        &self,
        execution: &Execution,
    ) -> Result<Answer<CancelRequested>, LockError> {
        let op = BatchOp::new("ask for a cancel", ReadSet::of_cancels, |one| one);
        let batch = std::slice::from_ref(execution);
        let asked = self
            .engine()
            .decide(op, batch, LockState::request_cancel)
            .await?;
        let answered = asked.value.into_iter().next();
        let value = answered.unwrap_or(CancelRequested::NotRunning);
        if value != CancelRequested::NotRunning {
            self.engine().notify_others().await;
        }
        Ok(Answer {
            now: asked.now,
            value,
        })
    }

    async fn history(
        &self,
        query: &HistoryQuery,
    ) -> Result<Answer<Vec<ExecutionRecord>>, LockError> {
        self.engine().history(query).await
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Answer<usize>, LockError> {
        self.engine().prune(retention, limit).await
    }
}
