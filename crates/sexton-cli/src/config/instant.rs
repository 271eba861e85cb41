//! Instants: `at`, `start`, `end`.

use jiff::tz::TimeZone;
use sexton_core::instant;
use sexton_core::tick::Tick;
use toml::de::DeValue;

use super::fields::Field;
use crate::secret::Secret;

/// How instants are written, for error messages.
pub(super) const FORM: &str = "an instant like 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00, \
    or a local time of the task's time zone like 2026-12-24T18:00:00 or 2026-12-24";

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
    match instant::parse_in(text.expose(), zone) {
        Ok(tick) => Some(tick),
        Err(error) => {
            field.reject_text(&text, &error.to_string(), FORM);
            None
        }
    }
}
