//! Claims, executions and a clock around one noon, with short names.

use sexton_core::clock::ManualClock;
use sexton_core::lock::{Claim, Execution, Grant, Verdict};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Tick};

/// The noon that ticks and clocks count from, in milliseconds since the epoch.
pub const NOON_MS: i64 = 1_706_616_000_000;

/// The name of a task.
pub fn task(name: &str) -> TaskName {
    TaskName::new(name).unwrap()
}

/// The id of an instance.
pub fn instance(name: &str) -> InstanceId {
    InstanceId::new(name).unwrap()
}

/// The execution of index 1 of a task's tick, this many milliseconds after noon.
pub fn execution(name: &str, after_noon_ms: i64) -> Execution {
    Execution {
        task: task(name),
        index: ConcurrencyIndex::ONE,
        tick: Tick::from_millis(NOON_MS + after_noon_ms).unwrap(),
    }
}

/// A claim of that execution under the default policies.
pub fn claim(name: &str, after_noon_ms: i64, by: &str) -> Claim {
    Claim::new(
        execution(name, after_noon_ms),
        Concurrency::ONE,
        instance(by),
    )
}

/// The grant of a verdict.
///
/// # Panics
/// The verdict is a denial.
pub fn grant(verdict: &Verdict) -> &Grant {
    match verdict {
        Verdict::Granted(grant) => grant,
        Verdict::Denied(denial) => panic!("denied: {denial}"),
    }
}

/// A clock that stands at noon.
pub fn noon() -> ManualClock {
    ManualClock::at(Tick::from_millis(NOON_MS).unwrap().timestamp())
}
