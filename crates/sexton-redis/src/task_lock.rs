//! The lock of one execution as one string.

use std::fmt;
use std::str::FromStr;

use sexton_core::lock::{Execution, HeldLock, TaskLock};
use sexton_core::name::TaskName;
use sexton_core::tick::{ConcurrencyIndex, Fence, Tick};
use thiserror::Error;

use crate::record_text;

/// What identifies an execution in Redis: one string, unique to it, that is the name of its record. Any task name
/// survives the way there and back.
///
/// ```
/// use sexton_core::lock::TaskLock;
/// use sexton_redis::RedisTaskLock;
///
/// let lock: RedisTaskLock = "mail: digest|daily\t0002\t001706616000000".parse()?;
/// assert_eq!(lock.name().as_str(), "mail: digest|daily");
/// assert_eq!(lock.concurrency_index().get(), 2);
/// assert_eq!(lock.tick().to_string(), "2024-01-30T12:00:00.000Z");
/// # Ok::<(), sexton_redis::TaskLockError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RedisTaskLock {
    value: String,
    execution: Execution,
    fence: Fence,
}

/// A text that identifies no execution.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{found:?} is no lock: it is a task's name, four digits of its index and 15 of its tick, with tabs between"
)]
pub struct TaskLockError {
    found: String,
}

impl RedisTaskLock {
    /// The lock of an execution under a fence.
    #[must_use]
    pub fn new(execution: Execution, fence: Fence) -> RedisTaskLock {
        RedisTaskLock {
            value: record_text::member(&execution),
            execution,
            fence,
        }
    }

    /// The string.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl TaskLock for RedisTaskLock {
    fn name(&self) -> &TaskName {
        &self.execution.task
    }

    fn concurrency_index(&self) -> ConcurrencyIndex {
        self.execution.index
    }

    fn tick(&self) -> Tick {
        self.execution.tick
    }

    /// [`Fence::NONE`] for a lock that was read from its string.
    fn fence(&self) -> Fence {
        self.fence
    }
}

impl fmt::Display for RedisTaskLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.value)
    }
}

impl FromStr for RedisTaskLock {
    type Err = TaskLockError;

    fn from_str(text: &str) -> Result<RedisTaskLock, TaskLockError> {
        let execution = record_text::execution(text).map_err(|_| TaskLockError {
            found: text.to_owned(),
        })?;
        let lock = RedisTaskLock::new(execution, Fence::NONE);
        // One execution has one string.
        if lock.value == text {
            Ok(lock)
        } else {
            Err(TaskLockError {
                found: text.to_owned(),
            })
        }
    }
}

impl From<&HeldLock> for RedisTaskLock {
    fn from(lock: &HeldLock) -> RedisTaskLock {
        RedisTaskLock::new(lock.execution.clone(), lock.fence)
    }
}
