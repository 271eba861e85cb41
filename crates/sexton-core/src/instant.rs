//! Instants as people write them: one reading for schedules, task files and flags.
//!
//! An instant is RFC 3339: a date, a time and `Z` or an offset, such as
//! `2026-12-24T18:00:00+01:00`. Seconds may be left out, a fraction goes to the millisecond.
//! [`parse_in`] also reads a local time of a zone. What cannot be one instant, told the same by
//! every replica, is refused:
//!
//! - a leap second (`:60`), which the time scale of this crate does not have;
//! - an offset of a day or more;
//! - an annotation such as `[Europe/Paris]`, which could contradict the offset, and would do so on
//!   some machines only, where their time zone data differ;
//! - what is finer than a millisecond, for a tick is in whole milliseconds.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use thiserror::Error;

use crate::tick::Tick;

/// How instants are written, for error messages.
pub(crate) const FORM: &str =
    "an instant with Z or an offset, such as 2026-11-01T09:00:00Z or 2026-11-01T09:00:00+01:00";

/// The longest text that is read, in bytes.
const TEXT_BYTES_MAX: usize = 64;

/// Why a text is not one instant.
///
/// ```
/// use sexton_core::instant::{self, InstantError};
///
/// assert_eq!(instant::parse("2016-12-31T23:59:60Z"), Err(InstantError::LeapSecond));
/// assert_eq!(
///     InstantError::LeapSecond.to_string(),
///     "seconds are 00-59: a leap second, :60, is no instant here"
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InstantError {
    /// It is not written as an instant.
    #[error("this is not an instant")]
    Unreadable,
    /// The date or time does not exist, or lies outside [`Tick::MIN`]..=[`Tick::MAX`].
    #[error("there is no such date or time, or it is past the year 9999")]
    NoSuch,
    /// Its seconds are 60.
    #[error("seconds are 00-59: a leap second, :60, is no instant here")]
    LeapSecond,
    /// Its offset is a day or more.
    #[error("an offset from UTC is less than a day: -23:59 to +23:59")]
    Offset,
    /// It names a zone beside its offset.
    #[error("an instant has an offset, not a zone in brackets, which could contradict it")]
    Annotated,
    /// It is finer than a millisecond.
    #[error("an instant is in whole milliseconds")]
    TooFine,
    /// It is a local time that the zone's clocks skip or show twice.
    #[error("this local time is skipped or repeated where the clocks change: give an offset")]
    Ambiguous,
}

/// Reads an instant with `Z` or an offset.
///
/// ```
/// use sexton_core::instant::{self, InstantError};
///
/// assert_eq!(instant::parse("2026-11-01T09:00+01:00")?, "2026-11-01T08:00:00Z".parse()?);
/// assert_eq!(
///     instant::parse("2026-11-01T09:00+05:00[Europe/Paris]"),
///     Err(InstantError::Annotated)
/// );
/// # Ok::<(), InstantError>(())
/// ```
///
/// # Errors
/// [`InstantError`] if it is none.
pub fn parse(text: &str) -> Result<Tick, InstantError> {
    check(text)?;
    match text.parse::<Timestamp>() {
        Ok(timestamp) => whole(timestamp),
        Err(error) if error.is_range() => Err(InstantError::NoSuch),
        Err(_) => Err(InstantError::Unreadable),
    }
}

impl FromStr for Tick {
    type Err = InstantError;

    /// Reads an [instant](self) with `Z` or an offset, in whole milliseconds.
    fn from_str(text: &str) -> Result<Tick, InstantError> {
        parse(text)
    }
}

/// Reads an instant or, without an offset, a local time of `zone`: `2026-12-24T18:00:00`,
/// `2026-12-24T18:00`, or `2026-12-24` for its midnight.
///
/// ```
/// use sexton_core::instant::{self, InstantError};
/// use sexton_core::schedule::zone;
///
/// let paris = zone::parse("Europe/Paris")?;
/// assert_eq!(instant::parse_in("2026-12-24", &paris)?, "2026-12-23T23:00:00Z".parse()?);
/// // Clocks there show it twice.
/// assert_eq!(instant::parse_in("2026-10-25T02:30", &paris), Err(InstantError::Ambiguous));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`InstantError`] if it is none.
pub fn parse_in(text: &str, zone: &TimeZone) -> Result<Tick, InstantError> {
    match parse(text) {
        Err(InstantError::Unreadable) => whole(local(text, zone)?),
        read => read,
    }
}

fn local(text: &str, zone: &TimeZone) -> Result<Timestamp, InstantError> {
    // A civil `Date` would read the date off a whole timestamp and drop the rest.
    let datetime = if text.len() == "2026-12-24".len() {
        text.parse::<Date>().map(|date| date.at(0, 0, 0, 0))
    } else {
        text.parse::<DateTime>()
    };
    let datetime = datetime.map_err(|error| match error.is_range() {
        true => InstantError::NoSuch,
        false => InstantError::Unreadable,
    })?;
    let ambiguous = zone.to_ambiguous_timestamp(datetime);
    if ambiguous.is_ambiguous() {
        return Err(InstantError::Ambiguous);
    }
    ambiguous.unambiguous().map_err(|_| InstantError::NoSuch)
}

fn whole(timestamp: Timestamp) -> Result<Tick, InstantError> {
    let tick = Tick::at_or_before(timestamp);
    match (tick.timestamp() == timestamp, tick == Tick::MAX) {
        (true, _) => Ok(tick),
        (false, true) => Err(InstantError::NoSuch),
        (false, false) => Err(InstantError::TooFine),
    }
}

/// Refuses what jiff would read as something else than what is written.
fn check(text: &str) -> Result<(), InstantError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(InstantError::Unreadable);
    }
    if text.contains('[') && text.ends_with(']') {
        return Err(InstantError::Annotated);
    }
    let Some((_, time)) = text.split_once(['T', 't', ' ']) else {
        return Ok(());
    };
    let clock_ends = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, offset) = time.split_at(clock_ends);
    let whole_seconds = clock.split(['.', ',']).next().unwrap_or(clock);
    let digits: String = whole_seconds.split(':').collect();
    if digits.get(4..) == Some("60") {
        return Err(InstantError::LeapSecond);
    }
    let hours = offset.get(1..3).and_then(|hours| hours.parse::<u8>().ok());
    match hours.is_some_and(|hours| hours > 23) {
        true => Err(InstantError::Offset),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paris() -> TimeZone {
        TimeZone::get("Europe/Paris").unwrap()
    }

    #[test]
    fn an_instant_is_read_in_each_of_its_forms() {
        for text in [
            "2026-12-24T18:00:00Z",
            "2026-12-24T18:00Z",
            "2026-12-24t18:00:00.000z",
            "2026-12-24 19:00:00+01:00",
            "2026-12-25T17:59:00+23:59",
            "2026-12-23T18:01:00-23:59",
        ] {
            let expected = Tick::from_millis(1_798_135_200_000).unwrap();
            assert_eq!(parse(text), Ok(expected), "{text}");
            assert_eq!(parse_in(text, &paris()), Ok(expected), "{text}");
        }
        for local in [
            "2026-12-24T19:00",
            "2026-12-24T19:00:00",
            "2026-12-24 19:00:00.000",
        ] {
            assert_eq!(parse(local), Err(InstantError::Unreadable), "{local}");
            let expected = Tick::from_millis(1_798_135_200_000).unwrap();
            assert_eq!(parse_in(local, &paris()), Ok(expected), "{local}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused_with_or_without_a_zone() {
        use InstantError::*;
        for (text, why) in [
            ("", Unreadable),
            ("tomorrow", Unreadable),
            ("2026-02-30T00:00Z", NoSuch),
            ("2026-12-24T24:00Z", NoSuch),
            ("+012026-12-24T00:00Z", NoSuch),
            ("2016-12-31T23:59:60Z", LeapSecond),
            ("2016-12-31T23:59:60.5+00:00", LeapSecond),
            ("20161231T235960Z", LeapSecond),
            ("2026-12-24T18:00:00+25:00", Offset),
            ("2026-12-24T18:00:00-24:00", Offset),
            ("2026-12-24T18:00:00+2500", Offset),
            ("2026-11-01T09:00+01:00[Europe/Paris]", Annotated),
            ("2026-11-01T09:00+05:00[Europe/Paris]", Annotated),
            ("2026-11-01T09:00Z[UTC]", Annotated),
            ("2026-11-01T09:00:00.0001Z", TooFine),
            ("9999-12-30T22:00:00.001Z", NoSuch),
            ("9999-12-31T23:59:59Z", NoSuch),
        ] {
            assert_eq!(parse(text), Err(why), "{text}");
            assert_eq!(parse_in(text, &paris()), Err(why), "{text}");
        }
        for (text, why) in [
            ("2026-12-24T18:00:60", LeapSecond),
            ("2026-12-24T18:00[Europe/Paris]", Annotated),
            ("2026-02-30", NoSuch),
            ("2026-03-29T02:30", Ambiguous),
            ("2026-10-25T02:30", Ambiguous),
            ("9999-12-31", NoSuch),
        ] {
            assert_eq!(parse_in(text, &paris()), Err(why), "{text}");
        }
    }
}
