//! The lock manager's calls, each handed to the file that does it.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use sexton_core::lock::rules::LockState;
use sexton_core::lock::{
    Answer, Answers, CancelRequested, Capability, Claim, ClaimLead, Consumed, Consumption, Defined,
    Enqueue, Enqueued, Execution, ExecutionRecord, HistoryQuery, InstanceRecord, InstanceReport,
    LockError, LockManager, PauseChange, Release, Released, Renewal, Renewed, Retention, Settled,
    Settlement, Signals, Sweep, SweepQuery, TaskDefinition, TaskQuery, TaskState, Transactions,
    Verdict, check_batch_size,
};
use sexton_core::name::{Incarnation, InstanceId, Namespace, TaskName};

use super::ServerLockManager;
use super::call::{Now, Tell};
use super::decide::Kind;
use super::dialect::Dialect;
use super::fleet::{Heartbeat, Instances, Leave};
use super::history::History;
use super::tasks::{ChangePause, Define, Tasks};
use crate::wanted::Wanted;

#[async_trait]
impl<DB: Dialect> LockManager for ServerLockManager<DB> {
    fn location(&self) -> String {
        self.inner.location.clone()
    }

    fn namespace(&self) -> &Namespace {
        &self.inner.namespace
    }

    fn supports(&self, capability: Capability) -> bool {
        matches!(
            capability,
            Capability::Leases
                | Capability::History
                | Capability::Operations
                | Capability::Transactions
        )
    }

    fn transactions(&self) -> Option<Arc<dyn Transactions>> {
        Some(Arc::new(self.clone()))
    }

    fn changes(&self) -> Option<BoxStream<'static, ()>> {
        self.inner.listens.then(|| DB::changes(self)).flatten()
    }

    async fn now(&self) -> Result<Timestamp, LockError> {
        self.call("read the clock", &mut Now).await
    }

    async fn claim(&self, lead: ClaimLead, batch: &[Claim]) -> Result<Answers<Verdict>, LockError> {
        check_batch_size(batch.len())?;
        let rule = |state: &mut LockState, claim: &Claim, now| state.claim(claim, lead, now);
        let kind = Kind {
            action: "claim",
            wanted: Wanted::by_claims,
            execution: |claim| &claim.execution,
        };
        Ok(self.decide(kind, batch, rule).await?.each())
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Answers<Renewed>, LockError> {
        check_batch_size(batch.len())?;
        let kind = Kind {
            action: "renew",
            wanted: Wanted::by_renewals,
            execution: |renewal| &renewal.lock.execution,
        };
        Ok(self.decide(kind, batch, LockState::renew).await?.each())
    }

    async fn settle(&self, batch: &[Settlement]) -> Result<Answers<Settled>, LockError> {
        check_batch_size(batch.len())?;
        let kind = Kind {
            action: "settle",
            wanted: Wanted::by_settlements,
            execution: |settlement| &settlement.lock.execution,
        };
        Ok(self.decide(kind, batch, LockState::settle).await?.each())
    }

    async fn release(&self, batch: &[Release]) -> Result<Answers<Released>, LockError> {
        check_batch_size(batch.len())?;
        let kind = Kind {
            action: "release",
            wanted: Wanted::by_releases,
            execution: |release| &release.lock.execution,
        };
        let released = self.decide(kind, batch, LockState::release).await?;
        self.tell_others().await;
        Ok(released.each())
    }

    async fn consume(&self, batch: &[Consumption]) -> Result<Answers<Consumed>, LockError> {
        check_batch_size(batch.len())?;
        let kind = Kind {
            action: "consume",
            wanted: Wanted::by_consumptions,
            execution: |consumption| &consumption.execution,
        };
        Ok(self.decide(kind, batch, LockState::consume).await?.each())
    }

    async fn sweep(&self, query: &SweepQuery) -> Result<Answer<Sweep>, LockError> {
        self.sweep_open(query).await
    }

    async fn heartbeat(&self, report: &InstanceReport) -> Result<Answer<Signals>, LockError> {
        self.call("report", &mut Heartbeat(report)).await
    }

    async fn leave(
        &self,
        instance: &InstanceId,
        incarnation: Incarnation,
    ) -> Result<Answer<()>, LockError> {
        self.call("leave", &mut Leave(instance, incarnation)).await
    }

    async fn instances(&self) -> Result<Answer<Vec<InstanceRecord>>, LockError> {
        self.call("list instances", &mut Instances).await
    }

    async fn define(
        &self,
        instance: &InstanceId,
        batch: &[TaskDefinition],
    ) -> Result<Answer<Vec<Defined>>, LockError> {
        check_batch_size(batch.len())?;
        let mut errand = Define::new::<DB>(instance, batch);
        let defined = self.call("define tasks", &mut errand).await?;
        if defined
            .value
            .iter()
            .any(|defined| *defined != Defined::Same)
        {
            self.tell_others().await;
        }
        Ok(defined)
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Answer<Vec<TaskState>>, LockError> {
        if let TaskQuery::Named(names) = query {
            check_batch_size(names.len())?;
        }
        self.call("list tasks", &mut Tasks(query)).await
    }

    async fn change_pause(
        &self,
        tasks: &[TaskName],
        change: &PauseChange,
    ) -> Result<Answer<()>, LockError> {
        check_batch_size(tasks.len())?;
        let mut errand = ChangePause {
            tasks: tasks.iter().collect::<BTreeSet<_>>(),
            change,
        };
        let changed = self.call("pause or resume", &mut errand).await?;
        self.tell_others().await;
        Ok(changed)
    }

    async fn enqueue(&self, batch: &[Enqueue]) -> Result<Answer<Vec<Enqueued>>, LockError> {
        check_batch_size(batch.len())?;
        let enqueued = self.enqueue_once(batch).await?;
        self.tell_others().await;
        Ok(enqueued)
    }

    async fn request_cancel(
        &self,
        execution: &Execution,
    ) -> Result<Answer<CancelRequested>, LockError> {
        let kind = Kind {
            action: "ask for a cancel",
            wanted: |batch| batch.first().map(Wanted::by_execution).unwrap_or_default(),
            execution: |execution| execution,
        };
        let batch = std::slice::from_ref(execution);
        let Answer { now, value } = self.decide(kind, batch, LockState::request_cancel).await?;
        let answered = value.into_iter().next();
        let value = answered.unwrap_or(CancelRequested::NotRunning);
        if value != CancelRequested::NotRunning {
            self.tell_others().await;
        }
        Ok(Answer { now, value })
    }

    async fn history(
        &self,
        query: &HistoryQuery,
    ) -> Result<Answer<Vec<ExecutionRecord>>, LockError> {
        self.call("read the history", &mut History::new(query))
            .await
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Answer<usize>, LockError> {
        self.prune_history(retention, limit).await
    }
}

impl<DB: Dialect> ServerLockManager<DB> {
    async fn tell_others(&self) {
        if DB::TELLS {
            // Whoever is not told finds it with the next heartbeat.
            let _ = self.call("tell others", &mut Tell).await;
        }
    }
}
