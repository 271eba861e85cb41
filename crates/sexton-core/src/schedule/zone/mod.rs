//! Time zones: where their rules come from, and how replicas tell whether they have the same.
//!
//! Governments change the rules of their clocks several times a year, and machines learn of it at
//! different times. A replica with old rules computes other ticks than one with new rules, and no
//! store could tell: each tick alone looks right. So a [`Database`] says which set of rules counts,
//! and a [`Fingerprint`] of a zone's rules stands in the definition of each task that goes by it.
//!
//! Only this module, and `jiff` for it, reads the machine's rules (`/usr/share/zoneinfo` or
//! `TZDIR`), its `TZ` and `/etc/localtime`.

mod changes;
mod database;
mod machine;
mod meant;
mod names;
mod rules;
mod version;

use jiff::tz::TimeZone;

pub(super) use self::changes::change_after;
pub use self::database::{Database, Source, SourceError, Substitute};
use self::names::{name_of, posix_rule};
pub use self::rules::{Fingerprint, FingerprintError, ZoneRules};
use super::error::ScheduleError;

/// The time zone with this IANA name, such as `Europe/Paris` or `UTC`; letters in either case.
///
/// The newest rules count, those of the machine or those built in, as [`Database::newest`] says.
///
/// ```
/// use sexton_core::schedule::zone;
///
/// assert_eq!(zone::parse("europe/paris")?.iana_name(), Some("Europe/Paris"));
/// assert_eq!(
///     zone::parse("Paris").unwrap_err().to_string(),
///     r#"no time zone is called "Paris"; did you mean Europe/Paris?"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ScheduleError::Zone`] if there is none.
pub fn parse(name: &str) -> Result<TimeZone, ScheduleError> {
    Database::newest().zone(name)
}

/// `Europe/Paris time`, `UTC+05:30`, `CET-1CEST,M3.5.0,M10.5.0/3 time`.
pub(super) fn zone_in_words(zone: &TimeZone) -> String {
    if let Some(name) = name_of(zone) {
        return if name == "UTC" {
            name.to_owned()
        } else {
            format!("{name} time")
        };
    }
    if let Ok(offset) = zone.to_fixed_offset() {
        let seconds = offset.seconds();
        let sign = if seconds < 0 { '-' } else { '+' };
        let minutes = seconds.unsigned_abs() / 60;
        let seconds = match seconds.unsigned_abs() % 60 {
            0 => String::new(),
            seconds => format!(":{seconds:02}"),
        };
        return format!("UTC{sign}{:02}:{:02}{seconds}", minutes / 60, minutes % 60);
    }
    match posix_rule(zone) {
        Some(rule) => format!("{rule} time"),
        None => format!("time by zone rules {}", Fingerprint::of(zone)),
    }
}

/// What a zone whose clocks change is in a canonical text: its name; if it has none, its rule or
/// its fingerprint.
pub(super) fn zone_canonical(zone: &TimeZone) -> String {
    match (name_of(zone), posix_rule(zone)) {
        (Some(name), _) => name.to_owned(),
        (None, Some(rule)) => rule,
        (None, None) => format!("rules {}", Fingerprint::of(zone)),
    }
}
