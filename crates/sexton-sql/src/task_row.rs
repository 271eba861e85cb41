//! What instances and operators have said of a task, as its row has it.

use std::collections::HashMap;

use jiff::Timestamp;
use sexton_core::lock::{LockKey, Pause, Register, TaskDefinition, TaskState};
use sexton_core::name::TaskName;

/// What is known of a task beyond its registers.
#[derive(Debug, Clone, Default)]
pub(crate) struct TaskRow {
    pub(crate) definition: Option<TaskDefinition>,
    /// As [`TaskState::known_since`].
    pub(crate) known_since: Option<Timestamp>,
    /// As [`TaskState::schedule_since`].
    pub(crate) schedule_since: Option<Timestamp>,
    pub(crate) pause: Option<Pause>,
}

/// The states of tasks, in the order of their names, from their rows and from registers in the order
/// of their indices.
pub(crate) fn task_states(
    names: Vec<TaskName>,
    rows: &HashMap<TaskName, TaskRow>,
    registers: impl IntoIterator<Item = (LockKey, Register)>,
) -> Vec<TaskState> {
    let mut by_task: HashMap<TaskName, Vec<_>> = HashMap::new();
    for (LockKey { task, index }, register) in registers {
        by_task.entry(task).or_default().push((index, register));
    }
    let state = |task: TaskName| {
        let row = rows.get(&task).cloned().unwrap_or_default();
        TaskState {
            definition: row.definition,
            known_since: row.known_since,
            schedule_since: row.schedule_since,
            pause: row.pause,
            registers: by_task.get(&task).cloned().unwrap_or_default(),
            task,
        }
    };
    names.into_iter().map(state).collect()
}
