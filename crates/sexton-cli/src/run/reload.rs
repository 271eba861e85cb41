//! The file read again while its tasks run: what changed is changed, the rest goes on.

use std::collections::BTreeMap;

use sexton::SchedulerHandle;
use sexton::name::TaskName;

use super::tasks::{Common, ready};
use crate::diagnostic::Rejected;
use crate::tasks::{Groups, StoreSpec, TaskFile, TaskSpec};

/// What stays as it was at the start, whatever the file says later.
#[derive(Debug)]
pub(super) struct OfStart {
    pub(super) store: StoreSpec,
    pub(super) groups: Groups,
}

/// What came of reading the file again.
#[derive(Debug, Default)]
pub(super) struct Reloaded {
    pub(super) added: Vec<String>,
    pub(super) replaced: Vec<String>,
    pub(super) removed: Vec<String>,
    /// What does not take effect, or not as it may be meant.
    pub(super) warnings: Vec<String>,
    /// What went wrong. The tasks concerned go on as they were.
    pub(super) errors: Vec<String>,
}

impl Reloaded {
    pub(super) fn rejected(rejected: &Rejected) -> Reloaded {
        Reloaded {
            errors: vec![rejected.to_string()],
            ..Reloaded::default()
        }
    }

    /// Adds the warnings of a file.
    pub(super) fn with_warnings_of(mut self, file: &TaskFile, of_start: &OfStart) -> Reloaded {
        self.warnings.extend(file.warnings.iter().cloned());
        if file.groups != of_start.groups {
            let warning = "warning: [groups] has changed, and the limits stay those of the start: \
                start the program again to have the others";
            self.warnings.push(warning.to_owned());
        }
        if file.store != of_start.store {
            let warning = "warning: [store] has changed, and the store stays that of the start: \
                start the program again to use the other";
            self.warnings.push(warning.to_owned());
        }
        self
    }
}

/// Brings the scheduler from the tasks it has to those that the file has now.
pub(super) async fn apply(
    handle: &SchedulerHandle,
    current: &mut Vec<TaskSpec>,
    wanted: Vec<TaskSpec>,
    common: &Common,
) -> Reloaded {
    if let Err(error) = common.requests.prepare(&wanted) {
        return Reloaded::rejected(&Rejected::whole(error));
    }
    let mut told = Reloaded::default();
    let mut old: BTreeMap<TaskName, TaskSpec> = std::mem::take(current)
        .into_iter()
        .map(|spec| (spec.name.clone(), spec))
        .collect();
    for spec in wanted {
        let name = spec.name.to_string();
        match old.remove(&spec.name) {
            Some(was) if was.is_same(&spec) => current.push(was),
            was => {
                let is_new = was.is_none();
                match handle.replace(ready(&spec, common)).await {
                    Ok(()) if is_new => told.added.push(name),
                    Ok(()) => told.replaced.push(name),
                    Err(error) => {
                        told.errors.push(error.to_string());
                        current.extend(was);
                        continue;
                    }
                }
                current.push(spec);
            }
        }
    }
    for (name, was) in old {
        match handle.remove(name.as_str()).await {
            // A task whose labels are not here was never the scheduler's.
            Ok(()) | Err(sexton::HandleError::NoSuchTask { .. }) => {
                told.removed.push(name.to_string());
            }
            Err(error) => {
                told.errors.push(error.to_string());
                current.push(was);
            }
        }
    }
    told
}
