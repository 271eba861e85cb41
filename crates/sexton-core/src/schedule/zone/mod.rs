//! Time zones: where their rules come from, and how replicas tell whether they have the same.
//!
//! Governments change the rules of their clocks several times a year, and machines learn of it at
//! different times. A replica with old rules computes other ticks than one with new rules, and no
//! store could tell: each tick alone looks right. So a [`Database`] says which set of rules counts,
//! and a [`Fingerprint`] of a zone's rules stands in the definition of each task that goes by it.
//!
//! Only this module, and `jiff` for it, reads the machine's rules (`/usr/share/zoneinfo` or
//! `TZDIR`), its `TZ` and `/etc/localtime`.

mod database;
mod machine;
mod meant;
mod rules;
mod version;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneTransition};

pub use self::database::{Database, Source, SourceError, Substitute};
pub use self::rules::{Fingerprint, FingerprintError, ZoneRules};
use super::error::ScheduleError;

/// The longest name looked up, in bytes.
const NAME_BYTES_MAX: usize = 100;

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

/// Names that are files of a zone database and mean another zone on each machine, or none.
const NO_ZONES: [&str; 4] = ["localtime", "posixrules", "factory", "etc/unknown"];
/// Folders that hold every zone once more: without leap seconds, and with them.
const COPIES: [&str; 2] = ["posix/", "right/"];

/// What to write instead of a name that stands in zone databases and is no zone's.
fn instead_of(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if NO_ZONES.contains(&lower.as_str()) {
        return Some("write the zone's IANA name, such as Europe/Paris".to_owned());
    }
    let copied = COPIES.iter().find(|copy| lower.starts_with(**copy))?;
    let zone = name.get(copied.len()..).unwrap_or_default();
    Some(format!("write {zone}"))
}

/// The zone's IANA name, unless that means another zone on each machine.
fn name_of(zone: &TimeZone) -> Option<&str> {
    zone.iana_name().filter(|name| instead_of(name).is_none())
}

/// The first change of a zone's clocks, or of what they are called, strictly after an instant.
///
/// `jiff` 0.2.46 answers the last change for ever where a file has no rule for what comes behind it.
pub(super) fn change_after(zone: &TimeZone, at: Timestamp) -> Option<TimeZoneTransition<'_>> {
    let change = zone.following(at).next()?;
    (change.timestamp() > at).then_some(change)
}

/// Whether a zone's rules end with a last change, and say nothing of what comes behind it: such are
/// old files and, since 2026, those below `right/`, which leave a zone in summer time for ever.
fn end(zone: &TimeZone) -> bool {
    let last = zone.following(Timestamp::MAX).next();
    last.is_some_and(|change| change.timestamp() > Timestamp::MIN)
}

fn unknown(name: &str, advice: impl Into<Box<str>>) -> ScheduleError {
    ScheduleError::Zone {
        name: name.chars().take(NAME_BYTES_MAX).collect(),
        advice: advice.into(),
    }
}

/// A zone's rule as POSIX writes it in `TZ`: `CET-1CEST,M3.5.0,M10.5.0/3`; `None` for zones that
/// have a name or are a table.
fn posix_rule(zone: &TimeZone) -> Option<String> {
    if zone.iana_name().is_some() || zone.to_fixed_offset().is_ok() {
        return None;
    }
    let printer = jiff::fmt::temporal::DateTimePrinter::new();
    printer.time_zone_to_string(zone).ok()
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
