//! Between a start and an end.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Schedule;
use super::error::ScheduleError;
use crate::tick::Tick;

/// A schedule's ticks from a start (included) to an end (excluded).
///
/// ```
/// use std::sync::Arc;
/// use sexton_core::schedule::{Bounded, Cron, Schedule};
///
/// let daily = Arc::new(Cron::parse("@daily")?);
/// let (start, end) = ("2026-01-01T00:00:00Z".parse()?, "2026-01-03T00:00:00Z".parse()?);
/// let bounded = Bounded::new(daily, Some(start), Some(end))?;
/// assert_eq!(bounded.next_after("2020-01-01T00:00:00Z".parse()?), Some("2026-01-01T00:00:00Z".parse()?));
/// assert_eq!(bounded.next_after("2026-01-02T00:00:00Z".parse()?), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Bounded {
    schedule: Arc<dyn Schedule>,
    start: Option<Tick>,
    end: Option<Tick>,
}

impl Bounded {
    /// The schedule's ticks at or after `start` and before `end`.
    ///
    /// # Errors
    /// [`ScheduleError::Value`] unless the start is before the end, [`ScheduleError::NeverDue`] if the
    /// schedule has no tick between them.
    pub fn new(
        schedule: Arc<dyn Schedule>,
        start: Option<Timestamp>,
        end: Option<Timestamp>,
    ) -> Result<Bounded, ScheduleError> {
        if let (Some(start), Some(end)) = (start, end)
            && start >= end
        {
            return Err(ScheduleError::Value {
                what: "start and end",
                found: format!("{start} to {end}").into(),
                allowed: "a start before the end".into(),
            });
        }
        // An end past the last tick is none.
        let end = end.and_then(Tick::first_at_or_after);
        let start = start.map(Tick::at_or_after);
        let bounded = Bounded {
            schedule,
            start,
            end,
        };
        if bounded.next_after(Tick::MIN).is_none() {
            return Err(ScheduleError::NeverDue {
                schedule: bounded.describe().into(),
                reason: "it has no tick between its start and its end",
            });
        }
        Ok(bounded)
    }
}

impl Schedule for Bounded {
    fn next_after(&self, after: Tick) -> Option<Tick> {
        let after = match self.start {
            Some(start) => after.max(start.saturating_add_millis(-1)),
            None => after,
        };
        let tick = self.schedule.next_after(after)?;
        self.end.is_none_or(|end| tick < end).then_some(tick)
    }

    fn describe(&self) -> String {
        let mut text = self.schedule.describe();
        if let Some(start) = self.start {
            text.push_str(&format!(", from {start}"));
        }
        if let Some(end) = self.end {
            text.push_str(&format!(", before {end}"));
        }
        text
    }

    fn canonical(&self) -> String {
        let text =
            |tick: Option<Tick>| tick.map_or_else(|| "..".to_owned(), |tick| tick.to_string());
        let (start, end) = (text(self.start), text(self.end));
        format!("bounded [{}] {start} {end}", self.schedule.canonical())
    }

    fn advice_when_over(&self) -> Option<String> {
        let cut_off = self.end.filter(|end| {
            let before_end = end.saturating_add_millis(-1);
            self.schedule.next_after(before_end).is_some()
        });
        match cut_off {
            Some(end) => Some(format!("its end, {end}, has passed")),
            None => self.schedule.advice_when_over(),
        }
    }

    fn zones(&self) -> Vec<TimeZone> {
        self.schedule.zones()
    }
}
