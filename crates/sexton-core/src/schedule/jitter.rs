//! Delays that all replicas agree on.

use std::time::Duration;

use super::error::ScheduleError;
use super::length::whole_millis;
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
        let hash = stable_hash(namespace.as_str(), task.as_str(), tick.as_millis());
        // The high half of the product: evenly spread over 0..=longest, without a division.
        let choices = u128::from(self.longest_ms) + 1;
        let delay_ms = (u128::from(hash) * choices) >> 64;
        Duration::from_millis(u64::try_from(delay_ms).unwrap_or(0))
    }
}

/// FNV-1a over the names, each behind its length, then the finisher of SplitMix64 over that and the
/// tick, since FNV alone hardly stirs its high bits. Written out here so that no library's new version
/// can change it; its values are pinned by tests.
fn stable_hash(namespace: &str, task: &str, tick_ms: i64) -> u64 {
    const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut names = FNV_OFFSET;
    for name in [namespace, task] {
        let length = (name.len() as u64).to_le_bytes();
        for byte in length.iter().chain(name.as_bytes()) {
            names = (names ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
        }
    }
    mix(mix(names) ^ tick_ms.cast_unsigned())
}

pub(super) fn mix(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
