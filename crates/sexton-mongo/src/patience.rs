//! How long, and how often, a call is tried again.
//!
//! Who was overtaken looks again soon, after a wait of random length, so that replicas fall out of
//! step. Who found no primary waits longer: an election takes seconds.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

/// The longest limit of a call: three times as long, in milliseconds, fits an `i32`.
pub(crate) const LIMIT_MAX: Duration = Duration::from_secs(8 * 24 * 60 * 60);
/// The longest first wait; each one after it may be twice as long, up to [`WAIT_MAX`].
const WAIT_FIRST: Duration = Duration::from_millis(1);
/// The longest wait of who was overtaken.
const WAIT_MAX: Duration = Duration::from_millis(16);
/// The wait of who found the store out of order.
const OUTAGE_WAIT: Duration = Duration::from_millis(100);

/// The waits of one call. Cancel-safe: it holds nothing.
#[derive(Debug)]
pub(crate) struct Patience {
    deadline: Instant,
    wait_max: Duration,
}

impl Patience {
    /// Tries go on until the deadline.
    pub(crate) fn new(deadline: Instant) -> Patience {
        Patience {
            deadline,
            wait_max: WAIT_FIRST,
        }
    }

    /// Waits until others are likely to be through. `false`, at once, if that would be after the
    /// limit.
    pub(crate) async fn wait_for_others(&mut self) -> bool {
        let wait = self.wait_max.mul_f64(random_fraction());
        self.wait_max = (self.wait_max * 2).min(WAIT_MAX);
        self.wait(wait).await
    }

    /// Waits for a store that is out of order. `false`, at once, if that would be after the limit.
    pub(crate) async fn wait_for_the_store(&mut self) -> bool {
        self.wait(OUTAGE_WAIT).await
    }

    async fn wait(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        if until >= self.deadline {
            return false;
        }
        tokio::time::sleep_until(until).await;
        true
    }
}

/// A number in 0..1. The standard library's hash keys are random enough to keep replicas out of
/// step.
fn random_fraction() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 32;
    f64::from(u32::try_from(bits).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tries_end_before_the_limit_and_their_waits_stay_short() {
        let start = Instant::now();
        let limit = Duration::from_secs(1);
        let mut patience = Patience::new(start + limit);
        let mut waits = 0;
        while patience.wait_for_others().await {
            waits += 1;
        }
        assert!(start.elapsed() <= limit);
        assert!(waits > 50, "{waits} tries in a second");
        assert!(!patience.wait_for_the_store().await);
    }
}
