//! Whenever any of several schedules is due.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::Schedule;
use super::error::ScheduleError;
use crate::tick::Tick;

/// Due whenever any of its schedules is; once where several are.
///
/// ```
/// use std::sync::Arc;
/// use sexton_core::schedule::{Cron, Schedule, Union};
///
/// let union = Union::new([
///     Arc::new(Cron::parse("0 9 * * MON-FRI")?) as Arc<dyn Schedule>,
///     Arc::new(Cron::parse("0 11 * * SAT,SUN")?),
/// ])?;
/// assert_eq!(
///     union.describe(),
///     "at 09:00 on weekdays, UTC; and at 11:00 on Saturdays and Sundays, UTC"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Union(Box<[Arc<dyn Schedule>]>);

impl Union {
    /// The most schedules a union has.
    pub const SCHEDULES_MAX: usize = 100;

    /// Due whenever any of these is.
    ///
    /// # Errors
    /// [`ScheduleError::Value`] unless there are 1 to [`Union::SCHEDULES_MAX`] of them.
    pub fn new(
        schedules: impl IntoIterator<Item = Arc<dyn Schedule>>,
    ) -> Result<Union, ScheduleError> {
        let schedules: Box<[_]> = schedules
            .into_iter()
            .take(Union::SCHEDULES_MAX + 1)
            .collect();
        if schedules.is_empty() || schedules.len() > Union::SCHEDULES_MAX {
            let found = if schedules.is_empty() {
                "none"
            } else {
                "more than 100"
            };
            return Err(ScheduleError::Value {
                what: "schedules of a union",
                found: found.into(),
                allowed: "1 to 100".into(),
            });
        }
        Ok(Union(schedules))
    }
}

impl Schedule for Union {
    fn next_after(&self, after: Tick) -> Option<Tick> {
        self.0
            .iter()
            .filter_map(|schedule| schedule.next_after(after))
            .min()
    }

    fn describe(&self) -> String {
        let schedules: Vec<_> = self.0.iter().map(|schedule| schedule.describe()).collect();
        schedules.join("; and ")
    }

    fn canonical(&self) -> String {
        let mut schedules: Vec<_> = self.0.iter().map(|schedule| schedule.canonical()).collect();
        // Their order decides nothing.
        schedules.sort_unstable();
        format!("union [{}]", schedules.join("; "))
    }

    fn advice_when_over(&self) -> Option<String> {
        let advice = self.0.iter().filter_map(|one| one.advice_when_over());
        let mut advice: Vec<String> = advice.collect();
        advice.dedup();
        (!advice.is_empty()).then(|| advice.join("; "))
    }

    fn zones(&self) -> Vec<TimeZone> {
        let zones = self.0.iter().flat_map(|schedule| schedule.zones());
        zones.collect()
    }
}
