//! How long a call waits before it tries again.
//!
//! A store that lets in one writer at a time is unfair to those who wait: the last writer is the
//! first to be back. Waits of random length even that out. They stay short, since a write takes a
//! millisecond or two, not seconds.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The longest first wait; each one after it may be twice as long, up to [`WAIT_MAX`].
const WAIT_FIRST: Duration = Duration::from_millis(1);
/// The longest wait between two tries.
const WAIT_MAX: Duration = Duration::from_millis(16);
/// From this try on a client probably stands still in the middle of a transaction, and asking often
/// only makes work.
const TRIES_MANY: u32 = 32;
const WAIT_AFTER_MANY_MAX: Duration = Duration::from_millis(64);

/// The waits of one call, each drawn at random.
#[derive(Debug)]
pub struct Backoff {
    wait_max: Duration,
    tries: u32,
}

impl Default for Backoff {
    /// The waits of a call that has not failed yet.
    fn default() -> Backoff {
        Backoff {
            wait_max: WAIT_FIRST,
            tries: 0,
        }
    }
}

impl Backoff {
    /// How long to wait before the next try.
    pub fn next_wait(&mut self, draw: &Draw) -> Duration {
        let wait = self.wait_max.mul_f64(draw.fraction());
        self.tries = self.tries.saturating_add(1);
        let longest = match self.tries {
            0..TRIES_MANY => WAIT_MAX,
            _ => WAIT_AFTER_MANY_MAX,
        };
        self.wait_max = (self.wait_max * 2).min(longest);
        wait
    }
}

/// Draws numbers that keep replicas out of step.
#[derive(Debug)]
pub struct Draw(AtomicU64);

impl Draw {
    /// Draws that differ from process to process. The standard library's hash keys are random
    /// enough for that.
    #[must_use]
    pub fn random() -> Draw {
        Draw::seeded(RandomState::new().hash_one(0_u8))
    }

    /// Draws that are the same for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Draw {
        Draw(AtomicU64::new(seed))
    }

    /// A number in 0..1, by [SplitMix64](https://prng.di.unimi.it/splitmix64.c).
    #[allow(
        clippy::cast_precision_loss,
        reason = "of 53 bits nothing is lost, and a wait is no measure"
    )]
    fn fraction(&self) -> f64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let state = self.0.fetch_add(STEP, Ordering::Relaxed);
        let mut bits = state.wrapping_add(STEP);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_short_and_many_fit_into_a_second() {
        let draw = Draw::seeded(1);
        let mut backoff = Backoff::default();
        let mut total = Duration::ZERO;
        let mut waits = 0_u32;
        while total < Duration::from_secs(1) {
            let wait = backoff.next_wait(&draw);
            let longest = match waits {
                0..=TRIES_MANY => WAIT_MAX,
                _ => WAIT_AFTER_MANY_MAX,
            };
            assert!(wait <= longest, "wait {waits}: {wait:?}");
            total += wait;
            waits += 1;
        }
        assert!(waits > 50, "{waits} waits in a second");
    }

    #[test]
    fn a_seed_repeats_its_waits_and_another_has_others() {
        let waits = |seed| {
            let draw = Draw::seeded(seed);
            let mut backoff = Backoff::default();
            (0..40)
                .map(|_| backoff.next_wait(&draw))
                .collect::<Vec<_>>()
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }
}
