//! Instants: `at`, `start`, `end`.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use sexton_core::tick::Tick;
use toml::de::DeValue;

use super::field::Field;
use crate::secret::Secret;

/// How instants are written, for error messages.
pub(super) const FORM: &str = "an instant like 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00, \
    or a local time of the task's time zone like 2026-12-24T18:00:00 or 2026-12-24";

const UNREADABLE: &str = "this is not an instant";
const NO_SUCH: &str = "there is no such date or time, or it is past the year 9999";

/// Reads an instant, written as a TOML date or as a string. Without an offset it is a local time of
/// `zone`.
pub(super) fn read(field: &Field<'_>, zone: &TimeZone) -> Option<Tick> {
    let text = match field.value {
        DeValue::Datetime(datetime) => Secret::plain(datetime.to_string()),
        DeValue::String(_) => field.text(FORM)?,
        _ => {
            field.reject_kind(FORM);
            return None;
        }
    };
    match parse(text.expose(), zone) {
        Ok(tick) => Some(tick),
        Err(detail) => {
            field.reject_text(&text, &detail, FORM);
            None
        }
    }
}

/// Reads an instant, in whole milliseconds.
pub(crate) fn parse(text: &str, zone: &TimeZone) -> Result<Tick, String> {
    // An instant that names a zone is more than is asked for, and jiff would not look at it.
    if text.contains('[') {
        return Err(UNREADABLE.to_owned());
    }
    let timestamp = match Timestamp::from_str(text) {
        Ok(timestamp) => timestamp,
        Err(error) if error.is_range() => return Err(NO_SUCH.to_owned()),
        Err(_) => local(text, zone)?,
    };
    let tick = Tick::at_or_before(timestamp);
    if tick.timestamp() == timestamp {
        Ok(tick)
    } else {
        Err("an instant is in whole milliseconds".to_owned())
    }
}

fn local(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    let unreadable = || UNREADABLE.to_owned();
    // A civil `Date` would read the date off a whole timestamp and drop the rest.
    let datetime = if text.len() == "2026-12-24".len() {
        Date::from_str(text)
            .map_err(|_| unreadable())?
            .at(0, 0, 0, 0)
    } else {
        DateTime::from_str(text).map_err(|_| unreadable())?
    };
    let ambiguous = zone.to_ambiguous_timestamp(datetime);
    if ambiguous.is_ambiguous() {
        return Err(
            "this local time is skipped or repeated where the clocks change: give an offset"
                .to_owned(),
        );
    }
    ambiguous.unambiguous().map_err(|_| NO_SUCH.to_owned())
}
