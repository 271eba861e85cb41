//! Schedules in plain English.
//!
//! Scheduler instances compare what they describe, so nothing is left out: no list is cut short.

mod dates;
mod phrases;
mod times;

use super::calendar::{Calendar, DayRule};
use super::zone_clock::{ClockChange, ZoneClock};

pub(super) use dates::{DateWords, IfShorter, WEEKDAYS, weekdays_in_words};
pub(super) use phrases::{list, members, ordinal};

/// A whole schedule: its times, its dates, its zone.
pub(super) fn schedule_in_words<D: DayRule>(
    calendar: &Calendar<D>,
    dates: &DateWords,
    zone_clock: &ZoneClock,
    change: ClockChange,
) -> String {
    let times = times::in_words(&calendar.times);
    let mut text = times.text;
    text.push_str(&dates.after_times(calendar, times.lists_times));
    let names_hours = calendar.times.hours != 0xff_ffff || !calendar.is_daily();
    if !zone_clock.is_utc() {
        text.push_str(", ");
        text.push_str(&zone_clock.in_words());
    } else if names_hours {
        text.push_str(", UTC");
    }
    // The same words could stand for expressions that differ only when clocks change.
    if zone_clock.clocks_change() {
        text.push_str(match change {
            ClockChange::TimesOfDay if !times.lists_times => ", each time of day once",
            ClockChange::Elapsed if times.lists_times => ", whenever clocks show them",
            ClockChange::Chosen(changes) => changes.in_words(),
            _ => "",
        });
    }
    text
}
