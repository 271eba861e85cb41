//! Krontab schedules.

mod builder;
mod days;
mod draft;
mod field;
mod parse;

use std::fmt;

use jiff::tz::TimeZone;

use super::Schedule;
use super::beside;
use super::calendar::Calendar;
use super::canonical::calendar_text;
use super::clock_changes::ClockChanges;
use super::error::ScheduleError;
use super::part::Part;
use super::words::{WEEKDAYS, schedule_in_words};
use super::zone_clock::{ClockChange, ZoneClock};
use crate::tick::Tick;
pub use builder::{FieldBuilder, KronBuilder, StepBuilder};
use days::{ALL_WEEKDAYS, KronDays};
use draft::Draft;

/// Nobody plans for years before this one: what names them was meant as something else.
const YEAR_PLAUSIBLE_MIN: u16 = 1970;

/// A krontab schedule: read from the strings of the Kotlin library `krontab`, or built with its
/// words.
///
/// ```
/// use sexton_core::schedule::{Kron, Schedule};
///
/// // Every five seconds and at second 59, at offset +01:00.
/// let kron = Kron::parse("0/5,L * * * * 60o")?;
/// assert_eq!(kron.next_after("2024-01-30T10:20:55Z".parse()?), Some("2024-01-30T10:20:59Z".parse()?));
///
/// // Twice a second.
/// let kron = Kron::builder().milliseconds(|millis| millis.every(500)).build()?;
/// assert_eq!(kron.describe(), "every 500 milliseconds");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # The string
/// Parts separated by spaces; the first five in this order, the others in any, each at most once:
///
/// | part | values | |
/// |---|---|---|
/// | seconds, minutes | 0-59 | |
/// | hours | 0-23 | |
/// | day of the month | 0-30 | **zero-based**: 0 is the 1st. A day past the month's end means its last day |
/// | month | 0-11 | **zero-based**: 0 is January |
/// | year | 0-9999 | |
/// | `60o` | -1559 to 1559 | offset from UTC in minutes in which the fields are read |
/// | `1-5w` | 0-6 | day of the week, 0 is Sunday; a day must match this and the day of the month |
/// | `0,500ms` | 0-999 | milliseconds; 0 if left out |
///
/// An item is `N`, `N-M`, `N-L`, `N/S` (from N to the field's last value, in steps of S), `/S` and
/// `*/S` (from the first), `*`, `F` (the field's first value) or `L` (its last). Items are joined
/// by commas, in any order. Letters in either case. A step is at least 1 and less than the number
/// of the field's values. At most [`EXPRESSION_BYTES_MAX`](super::EXPRESSION_BYTES_MAX) bytes.
///
/// # The meaning
/// A tick is an instant, to the millisecond, whose fields all match: no field is joined to another
/// by "or". With a zone ([`Kron::in_tz`]) the fields are what clocks there show, and
/// [`schedule`](super#when-clocks-change) tells what happens when those change.
///
/// # Where it is stricter than krontab
/// What krontab drops (a part it cannot read), clamps (a value out of range) or loses (the earlier values
/// of a list that is not sorted) is an error here, or for lists is sorted. So is a schedule that is
/// never due.
#[derive(Clone, PartialEq, Eq)]
pub struct Kron {
    calendar: Calendar<KronDays>,
    zone_clock: ZoneClock,
    change: ClockChange,
    /// The string's or builder's own, in minutes.
    offset_minutes: Option<i32>,
}

impl Kron {
    /// Reads a string.
    ///
    /// # Errors
    /// [`ScheduleError::Part`] and [`ScheduleError::TooLong`] if it cannot be read,
    /// [`ScheduleError::Beside`] if it holds a time zone or is an interval (`@every`) or instant,
    /// [`ScheduleError::NeverDue`] if it is never due.
    pub fn parse(expression: &str) -> Result<Kron, ScheduleError> {
        let whole = Part::whole(parse::LANGUAGE, expression)?;
        beside::refuse(whole)?;
        let draft = parse::parse(whole)?;
        Kron::from_draft(&draft)
            .checked_somewhere(|_| format!("{} {expression:?}", parse::LANGUAGE))
    }

    /// The same schedule, read in a time zone.
    ///
    /// # Errors
    /// [`ScheduleError::ZoneAndOffset`] if the schedule names an offset of its own,
    /// [`ScheduleError::NeverDue`] if all that is due by it lies in hours that the zone skips.
    pub fn in_tz(self, zone: TimeZone) -> Result<Kron, ScheduleError> {
        let zone_clock = ZoneClock::new(zone);
        if let Some(offset_minutes) = self.offset_minutes {
            let zone = zone_clock.in_words().into();
            return Err(ScheduleError::ZoneAndOffset {
                zone,
                offset_minutes,
            });
        }
        Kron { zone_clock, ..self }.checked(|kron| format!("kron {}", kron.describe()))
    }

    /// The zone it is read in; a fixed offset if it names one.
    #[must_use]
    pub fn tz(&self) -> &TimeZone {
        self.zone_clock.zone()
    }

    /// The same schedule, with what happens where the zone's clocks change chosen by `changes`.
    ///
    /// ```
    /// use sexton_core::schedule::{ClockChanges, Fold, Gap, Kron, Schedule, zone};
    ///
    /// let both = ClockChanges { gap: Gap::Run, fold: Fold::Both };
    /// let kron = Kron::parse("0 30 2 * *")?.in_tz(zone::parse("Europe/Paris")?)?.on_clock_changes(both)?;
    /// let first_pass = "2026-10-25T00:30:00Z".parse()?;
    /// assert_eq!(kron.next_after(first_pass), Some("2026-10-25T01:30:00Z".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ScheduleError::NeverDue`] if nothing is left of it.
    pub fn on_clock_changes(self, changes: ClockChanges) -> Result<Kron, ScheduleError> {
        let change = self.change.chosen(changes);
        Kron { change, ..self }.checked(|kron| format!("kron {}", kron.describe()))
    }

    /// What happens where the zone's clocks change.
    #[must_use]
    pub fn clock_changes(&self) -> ClockChanges {
        self.change.effect()
    }

    fn from_draft(draft: &Draft) -> Kron {
        Kron {
            calendar: draft.calendar(),
            zone_clock: draft.zone_clock(),
            change: draft.clock_change(),
            offset_minutes: draft.offset_minutes,
        }
    }

    /// Refuses what is never due, in whichever zone it may still be given.
    fn checked_somewhere(self, name: impl FnOnce(&Kron) -> String) -> Result<Kron, ScheduleError> {
        let somewhere = ZoneClock::easternmost();
        match self.offset_minutes {
            None if (somewhere.next_after(&self.calendar, self.change, Tick::MIN)).is_some() => {
                Ok(self)
            }
            _ => self.checked(name),
        }
    }

    /// Refuses what is never due where it is read.
    fn checked(self, name: impl FnOnce(&Kron) -> String) -> Result<Kron, ScheduleError> {
        if self.next_after(Tick::MIN).is_some() {
            return Ok(self);
        }
        let reason = "no date up to 9999-12-30 matches, or clocks skip its times";
        Err(ScheduleError::NeverDue {
            schedule: name(&self).into(),
            reason,
        })
    }
}

impl Schedule for Kron {
    #[inline]
    fn next_after(&self, after: Tick) -> Option<Tick> {
        self.zone_clock
            .next_after(&self.calendar, self.change, after)
    }

    fn describe(&self) -> String {
        let dates = self.calendar.days.in_words();
        schedule_in_words(&self.calendar, &dates, &self.zone_clock, self.change)
    }

    fn canonical(&self) -> String {
        let days = self.calendar.days.canonical();
        calendar_text("kron", &self.calendar, &days, self.change, &self.zone_clock)
    }

    fn advice_when_over(&self) -> Option<String> {
        let last = self.calendar.years.last()?;
        if last >= YEAR_PLAUSIBLE_MIN {
            return Some(format!("its last year, {last}, is over"));
        }
        let weekday = WEEKDAYS.get(usize::from(last));
        let example = match (weekday, self.calendar.days.of_week == ALL_WEEKDAYS) {
            (Some(weekday), true) => format!("; {weekday} is written {last}w"),
            _ => String::new(),
        };
        Some(format!(
            "its last year is the year {last}: a part without a letter is a year{example}"
        ))
    }

    fn zones(&self) -> Vec<TimeZone> {
        self.zone_clock.zones()
    }
}

impl fmt::Debug for Kron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kron").field(&self.describe()).finish()
    }
}

impl std::str::FromStr for Kron {
    type Err = ScheduleError;

    fn from_str(expression: &str) -> Result<Kron, ScheduleError> {
        Kron::parse(expression)
    }
}
