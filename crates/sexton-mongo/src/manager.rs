//! The lock manager's calls, each handed to the file that does it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use sexton_core::lock::rules::LockState;
use sexton_core::lock::{
    Answer, Answers, CancelRequested, Capability, Claim, ClaimLead, Consumed, Consumption, Defined,
    Enqueue, Enqueued, Execution, ExecutionRecord, HistoryQuery, InstanceRecord, InstanceReport,
    LockError, LockManager, PauseChange, Release, Released, Renewal, Renewed, Retention, Settled,
    Settlement, Signals, Sweep, SweepQuery, TaskDefinition, TaskQuery, TaskState, Verdict,
    check_batch_size,
};
use sexton_core::name::{Incarnation, InstanceId, Namespace, TaskName};

use crate::MongoLockManager;
use crate::call::Now;
use crate::decide::Kind;
use crate::fleet::{Heartbeat, Instances, Leave};
use crate::history::History;
use crate::register::record_bytes;
use crate::tasks::{ChangePause, Define, Tasks};
use crate::wanted::Wanted;

#[async_trait]
impl LockManager for MongoLockManager {
    fn location(&self) -> String {
        self.inner.location.clone()
    }

    fn namespace(&self) -> &Namespace {
        &self.inner.namespace
    }

    fn supports(&self, capability: Capability) -> bool {
        matches!(
            capability,
            Capability::Leases | Capability::History | Capability::Operations
        )
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
            bytes: |_| 0,
            is_for_holders: false,
        };
        Ok(self.decide(kind, batch, rule).await?.each())
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Answers<Renewed>, LockError> {
        check_batch_size(batch.len())?;
        let kind = Kind {
            action: "renew",
            wanted: Wanted::by_renewals,
            execution: |renewal| &renewal.lock.execution,
            bytes: |_| 0,
            is_for_holders: true,
        };
        Ok(self.decide(kind, batch, LockState::renew).await?.each())
    }

    async fn settle(&self, batch: &[Settlement]) -> Result<Answers<Settled>, LockError> {
        check_batch_size(batch.len())?;
        let kind = Kind {
            action: "settle",
            wanted: Wanted::by_settlements,
            execution: |settlement| &settlement.lock.execution,
            bytes: |settlement| record_bytes(settlement.error(), settlement.output()),
            is_for_holders: true,
        };
        Ok(self.decide(kind, batch, LockState::settle).await?.each())
    }

    async fn release(&self, batch: &[Release]) -> Result<Answers<Released>, LockError> {
        check_batch_size(batch.len())?;
        let kind = Kind {
            action: "release",
            wanted: Wanted::by_releases,
            execution: |release| &release.lock.execution,
            bytes: |_| 0,
            is_for_holders: true,
        };
        Ok(self.decide(kind, batch, LockState::release).await?.each())
    }

    async fn consume(&self, batch: &[Consumption]) -> Result<Answers<Consumed>, LockError> {
        check_batch_size(batch.len())?;
        let kind = Kind {
            action: "consume",
            wanted: Wanted::by_consumptions,
            execution: |consumption| &consumption.execution,
            bytes: |_| 0,
            is_for_holders: false,
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
        let mut errand = Define::new(instance, batch);
        let now = self.call("define tasks", &mut errand).await?;
        let value = errand.into_answers();
        Ok(Answer { now, value })
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
        self.call("pause or resume", &mut errand).await
    }

    async fn enqueue(&self, batch: &[Enqueue]) -> Result<Answer<Vec<Enqueued>>, LockError> {
        check_batch_size(batch.len())?;
        let kind = Kind {
            action: "enqueue",
            wanted: Wanted::by_enqueues,
            execution: |enqueue| &enqueue.execution,
            bytes: |_| 0,
            is_for_holders: false,
        };
        self.decide(kind, batch, LockState::enqueue).await
    }

    async fn request_cancel(
        &self,
        execution: &Execution,
    ) -> Result<Answer<CancelRequested>, LockError> {
        let kind = Kind {
            action: "ask for a cancel",
            wanted: Wanted::by_cancels,
            execution: |execution| execution,
            bytes: |_| 0,
            is_for_holders: false,
        };
        let batch = std::slice::from_ref(execution);
        let Answer { now, value } = self.decide(kind, batch, LockState::request_cancel).await?;
        let answered = value.into_iter().next();
        let value = answered.unwrap_or(CancelRequested::NotRunning);
        Ok(Answer { now, value })
    }

    async fn history(
        &self,
        query: &HistoryQuery,
    ) -> Result<Answer<Vec<ExecutionRecord>>, LockError> {
        self.call("read the history", &mut History(query)).await
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Answer<usize>, LockError> {
        self.prune_history(retention, limit).await
    }
}
