//! A schedule with exceptions.

use std::ops::RangeInclusive;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::Schedule;
use super::canonical::joined;
use super::error::ScheduleError;
use super::words::list;
use super::zone_clock::ZoneClock;
use crate::tick::Tick;

/// A schedule without the ticks on certain dates, in certain ranges, or of another schedule.
///
/// ```
/// use std::sync::Arc;
/// use jiff::civil::date;
/// use sexton_core::schedule::{Cron, Except, Schedule, zone};
///
/// let paris = zone::parse("Europe/Paris")?;
/// let workdays = Cron::parse("0 9 * * MON-FRI")?.in_tz(paris.clone())?;
/// let open = Except::new(Arc::new(workdays)).in_tz(paris).on([date(2026, 5, 1)])?;
/// assert_eq!(open.next_after("2026-04-30T12:00:00Z".parse()?), Some("2026-05-04T07:00:00Z".parse()?));
/// assert_eq!(
///     open.describe(),
///     "at 09:00 on weekdays, Europe/Paris time, except on 2026-05-01 (Europe/Paris time)"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # A bound
/// Dates and ranges are stepped over at once, however many ticks lie in them. A schedule's exceptions are
/// met one by one: when [`Except::DROPPED_MAX`] ticks in a row are dropped because another schedule or
/// a date excepts them, the schedule counts as ended, since the search must end somewhere. An
/// exception that leaves nothing from the first tick on is refused when it is made.
#[derive(Debug, Clone)]
pub struct Except {
    schedule: Arc<dyn Schedule>,
    zone_clock: ZoneClock,
    /// In order.
    dates: Vec<Date>,
    /// In order, neither touching nor empty; the second date of each is its last.
    date_ranges: Vec<(Date, Date)>,
    /// In order, neither touching nor empty.
    ranges: Vec<Range>,
    schedules: Vec<Arc<dyn Schedule>>,
}

/// No clock is set so far that more than a day at each end of a range could be concerned.
const DAYS_AT_ENDS: i64 = 3;

/// From the start to the last tick that is excepted, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Range {
    start: Tick,
    last: Tick,
}

impl Range {
    /// `from 2026-07-01T00:00:00.000Z before 2026-08-01T00:00:00.000Z`.
    fn in_words(&self) -> String {
        match self.last.succ() {
            Some(end) => format!("from {} before {end}", self.start),
            None => format!("from {} on", self.start),
        }
    }
}

impl Except {
    /// The most ticks dropped in a row.
    pub const DROPPED_MAX: usize = 100_000;

    /// A schedule with no exception yet. Dates are those of UTC unless [`Except::in_tz`] says
    /// otherwise.
    #[must_use]
    pub fn new(schedule: Arc<dyn Schedule>) -> Except {
        Except {
            schedule,
            zone_clock: ZoneClock::utc(),
            dates: Vec::new(),
            date_ranges: Vec::new(),
            ranges: Vec::new(),
            schedules: Vec::new(),
        }
    }

    /// The zone whose dates the dates are. It has no part in anything else.
    #[must_use]
    pub fn in_tz(self, zone: TimeZone) -> Except {
        Except {
            zone_clock: ZoneClock::new(zone),
            ..self
        }
    }

    /// Not on these dates: no tick at which a calendar on the wall shows one of them. Where clocks go
    /// back over midnight, the date before comes a second time, and is excepted only if it is named.
    ///
    /// # Errors
    /// [`ScheduleError::NeverDue`] if nothing is left.
    pub fn on(mut self, dates: impl IntoIterator<Item = Date>) -> Result<Except, ScheduleError> {
        self.dates.extend(dates);
        self.dates.sort_unstable();
        self.dates.dedup();
        self.checked()
    }

    /// Not on any date of these ranges, their last dates included.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use jiff::civil::date;
    /// use sexton_core::schedule::{Cron, Except, Schedule};
    ///
    /// let holidays = date(2026, 12, 24)..=date(2027, 1, 2);
    /// let open = Except::new(Arc::new(Cron::parse("@daily")?)).on_ranges([holidays])?;
    /// assert_eq!(open.next_after("2026-12-23T00:00:00Z".parse()?), Some("2027-01-03T00:00:00Z".parse()?));
    /// assert_eq!(open.describe(), "at 00:00 every day, UTC, except on 2026-12-24 to 2027-01-02 (UTC)");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ScheduleError::Value`] for a range whose first date is after its last,
    /// [`ScheduleError::NeverDue`] if nothing is left.
    pub fn on_ranges(
        mut self,
        ranges: impl IntoIterator<Item = RangeInclusive<Date>>,
    ) -> Result<Except, ScheduleError> {
        for range in ranges {
            let (first, last) = range.into_inner();
            if first > last {
                return Err(ScheduleError::Value {
                    what: "exception",
                    found: format!("{first} to {last}").into(),
                    allowed: "a first date that is not after the last".into(),
                });
            }
            self.date_ranges.push((first, last));
        }
        self.date_ranges.sort_unstable();
        self.date_ranges.dedup_by(|later, earlier| {
            let touches = later.0 <= earlier.1.tomorrow().unwrap_or(Date::MAX);
            if touches {
                earlier.1 = earlier.1.max(later.1);
            }
            touches
        });
        self.checked()
    }

    /// Not at or after `start` and before `end`.
    ///
    /// # Errors
    /// [`ScheduleError::Value`] unless the start is before the end, [`ScheduleError::NeverDue`] if nothing
    /// is left.
    pub fn between(mut self, start: Timestamp, end: Timestamp) -> Result<Except, ScheduleError> {
        if start >= end {
            return Err(ScheduleError::Value {
                what: "exception",
                found: format!("{start} to {end}").into(),
                allowed: "a start before the end".into(),
            });
        }
        self.ranges.push(Range {
            start: Tick::at_or_after(start),
            last: match Tick::first_at_or_after(end) {
                Some(end) => end.saturating_add_millis(-1),
                None => Tick::MAX,
            },
        });
        self.ranges.sort_unstable();
        self.ranges.dedup_by(|later, earlier| {
            let touches = later.start <= earlier.last.saturating_add_millis(1);
            if touches {
                earlier.last = earlier.last.max(later.last);
            }
            touches
        });
        self.checked()
    }

    /// Not when another schedule is due at the very same instant.
    ///
    /// # Errors
    /// [`ScheduleError::NeverDue`] if nothing is left.
    pub fn when(mut self, schedule: Arc<dyn Schedule>) -> Result<Except, ScheduleError> {
        self.schedules.push(schedule);
        self.checked()
    }

    fn checked(self) -> Result<Except, ScheduleError> {
        if self.next_after(Tick::MIN).is_some() {
            return Ok(self);
        }
        let reason = "its exceptions leave nothing";
        Err(ScheduleError::NeverDue {
            schedule: self.describe().into(),
            reason,
        })
    }

    fn excepts_date(&self, date: Date) -> bool {
        let range = self.date_ranges.partition_point(|(_, last)| *last < date);
        let range = self.date_ranges.get(range);
        range.is_some_and(|(first, _)| *first <= date) || self.dates.binary_search(&date).is_ok()
    }

    /// If the tick lies in the middle of a long range of dates, a later one that does. The days at its
    /// ends are left to be stepped over one by one, since clocks may change on them.
    fn further_in_range(&self, tick: Tick) -> Option<Tick> {
        if self.date_ranges.is_empty() {
            return None;
        }
        let days = Span::new().days(DAYS_AT_ENDS);
        let date = self.zone_clock.date_of(tick);
        let range = self.date_ranges.partition_point(|(_, last)| *last < date);
        let (first, last) = self.date_ranges.get(range)?;
        let inner = first.checked_add(days).ok()?..last.checked_sub(days).ok()?;
        if !inner.contains(&date) {
            return None;
        }
        let end = inner.end.to_zoned(self.zone_clock.zone().clone()).ok()?;
        Some(Tick::at_or_before(end.timestamp())).filter(|end| *end > tick)
    }

    /// If the tick is excepted, the instant after which the next may lie that is not.
    fn excepted(&self, tick: Tick) -> Option<Tick> {
        let range = self.ranges.partition_point(|range| range.last < tick);
        if let Some(range) = self.ranges.get(range).filter(|range| range.start <= tick) {
            return Some(range.last);
        }
        if let Some(later) = self.further_in_range(tick) {
            return Some(later);
        }
        if !(self.dates.is_empty() && self.date_ranges.is_empty()) {
            let date = self.zone_clock.date_of(tick);
            if self.excepts_date(date) {
                return Some(self.zone_clock.end_of_date(tick));
            }
        }
        let before = tick.saturating_add_millis(-1);
        let due = |schedule: &Arc<dyn Schedule>| schedule.next_after(before) == Some(tick);
        self.schedules.iter().any(due).then_some(tick)
    }
}

impl Schedule for Except {
    fn next_after(&self, after: Tick) -> Option<Tick> {
        let mut after = after;
        for _ in 0..Except::DROPPED_MAX {
            let tick = self.schedule.next_after(after)?;
            let Some(later) = self.excepted(tick) else {
                return Some(tick);
            };
            after = later;
        }
        None
    }

    fn describe(&self) -> String {
        let mut exceptions = Vec::new();
        let dates = self.dates.iter().map(Date::to_string);
        let ranges = self.date_ranges.iter();
        let ranges = ranges.map(|(first, last)| format!("{first} to {last}"));
        let dates: Vec<String> = dates.chain(ranges).collect();
        if !dates.is_empty() {
            exceptions.push(format!(
                "on {} ({})",
                list(&dates),
                self.zone_clock.in_words()
            ));
        }
        exceptions.extend(self.ranges.iter().map(Range::in_words));
        exceptions.extend(
            self.schedules
                .iter()
                .map(|schedule| format!("when due {}", schedule.describe())),
        );
        if exceptions.is_empty() {
            return self.schedule.describe();
        }
        let schedule = self.schedule.describe();
        // What is excepted of several is excepted of each, not of the last alone.
        let joint = if schedule.contains("; and ") {
            "; all of them except"
        } else {
            ", except"
        };
        format!("{schedule}{joint} {}", exceptions.join("; nor "))
    }

    fn canonical(&self) -> String {
        let mut exceptions = Vec::new();
        if !self.dates.is_empty() {
            let dates = joined(self.dates.iter());
            exceptions.push(format!("on {dates} {}", self.zone_clock.canonical()));
        }
        if !self.date_ranges.is_empty() {
            let ranges = self.date_ranges.iter();
            let ranges = joined(ranges.map(|(first, last)| format!("{first}..{last}")));
            exceptions.push(format!("on {ranges} {}", self.zone_clock.canonical()));
        }
        exceptions.extend(self.ranges.iter().map(Range::in_words));
        let mut schedules: Vec<String> = self
            .schedules
            .iter()
            .map(|schedule| format!("when [{}]", schedule.canonical()))
            .collect();
        schedules.sort_unstable();
        exceptions.extend(schedules);
        let schedule = self.schedule.canonical();
        format!("except [{schedule}] {}", exceptions.join("; "))
    }

    fn advice_when_over(&self) -> Option<String> {
        self.schedule.advice_when_over()
    }

    fn zones(&self) -> Vec<TimeZone> {
        let mut zones = self.schedule.zones();
        if !(self.dates.is_empty() && self.date_ranges.is_empty()) {
            zones.extend(self.zone_clock.zones());
        }
        zones.extend(self.schedules.iter().flat_map(|schedule| schedule.zones()));
        zones
    }
}
