//! Lengths of time: reading `1h30m`, and saying `1 hour 30 minutes`.

use std::time::Duration;

use super::error::ScheduleError;
use super::part::Part;
use super::words::count_of;

const UNITS: [(&str, &str, u64); 5] = [
    ("d", "day", 24 * 60 * 60 * 1_000),
    ("h", "hour", 60 * 60 * 1_000),
    ("m", "minute", 60 * 1_000),
    ("s", "second", 1_000),
    ("ms", "millisecond", 1),
];

/// The whole milliseconds a duration has, if nothing is left over.
pub(super) fn whole_millis(duration: Duration) -> Option<i64> {
    let millis = i64::try_from(duration.as_millis()).ok()?;
    duration
        .subsec_nanos()
        .is_multiple_of(1_000_000)
        .then_some(millis)
}

/// Reads whole numbers with units, the largest unit first and each at most once.
pub(super) fn parse_length(language: &'static str, text: &str) -> Result<Duration, ScheduleError> {
    const ALLOWED: &str =
        "whole numbers with the units d, h, m, s, ms, the largest first, such as 1h30m";
    let whole = Part::whole(language, text)?.named("length");
    let mut rest = whole.trimmed();
    let mut units = UNITS.iter();
    let mut millis = 0_u64;
    if rest.text.is_empty() {
        return Err(rest.error(ALLOWED));
    }
    while !rest.text.is_empty() {
        let (number, after) = rest.split_where(|character| !character.is_ascii_digit());
        let (unit, after) = after.split_where(|character| !character.is_ascii_alphabetic());
        let count = number.number().ok_or_else(|| rest.error(ALLOWED))?;
        let (_, _, length) = units
            .find(|(short, _, _)| unit.text == *short)
            .ok_or_else(|| {
                if unit.text.is_empty() {
                    rest.error(ALLOWED)
                } else {
                    unit.error(ALLOWED)
                }
            })?;
        // At most nine digits, so neither overflows.
        millis += u64::from(count) * length;
        rest = after;
    }
    Ok(Duration::from_millis(millis))
}

/// `1 hour 30 minutes`.
pub(super) fn length_in_words(millis: i64) -> String {
    let mut rest = millis.unsigned_abs();
    let mut words = Vec::new();
    for (_, unit, length) in UNITS {
        let count = u32::try_from(rest / length).unwrap_or(u32::MAX);
        rest %= length;
        match count {
            0 => {}
            1 => words.push(format!("1 {unit}")),
            _ => words.push(count_of(count, unit)),
        }
    }
    if words.is_empty() {
        "0 seconds".to_owned()
    } else {
        words.join(" ")
    }
}
