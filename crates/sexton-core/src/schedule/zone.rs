//! Time zones by name.

use jiff::tz::TimeZone;

use super::error::ScheduleError;
use crate::similar::closest_within;

/// The longest name looked up, in bytes.
const NAME_BYTES_MAX: usize = 100;

/// The time zone with this IANA name, such as `Europe/Paris` or `UTC`; letters in either case.
///
/// The rules are the machine's own (`/usr/share/zoneinfo`, or `TZDIR`) and, where it has none, those
/// that were built in. Replicas with rules of different years can differ on ticks in a zone whose
/// government changed its mind in between, so keep them alike.
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
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(unknown(name));
    }
    TimeZone::get(name).map_err(|_| unknown(name))
}

fn unknown(name: &str) -> ScheduleError {
    let city = |known: &str| {
        known
            .rsplit('/')
            .next()
            .is_some_and(|city| city.eq_ignore_ascii_case(name))
    };
    let database = jiff::tz::db();
    let names: Vec<_> = database.available().collect();
    let names: Vec<&str> = names.iter().map(|known| known.as_str()).collect();
    let is_meant = |known: &&str| known.contains('/') && city(known);
    let meant = names.iter().copied().find(is_meant);
    let meant = meant.or_else(|| similar(name, &names));
    let advice = match meant {
        Some(known) => format!("did you mean {known}?"),
        None => "write an IANA name such as Europe/Paris, America/New_York or UTC".to_owned(),
    };
    ScheduleError::Zone {
        name: name.chars().take(NAME_BYTES_MAX).collect(),
        advice: advice.into(),
    }
}

/// The name that was misspelt by a letter, or by one in four of the city's; or a city alone that was
/// misspelt by one letter in five.
fn similar<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    // Without a place, as in `CET`, they are legacy.
    let names: Vec<&str> = (names.iter().copied())
        .filter(|known| known.contains('/'))
        .collect();
    let city = |known: &'n str| known.rsplit('/').next().unwrap_or(known);
    let whole = closest_within(name, names.iter().copied(), |known| {
        let city = known.rsplit('/').next().unwrap_or(known);
        (city.len() / 4).max(1)
    });
    whole.or_else(|| {
        let cities = names.iter().map(|known| city(known));
        let meant = closest_within(name, cities, |city| city.len() / 5)?;
        names.iter().copied().find(|known| city(known) == meant)
    })
}

/// `Europe/Paris time`, `UTC+05:30`.
pub(super) fn zone_in_words(zone: &TimeZone) -> String {
    if let Some(name) = zone.iana_name() {
        return if name == "UTC" {
            name.to_owned()
        } else {
            format!("{name} time")
        };
    }
    match zone.to_fixed_offset() {
        Ok(offset) => {
            let seconds = offset.seconds();
            let sign = if seconds < 0 { '-' } else { '+' };
            let minutes = seconds.unsigned_abs() / 60;
            let seconds = match seconds.unsigned_abs() % 60 {
                0 => String::new(),
                seconds => format!(":{seconds:02}"),
            };
            format!("UTC{sign}{:02}:{:02}{seconds}", minutes / 60, minutes % 60)
        }
        Err(_) => "time of a zone without a name".to_owned(),
    }
}
