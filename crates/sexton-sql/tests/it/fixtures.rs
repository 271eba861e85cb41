//! Short names for what every test needs.

use sexton_core::clock::ManualClock;
use sexton_core::lock::{Claim, Execution, Grant, Verdict};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Tick};

/// Noon of the day on which all tests play.
pub(crate) const NOON_MS: i64 = 1_706_616_000_000;

pub(crate) fn task(name: &str) -> TaskName {
    TaskName::new(name).unwrap()
}

pub(crate) fn instance(name: &str) -> InstanceId {
    InstanceId::new(name).unwrap()
}

/// The first index of a task's tick, so many ms after noon.
pub(crate) fn execution(name: &str, after_noon_ms: i64) -> Execution {
    Execution {
        task: task(name),
        index: ConcurrencyIndex::ONE,
        tick: Tick::from_millis(NOON_MS + after_noon_ms).unwrap(),
    }
}

/// A claim under the default policies.
pub(crate) fn claim(name: &str, after_noon_ms: i64, by: &str) -> Claim {
    Claim::new(
        execution(name, after_noon_ms),
        Concurrency::ONE,
        instance(by),
    )
}

/// The grant of a verdict that must be one.
pub(crate) fn grant(verdict: &Verdict) -> &Grant {
    match verdict {
        Verdict::Granted(grant) => grant,
        Verdict::Denied(denial) => panic!("denied: {denial}"),
    }
}

/// A clock that stands at noon.
pub(crate) fn noon() -> ManualClock {
    ManualClock::at(Tick::from_millis(NOON_MS).unwrap().timestamp())
}
