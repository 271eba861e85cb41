//! What a definition finds of those before it.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::lock::{Defined, TaskDefinition};
use crate::name::{InstanceId, TaskName};

/// A definition as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defining {
    /// How the task is defined.
    pub definition: TaskDefinition,
    /// Who defined it so.
    pub by: InstanceId,
    /// As [`TaskState::known_since`](crate::lock::TaskState::known_since). `None` if it was written
    /// down before that was.
    pub known_since: Option<Timestamp>,
    /// As [`TaskState::schedule_since`](crate::lock::TaskState::schedule_since). `None` if it was
    /// written down before that was.
    pub schedule_since: Option<Timestamp>,
}

/// Definitions as the store has them.
pub type Definitions = HashMap<TaskName, Defining>;

/// Puts each of a batch in the place of what was there, one after the other, and says what that
/// was. `now` is the store's clock.
pub fn define(
    known: &mut Definitions,
    instance: &InstanceId,
    batch: &[TaskDefinition],
    now: Timestamp,
) -> Vec<Defined> {
    let one = |definition: &TaskDefinition| {
        let before = known.remove(&definition.task);
        let since = before.as_ref().and_then(|before| {
            // Indices that are new have no ticks before now.
            let is_raised = definition.concurrency > before.definition.concurrency;
            before.known_since.filter(|_| !is_raised)
        });
        let schedule_since = before.as_ref().and_then(|before| {
            let is_as_before = definition.canonical == before.definition.canonical;
            before.schedule_since.filter(|_| is_as_before)
        });
        let new = Defining {
            definition: definition.clone(),
            by: instance.clone(),
            known_since: Some(since.unwrap_or(now)),
            schedule_since: Some(schedule_since.unwrap_or(now)),
        };
        known.insert(definition.task.clone(), new);
        match before {
            None => Defined::New,
            Some(was) if was.definition == *definition => Defined::Same,
            Some(Defining { definition, by, .. }) => Defined::Differed {
                was: definition,
                by,
            },
        }
    };
    batch.iter().map(one).collect()
}
