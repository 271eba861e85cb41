//! From which tick on a starting scheduler has to see to its tasks.

use std::collections::HashMap;

use sexton_core::lock::{Answer, BATCH_MAX, Capability, LockError, TaskQuery, TaskState};
use sexton_core::name::TaskName;
use sexton_core::tick::{ConcurrencyIndex, Tick};

use crate::policy::Missed;
use crate::store_client::StoreClient;
use crate::task::CheckedTask;

/// With more tasks than this, only those that catch up are asked about in the store when the
/// scheduler starts.
const ASKED_TASKS_MAX: usize = 10_000;

/// Up to which tick each task is accounted for in the store, so that what was missed since is not
/// overlooked.
pub(super) async fn accounted_until(
    client: &StoreClient,
    tasks: &[&CheckedTask],
) -> Result<HashMap<TaskName, Tick>, LockError> {
    let mut accounted = HashMap::new();
    if !client.manager.supports(Capability::Operations) {
        return Ok(accounted);
    }
    let ask_all = tasks.len() <= ASKED_TASKS_MAX;
    let asked: Vec<&CheckedTask> = tasks
        .iter()
        .copied()
        .filter(|task| ask_all || task.policies.missed != Missed::Skip)
        .collect();
    for tasks in asked.chunks(BATCH_MAX) {
        let names = tasks.iter().map(|task| task.name.clone()).collect();
        let query = TaskQuery::Named(names);
        let asked = async {
            let Answer { now, value } = client.manager.tasks(&query).await?;
            let value = (now, value);
            Ok(Answer { now, value })
        };
        let (now, states) = client.call(asked).await?;
        for (task, state) in tasks.iter().zip(states) {
            let tick = accounted_for(task, &state, Tick::at_or_before(now));
            accounted.insert(state.task, tick);
        }
    }
    Ok(accounted)
}

/// Up to which tick all indices of a task are accounted for, at the store's `now`: the one that is
/// furthest behind, since the others answer "taken". An index that was never claimed is accounted
/// for since it is known: the instance that made it known may have gone before its first tick. No
/// tick counts that lies before the task had its schedule.
fn accounted_for(task: &CheckedTask, state: &TaskState, now: Tick) -> Tick {
    let Some(known) = &state.definition else {
        return now;
    };
    if known.canonical != task.schedule.canonical() {
        // The schedule is new, and counts from when the store hears of it.
        return now;
    }
    let accounted = |index: ConcurrencyIndex| {
        let mut registers = state.registers.iter();
        let register = registers.find(|(known, _)| *known == index);
        if let Some(watermark) = register.and_then(|(_, register)| register.watermark) {
            return watermark;
        }
        let is_known = index.get() <= known.concurrency.get();
        let since = state.known_since.filter(|_| is_known);
        since.map_or(now, |since| Tick::at_or_before(since).min(now))
    };
    let accounted = task.concurrency.indices().map(accounted).min();
    let schedule_since = state.schedule_since.map(Tick::at_or_before);
    accounted.max(schedule_since).unwrap_or(now)
}
