//! How the only execution of a task ended, on a store whose clock is a real one.

use std::time::Duration;

use sexton::lock::{ExecutionRecord, HistoryQuery, LockManager};
use sexton::{ReadyTask, Scheduler};

/// Runs a task until its only execution is over, and answers the record.
pub(crate) async fn record_of(
    manager: impl LockManager + Clone,
    task: ReadyTask,
) -> ExecutionRecord {
    record_seen_by(&manager.clone(), manager, task).await
}

/// The same, seen by another manager than the one that runs it.
pub(crate) async fn record_seen_by(
    observer: &impl LockManager,
    manager: impl LockManager,
    task: ReadyTask,
) -> ExecutionRecord {
    let scheduler = Scheduler::builder()
        .manager(manager)
        // Every ten minutes there would be the record of another task: that of the pruning.
        .retention(None)
        .cancel_grace(Duration::from_millis(100))
        .heartbeat(Duration::from_millis(200))
        .task(task);
    let scheduler = scheduler.start().await.unwrap();
    let over = async {
        loop {
            let history = observer.history(&HistoryQuery::default()).await.unwrap();
            let mut records = history.value.into_iter();
            match records.find(|record| record.state.is_over()) {
                Some(record) => return record,
                // The store tells nobody.
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let over = tokio::time::timeout(Duration::from_secs(60), over).await;
    scheduler.shutdown(Duration::from_secs(5)).await;
    over.unwrap()
}
