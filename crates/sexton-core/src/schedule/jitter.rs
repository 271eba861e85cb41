//! Delays that all replicas agree on.

use std::time::Duration;

use super::error::ScheduleError;
use super::stable_hash;
use crate::length::whole_millis;
use crate::name::{Namespace, TaskName};
use crate::tick::Tick;

/// Delays the start of each tick by up to so much, so that tasks of the same schedule do not all start at
/// once. The delay is a hash of namespace, task and tick: the same on every replica, of every build.
///
/// ```
/// use std::time::Duration;
/// use sexton_core::name::{Namespace, TaskName};
/// use sexton_core::schedule::Jitter;
///
/// let jitter = Jitter::up_to(Duration::from_secs(10))?;
/// let tick = "2026-01-01T00:00:00Z".parse()?;
/// let delay = jitter.delay(&Namespace::default(), &TaskName::new("digest")?, tick);
/// assert_eq!(delay, Duration::from_millis(6_344));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jitter {
    longest_ms: u32,
}

impl Jitter {
    /// The longest delay that can be asked for: 24 h.
    pub const LONGEST_MAX: Duration = Duration::from_secs(24 * 60 * 60);

    /// Delays of 0 to `longest`, both included, in whole milliseconds.
    ///
    /// # Errors
    /// [`ScheduleError::Value`] unless `longest` is 1 ms to 24 h in whole milliseconds.
    pub fn up_to(longest: Duration) -> Result<Jitter, ScheduleError> {
        whole_millis(longest)
            .filter(|millis| *millis > 0 && longest <= Jitter::LONGEST_MAX)
            .and_then(|millis| u32::try_from(millis).ok())
            .map(|longest_ms| Jitter { longest_ms })
            .ok_or_else(|| ScheduleError::Value {
                what: "jitter",
                found: format!("{longest:?}").into(),
                allowed: "1ms to 24h in whole milliseconds".into(),
            })
    }

    /// How long after the tick its runs start.
    #[must_use]
    pub fn delay(&self, namespace: &Namespace, task: &TaskName, tick: Tick) -> Duration {
        let task = stable_hash::of_task(namespace, task);
        let hash = stable_hash::mix(task ^ tick.as_millis().cast_unsigned());
        let choices = u64::from(self.longest_ms) + 1;
        Duration::from_millis(stable_hash::below(hash, choices))
    }
}
