//! From which tick on a starting scheduler has to see to its tasks.

use std::collections::HashMap;

use sexton_core::lock::{BATCH_MAX, Capability, LockError, TaskQuery, TaskState};
use sexton_core::name::TaskName;
use sexton_core::tick::Tick;

use crate::driver::tick_at;
use crate::link::Link;
use crate::policy::Missed;
use crate::task::CheckedTask;

/// With more tasks than this, only those that catch up are asked about in the store when the scheduler starts.
const ASKED_TASKS_MAX: usize = 10_000;

/// Up to which tick each task is accounted for in the store, so that what was missed since is not overlooked.
pub(super) async fn accounted_until(
    link: &Link,
    tasks: &[CheckedTask],
) -> Result<HashMap<TaskName, Tick>, LockError> {
    let mut accounted = HashMap::new();
    if !link.manager.supports(Capability::Operations) {
        return Ok(accounted);
    }
    let ask_all = tasks.len() <= ASKED_TASKS_MAX;
    let asked: Vec<&CheckedTask> = tasks
        .iter()
        .filter(|task| ask_all || task.policies.missed != Missed::Skip)
        .collect();
    let now = tick_at(link.now_us());
    for tasks in asked.chunks(BATCH_MAX) {
        let names = tasks.iter().map(|task| task.name.clone()).collect();
        let query = TaskQuery::Named(names);
        let states = link.call(link.manager.tasks(&query)).await?;
        for (task, state) in tasks.iter().zip(states) {
            if let Some(tick) = accounted_for(task, &state, now) {
                accounted.insert(state.task, tick);
            }
        }
    }
    Ok(accounted)
}

/// Up to which tick all indices of a task are accounted for; `None` if nothing is known of any.
fn accounted_for(task: &CheckedTask, state: &TaskState, now: Tick) -> Option<Tick> {
    let watermark = |index| {
        let mut registers = state.registers.iter();
        let (_, register) = registers.find(|(known, _)| *known == index)?;
        Some(register.watermark)
    };
    let watermarks: Vec<Option<Tick>> = task.concurrency.indices().map(watermark).collect();
    if watermarks.iter().all(Option::is_none) {
        return None;
    }
    // The index that is furthest behind: the others answer "taken". One that nothing is known of begins now, though the
    // others may be claimed ahead.
    watermarks.into_iter().map(|tick| tick.unwrap_or(now)).min()
}
