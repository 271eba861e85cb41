//! Lengths of time as people write them: one grammar for schedules, task files and flags.
//!
//! A length is a sequence of whole numbers, each with its unit, the largest unit first and each at
//! most once. White space may stand between them and at the ends: `90s`, `1h30m`, `1h 30m`,
//! `2 days`.
//!
//! | unit | is | also written |
//! |---|---|---|
//! | `w` | 7 days | `wk`, `wks`, `week`, `weeks` |
//! | `d` | 24 hours | `day`, `days` |
//! | `h` | 60 minutes | `hr`, `hrs`, `hour`, `hours` |
//! | `m` | 60 seconds | `min`, `mins`, `minute`, `minutes` |
//! | `s` | 1,000 milliseconds | `sec`, `secs`, `second`, `seconds` |
//! | `ms` | | `msec`, `msecs`, `millisecond`, `milliseconds` |
//!
//! Nothing is finer than a millisecond, so that every length is the same on every store. Months and
//! years have no fixed length, and `1M` or `1H` would be a guess: units are in lower case.

use std::time::Duration;

use thiserror::Error;

/// How lengths are written, for error messages.
pub const FORM: &str = "a duration like \"200ms\", \"15m\", \"1h30m\" or \"7d\"";

/// The longest length that can be written: 3,652,500 days, which is about 10,000 years.
pub const LENGTH_MAX: Duration = Duration::from_secs(3_652_500 * 24 * 60 * 60);

/// The longest text that is read, in bytes.
pub const LENGTH_BYTES_MAX: usize = 256;

struct Unit {
    /// The first is what [`text`] writes, the last but one what [`in_words`] says.
    names: &'static [&'static str],
    millis: u64,
}

static UNITS: [Unit; 6] = [
    Unit {
        names: &["w", "wk", "wks", "week", "weeks"],
        millis: 7 * 24 * 60 * 60 * 1_000,
    },
    Unit {
        names: &["d", "day", "days"],
        millis: 24 * 60 * 60 * 1_000,
    },
    Unit {
        names: &["h", "hr", "hrs", "hour", "hours"],
        millis: 60 * 60 * 1_000,
    },
    Unit {
        names: &["m", "min", "mins", "minute", "minutes"],
        millis: 60 * 1_000,
    },
    Unit {
        names: &["s", "sec", "secs", "second", "seconds"],
        millis: 1_000,
    },
    Unit {
        names: &["ms", "msec", "msecs", "millisecond", "milliseconds"],
        millis: 1,
    },
];

/// Lengths are written and said without weeks: a week is `7d` and `7 days`.
const WEEKS: usize = 1;

/// A text that is not a length: what was found, where, and what is allowed.
///
/// ```
/// use sexton_core::length;
///
/// let error = length::parse("1h 5x").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"at byte 4: found "x", allowed is a unit: w, d, h, m, s or ms, or its English name"#
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("at byte {position}: found {}, allowed is {allowed}", quoted(found))]
pub struct LengthError {
    /// Where the wrong text begins, in bytes from the start.
    pub position: usize,
    /// The wrong text; empty where something is missing.
    pub found: Box<str>,
    /// What may stand there.
    pub allowed: &'static str,
}

const NUMBERS: &str =
    "whole numbers with the units w, d, h, m, s, ms, the largest first, such as 1h30m";
const A_UNIT: &str = "a unit: w, d, h, m, s or ms, or its English name";
const FIXED: &str = "units of a fixed length: w, d, h, m, s, ms; months and years have none";
const SMALLER: &str =
    "a smaller unit than the one before: the largest comes first, each at most once";
const SHORTER: &str = "at most 3652500 days";
const SHORT_TEXT: &str = "a text of at most 256 bytes";

fn quoted(found: &str) -> String {
    match found {
        "" => "nothing".to_owned(),
        found => format!("{found:?}"),
    }
}

/// Reads a length of time.
///
/// ```
/// use std::time::Duration;
/// use sexton_core::length;
///
/// assert_eq!(length::parse("1h 30m")?, Duration::from_secs(5_400));
/// assert_eq!(length::parse("2 weeks")?, length::parse("14d")?);
/// assert_eq!(length::parse("2592000000ms")?, length::parse("30d")?);
/// # Ok::<(), length::LengthError>(())
/// ```
///
/// # Errors
/// [`LengthError`] if the text is not a length, or is longer than [`LENGTH_MAX`]. Zero is a length;
/// whether it is allowed is for the caller to say.
pub fn parse(text: &str) -> Result<Duration, LengthError> {
    if text.len() > LENGTH_BYTES_MAX {
        let found = text.chars().take(32).chain(['…']).collect();
        return Err(LengthError {
            position: 0,
            found,
            allowed: SHORT_TEXT,
        });
    }
    let error = |at: &str, found: &str, allowed| LengthError {
        position: text.len() - at.len(),
        found: found.into(),
        allowed,
    };
    let mut units = UNITS.as_slice();
    let mut sum_ms = 0_u64;
    let mut rest = text.trim_ascii_start();
    if rest.is_empty() {
        return Err(error(rest, "", NUMBERS));
    }
    while !rest.is_empty() {
        let (digits, after) = split_where(rest, |character| !character.is_ascii_digit());
        let at_unit = after.trim_ascii_start();
        let (name, after) = split_where(at_unit, |character| !character.is_ascii_alphabetic());
        if digits.is_empty() || (name.is_empty() && !at_unit.is_empty()) {
            return Err(error(rest, rest.trim_ascii_end(), NUMBERS));
        }
        let has_name = |unit: &Unit| unit.names.contains(&name);
        let Some(place) = units.iter().position(has_name) else {
            let allowed = match name {
                _ if UNITS.iter().any(has_name) => SMALLER,
                "M" | "mo" | "mos" | "month" | "months" | "y" | "yr" | "yrs" | "year" | "years" => {
                    FIXED
                }
                _ => A_UNIT,
            };
            return Err(error(at_unit, name, allowed));
        };
        // Numbers too large for 64 bits are too long by any unit.
        let unit_ms = units[place].millis;
        let part_ms = digits.parse::<u64>().ok();
        sum_ms = part_ms
            .and_then(|count| count.checked_mul(unit_ms)?.checked_add(sum_ms))
            .filter(|sum_ms| u128::from(*sum_ms) <= LENGTH_MAX.as_millis())
            .ok_or_else(|| error(rest, digits, SHORTER))?;
        units = &units[place + 1..];
        rest = after.trim_ascii_start();
    }
    Ok(Duration::from_millis(sum_ms))
}

/// What stands before the first such character, and the rest.
fn split_where(text: &str, is_other: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(is_other).unwrap_or(text.len()))
}

/// A length as it is written, in whole milliseconds: `1h30m`, `7d`, `0s`. [`parse`] reads it.
///
/// ```
/// use std::time::Duration;
/// use sexton_core::length;
///
/// assert_eq!(length::text(Duration::from_secs(5_400)), "1h30m");
/// ```
#[must_use]
pub fn text(length: Duration) -> String {
    let parts: String = counts(length)
        .map(|(count, unit)| format!("{count}{}", unit.names[0]))
        .collect();
    match parts.is_empty() {
        true => "0s".to_owned(),
        false => parts,
    }
}

/// A length in words, in whole milliseconds: `1 hour 30 minutes`, `0 seconds`.
///
/// ```
/// use std::time::Duration;
/// use sexton_core::length;
///
/// assert_eq!(length::in_words(Duration::from_secs(5_400)), "1 hour 30 minutes");
/// ```
#[must_use]
pub fn in_words(length: Duration) -> String {
    let parts: Vec<String> = counts(length)
        .map(|(count, unit)| {
            let names = unit.names;
            let name = names[names.len() - if count == 1 { 2 } else { 1 }];
            format!("{count} {name}")
        })
        .collect();
    match parts.is_empty() {
        true => "0 seconds".to_owned(),
        false => parts.join(" "),
    }
}

/// How many of each unit a length has, without those of which it has none.
fn counts(length: Duration) -> impl Iterator<Item = (u128, &'static Unit)> {
    let mut rest_ms = length.as_millis();
    UNITS
        .iter()
        .skip(WEEKS)
        .map(move |unit| {
            let count = rest_ms / u128::from(unit.millis);
            rest_ms %= u128::from(unit.millis);
            (count, unit)
        })
        .filter(|(count, _)| *count > 0)
}

/// The whole milliseconds a duration has, if nothing is left over.
pub(crate) fn whole_millis(duration: Duration) -> Option<i64> {
    let millis = i64::try_from(duration.as_millis()).ok()?;
    duration
        .subsec_nanos()
        .is_multiple_of(1_000_000)
        .then_some(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_they_are_written() {
        for written in ["200ms", "15m", "1h30m", "7d", "1d2h3m4s5ms", "0s"] {
            assert_eq!(text(parse(written).unwrap()), written);
        }
    }

    #[test]
    fn units_have_names_and_blanks_stand_between() {
        for (written, seconds) in [
            ("1w", 604_800),
            ("2 weeks", 1_209_600),
            ("1h 30m", 5_400),
            (" 1 hour  30 minutes ", 5_400),
            ("1hr 5 mins 1sec", 3_901),
            ("1w1d1h1m1s", 694_861),
            ("007s", 7),
            ("2592000000ms", 2_592_000),
            ("3652500d", 3_652_500 * 86_400),
        ] {
            let expected = Duration::from_secs(seconds);
            assert_eq!(parse(written), Ok(expected), "{written}");
        }
    }

    #[test]
    fn what_is_no_length_is_told_with_its_place() {
        let long = "1".repeat(300);
        for (written, position, found, allowed) in [
            ("", 0, "", NUMBERS),
            ("  ", 2, "", NUMBERS),
            ("5", 1, "", A_UNIT),
            ("1h 5", 4, "", A_UNIT),
            ("h", 0, "h", NUMBERS),
            ("-5m", 0, "-5m", NUMBERS),
            ("1.5h", 0, "1.5h", NUMBERS),
            ("1h, 30m", 2, ", 30m", NUMBERS),
            ("1h1h", 3, "h", SMALLER),
            ("1m1h", 3, "h", SMALLER),
            ("1H", 1, "H", A_UNIT),
            ("1us", 1, "us", A_UNIT),
            ("1mo", 1, "mo", FIXED),
            ("1 year", 2, "year", FIXED),
            ("3652501d", 0, "3652501", SHORTER),
            ("99999999999999999999s", 0, "99999999999999999999", SHORTER),
            ("3652500d 1ms", 9, "1", SHORTER),
        ] {
            let found = found.into();
            let expected = LengthError {
                position,
                found,
                allowed,
            };
            assert_eq!(parse(written), Err(expected), "{written}");
        }
        assert_eq!(parse(&long).unwrap_err().allowed, SHORT_TEXT);
    }

    #[test]
    fn lengths_are_said_in_words() {
        let said = |written: &str| in_words(parse(written).unwrap());
        assert_eq!(said("2w"), "14 days");
        assert_eq!(
            said("1d1h1m1s1ms"),
            "1 day 1 hour 1 minute 1 second 1 millisecond"
        );
        assert_eq!(said("0s"), "0 seconds");
        assert_eq!(text(Duration::MAX), "213503982334601d7h15s999ms");
    }
}
