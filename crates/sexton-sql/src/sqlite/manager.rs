//! The lock manager's calls, each handed to the file that does it.

use std::collections::BTreeSet;

use std::sync::Arc;

use async_trait::async_trait;
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

use super::SqliteLockManager;
use super::call::Access;
use super::fleet::{Heartbeat, Instances, Leave};
use super::history::History;
use super::tasks::{ChangePause, Define, Tasks};
use sexton_core::lock::engine::ReadSet;

/// The same rule for each of a batch, in order.
fn each<E: Sync, T>(
    batch: &[E],
    rule: impl Fn(&mut LockState, &E, Timestamp) -> T + Send + Sync,
) -> impl Fn(&mut LockState, Timestamp) -> Vec<T> + Send + Sync {
    move |state, now| batch.iter().map(|entry| rule(state, entry, now)).collect()
}

#[async_trait]
impl LockManager for SqliteLockManager {
    fn location(&self) -> String {
        self.inner.location.clone()
    }

    fn namespace(&self) -> &Namespace {
        &self.inner.namespace
    }

    fn supports(&self, capability: Capability) -> bool {
        match capability {
            Capability::Leases | Capability::History | Capability::Operations => true,
            Capability::Transactions => self.is_shared_with_an_application(),
            _ => false,
        }
    }

    /// A file of Sexton's own has no tables that a handler could write to.
    fn transactions(&self) -> Option<Arc<dyn Transactions>> {
        self.is_shared_with_an_application()
            .then(|| Arc::new(self.clone()) as Arc<dyn Transactions>)
    }

    async fn now(&self) -> Result<Timestamp, LockError> {
        Ok(self.clock_now())
    }

    async fn claim(&self, lead: ClaimLead, batch: &[Claim]) -> Result<Answers<Verdict>, LockError> {
        check_batch_size(batch.len())?;
        let rule = each(batch, |state, claim, now| state.claim(claim, lead, now));
        Ok(self
            .decide("claim", ReadSet::of_claims(batch), rule)
            .await?
            .each())
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Answers<Renewed>, LockError> {
        check_batch_size(batch.len())?;
        Ok(self.renew_beside_handlers(batch).await?.each())
    }

    async fn settle(&self, batch: &[Settlement]) -> Result<Answers<Settled>, LockError> {
        check_batch_size(batch.len())?;
        let rule = each(batch, LockState::settle);
        let read_set = ReadSet::of_settlements(batch);
        Ok(self.decide("settle", read_set, rule).await?.each())
    }

    async fn release(&self, batch: &[Release]) -> Result<Answers<Released>, LockError> {
        check_batch_size(batch.len())?;
        let rule = each(batch, LockState::release);
        let read_set = ReadSet::of_releases(batch);
        Ok(self.decide("release", read_set, rule).await?.each())
    }

    async fn consume(&self, batch: &[Consumption]) -> Result<Answers<Consumed>, LockError> {
        check_batch_size(batch.len())?;
        let rule = each(batch, LockState::consume);
        let read_set = ReadSet::of_consumptions(batch);
        Ok(self.decide("consume", read_set, rule).await?.each())
    }

    async fn sweep(&self, query: &SweepQuery) -> Result<Answer<Sweep>, LockError> {
        self.sweep_open(query).await
    }

    async fn heartbeat(&self, report: &InstanceReport) -> Result<Answer<Signals>, LockError> {
        self.call("report", Access::Write, &Heartbeat(report)).await
    }

    async fn leave(
        &self,
        instance: &InstanceId,
        incarnation: Incarnation,
    ) -> Result<Answer<()>, LockError> {
        self.call("leave", Access::Write, &Leave(instance, incarnation))
            .await
    }

    async fn instances(&self) -> Result<Answer<Vec<InstanceRecord>>, LockError> {
        self.call("list instances", Access::Read, &Instances).await
    }

    async fn define(
        &self,
        instance: &InstanceId,
        batch: &[TaskDefinition],
    ) -> Result<Answer<Vec<Defined>>, LockError> {
        check_batch_size(batch.len())?;
        let errand = Define { instance, batch };
        self.call("define tasks", Access::Write, &errand).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Answer<Vec<TaskState>>, LockError> {
        if let TaskQuery::Named(names) = query {
            check_batch_size(names.len())?;
        }
        self.call("list tasks", Access::Read, &Tasks(query)).await
    }

    async fn change_pause(
        &self,
        tasks: &[TaskName],
        change: &PauseChange,
    ) -> Result<Answer<()>, LockError> {
        check_batch_size(tasks.len())?;
        let errand = ChangePause {
            tasks: tasks.iter().collect::<BTreeSet<_>>(),
            change,
        };
        self.call("pause or resume", Access::Write, &errand).await
    }

    async fn enqueue(&self, batch: &[Enqueue]) -> Result<Answer<Vec<Enqueued>>, LockError> {
        check_batch_size(batch.len())?;
        let rule = each(batch, LockState::enqueue);
        let read_set = ReadSet::of_enqueues(batch);
        self.decide("enqueue", read_set, rule).await
    }

    async fn request_cancel(
        &self,
        execution: &Execution,
    ) -> Result<Answer<CancelRequested>, LockError> {
        let rule = |state: &mut LockState, now| state.request_cancel(execution, now);
        let read_set = ReadSet::of_cancels(std::slice::from_ref(execution));
        self.decide("ask for a cancel", read_set, rule).await
    }

    async fn history(
        &self,
        query: &HistoryQuery,
    ) -> Result<Answer<Vec<ExecutionRecord>>, LockError> {
        self.call("read the history", Access::Read, &History(query))
            .await
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Answer<usize>, LockError> {
        self.prune_history(retention, limit).await
    }
}
