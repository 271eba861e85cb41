//! The zone of the machine, in which crontabs count.

use jiff::tz::TimeZone;

use crate::tasks::{Zone, ZoneChosen};

/// The machine's zone. Where it cannot be read, it is UTC, and the second value says why.
pub(super) fn of_machine() -> (Zone, Option<String>) {
    let (zone, error) = match TimeZone::try_system() {
        Ok(zone) => (zone, None),
        Err(error) => (TimeZone::UTC, Some(error.to_string())),
    };
    let zone = Zone {
        zone,
        chosen: ZoneChosen::ByMachine,
    };
    (zone, error)
}

/// The warning that the machine's zone cannot be read.
pub(super) fn warning(error: &str) -> String {
    format!(
        "warning: this machine's time zone cannot be read, and crontabs count in UTC: {}\n  \
         help: set TZ to an IANA name such as Europe/Paris, or link /etc/localtime to a zone's file\n",
        crate::visible::visible(error)
    )
}
