//! What a register is kept for.

use std::fmt;

use super::Execution;
use crate::name::TaskName;
use crate::tick::ConcurrencyIndex;

/// One (task, concurrency index): the thing whose ticks are claimed in order, and that has one
/// [`Register`](super::Register).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockKey {
    /// The task.
    pub task: TaskName,
    /// Which of each tick's executions.
    pub index: ConcurrencyIndex,
}

impl LockKey {
    /// The key of a (task, index).
    #[must_use]
    pub fn new(task: TaskName, index: ConcurrencyIndex) -> LockKey {
        LockKey { task, index }
    }
}

impl Execution {
    /// The (task, index) that the execution belongs to.
    #[must_use]
    pub fn key(&self) -> LockKey {
        LockKey::new(self.task.clone(), self.index)
    }
}

impl fmt::Display for LockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.task, self.index)
    }
}
