//! At a steady pace.

use std::time::Duration;

use super::Schedule;
use super::cron::Cron;
use super::error::ScheduleError;
use super::part::Part;
use crate::length::{self, in_words, whole_millis};
use crate::tick::Tick;

/// Every so often, counted from the Unix epoch (1970-01-01T00:00:00Z), so that all replicas agree
/// on the ticks without talking, whenever they start.
///
/// ```
/// use std::time::Duration;
/// use sexton_core::schedule::{Every, Schedule};
///
/// let every = Every::parse("15m")?.phase(Duration::from_secs(120))?;
/// assert_eq!(every.describe(), "every 15 minutes, 2 minutes later");
/// assert_eq!(every.next_after("2026-01-01T10:00:00Z".parse()?), Some("2026-01-01T10:02:00Z".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Periods that do not divide a day drift through it: `every 7h` is due at other hours each day. An
/// hour here is 3,600 seconds and a day 24 hours, whatever clocks on walls do; for times of day in
/// a zone use [`Cron`](super::Cron).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every {
    period_ms: i64,
    phase_ms: i64,
}

impl Every {
    /// The shortest period.
    pub const PERIOD_MIN: Duration = Duration::from_millis(1);
    /// The longest period: 3,650 days.
    pub const PERIOD_MAX: Duration = Duration::from_secs(3_650 * 24 * 60 * 60);

    /// Every `period`, in whole milliseconds.
    ///
    /// # Errors
    /// [`ScheduleError::Value`] if the period is not a whole number of milliseconds, or outside
    /// [`Every::PERIOD_MIN`]..=[`Every::PERIOD_MAX`].
    pub fn new(period: Duration) -> Result<Every, ScheduleError> {
        let refused = || ScheduleError::Value {
            what: "period",
            found: format!("{period:?}").into(),
            allowed: "1ms to 3650 days in whole milliseconds".into(),
        };
        let period_ms = whole_millis(period)
            .filter(|_| (Every::PERIOD_MIN..=Every::PERIOD_MAX).contains(&period))
            .ok_or_else(refused)?;
        Ok(Every {
            period_ms,
            phase_ms: 0,
        })
    }

    /// Each tick so much later than the epoch-aligned one.
    ///
    /// # Errors
    /// [`ScheduleError::Value`] unless the phase is in whole milliseconds and less than the period.
    pub fn phase(self, phase: Duration) -> Result<Every, ScheduleError> {
        let phase_ms = whole_millis(phase)
            .filter(|phase| *phase < self.period_ms)
            .ok_or_else(|| ScheduleError::Value {
                what: "phase",
                found: format!("{phase:?}").into(),
                allowed: format!(
                    "less than the period, {}, in whole milliseconds",
                    in_words(self.period())
                )
                .into(),
            })?;
        Ok(Every { phase_ms, ..self })
    }

    /// Reads a period, a [length of time](crate::length) such as `1h30m`, `250ms` or `2 days`.
    ///
    /// # Errors
    /// [`ScheduleError::Part`] and [`ScheduleError::TooLong`] if it cannot be read,
    /// [`ScheduleError::Beside`] if it is a cron expression, or as [`Every::new`].
    pub fn parse(text: &str) -> Result<Every, ScheduleError> {
        const LANGUAGE: &str = "every";
        let whole = Part::whole(LANGUAGE, text)?;
        let period = length::parse(text).map_err(|error| {
            cron_for_length(whole).unwrap_or_else(|| ScheduleError::Part {
                language: LANGUAGE,
                expression: text.into(),
                part: "length",
                position: error.position,
                found: error.found,
                allowed: error.allowed.into(),
            })
        })?;
        Every::new(period)
    }

    /// The period.
    #[must_use]
    pub fn period(&self) -> Duration {
        Duration::from_millis(self.period_ms.unsigned_abs())
    }
}

impl Schedule for Every {
    #[inline]
    fn next_after(&self, after: Tick) -> Option<Tick> {
        let periods = (after.as_millis() - self.phase_ms).div_euclid(self.period_ms) + 1;
        Tick::from_millis(periods * self.period_ms + self.phase_ms)
    }

    fn describe(&self) -> String {
        let period = match in_words(self.period()) {
            one if one.starts_with("1 ") && !one[2..].contains(' ') => one[2..].to_owned(),
            more => more,
        };
        let phase = Duration::from_millis(self.phase_ms.unsigned_abs());
        match phase.is_zero() {
            true => format!("every {period}"),
            false => format!("every {period}, {} later", in_words(phase)),
        }
    }

    fn canonical(&self) -> String {
        format!("every {}ms phase {}ms", self.period_ms, self.phase_ms)
    }
}

/// Says that what is no length of time is a cron expression, if it is one.
fn cron_for_length(whole: Part<'_>) -> Option<ScheduleError> {
    let whole = whole.trimmed();
    Cron::parse(whole.text).ok()?;
    let advice = format!(
        "cron = {:?} in a task file, no --every on the command line, `Cron` in code",
        whole.text
    );
    Some(whole.beside(advice))
}
