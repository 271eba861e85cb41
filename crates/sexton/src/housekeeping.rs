//! What Sexton does for itself: telling the store how tasks are defined, and pruning the history.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{
    BATCH_MAX, Capability, Defined, LockError, LockManager, Retention, TaskDefinition,
};
use sexton_core::name::{ManagerName, TaskName};

use crate::backoff::backoff;
use crate::context::Context;
use crate::event::Event;
use crate::handler::Completion;
use crate::store_client::StoreClient;
use crate::task::{CheckedTask, Task};

/// How often the history is pruned.
const PRUNE_EVERY: Duration = Duration::from_secs(10 * 60);

/// Records dropped by one call, so that none holds the store up for long.
const PRUNE_BATCH: usize = 5_000;

/// Tells the store how this instance defines its tasks, until it knows of all.
pub(crate) async fn announce(
    client: Arc<StoreClient>,
    context: Arc<Context>,
    tasks: Vec<Arc<CheckedTask>>,
) {
    for batch in tasks.chunks(BATCH_MAX) {
        let mut failures = 0;
        while announce_batch(&client, &context, batch).await.is_err() {
            let retry_at = client.clock.monotonic() + backoff(failures);
            failures = failures.saturating_add(1);
            client.clock.sleep_until(retry_at).await;
        }
    }
}

/// Tells the store how this instance defines up to [`BATCH_MAX`] tasks, and of those that another
/// defines differently.
pub(crate) async fn announce_batch(
    client: &StoreClient,
    context: &Context,
    tasks: &[Arc<CheckedTask>],
) -> Result<(), LockError> {
    let batch: Vec<TaskDefinition> = tasks.iter().map(|task| task.to_definition()).collect();
    let answers = client
        .call(client.manager.define(&context.instance, &batch))
        .await?;
    for (ours, answer) in batch.into_iter().zip(answers) {
        // What this instance defined before is what it replaces now.
        if let Defined::Differed { was, by } = answer
            && by != context.instance
        {
            context.events.emit(Event::DefinitionDiffers {
                task: ours.task,
                by,
                theirs: was.definition,
                ours: ours.definition,
            });
        }
    }
    Ok(())
}

/// The task that prunes a store's history, once over the fleet.
pub(crate) fn prune_task(
    manager: &Arc<dyn LockManager>,
    retention: Option<Retention>,
    name: &ManagerName,
) -> Option<CheckedTask> {
    let retention = retention.filter(|_| manager.supports(Capability::History))?;
    let manager = Arc::clone(manager);
    let prune = move || {
        let manager = Arc::clone(&manager);
        async move { prune(&*manager, &retention).await }
    };
    let task = Task::new(format!("{}prune", TaskName::OWN_PREFIX))
        .every(PRUNE_EVERY)
        .ok()?;
    task.manager(name.as_str()).run(prune).check().ok()
}

async fn prune(manager: &dyn LockManager, retention: &Retention) -> Result<Completion, LockError> {
    let mut pruned = 0;
    loop {
        let went = manager.prune(retention, PRUNE_BATCH).await?.value;
        pruned += went;
        if went < PRUNE_BATCH {
            return Ok(Completion::succeeded().with_output(format!("{pruned} records pruned")));
        }
    }
}
