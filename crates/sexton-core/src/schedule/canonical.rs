//! The canonical text of a calendar: its fields as they were compiled, its zone, and what clock
//! changes do to it.
//!
//! The text is made of the bit sets, not of what the user wrote, so that `*/15` and `0,15,30,45`
//! are the same schedule. A store compares it with what other builds wrote: never change it.

use std::fmt::Display;

use super::calendar::{Calendar, EVERY_MONTH};
use super::words::members;
use super::zone_clock::{ClockChange, ZoneClock};

const SIXTY: u64 = (1 << 60) - 1;
const HOURS: u64 = (1 << 24) - 1;

/// `KIND s=… m=… h=… DAYS mon=… y=… CHANGE ZONE`; milliseconds only where a schedule has any.
pub(super) fn calendar_text<D>(
    kind: &str,
    calendar: &Calendar<D>,
    days: &str,
    change: ClockChange,
    zone_clock: &ZoneClock,
) -> String {
    let times = &calendar.times;
    let millis: Vec<u32> = times.millis.iter().collect();
    let millis = match millis.as_slice() {
        [0] => String::new(),
        millis => format!(" ms={}", ranges(millis)),
    };
    let years = match calendar.years.is_every() {
        true => "*".to_owned(),
        false => {
            let span = |span: &super::years::YearSpan| {
                format!("{}-{}/{}", span.first, span.last, span.step)
            };
            joined(calendar.years.spans().iter().map(span))
        }
    };
    let change = match change {
        ClockChange::TimesOfDay => "times-of-day",
        ClockChange::Elapsed => "elapsed",
        ClockChange::Chosen(changes) => changes.canonical(),
    };
    format!(
        "{kind} s={}{millis} m={} h={} {days} mon={} y={years} {change} {}",
        set(times.seconds, SIXTY),
        set(times.minutes, SIXTY),
        set(times.hours.into(), HOURS),
        set(calendar.months.into(), EVERY_MONTH.into()),
        zone_clock.canonical(),
    )
}

/// The members of a set, as ranges; `*` for all that are possible.
pub(super) fn set(bits: u64, all: u64) -> String {
    match bits == all {
        true => "*".to_owned(),
        false => ranges(&members(bits)),
    }
}

/// `0,15,30-35`.
fn ranges(members: &[u32]) -> String {
    let runs = members.chunk_by(|one, next| one + 1 == *next);
    joined(runs.map(|run| match run {
        [first, .., last] => format!("{first}-{last}"),
        one => joined(one.iter()),
    }))
}

/// The items with commas between them.
pub(super) fn joined(items: impl Iterator<Item = impl Display>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    items.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_written_as_ranges() {
        assert_eq!(set(SIXTY, SIXTY), "*");
        assert_eq!(set(0b1, SIXTY), "0");
        assert_eq!(set(0b1101_0111, SIXTY), "0-2,4,6-7");
    }
}
