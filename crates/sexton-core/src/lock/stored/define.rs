//! What a definition finds of those before it.

use std::collections::HashMap;

use crate::lock::{Defined, TaskDefinition};
use crate::name::{InstanceId, TaskName};

/// Definitions as the store has them, and who made them.
pub type Definitions = HashMap<TaskName, (TaskDefinition, InstanceId)>;

/// Puts each of a batch in the place of what was there, one after the other, and says what that was.
pub fn define(
    known: &mut Definitions,
    instance: &InstanceId,
    batch: &[TaskDefinition],
) -> Vec<Defined> {
    let one = |definition: &TaskDefinition| {
        let new = (definition.clone(), instance.clone());
        match known.insert(definition.task.clone(), new) {
            None => Defined::New,
            Some((was, _)) if was == *definition => Defined::Same,
            Some((was, by)) => Defined::Differed { was, by },
        }
    };
    batch.iter().map(one).collect()
}
