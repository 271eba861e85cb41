//! The civil calendar: which local date and time comes next, for fields held as bit sets.
//!
//! Nothing here knows of time zones or instants. A [`Local`] is what a clock on the wall shows; the
//! [`zone_clock`](super::zone_clock) module turns it into instants. All of it is plain integer arithmetic,
//! bounded by the 400 years after which the Gregorian calendar repeats itself, weekdays included.

use super::gregorian::{Month, date_of, month_of};
use super::years::Years;

/// What a clock on the wall shows, in milliseconds since it showed 1970-01-01 00:00.
pub(super) type Local = i64;

pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// The last year with instants.
pub(super) const YEAR_MAX: u16 = 9999;
/// After so many years the calendar repeats itself, weekdays included.
const CYCLE_YEARS: i32 = 400;

/// The least member of `set` that is not below `from`.
#[inline]
pub(super) fn at_or_after(set: u64, from: u32) -> Option<u32> {
    let rest = set.checked_shr(from)?;
    (rest != 0).then(|| from + rest.trailing_zeros())
}

/// The milliseconds of a second at which a schedule is due; most are due at 0 only.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Millis(Option<Box<[u64; 16]>>);

impl Millis {
    /// The set of these milliseconds, each 0..=999. An empty set counts as 0 only.
    pub(super) fn new(millis: impl IntoIterator<Item = u32>) -> Millis {
        let mut bits = Box::new([0_u64; 16]);
        for milli in millis {
            if let Some(word) = bits.get_mut(milli as usize / 64) {
                *word |= 1 << (milli % 64);
            }
        }
        let only_zero = bits[0] <= 1 && bits[1..].iter().all(|word| *word == 0);
        Millis((!only_zero).then_some(bits))
    }

    #[inline]
    pub(super) fn at_or_after(&self, from: u32) -> Option<u32> {
        let Some(bits) = &self.0 else {
            return (from == 0).then_some(0);
        };
        let mut from = from;
        while from < 1000 {
            let word = from / 64;
            if let Some(found) = at_or_after(bits[word as usize], from % 64) {
                return Some(word * 64 + found);
            }
            from = (word + 1) * 64;
        }
        None
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        std::iter::successors(self.at_or_after(0), |last| self.at_or_after(last + 1))
    }
}

/// The times of day at which a schedule is due. None of the sets is empty.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Times {
    /// Bits 0..=59.
    pub(super) seconds: u64,
    /// Bits 0..=59.
    pub(super) minutes: u64,
    /// Bits 0..=23.
    pub(super) hours: u32,
    pub(super) millis: Millis,
}

impl Times {
    /// The first time of day, in milliseconds from midnight.
    fn first(&self) -> i64 {
        let hour = i64::from(self.hours.trailing_zeros());
        hour * HOUR + self.first_in_hour()
    }

    fn first_in_hour(&self) -> i64 {
        i64::from(self.minutes.trailing_zeros()) * MINUTE + self.first_in_minute()
    }

    fn first_in_minute(&self) -> i64 {
        i64::from(self.seconds.trailing_zeros()) * SECOND + self.first_in_second()
    }

    fn first_in_second(&self) -> i64 {
        i64::from(self.millis.at_or_after(0).unwrap_or(0))
    }

    /// The least time of day that is not before `from`, both in milliseconds from midnight.
    #[inline]
    fn at_or_after(&self, from: u32) -> Option<i64> {
        let (second_of_day, milli) = (from / 1000, from % 1000);
        let (minute_of_day, second) = (second_of_day / 60, second_of_day % 60);
        let (hour, minute) = (minute_of_day / 60, minute_of_day % 60);
        let hours = u64::from(self.hours);
        if hours & (1 << hour) != 0 {
            let start = i64::from(hour) * HOUR;
            if self.minutes & (1 << minute) != 0 {
                let start = start + i64::from(minute) * MINUTE;
                if self.seconds & (1 << second) != 0
                    && let Some(milli) = self.millis.at_or_after(milli)
                {
                    return Some(start + i64::from(second) * SECOND + i64::from(milli));
                }
                if let Some(second) = at_or_after(self.seconds, second + 1) {
                    return Some(start + i64::from(second) * SECOND + self.first_in_second());
                }
            }
            if let Some(minute) = at_or_after(self.minutes, minute + 1) {
                return Some(start + i64::from(minute) * MINUTE + self.first_in_minute());
            }
        }
        let hour = at_or_after(hours, hour + 1)?;
        Some(i64::from(hour) * HOUR + self.first_in_hour())
    }
}

/// Says which days of a month count.
pub(super) trait DayRule {
    /// The days, as bits 1..=31 of which none is past the month's end.
    fn days_in(&self, month: Month) -> u32;

    /// Whether every day of every month counts.
    fn is_every_day(&self) -> bool;
}

/// Dates and times of day at which a schedule is due, on whatever clock hangs on the wall.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Calendar<D> {
    pub(super) times: Times,
    pub(super) days: D,
    /// Bits 1..=12; not empty.
    pub(super) months: u16,
    pub(super) years: Years,
}

pub(super) const EVERY_MONTH: u16 = 0b1_1111_1111_1110;

impl<D: DayRule> Calendar<D> {
    /// The least local time that is not before `from`.
    #[inline]
    pub(super) fn at_or_after(&self, from: Local) -> Option<Local> {
        let today = from.div_euclid(DAY);
        let mut day = self.day_at_or_after(today)?;
        if day == today {
            let time = u32::try_from(from.rem_euclid(DAY)).unwrap_or(0);
            if let Some(time) = self.times.at_or_after(time) {
                return Some(day * DAY + time);
            }
            day = self.day_at_or_after(today + 1)?;
        }
        Some(day * DAY + self.times.first())
    }

    /// Whether dates have no part in this schedule.
    pub(super) fn is_daily(&self) -> bool {
        self.months == EVERY_MONTH && self.years.is_every() && self.days.is_every_day()
    }

    #[inline]
    fn day_at_or_after(&self, from: i64) -> Option<i64> {
        if self.is_daily() {
            return Some(from);
        }
        self.restricted_day_at_or_after(from)
    }

    fn restricted_day_at_or_after(&self, from: i64) -> Option<i64> {
        let (from_year, from_month, from_day) = date_of(from);
        let mut year = self.years.at_or_after(from_year)?;
        let (mut month, mut day) = (1, 1);
        if year == from_year {
            (month, day) = (from_month, from_day);
        }
        let last_year = if self.years.is_every() {
            i32::from(YEAR_MAX).min(from_year + CYCLE_YEARS)
        } else {
            i32::from(YEAR_MAX)
        };
        while year <= last_year {
            let Some(next_month) = at_or_after(u64::from(self.months), month) else {
                year = self.years.at_or_after(year + 1)?;
                (month, day) = (1, 1);
                continue;
            };
            if next_month != month {
                day = 1;
            }
            let (first, shape) = month_of(year, next_month);
            if let Some(day) = at_or_after(u64::from(self.days.days_in(shape)), day) {
                return Some(first + i64::from(day) - 1);
            }
            (month, day) = (next_month + 1, 1);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_found_in_order() {
        let every = Millis::new(0..1000);
        assert_eq!(every.iter().count(), 1000);
        let some = Millis::new([999, 0, 64, 63]);
        assert_eq!(some.iter().collect::<Vec<_>>(), [0, 63, 64, 999]);
        assert_eq!(some.at_or_after(65), Some(999));
        assert_eq!(some.at_or_after(1000), None);
        assert!(Millis::new([0]) == Millis::default());
        assert_eq!(Millis::default().at_or_after(1), None);
    }
}
