//! How far the store's clock is from ours.
//!
//! Every answer of a store carries its clock. The answer was given somewhere between sending and
//! receiving, so the shortest round trips tell the most. The offset is kept against our *monotonic*
//! time: somebody who sets this machine's clock does not disturb it.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

/// Samples kept: enough to hold a few quick round trips, few enough to follow a drifting clock.
const SAMPLES_MAX: usize = 32;

/// What a sample may be off beyond its round trip before it means that the store's clock was set.
const SLACK_US: i64 = 5_000;

/// The store's clock as read by one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClockSample {
    pub(crate) sent: Duration,
    pub(crate) received: Duration,
    pub(crate) store_now: Timestamp,
}

impl ClockSample {
    fn round_trip_us(&self) -> i64 {
        micros(self.received.saturating_sub(self.sent))
    }

    fn offset_us(&self) -> i64 {
        self.store_now.as_microsecond() - micros(self.sent) - self.round_trip_us() / 2
    }
}

/// An estimate of the store's clock from our monotonic time.
#[derive(Debug, Default)]
pub(crate) struct StoreClock {
    samples: VecDeque<ClockSample>,
    offset_us: i64,
}

/// Whether a sample agreed with the estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// It did, or was the first.
    Agrees,
    /// The store's clock was set, by this many microseconds, or ours stood still.
    Leapt(i64),
}

impl StoreClock {
    pub(crate) fn from_first(sample: ClockSample) -> StoreClock {
        let mut clock = StoreClock::default();
        clock.add(sample);
        clock
    }

    pub(crate) fn add(&mut self, sample: ClockSample) -> Agreement {
        let off_us = sample.offset_us() - self.offset_us;
        let is_first = self.samples.is_empty();
        let uncertainty_us = sample.round_trip_us() / 2
            + self
                .samples
                .iter()
                .map(ClockSample::round_trip_us)
                .min()
                .unwrap_or(0)
                / 2;
        let leapt = !is_first && off_us.abs() > uncertainty_us + SLACK_US;
        if leapt {
            self.samples.clear();
        }
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        if let Some(best) = self
            .samples
            .iter()
            .min_by_key(|sample| sample.round_trip_us())
        {
            self.offset_us = best.offset_us();
        }
        if leapt {
            Agreement::Leapt(off_us)
        } else {
            Agreement::Agrees
        }
    }

    /// The store's clock, in microseconds since the Unix epoch, when our monotonic time is
    /// `monotonic`.
    pub(crate) fn now_us(&self, monotonic: Duration) -> i64 {
        micros(monotonic) + self.offset_us
    }

    /// Our monotonic time when the store's clock shows `store_us`; zero if that was before we
    /// began.
    pub(crate) fn monotonic_at(&self, store_us: i64) -> Duration {
        Duration::from_micros(u64::try_from(store_us.saturating_sub(self.offset_us)).unwrap_or(0))
    }
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
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

    #[test]
    fn the_shortest_round_trip_decides() {
        let mut clock = StoreClock::from_first(sample(0, 100, 1_000_010));
        assert_eq!(clock.add(sample(200, 202, 1_000_201)), Agreement::Agrees);
        assert_eq!(clock.now_us(Duration::from_millis(300)), 1_000_300_000);
        assert_eq!(clock.add(sample(400, 600, 1_000_410)), Agreement::Agrees);
        assert_eq!(clock.now_us(Duration::from_millis(700)), 1_000_700_000);
        assert_eq!(
            clock.monotonic_at(1_000_700_000),
            Duration::from_millis(700)
        );
    }

    #[test]
    fn a_store_whose_clock_was_set_is_followed_at_once() {
        let mut clock = StoreClock::from_first(sample(0, 2, 1_000_001));
        let agreement = clock.add(sample(10, 12, 4_600_011));
        assert_eq!(agreement, Agreement::Leapt(3_600_000_000));
        assert_eq!(clock.now_us(Duration::from_millis(20)), 4_600_020_000);
    }
}
