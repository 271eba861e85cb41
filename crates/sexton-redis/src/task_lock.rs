//! The lock of one execution as one string.

use std::fmt;
use std::str::FromStr;

use sexton_core::lock::{Execution, TaskLock};
use sexton_core::name::{NameError, TaskName};
use sexton_core::tick::{ConcurrencyIndex, Fence, Tick};
use thiserror::Error;

/// What stands between the parts of a value.
const SEPARATOR: &str = "-***-";
/// What stands in a value for a [`SEPARATOR`] in a task's name.
const INSTEAD: &str = "_";

/// A task lock as the one string that is its key in Redis, for the Kotlin system and for
/// [`KtorLockManager`](crate::KtorLockManager): `NAME-***-INDEX-***-TICK`.
///
/// Value and execution are one to one for every name that
/// [`KtorLockManager`](crate::KtorLockManager) accepts. Other lock managers accept names that hold `-***-` as
/// well: in a value `_` stands for each, as the Kotlin system has it.
///
/// ```
/// use sexton_core::lock::TaskLock;
/// use sexton_redis::RedisTaskLock;
///
/// let lock: RedisTaskLock = "digest-***-2-***-2024-01-30T12:00:00.000Z".parse()?;
/// assert_eq!(lock.name().as_str(), "digest");
/// assert_eq!(lock.concurrency_index().get(), 2);
/// assert_eq!(lock.tick().as_millis(), 1_706_616_000_000);
/// # Ok::<(), sexton_redis::TaskLockError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RedisTaskLock {
    value: String,
    execution: Execution,
    fence: Fence,
}

/// A text that is the value of no [`RedisTaskLock`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{found:?} is no lock: expected NAME-***-INDEX-***-TICK, such as digest-***-1-***-2024-01-30T12:00:00.000Z"
)]
pub struct TaskLockError {
    found: String,
}

impl RedisTaskLock {
    pub(crate) fn new(execution: Execution, fence: Fence) -> RedisTaskLock {
        let Execution { task, index, tick } = &execution;
        let name = task.as_str().replace(SEPARATOR, INSTEAD);
        RedisTaskLock {
            value: format!("{name}{SEPARATOR}{index}{SEPARATOR}{tick}"),
            execution,
            fence,
        }
    }

    /// The key: unique to the execution.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// Refuses a name whose values would be those of another name.
pub(crate) fn check_name(task: &TaskName) -> Result<(), NameError> {
    if !task.as_str().contains(SEPARATOR) {
        return Ok(());
    }
    Err(NameError::Ambiguous {
        what: "task name",
        separator: SEPARATOR,
        name: task.to_string(),
        instead: task.as_str().replace(SEPARATOR, INSTEAD),
    })
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

    /// [`Fence::NONE`] for a lock that was read from its value.
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
        // One execution has one value: `007` and `12:00Z` are refused.
        read(text)
            .map(|execution| RedisTaskLock::new(execution, Fence::NONE))
            .filter(|lock| lock.value == text)
            .ok_or_else(|| TaskLockError {
                found: text.to_owned(),
            })
    }
}

/// Reads a value from its end, since a name may end in a part of the separator.
fn read(text: &str) -> Option<Execution> {
    let (rest, tick) = text.rsplit_once(SEPARATOR)?;
    let (name, index) = rest.rsplit_once(SEPARATOR)?;
    Some(Execution {
        task: TaskName::new(name).ok()?,
        index: ConcurrencyIndex::new(index.parse().ok()?).ok()?,
        tick: tick.parse().ok()?,
    })
}

impl<L: TaskLock + ?Sized> From<&L> for RedisTaskLock {
    fn from(lock: &L) -> RedisTaskLock {
        let execution = Execution {
            task: lock.name().clone(),
            index: lock.concurrency_index(),
            tick: lock.tick(),
        };
        RedisTaskLock::new(execution, lock.fence())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn execution(name: &str, index: u64, millis: i64) -> Execution {
        Execution {
            task: TaskName::new(name).unwrap(),
            index: ConcurrencyIndex::new(index).unwrap(),
            tick: Tick::from_millis(millis).unwrap(),
        }
    }

    fn value(execution: &Execution) -> String {
        RedisTaskLock::new(execution.clone(), Fence::NONE).value
    }

    #[test]
    fn values_are_the_keys_of_the_kotlin_system() {
        let key = |name| value(&execution(name, 2, 1_706_616_000_050));
        assert_eq!(key("digest"), "digest-***-2-***-2024-01-30T12:00:00.050Z");
        assert_eq!(key("a-***-b"), "a_b-***-2-***-2024-01-30T12:00:00.050Z");
    }

    #[test]
    fn a_text_that_is_no_value_is_refused() {
        for text in [
            "digest",
            "digest-***-1",
            "-***-1-***-2024-01-30T12:00:00.000Z",
            "digest-***-0-***-2024-01-30T12:00:00.000Z",
            "digest-***-01-***-2024-01-30T12:00:00.000Z",
            "digest-***-1-***-2024-01-30T12:00:00Z",
            "digest-***-1-***-2024-01-30T13:00:00.000+01:00",
            "a-***-b-***-1-***-2024-01-30T12:00:00.000Z",
        ] {
            let error = text.parse::<RedisTaskLock>().unwrap_err().to_string();
            assert!(error.contains("expected NAME-***-INDEX"), "{text}: {error}");
        }
    }

    #[test]
    fn a_name_whose_values_another_name_has_is_refused_with_that_name() {
        let name = TaskName::new("a-***-b").unwrap();
        let error = check_name(&name).unwrap_err();
        assert_eq!(
            error.to_string(),
            "task name holds \"-***-\", which separates the parts of its lock's key: \"a-***-b\"; \
             use \"a_b\", which has the same keys"
        );
        assert_eq!(check_name(&TaskName::new("a-***").unwrap()), Ok(()));
    }

    /// Executions whose names hold parts of the separator, digits, and what a tick looks like.
    fn executions() -> impl Strategy<Value = Execution> {
        let name = "(-|\\*{1,3}|_|1|-\\*\\*\\*|Z|a|2024-01-30T12:00:00\\.000Z){1,6}";
        let indices = prop_oneof![Just(1_u64), 1..=1000_u64];
        let ticks = prop_oneof![
            Just(0_i64),
            Tick::MIN.as_millis()..=Tick::MAX.as_millis(),
            -5..5_i64
        ];
        (name, indices, ticks)
            .prop_map(|(name, index, millis)| execution(&name, index, millis))
            .prop_filter("refused at the start", |execution| {
                check_name(&execution.task).is_ok()
            })
    }

    /// Few executions, so that two of them are often the same one.
    fn few() -> impl Strategy<Value = Execution> {
        let name = prop_oneof![Just("a"), Just("a-***"), Just("***-1"), Just("a-1")];
        (name, 1..=2_u64, 0..=1_i64)
            .prop_map(|(name, index, millis)| execution(name, index, millis))
    }

    proptest! {
        #[test]
        fn a_value_reads_back_as_its_execution(execution in executions()) {
            let lock: RedisTaskLock = value(&execution).parse().unwrap();
            prop_assert_eq!(lock.execution, execution);
        }

        #[test]
        fn executions_that_differ_have_values_that_differ(one in few(), other in few()) {
            prop_assert_eq!(value(&one) == value(&other), one == other);
        }
    }
}
