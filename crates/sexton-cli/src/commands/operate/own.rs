//! Sexton's own tasks.

use sexton::name::TaskName;

/// What the names of Sexton's own tasks begin with.
const OWN_PREFIX: &str = "sexton:";

/// Whether a task is one of Sexton's own, which are shown only where they are asked for.
pub(super) fn is_own(task: &TaskName) -> bool {
    task.as_str().starts_with(OWN_PREFIX)
}
