//! Cron expressions.
//!
//! They are compiled to bit sets and matched by our own [`calendar`](super::calendar). The `croner`
//! crate gives a second opinion in the tests, no more: all that would have to be checked in front
//! of it (length, steps, dates that do not exist, what happens when clocks change) needs this
//! calendar anyway, which is also faster and smaller, and shared with [`Kron`](super::Kron).

mod days;
mod describe;
mod field;
mod parse;
mod spread;

use std::fmt;

use jiff::tz::TimeZone;

use super::Schedule;
use super::beside;
use super::calendar::Calendar;
use super::canonical::calendar_text;
use super::clock_changes::ClockChanges;
use super::error::ScheduleError;
use super::part::Part;
use super::spread::Spread;
use super::words::schedule_in_words;
use super::zone_clock::{ClockChange, ZoneClock};
use crate::tick::Tick;
use days::CronDays;

/// A cron expression, in UTC unless it was given a zone with [`Cron::in_tz`].
///
/// ```
/// use sexton_core::schedule::{Cron, Schedule, zone};
///
/// let cron = Cron::parse("30 9 * * MON-FRI")?.in_tz(zone::parse("Europe/Paris")?)?;
/// assert_eq!(cron.describe(), "at 09:30 on weekdays, Europe/Paris time");
///
/// let friday = "2026-03-27T12:00:00Z".parse()?;
/// let monday = cron.next_after(friday);
/// assert_eq!(monday, Some("2026-03-30T07:30:00Z".parse()?)); // summer time began in between
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Fields
/// Five fields; six with seconds first; seven with seconds first and years last.
///
/// | field | values | also |
/// |---|---|---|
/// | seconds | 0-59 | 0 if there are five fields |
/// | minutes | 0-59 | |
/// | hours | 0-23 | |
/// | day of the month | 1-31 | `L` last day, `L-3` three days before it, `15W` the weekday (Monday to Friday) nearest the 15th within the month, `LW` the last weekday, `?` |
/// | month | 1-12, `JAN`-`DEC` | |
/// | day of the week | 0-7 (0 and 7 are Sunday), `SUN`-`SAT` | `5L` or `5#L` the last Friday, `1#2` the second Monday, `?` |
/// | year | 1970-9999 | every year if there is no seventh field |
///
/// A field is `*` or a list, joined by commas, of `N`, `N-M`, `*/S`, `N/S` (from N to the field's
/// last value, for weekdays to Saturday) and `N-M/S`. A step is at least 1 and at most the number of
/// the field's values. Quartz counts weekdays from 1 (Sunday): its `2-6` is `1-5` here, `MON-FRI` in
/// both.
/// Ranges of hours, months and days of the week may run past the end (`22-2`, `NOV-FEB`,
/// `FRI-MON`); those of the other fields may not. Letters in either case. At most
/// [`EXPRESSION_BYTES_MAX`](super::EXPRESSION_BYTES_MAX) bytes.
///
/// Nicknames: `@yearly` and `@annually` (`0 0 1 1 *`), `@monthly` (`0 0 1 * *`), `@weekly` (`0 0 *
/// * 0`), `@daily` and `@midnight` (`0 0 * * *`), `@hourly` (`0 * * * *`).
///
/// # Spread values
/// [`Cron::parse_spread`] also reads values that are picked by the name of a task, so that many tasks
/// do not all begin on the hour; [`Cron::parse`] refuses them, since it knows no task.
///
/// | item | picks |
/// |---|---|
/// | `H` | one of the field's values |
/// | `H/S` | every S-th value, beginning with one of the first S |
/// | `H(N-M)` | one value from N to M |
/// | `H(N-M)/S` | every S-th value from N to M, beginning with one of the first S |
/// | `~`, `N~M`, `N~`, `~M` | as `H(N-M)`, with the field's first and last value where one is left out |
/// | `N~M/S` | as `H(N-M)/S` |
///
/// Days of the month are picked from the 1st to the 28th, which every month has: a range that goes
/// further ends there. There is no `H` in years. A value that was picked counts as if it were
/// written as its number: `H` minutes are times of day, where the hours do not begin with `*`.
///
/// # Day of the month and day of the week
/// As in Vixie's cron: if **both are restricted, a day counts that matches either** (`0 0 13 * FRI`: every
/// 13th, and every Friday). If one begins with `*` or is `?`, a day must match both, so that `*` and `?`
/// leave the decision to the other, and `*/2` with `MON` means Mondays on odd days.
///
/// # When clocks change
/// An expression whose minutes or hours begin with `*` means intervals, any other means times of day;
/// [`schedule`](super#when-clocks-change) tells what follows. The seconds have no part in this.
///
/// # What is refused
/// An expression that cannot be read, and one that is never due (`0 0 30 2 *`), found out within
/// milliseconds. Years that are over are not refused here, where nothing knows what time it is; see
/// [`first_after`](super::first_after). The last tick is [`Tick::MAX`], so that an expression of the
/// last two days of 9999 may be due in the east only: [`Cron::in_tz`] refuses it elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Cron {
    calendar: Calendar<CronDays>,
    zone_clock: ZoneClock,
    change: ClockChange,
}

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`ScheduleError::Part`] and [`ScheduleError::TooLong`] if it cannot be read,
    /// [`ScheduleError::Beside`] if it holds a time zone or is an interval (`@every`) or instant,
    /// [`ScheduleError::NeverDue`] if it is never due.
    pub fn parse(expression: &str) -> Result<Cron, ScheduleError> {
        Cron::parsed(expression, None)
    }

    /// Reads an expression in which `H` and `~` stand for values that `spread` picks; see [spread
    /// values](Cron#spread-values).
    ///
    /// ```
    /// use sexton_core::name::{Namespace, TaskName};
    /// use sexton_core::schedule::{Cron, Schedule, Spread};
    ///
    /// let spread = Spread::of(&Namespace::default(), &TaskName::new("backup")?);
    /// let cron = Cron::parse_spread("H/15 * * * *", &spread)?;
    /// assert_eq!(cron, Cron::parse("5,20,35,50 * * * *")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Cron::parse`].
    pub fn parse_spread(expression: &str, spread: &Spread) -> Result<Cron, ScheduleError> {
        Cron::parsed(expression, Some(spread))
    }

    fn parsed(expression: &str, spread: Option<&Spread>) -> Result<Cron, ScheduleError> {
        let whole = Part::whole(parse::LANGUAGE, expression)?;
        beside::refuse(whole)?;
        let parse::Parsed { calendar, change } = parse::parse(whole, spread)?;
        let somewhere = ZoneClock::easternmost();
        if somewhere.next_after(&calendar, change, Tick::MIN).is_none() {
            return Err(whole.never_due("no date up to 9999-12-30 matches"));
        }
        Ok(Cron {
            calendar,
            zone_clock: ZoneClock::utc(),
            change,
        })
    }

    /// The same expression, read in a time zone.
    ///
    /// # Errors
    /// [`ScheduleError::NeverDue`] if all that is due by it lies in hours that the zone skips.
    pub fn in_tz(self, zone: TimeZone) -> Result<Cron, ScheduleError> {
        let cron = Cron {
            zone_clock: ZoneClock::new(zone),
            ..self
        };
        if cron.next_after(Tick::MIN).is_none() {
            let schedule = format!("cron {}", cron.describe()).into();
            let in_utc = ZoneClock::utc().next_after(&cron.calendar, cron.change, Tick::MIN);
            let reason = match in_utc {
                Some(_) => "the zone's clocks skip it",
                None => "it lies past the last tick, 9999-12-30T22:00:00Z",
            };
            return Err(ScheduleError::NeverDue { schedule, reason });
        }
        Ok(cron)
    }

    /// The zone it is read in.
    #[must_use]
    pub fn tz(&self) -> &TimeZone {
        self.zone_clock.zone()
    }

    /// The same expression, with what happens where the zone's clocks change chosen by `changes`.
    ///
    /// # Errors
    /// [`ScheduleError::NeverDue`] if nothing is left of it.
    pub fn on_clock_changes(self, changes: ClockChanges) -> Result<Cron, ScheduleError> {
        let cron = Cron {
            change: self.change.chosen(changes),
            ..self
        };
        if cron.next_after(Tick::MIN).is_none() {
            let schedule = format!("cron {}", cron.describe()).into();
            let reason = "the zone's clocks skip all of its times";
            return Err(ScheduleError::NeverDue { schedule, reason });
        }
        Ok(cron)
    }

    /// What happens where the zone's clocks change.
    #[must_use]
    pub fn clock_changes(&self) -> ClockChanges {
        self.change.effect()
    }
}

impl Schedule for Cron {
    #[inline]
    fn next_after(&self, after: Tick) -> Option<Tick> {
        self.zone_clock
            .next_after(&self.calendar, self.change, after)
    }

    fn describe(&self) -> String {
        let dates = describe::days_in_words(&self.calendar.days);
        schedule_in_words(&self.calendar, &dates, &self.zone_clock, self.change)
    }

    fn canonical(&self) -> String {
        let days = self.calendar.days.canonical();
        calendar_text("cron", &self.calendar, &days, self.change, &self.zone_clock)
    }

    fn advice_when_over(&self) -> Option<String> {
        let last = self.calendar.years.last()?;
        Some(format!("its last year, {last}, is over"))
    }

    fn zones(&self) -> Vec<TimeZone> {
        self.zone_clock.zones()
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cron").field(&self.describe()).finish()
    }
}

impl std::str::FromStr for Cron {
    type Err = ScheduleError;

    fn from_str(expression: &str) -> Result<Cron, ScheduleError> {
        Cron::parse(expression)
    }
}
