//! Schedules in plain English.
//!
//! Scheduler instances compare what they describe, so nothing is left out: no list is cut short.

mod dates;
mod times;

use std::fmt::Display;

use super::calendar::{Calendar, DayRule};
use super::place::{ClockChange, Place};

pub(super) use dates::{DateWords, IfShorter, WEEKDAYS, weekdays_in_words};

/// A whole schedule: its times, its dates, its zone.
pub(super) fn schedule_in_words<D: DayRule>(
    calendar: &Calendar<D>,
    dates: &DateWords,
    place: &Place,
    change: ClockChange,
) -> String {
    let times = times::in_words(&calendar.times);
    let mut text = times.text;
    text.push_str(&dates.after_times(calendar, times.lists_times));
    let names_hours = calendar.times.hours != 0xff_ffff || !calendar.is_daily();
    if !place.is_utc() {
        text.push_str(", ");
        text.push_str(&place.in_words());
    } else if names_hours {
        text.push_str(", UTC");
    }
    // The same words could stand for expressions that differ only when clocks change.
    if place.clocks_change() {
        text.push_str(match change {
            ClockChange::TimesOfDay if !times.lists_times => ", each time of day once",
            ClockChange::Elapsed if times.lists_times => ", whenever clocks show them",
            ClockChange::Chosen(changes) => changes.in_words(),
            _ => "",
        });
    }
    text
}

/// The members of a set of bits, least first.
pub(super) fn members(mut bits: u64) -> Vec<u32> {
    let mut members = Vec::new();
    while bits != 0 {
        members.push(bits.trailing_zeros());
        bits &= bits - 1;
    }
    members
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list<T: Display>(items: &[T]) -> String {
    joined(items, "and")
}

/// `a`, `a or b`, `a, b or c`.
fn list_or<T: Display>(items: &[T]) -> String {
    joined(items, "or")
}

fn joined<T: Display>(items: &[T], word: &str) -> String {
    let commas = |items: &[T]| {
        items
            .iter()
            .map(T::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match items {
        [start @ .., last] if !start.is_empty() => format!("{} {word} {last}", commas(start)),
        _ => commas(items),
    }
}

/// Runs of three and more become `a to b`.
pub(super) fn with_runs<T: Display>(members: &[u32], name: impl Fn(u32) -> T) -> Vec<String> {
    let mut items = Vec::new();
    let mut rest = members;
    while let [first, ..] = rest {
        let run = (*first..)
            .zip(rest)
            .take_while(|(expected, found)| expected == *found)
            .count();
        let (run, after) = rest.split_at(run);
        match run {
            [first, .., last] if run.len() > 2 => {
                items.push(format!("{} to {}", name(*first), name(*last)));
            }
            few => items.extend(few.iter().map(|member| name(*member).to_string())),
        }
        rest = after;
    }
    items
}

/// `1st`, `2nd`, `3rd`, `4th`, …
pub(super) fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// `minute`, `2 minutes`.
pub(super) fn count_of(count: u32, unit: &str) -> String {
    if count == 1 {
        unit.to_owned()
    } else {
        format!("{count} {unit}s")
    }
}
