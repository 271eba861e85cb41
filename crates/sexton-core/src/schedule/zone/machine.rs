//! What the machine says of its time zone and of where its zone rules lie.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::changes::end;
use super::names::{COPIES, instead_of};
use crate::schedule::error::ScheduleError;

/// Where systems keep their zone rules.
pub(super) const FOLDERS: [&str; 3] = [
    "/usr/share/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/etc/zoneinfo",
];
/// The link to the rules of the machine's zone, or a copy of them.
const LOCALTIME: &str = "/etc/localtime";
/// How much of `TZ` and `TZDIR` is repeated in a message, in characters.
const FOUND_CHARS_MAX: usize = 100;

/// The folder of the machine's rules.
pub(super) struct Folder {
    pub(super) folder: Option<PathBuf>,
    /// What is wrong with `TZDIR`.
    pub(super) problem: Option<String>,
}

/// The folder that `TZDIR` names, or the first that is there.
pub(super) fn folder() -> Folder {
    let named = std::env::var_os("TZDIR").filter(|named| !named.is_empty());
    let usual = || FOLDERS.into_iter().map(PathBuf::from);
    let usual = || usual().find(|folder| folder.is_dir());
    match named.map(PathBuf::from) {
        Some(named) if named.is_dir() => Folder {
            folder: Some(named),
            problem: None,
        },
        Some(named) => {
            let folder = usual();
            let instead = match &folder {
                Some(folder) => format!("{} is read instead", folder.display()),
                None => "the built-in rules count".to_owned(),
            };
            let problem = format!("TZDIR={:?} is no folder: {instead}", cut(&named));
            Folder {
                folder,
                problem: Some(problem),
            }
        }
        None => Folder {
            folder: usual(),
            problem: None,
        },
    }
}

fn cut(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.chars().take(FOUND_CHARS_MAX).collect()
}

/// The machine's zone, with the rules that `rules_of` has for its name, if it has one.
///
/// `TimeZone::system()` would take what cannot be read for UTC, in silence.
pub(super) fn zone(rules_of: impl Fn(&str) -> Option<TimeZone>) -> Result<TimeZone, ScheduleError> {
    let tz = std::env::var_os("TZ");
    let system = match tz.as_ref().is_none_or(is_readable) {
        true => TimeZone::try_system().ok(),
        false => None,
    };
    if let Some(zone) = system.filter(|zone| !end(zone)) {
        let name = zone.iana_name().filter(|name| instead_of(name).is_none());
        let counting = name.and_then(&rules_of);
        return Ok(counting.unwrap_or(zone));
    }
    // The machine's own file may be broken or end, and the built-in rules have the zone.
    if let Some(zone) = name(tz.as_ref()).and_then(|name| rules_of(&name)) {
        return Ok(zone);
    }
    let found = match tz {
        Some(tz) => format!("TZ={:?}", cut(Path::new(&tz))),
        // A machine without any, such as a small container, is in UTC.
        None if std::fs::symlink_metadata(LOCALTIME).is_err() => return Ok(TimeZone::UTC),
        None => LOCALTIME.to_owned(),
    };
    Err(ScheduleError::MachineZone {
        found: found.into(),
    })
}

/// Whether reading what `TZ` names comes to an end: a path to a device or a FIFO may have none.
fn is_readable(tz: &OsString) -> bool {
    const BYTES_MAX: u64 = 1024 * 1024;
    let path = match tz.to_str() {
        Some(text) => Path::new(text.strip_prefix(':').unwrap_or(text)),
        None => Path::new(tz),
    };
    match std::fs::metadata(path) {
        Ok(kind) if path.is_absolute() => kind.is_file() && kind.len() <= BYTES_MAX,
        // A name, a rule, or nothing that is there.
        _ => true,
    }
}

/// The name in `TZ`, or of what `/etc/localtime` links to.
fn name(tz: Option<&OsString>) -> Option<String> {
    let text = match tz {
        Some(tz) => tz.to_str()?.to_owned(),
        None => std::fs::read_link(LOCALTIME).ok()?.to_str()?.to_owned(),
    };
    let text = text.strip_prefix(':').unwrap_or(&text);
    let file = text.rsplit_once("zoneinfo/").map_or(text, |(_, file)| file);
    let copied = COPIES.iter().find_map(|copy| file.strip_prefix(copy));
    Some(copied.unwrap_or(file).to_owned())
}
