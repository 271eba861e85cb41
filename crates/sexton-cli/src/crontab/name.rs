//! Names for the tasks of crontabs.
//!
//! A line without a name is called `FILE: PROGRAM [DIGEST]`. The digest is over everything that
//! says what the task is and when, so that two hosts whose lines are alike share its ticks. Of the
//! command no more than its program's name is told: names are in stores, logs and labels.

use std::collections::HashMap;

use sexton_core::name::{TaskName, is_format_character};
use sha2::{Digest, Sha256};

use super::program::program;

/// How much of a file's name is told, in bytes.
const FILE_BYTES_MAX: usize = 40;
/// How many bytes of the hash are told: a crontab has at most 100,000 lines, and among as many the
/// chance that two are alike is 1 in 3 billion.
const DIGEST_BYTES: usize = 8;
/// A crontab may well be called `sexton`, and its names must not begin as Sexton's own do.
const FILE_CALLED_SEXTON: &str = "sexton crontab";

/// How a crontab is called in the names of its tasks: the base name of its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileName(String);

impl FileName {
    pub(super) fn of(path: &str) -> FileName {
        let file = path.rsplit('/').next().unwrap_or(path);
        FileName(match shortened(file, FILE_BYTES_MAX) {
            file if file == "-" || file.is_empty() => "crontab".to_owned(),
            file if file == "sexton" => FILE_CALLED_SEXTON.to_owned(),
            file => file,
        })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What tells a line from all others.
pub(super) struct Identity<'i> {
    /// The fields of its time, with one blank between them.
    pub(super) when: &'i str,
    /// The user that the line or the flag names; empty if none is named.
    pub(super) user: &'i str,
    /// The zone that `CRON_TZ` names; empty if none does.
    pub(super) zone: &'i str,
    /// The command as it is written, its input included.
    pub(super) command: &'i [u8],
}

impl Identity<'_> {
    /// The beginning of the SHA-256 over the parts, each with its length in front. Part of the names
    /// in stores: it never changes.
    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let parts = [self.when, self.user, self.zone].map(str::as_bytes);
        for part in parts.into_iter().chain([self.command]) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hash = hash.finalize();
        let bytes = hash.iter().take(DIGEST_BYTES);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The names given so far, over all crontabs that are read together, each with the line that has
/// it.
#[derive(Debug, Default)]
pub(super) struct Names {
    places: HashMap<TaskName, String>,
    /// How many lines have been called so, but for the number behind the name.
    counts: HashMap<String, u64>,
}

impl Names {
    /// The name of a line of `file` that has none: the same for the same identity, and for no other.
    /// A line that is there again has a number behind it. `place` says where the line is.
    ///
    /// # Errors
    /// Why there can be none: the file's name has characters that no task may have in its name.
    pub(super) fn of_line(
        &mut self,
        file: &FileName,
        script: &[u8],
        identity: &Identity<'_>,
        place: &str,
    ) -> Result<TaskName, String> {
        let once = format!("{}: {} [{}]", file.0, program(script), identity.digest());
        loop {
            let count = self.counts.entry(once.clone()).or_default();
            *count += 1;
            let name = match count {
                1 => TaskName::new(&once),
                count => TaskName::new(format!("{once} #{count}")),
            };
            let name = name.map_err(|error| error.to_string())?;
            // A comment may have given the name to another line.
            if !self.places.contains_key(&name) {
                self.places.insert(name.clone(), place.to_owned());
                return Ok(name);
            }
        }
    }

    /// The name that a comment gives to the line at `place`.
    ///
    /// # Errors
    /// Why the line cannot have it: another has it already.
    pub(super) fn of_comment(&mut self, name: &TaskName, place: &str) -> Result<(), String> {
        if let Some(other) = self.places.get(name) {
            return Err(format!(
                "the line at {other} has the name \"{name}\" already"
            ));
        }
        self.places.insert(name.clone(), place.to_owned());
        Ok(())
    }
}

/// The name that a user gives to a task.
///
/// # Errors
/// Why no task may be called so.
pub(super) fn given(name: &str) -> Result<TaskName, String> {
    let name = TaskName::new(name).map_err(|error| error.to_string())?;
    if name.is_own() {
        return Err("names that begin with `sexton:` are Sexton's own".to_owned());
    }
    Ok(name)
}

/// The beginning of a text, on one line.
fn shortened(text: &str, bytes_max: usize) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control() || is_format_character(c))
        .collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    if line.len() <= bytes_max {
        return line;
    }
    format!(
        "{}…",
        line[..line.floor_char_boundary(bytes_max)].trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity<'i>(when: &'i str, command: &'i [u8]) -> Identity<'i> {
        Identity {
            when,
            user: "root",
            zone: "",
            command,
        }
    }

    #[test]
    fn names_are_stable_and_tell_lines_apart() {
        let file = FileName::of("/etc/cron.d/backup");
        let mut names = Names::default();
        let tar = b"  tar  -c\t/srv | gzip";
        let mut name = |when| {
            let named = names.of_line(&file, tar, &identity(when, tar), "backup:1");
            named.unwrap().to_string()
        };
        let nightly = name("0 3 * * *");
        assert_eq!(
            nightly, "backup: tar [1f06d4e3d452d747]",
            "names in stores would change"
        );
        assert_eq!(name("0 3 * * *"), format!("{nightly} #2"));
        let weekly = name("0 3 * * 0");
        assert!(weekly.starts_with("backup: tar [") && weekly != nightly);
    }

    #[test]
    fn parts_that_run_into_each_other_are_told_apart() {
        let of = |user, zone| {
            let identity = Identity {
                when: "@daily",
                user,
                zone,
                command: b"x",
            };
            identity.digest()
        };
        assert_ne!(of("ab", "c"), of("a", "bc"));
        assert_ne!(of("", "UTC"), of("UTC", ""));
    }

    #[test]
    fn a_long_name_of_a_file_is_cut() {
        let file = FileName::of(&"🔔".repeat(300));
        let program = [b'x'; 60];
        let named = Names::default().of_line(&file, &program, &identity("@daily", b"x"), "");
        let name = named.unwrap();
        assert!(name.as_str().len() <= TaskName::BYTES_MAX - "#100000 ".len());
        assert!(name.as_str().contains("…: xxx"), "{name}");
        assert_eq!(FileName::of("-").as_str(), "crontab");
    }

    #[test]
    fn no_crontab_takes_the_names_that_are_sextons_own() {
        let file = FileName::of("/etc/cron.d/sexton");
        let named = Names::default().of_line(&file, b"prune", &identity("@daily", b"x"), "");
        let name = named.unwrap();
        assert!(
            name.as_str().starts_with("sexton crontab: prune ["),
            "{name}"
        );
        assert!(given("sexton:prune").is_err());
    }

    #[test]
    fn a_name_is_given_once() {
        let mut names = Names::default();
        let name = given("bell").unwrap();
        assert_eq!(names.of_comment(&name, "a:2"), Ok(()));
        assert_eq!(
            names.of_comment(&name, "b:7").unwrap_err(),
            "the line at a:2 has the name \"bell\" already"
        );
    }
}
