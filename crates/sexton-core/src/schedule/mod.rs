//! When a task is due: the schedule language of Sexton.
//!
//! | type | due |
//! |---|---|
//! | [`Cron`] | by a cron expression: `30 9 * * MON-FRI` |
//! | [`Kron`] | by a krontab string or builder, milliseconds included: `0/5 * * * *`, `* * * * * 0,500ms` |
//! | [`Every`] | at a steady pace, counted from the Unix epoch |
//! | [`Once`] | at one instant |
//! | [`Union`] | whenever any of several schedules is |
//! | [`Except`] | as another schedule, but for dates, ranges, or the ticks of a third |
//! | [`Bounded`] | as another schedule, between a start and an end |
//!
//! Anything else is one [`Schedule`] of yours away. [`Jitter`] is no schedule: it delays runs, not
//! ticks.
//!
//! # When clocks change
//! A time zone's clocks are set forward (some local times do not come: a *gap*) and back (some come
//! twice: a *fold*). `Cron` and `Kron` take this as Vixie's and Debian's cron do, by one rule:
//!
//! - **Intervals**, that is expressions whose minutes or hours begin with `*` (in a krontab string
//!   also `/`, and in its builder a field that is not named or says `every(d)`): due whenever the
//!   clock on the wall matches. Times in a gap are never due; times in a fold are due both times.
//!   So `*/15 * * * *` is due every 15 minutes of elapsed time, whatever the clocks do.
//! - **Times of day**, all others: each local time is due exactly once. One in a gap is due at the
//!   first instant after the gap, together with all others of that gap; one in a fold is due the
//!   first time only. So `30 2 * * *` is due every day, once.
//!
//! | in Europe/Paris | 29 March 2026, 02:00 becomes 03:00 | 25 October 2026, 03:00 becomes 02:00 |
//! |---|---|---|
//! | `30 2 * * *` | 03:00 summer time | 02:30 summer time |
//! | `0,30 2 * * *` | 03:00, one tick | 02:00, 02:30 summer time |
//! | `30 1-3 * * *` | 01:30, 03:00, 03:30 | 01:30, 02:30 summer time, 03:30 |
//! | `30 * * * *` | 01:30, 03:30 | 01:30, 02:30 summer time, 02:30 winter time, 03:30 |
//! | `*/30 2 * * *` | not due | 02:00, 02:30 summer time, 02:00, 02:30 winter time |
//!
//! The rule asks how an expression is written, not what it adds up to: hours `0-23` and `0/1` are
//! times of day, so that `0/30 0-23 * * *` pauses for an hour and a half in October. An expression
//! in UTC or at a fixed offset has no such days.
//!
//! The rule is the same for any change. Debian's cron takes changes of three hours and more for
//! corrections of the clock, and drops the times of day in between: there the likeness ends.
//!
//! Where the rule is not what is wanted, [`ClockChanges`] says what is, for an expression of either
//! kind: a gap's times due after it or not at all, a fold's times due the first time, the second
//! time, or both. [`Cron::on_clock_changes`] and [`Kron::on_clock_changes`] take it.
//!
//! # Never without end
//! Expressions are at most [`EXPRESSION_BYTES_MAX`] bytes, one that can never be due is an error
//! when it is made, and every search is bounded by the calendar. The last tick is [`Tick::MAX`].

mod beside;
mod bounded;
mod calendar;
mod canonical;
mod clock_changes;
mod cron;
mod error;
mod every;
mod except;
mod gregorian;
mod jitter;
mod kron;
mod once;
mod part;
mod spread;
mod stable_hash;
mod union;
mod words;
mod years;
pub mod zone;
mod zone_clock;

use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZone;

pub use self::bounded::Bounded;
pub use self::clock_changes::{ClockChanges, Fold, Gap};
pub use self::cron::Cron;
pub use self::error::ScheduleError;
pub use self::every::Every;
pub use self::except::Except;
pub use self::jitter::Jitter;
pub use self::kron::{FieldBuilder, Kron, KronBuilder, StepBuilder};
pub use self::once::Once;
pub use self::part::EXPRESSION_BYTES_MAX;
pub use self::spread::Spread;
pub use self::union::Union;
use crate::tick::Tick;

/// Says when a task is due.
///
/// # For implementers
/// A schedule is a pure function: every replica, of every build, must compute the same ticks from
/// the same definition, whatever its clock says.
/// - **Least and strictly after**: `next_after(t)` is the least tick strictly after `t`, or `None`
///   if there is none ever after;
/// - **monotone**, which follows: if `t <= u` then `next_after(t) <= next_after(u)` (`None` being
///   the greatest), so that restarting from any instant between two ticks gives the later of them;
/// - **pure**: it depends on nothing but `self` and `t`: no clock, no state, nothing random;
/// - **bounded**: it returns soon. It is called while other tasks wait.
///
/// Replicas also compare what schedules [describe](Schedule::describe), to notice that their
/// definitions differ: schedules with different ticks should describe themselves differently.
///
/// ```
/// use sexton_core::schedule::Schedule;
/// use sexton_core::tick::Tick;
///
/// /// Due whenever the milliseconds since the epoch are a power of two.
/// #[derive(Debug)]
/// struct PowersOfTwo;
///
/// impl Schedule for PowersOfTwo {
///     fn next_after(&self, after: Tick) -> Option<Tick> {
///         let after = u64::try_from(after.as_millis()).unwrap_or(0);
///         let next = (after + 1).next_power_of_two();
///         Tick::from_millis(i64::try_from(next).ok()?)
///     }
///
///     fn describe(&self) -> String {
///         "at powers of two milliseconds after the Unix epoch".to_owned()
///     }
/// }
///
/// let tick = Tick::from_millis(1_000).unwrap();
/// assert_eq!(PowersOfTwo.next_after(tick), Tick::from_millis(1_024));
/// assert_eq!(PowersOfTwo.next_after(Tick::MAX), None);
/// ```
pub trait Schedule: fmt::Debug + Send + Sync + 'static {
    /// The least tick strictly after `after`; `None` when the schedule has ended.
    fn next_after(&self, after: Tick) -> Option<Tick>;

    /// The schedule in plain English, for people: `every 15 minutes`, `at 09:00 on Mondays,
    /// Europe/Paris time`.
    fn describe(&self) -> String;

    /// The schedule as text for programs: all that decides about its ticks, and nothing else.
    /// Schedules with the same text have the same ticks on every build, and a text never
    /// changes from one version to the next: a store goes by it to tell [since
    /// when](crate::lock::TaskState::schedule_since) a task has had its schedule.
    ///
    /// Unless overridden, what the schedule [describes](Schedule::describe).
    ///
    /// ```
    /// use sexton_core::schedule::{Cron, Schedule, zone};
    ///
    /// let cron = Cron::parse("0 9,18 * * MON-FRI")?.in_tz(zone::parse("Europe/Paris")?)?;
    /// assert_eq!(cron.canonical(), "cron s=0 m=0 h=9,18 d=* w=1-5 mon=* y=* times-of-day Europe/Paris");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn canonical(&self) -> String {
        self.describe()
    }

    /// Why a schedule that has no tick left is over, and what was probably meant, for people:
    /// `its last year, 2020, is over`. `None` if there is nothing to say.
    ///
    /// Asked only of schedules that [are over](first_after).
    ///
    /// ```
    /// use sexton_core::schedule::{Kron, Schedule};
    ///
    /// let advice = Kron::parse("0 0 9 * * 1")?.advice_when_over();
    /// assert_eq!(
    ///     advice.as_deref(),
    ///     Some("its last year is the year 1: a part without a letter is a year; Monday is written 1w")
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn advice_when_over(&self) -> Option<String> {
        None
    }

    /// The time zones whose rules decide about the ticks; none unless overridden.
    ///
    /// Replicas compare [fingerprints](zone::Fingerprint) of the rules, since they may have rules
    /// of different years. A schedule made of others passes on the zones of all of them.
    ///
    /// ```
    /// use sexton_core::schedule::{Cron, Schedule, zone};
    ///
    /// let paris = zone::parse("Europe/Paris")?;
    /// assert_eq!(Cron::parse("0 9 * * *")?.zones(), []);
    /// assert_eq!(Cron::parse("0 9 * * *")?.in_tz(paris.clone())?.zones(), [paris]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn zones(&self) -> Vec<TimeZone> {
        Vec::new()
    }
}

impl Schedule for Arc<dyn Schedule> {
    fn next_after(&self, after: Tick) -> Option<Tick> {
        (**self).next_after(after)
    }

    fn describe(&self) -> String {
        (**self).describe()
    }

    fn canonical(&self) -> String {
        (**self).canonical()
    }

    fn advice_when_over(&self) -> Option<String> {
        (**self).advice_when_over()
    }

    fn zones(&self) -> Vec<TimeZone> {
        (**self).zones()
    }
}

impl Schedule for Box<dyn Schedule> {
    fn next_after(&self, after: Tick) -> Option<Tick> {
        (**self).next_after(after)
    }

    fn describe(&self) -> String {
        (**self).describe()
    }

    fn canonical(&self) -> String {
        (**self).canonical()
    }

    fn advice_when_over(&self) -> Option<String> {
        (**self).advice_when_over()
    }

    fn zones(&self) -> Vec<TimeZone> {
        (**self).zones()
    }
}

/// The schedule's first tick after an instant, for those who know what time it is and do not want a
/// schedule that is over: years in the past, an end that has come, a [`Once`] that was missed.
///
/// ```
/// use sexton_core::schedule::{Cron, first_after};
///
/// let cron = Cron::parse("0 0 0 1 1 * 2021")?;
/// assert_eq!(
///     first_after(&cron, "2026-01-01T00:00:00Z".parse()?).unwrap_err().to_string(),
///     "at 00:00 on the 1st of January, in 2021, UTC has ended: it is never due after 2026-01-01T00:00:00Z: \
///      its last year, 2021, is over"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ScheduleError::Ended`] if there is none.
pub fn first_after(schedule: &dyn Schedule, after: Tick) -> Result<Tick, ScheduleError> {
    schedule
        .next_after(after)
        .ok_or_else(|| ScheduleError::Ended {
            schedule: schedule.describe().into(),
            after: after.timestamp(),
            advice: schedule.advice_when_over().map(String::into_boxed_str),
        })
}
