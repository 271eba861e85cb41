//! The zone of the machine, in which crontabs count.

use std::fs;
use std::io;
use std::path::Path;

use jiff::tz::TimeZone;

use crate::environment::{Environment, Variable};
use crate::tasks::{Zone, ZoneChosen};
use crate::visible::visible;

/// Where a machine says which zone it is in, unless `TZ` does.
const LOCALTIME: &str = "/etc/localtime";

/// The machine's zone. Where it cannot be read, it is UTC, and the second value says why. A machine
/// that says nothing of its zone, as a small container, is in UTC.
pub(super) fn of_machine(environment: &Environment) -> (Zone, Option<String>) {
    let (zone, error) = match TimeZone::try_system() {
        Ok(zone) => (zone, None),
        Err(_) if environment.get("TZ") == Variable::Missing && is_missing(LOCALTIME) => {
            (TimeZone::UTC, None)
        }
        Err(error) => (TimeZone::UTC, Some(error.to_string())),
    };
    let zone = Zone {
        zone,
        chosen: ZoneChosen::ByMachine,
    };
    (zone, error)
}

fn is_missing(path: impl AsRef<Path>) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// The warning that the machine's zone cannot be read.
pub(super) fn warning(error: &str) -> String {
    format!(
        "warning: this machine's time zone cannot be read, and crontabs count in UTC: {}\n  \
         help: set TZ to an IANA name such as Europe/Paris, or link /etc/localtime to a zone's file\n",
        visible(error)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_not_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("localtime");
        assert!(is_missing(&path));
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        assert!(!is_missing(&path));
    }
}
