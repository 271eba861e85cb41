//! Instants of a store's clock.
//!
//! Decisions are made by the store's clock, which is not this machine's: an instant of the one is
//! never compared with an instant of the other by accident, since their types differ.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::tick::Tick;

/// An instant of a store's clock, in whole microseconds.
///
/// Its arithmetic saturates: a duration that somebody means as "for ever" leads to
/// [`StoreTime::MAX`], which never comes. It compares with a [`Tick`], which is an instant of the
/// store's clock as well, and displays as RFC 3339 in UTC.
///
/// ```
/// use std::time::Duration;
/// use sexton_core::store_time::StoreTime;
/// use sexton_core::tick::Tick;
///
/// let tick: Tick = "2024-01-30T10:20:30.400Z".parse()?;
/// let claimed_from = StoreTime::from(tick) - Duration::from_millis(500);
/// assert_eq!(claimed_from.to_string(), "2024-01-30T10:20:29.900000Z");
/// assert!(claimed_from < tick);
/// assert_eq!(StoreTime::from(tick).saturating_since(claimed_from), Duration::from_millis(500));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreTime(i64);

impl StoreTime {
    /// Before every other instant: what has always passed.
    pub const MIN: StoreTime = StoreTime(i64::MIN);
    /// After every other instant: what never comes.
    pub const MAX: StoreTime = StoreTime(i64::MAX);

    /// The instant at this many microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> StoreTime {
        StoreTime(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The same instant as a timestamp; the nearest one, if there is none.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        let nearest = match self.0 < 0 {
            true => Timestamp::MIN,
            false => Timestamp::MAX,
        };
        Timestamp::from_microsecond(self.0).unwrap_or(nearest)
    }

    /// How long it is after `earlier`; zero if it is before.
    #[must_use]
    pub fn saturating_since(self, earlier: StoreTime) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// The latest tick that is not after this instant.
    #[must_use]
    pub fn tick_at_or_before(self) -> Tick {
        Tick::at_or_before(self.timestamp())
    }
}

impl From<Timestamp> for StoreTime {
    /// The latest whole microsecond that is not after the timestamp.
    fn from(timestamp: Timestamp) -> StoreTime {
        let micros = timestamp.as_nanosecond().div_euclid(1_000);
        // All timestamps are within a third of the range.
        StoreTime(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

impl From<Tick> for StoreTime {
    fn from(tick: Tick) -> StoreTime {
        StoreTime(tick.as_millis().saturating_mul(1_000))
    }
}

impl Add<Duration> for StoreTime {
    type Output = StoreTime;

    fn add(self, later: Duration) -> StoreTime {
        StoreTime(self.0.saturating_add(micros(later)))
    }
}

impl Sub<Duration> for StoreTime {
    type Output = StoreTime;

    fn sub(self, earlier: Duration) -> StoreTime {
        StoreTime(self.0.saturating_sub(micros(earlier)))
    }
}

impl Sub for StoreTime {
    type Output = SignedDuration;

    /// How long it is after the other; negative if it is before.
    fn sub(self, other: StoreTime) -> SignedDuration {
        SignedDuration::from_micros(self.0.saturating_sub(other.0))
    }
}

impl PartialEq<Tick> for StoreTime {
    fn eq(&self, tick: &Tick) -> bool {
        *self == StoreTime::from(*tick)
    }
}

impl PartialOrd<Tick> for StoreTime {
    fn partial_cmp(&self, tick: &Tick) -> Option<Ordering> {
        self.partial_cmp(&StoreTime::from(*tick))
    }
}

impl fmt::Display for StoreTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.timestamp())
    }
}

impl fmt::Debug for StoreTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            StoreTime::MIN => f.write_str("StoreTime::MIN"),
            StoreTime::MAX => f.write_str("StoreTime::MAX"),
            _ => fmt::Display::fmt(self, f),
        }
    }
}

/// The whole microseconds of a duration, as far as they go.
fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Duration = Duration::from_micros(1);

    fn at(micros: i64) -> StoreTime {
        StoreTime::from_micros(micros)
    }

    #[test]
    fn durations_move_it_by_whole_microseconds() {
        assert_eq!(at(5) + 2 * US, at(7));
        assert_eq!(at(5) - 7 * US, at(-2));
        let nearly = Duration::from_nanos(1_999);
        assert_eq!((at(5) + nearly, at(5) - nearly), (at(6), at(4)));
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(at(1) + Duration::MAX, StoreTime::MAX);
        assert_eq!(at(-1) - Duration::MAX, StoreTime::MIN);
        assert_eq!(StoreTime::MAX + US, StoreTime::MAX);
        assert_eq!(StoreTime::MIN - US, StoreTime::MIN);
        let longest = Duration::from_micros(u64::MAX >> 1);
        assert_eq!(StoreTime::MAX.saturating_since(StoreTime::MIN), longest);
    }

    #[test]
    fn the_time_between_two_has_a_sign_or_is_zero() {
        assert_eq!(at(7) - at(5), SignedDuration::from_micros(2));
        assert_eq!(at(5) - at(7), SignedDuration::from_micros(-2));
        assert_eq!(at(7).saturating_since(at(5)), 2 * US);
        assert_eq!(at(5).saturating_since(at(7)), Duration::ZERO);
    }

    #[test]
    fn it_compares_with_ticks_to_the_microsecond() {
        let tick = Tick::from_millis(3).unwrap();
        assert_eq!(at(3_000), tick);
        assert!(at(2_999) < tick);
        assert!(at(3_001) > tick);
        assert!(StoreTime::MAX > Tick::MAX);
        assert!(StoreTime::MIN < Tick::MIN);
    }

    #[test]
    fn the_latest_tick_is_not_after_it() {
        let tick = |micros| at(micros).tick_at_or_before().as_millis();
        assert_eq!((tick(3_999), tick(4_000)), (3, 4));
        assert_eq!((tick(-1), tick(-1_000), tick(-1_001)), (-1, -1, -2));
        assert_eq!(StoreTime::MAX.tick_at_or_before(), Tick::MAX);
        assert_eq!(StoreTime::MIN.tick_at_or_before(), Tick::MIN);
    }

    #[test]
    fn a_timestamp_loses_what_is_less_than_a_microsecond() {
        let timestamp: Timestamp = "1969-12-31T23:59:59.9999995Z".parse().unwrap();
        assert_eq!(StoreTime::from(timestamp), at(-1));
        assert_eq!(StoreTime::from(Timestamp::UNIX_EPOCH), at(0));
        assert_eq!(
            at(1_500_000).timestamp().to_string(),
            "1970-01-01T00:00:01.5Z"
        );
    }

    #[test]
    fn what_no_timestamp_reaches_is_the_nearest_one() {
        assert_eq!(StoreTime::MAX.timestamp(), Timestamp::MAX);
        assert_eq!(StoreTime::MIN.timestamp(), Timestamp::MIN);
        assert!(StoreTime::from(Timestamp::MAX) < StoreTime::MAX);
    }

    #[test]
    fn it_is_shown_to_the_microsecond() {
        assert_eq!(at(1_000).to_string(), "1970-01-01T00:00:00.001000Z");
        assert_eq!(format!("{:?}", at(1)), "1970-01-01T00:00:00.000001Z");
        assert_eq!(format!("{:?}", StoreTime::MAX), "StoreTime::MAX");
        assert_eq!(format!("{:?}", StoreTime::MIN), "StoreTime::MIN");
    }
}
