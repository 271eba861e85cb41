//! The permission to run one execution.

use super::Execution;
use crate::name::{ClaimId, TaskName};
use crate::tick::{ConcurrencyIndex, Fence, Tick};

/// The permission to run one execution, whatever store it was had from.
pub trait TaskLock {
    /// The task.
    fn name(&self) -> &TaskName;
    /// Which of the tick's executions.
    fn concurrency_index(&self) -> ConcurrencyIndex;
    /// The tick ("execution time" elsewhere).
    fn tick(&self) -> Tick;
    /// The grant's fence.
    fn fence(&self) -> Fence;
}

/// A task lock as its holder shows it to the store, to renew, settle or release it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HeldLock {
    /// What was granted.
    pub execution: Execution,
    /// The claim it was granted to.
    pub claim_id: ClaimId,
    /// The fence of the grant.
    pub fence: Fence,
}

impl TaskLock for HeldLock {
    fn name(&self) -> &TaskName {
        &self.execution.task
    }

    fn concurrency_index(&self) -> ConcurrencyIndex {
        self.execution.index
    }

    fn tick(&self) -> Tick {
        self.execution.tick
    }

    fn fence(&self) -> Fence {
        self.fence
    }
}
