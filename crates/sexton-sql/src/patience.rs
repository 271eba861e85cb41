//! How long, and how often, a busy database is asked again.
//!
//! A database that lets in one writer at a time is unfair to those who wait: whoever just left is
//! the first to be back. Waits of random length even that out. They stay short, because a
//! transaction here takes a millisecond or two, not seconds.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

/// The longest limit of a call: what servers take, in milliseconds, fits an `i32`.
pub(crate) const LIMIT_MAX: Duration = Duration::from_secs(24 * 24 * 60 * 60);
/// The longest first wait; each one after it may be twice as long, up to [`WAIT_MAX`].
const WAIT_FIRST: Duration = Duration::from_millis(1);
/// The longest wait between two tries.
const WAIT_MAX: Duration = Duration::from_millis(16);
/// From this try on a client probably stands still in the middle of a transaction, and asking often
/// only makes work.
const TRIES_MANY: u32 = 32;
const WAIT_AFTER_MANY_MAX: Duration = Duration::from_millis(64);

/// The waits of one call. Cancel-safe: it holds nothing.
#[derive(Debug)]
pub(crate) struct Patience {
    deadline: Instant,
    wait_max: Duration,
    tries: u32,
}

impl Patience {
    /// Tries go on until `limit` has passed.
    pub(crate) fn new(limit: Duration) -> Patience {
        Patience {
            deadline: Instant::now() + limit,
            wait_max: WAIT_FIRST,
            tries: 0,
        }
    }

    /// Waits for the next try. `false`, at once, if it would come after the limit.
    pub(crate) async fn wait(&mut self) -> bool {
        let wait = self.wait_max.mul_f64(random_fraction());
        self.tries = self.tries.saturating_add(1);
        let longest = match self.tries {
            0..TRIES_MANY => WAIT_MAX,
            _ => WAIT_AFTER_MANY_MAX,
        };
        self.wait_max = (self.wait_max * 2).min(longest);
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
        let mut patience = Patience::new(Duration::from_secs(1));
        let mut waits = 0_u32;
        loop {
            let before = Instant::now();
            if !patience.wait().await {
                break;
            }
            waits += 1;
            let longest = match waits {
                0..=TRIES_MANY => WAIT_MAX,
                _ => WAIT_AFTER_MANY_MAX,
            };
            // tokio's timer rounds up to the next millisecond.
            assert!(before.elapsed() <= longest + Duration::from_millis(1));
        }
        assert!(start.elapsed() <= Duration::from_secs(1));
        assert!(waits > 50, "{waits} tries in a second");
    }
}
