//! What a broken manager sees of the store behind it.

use jiff::Timestamp;
use sexton_core::lock::{Execution, ExecutionRecord, ExecutionState, HistoryQuery, LockError};
use sexton_core::name::TaskName;

use super::Mutant;

impl Mutant {
    /// A task's records in this state, the earliest tick first.
    pub(super) async fn records(
        &self,
        task: &TaskName,
        state: ExecutionState,
    ) -> Result<Vec<ExecutionRecord>, LockError> {
        let query = HistoryQuery {
            task: Some(task.clone()),
            states: vec![state],
            limit: 1_000,
            ..HistoryQuery::default()
        };
        let mut records = self.inner.history(&query).await?.value;
        records.reverse();
        Ok(records)
    }

    pub(super) async fn record(
        &self,
        execution: &Execution,
    ) -> Result<Option<ExecutionRecord>, LockError> {
        let query = HistoryQuery {
            task: Some(execution.task.clone()),
            since: Some(execution.tick),
            until: execution.tick.succ(),
            limit: 1_000,
            ..HistoryQuery::default()
        };
        let records = self.inner.history(&query).await?.value;
        Ok(records
            .into_iter()
            .find(|record| record.execution == *execution))
    }
}

/// Whether two executions are of one (task, index).
pub(super) fn is_beside(one: &Execution, other: &Execution) -> bool {
    one.task == other.task && one.index == other.index
}

pub(super) fn has_passed(record: &ExecutionRecord, now: Timestamp) -> bool {
    record.deadline.is_some_and(|deadline| deadline <= now)
}
