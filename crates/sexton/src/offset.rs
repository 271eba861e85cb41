//! How far the store's clock is from ours.
//!
//! Every answer of a store carries its clock. The answer was given somewhere between sending and
//! receiving, so the shortest round trips tell the most. The offset is kept against our *monotonic*
//! time: somebody who sets this machine's clock does not disturb it.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton_core::store_time::StoreTime;

/// Samples kept: enough to hold a few quick round trips, few enough to follow a drifting clock.
const SAMPLES_MAX: usize = 32;

/// What a sample may be off beyond its round trip before it means that the store's clock was set.
const SLACK: Duration = Duration::from_millis(5);

/// The store's clock as read by one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClockSample {
    pub(crate) sent: Duration,
    pub(crate) received: Duration,
    pub(crate) store_now: Timestamp,
}

impl ClockSample {
    fn round_trip(&self) -> Duration {
        self.received.saturating_sub(self.sent)
    }

    /// What the store's clock showed when our monotonic time was zero.
    fn origin(&self) -> StoreTime {
        StoreTime::from(self.store_now) - self.sent - self.round_trip() / 2
    }
}

/// An estimate of the store's clock from our monotonic time.
#[derive(Debug)]
pub(crate) struct StoreClock {
    samples: VecDeque<ClockSample>,
    /// What the store's clock showed when our monotonic time was zero.
    origin: StoreTime,
}

/// Whether a sample agreed with the estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// It did.
    Agrees,
    /// The store's clock was set, by this much, or ours stood still.
    Leapt(SignedDuration),
}

impl StoreClock {
    pub(crate) fn from_first(sample: ClockSample) -> StoreClock {
        StoreClock {
            samples: VecDeque::from([sample]),
            origin: sample.origin(),
        }
    }

    pub(crate) fn add(&mut self, sample: ClockSample) -> Agreement {
        let off = sample.origin() - self.origin;
        let quickest = self.samples.iter().map(ClockSample::round_trip).min();
        let uncertainty = sample.round_trip() / 2 + quickest.unwrap_or_default() / 2;
        let leapt = off.unsigned_abs() > uncertainty + SLACK;
        if leapt {
            self.samples.clear();
        }
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        if let Some(best) = self.samples.iter().min_by_key(|sample| sample.round_trip()) {
            self.origin = best.origin();
        }
        if leapt {
            Agreement::Leapt(off)
        } else {
            Agreement::Agrees
        }
    }

    /// The store's clock when our monotonic time is `monotonic`.
    pub(crate) fn at(&self, monotonic: Duration) -> StoreTime {
        self.origin + monotonic
    }

    /// Our monotonic time when the store's clock shows `time`; zero if that was before we began.
    pub(crate) fn monotonic_at(&self, time: StoreTime) -> Duration {
        time.saturating_since(self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(sent_ms: u64, received_ms: u64, store_ms: i64) -> ClockSample {
        ClockSample {
            sent: Duration::from_millis(sent_ms),
            received: Duration::from_millis(received_ms),
            store_now: Timestamp::from_millisecond(store_ms).unwrap(),
        }
    }

    fn store(ms: i64) -> StoreTime {
        StoreTime::from_micros(ms * 1_000)
    }

    #[test]
    fn the_shortest_round_trip_decides() {
        let mut clock = StoreClock::from_first(sample(0, 100, 1_000_010));
        assert_eq!(clock.add(sample(200, 202, 1_000_201)), Agreement::Agrees);
        assert_eq!(clock.at(Duration::from_millis(300)), store(1_000_300));
        assert_eq!(clock.add(sample(400, 600, 1_000_410)), Agreement::Agrees);
        assert_eq!(clock.at(Duration::from_millis(700)), store(1_000_700));
        assert_eq!(
            clock.monotonic_at(store(1_000_700)),
            Duration::from_millis(700)
        );
    }

    #[test]
    fn a_store_whose_clock_was_set_is_followed_at_once() {
        let mut clock = StoreClock::from_first(sample(0, 2, 1_000_001));
        let agreement = clock.add(sample(10, 12, 4_600_011));
        assert_eq!(
            agreement,
            Agreement::Leapt(SignedDuration::from_secs(3_600))
        );
        assert_eq!(clock.at(Duration::from_millis(20)), store(4_600_020));
    }
}
