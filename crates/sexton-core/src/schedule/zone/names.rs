//! What zones are called, and what is no zone's name.

use jiff::tz::TimeZone;

use crate::schedule::error::ScheduleError;

/// The longest name looked up, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 100;

/// Names that are files of a zone database and mean another zone on each machine, or none.
const NO_ZONES: [&str; 4] = ["localtime", "posixrules", "factory", "etc/unknown"];
/// Folders that hold every zone once more: without leap seconds, and with them.
pub(super) const COPIES: [&str; 2] = ["posix/", "right/"];

/// What to write instead of a name that stands in zone databases and is no zone's.
pub(super) fn instead_of(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if NO_ZONES.contains(&lower.as_str()) {
        return Some("write the zone's IANA name, such as Europe/Paris".to_owned());
    }
    let copied = COPIES.iter().find(|copy| lower.starts_with(**copy))?;
    let zone = name.get(copied.len()..).unwrap_or_default();
    Some(format!("write {zone}"))
}

/// The zone's IANA name, unless that means another zone on each machine.
pub(super) fn name_of(zone: &TimeZone) -> Option<&str> {
    zone.iana_name().filter(|name| instead_of(name).is_none())
}

/// The error of a name that no zone has.
pub(super) fn unknown(name: &str, advice: impl Into<Box<str>>) -> ScheduleError {
    ScheduleError::Zone {
        name: name.chars().take(NAME_BYTES_MAX).collect(),
        advice: advice.into(),
    }
}

/// A zone's rule as POSIX writes it in `TZ`: `CET-1CEST,M3.5.0,M10.5.0/3`; `None` for zones that
/// have a name or are a table.
pub(super) fn posix_rule(zone: &TimeZone) -> Option<String> {
    if zone.iana_name().is_some() || zone.to_fixed_offset().is_ok() {
        return None;
    }
    let printer = jiff::fmt::temporal::DateTimePrinter::new();
    printer.time_zone_to_string(zone).ok()
}
