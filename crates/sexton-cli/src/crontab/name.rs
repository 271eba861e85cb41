//! Names for tasks that have none.

use std::collections::HashMap;

use sexton_core::name::{NameError, TaskName, is_format_character};

/// How much of a command is part of its task's name: with the rest of the name it stays below
/// [`TaskName::BYTES_MAX`].
const COMMAND_BYTES_MAX: usize = 60;
const FILE_BYTES_MAX: usize = 40;
/// Names that begin with `sexton:` are Sexton's own, and a crontab may well be called so.
const FILE_CALLED_SEXTON: &str = "sexton crontab";

/// The names given to the lines of one file.
#[derive(Debug)]
pub(super) struct Names {
    file: String,
    given: HashMap<String, usize>,
}

impl Names {
    pub(super) fn of_file(path: &str) -> Names {
        let file = path.rsplit('/').next().unwrap_or(path);
        let file = match shortened(file, FILE_BYTES_MAX) {
            file if file == "-" || file.is_empty() => "crontab".to_owned(),
            file if file == "sexton" => FILE_CALLED_SEXTON.to_owned(),
            file => file,
        };
        Names {
            file,
            given: HashMap::new(),
        }
    }

    /// The name of the task with this command: the same for the same identity, and for no other. A
    /// line that stands in the file again has a number behind it.
    ///
    /// # Errors
    /// [`NameError`] if the file's name has characters that no task name may have.
    pub(super) fn name(&mut self, command: &str, identity: &[&str]) -> Result<TaskName, NameError> {
        let digest = digest(identity);
        let command = shortened(command, COMMAND_BYTES_MAX);
        let once = format!("{}: {command} [{digest:08x}]", self.file);
        let count = self.given.entry(once.clone()).or_default();
        *count += 1;
        TaskName::new(if *count == 1 {
            once
        } else {
            format!("{once} #{count}")
        })
    }
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

/// FNV-1a, folded to 32 bits, over the texts with a mark behind each. Part of the names in stores:
/// it never changes.
fn digest(texts: &[&str]) -> u32 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for text in texts {
        for byte in text.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    u32::try_from((hash >> 32) ^ (hash & 0xffff_ffff)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_and_tell_lines_apart() {
        let mut names = Names::of_file("/etc/cron.d/backup");
        let mut name = |identity: &[&str]| {
            names
                .name("  tar  -c\t/srv | gzip", identity)
                .map(|name| name.to_string())
        };
        let first = "backup: tar -c /srv | gzip [";
        let nightly = name(&["0 3 * * *", "root"]).unwrap();
        assert!(nightly.starts_with(first), "{nightly}");
        assert_eq!(
            name(&["0 3 * * *", "root"]).unwrap(),
            format!("{nightly} #2")
        );
        let weekly = name(&["0 3 * * 0", "root"]).unwrap();
        assert!(weekly.starts_with(first) && weekly != nightly);
        assert_eq!(
            digest(&["0 3 * * *", "root"]),
            0xb3cf_f6c2,
            "names in stores would change"
        );
    }

    #[test]
    fn a_long_command_is_cut() {
        let mut names = Names::of_file("-");
        let name = names.name(&"é".repeat(300), &["x"]).unwrap();
        assert!(name.as_str().starts_with("crontab: éé") && name.as_str().contains('…'));
        let mut names = Names::of_file(&"🔔".repeat(300));
        let name = names.name(&"🔔".repeat(300), &["x"]).unwrap();
        assert!(name.as_str().len() <= TaskName::BYTES_MAX - "#100000 ".len());
    }

    #[test]
    fn no_crontab_takes_the_names_that_are_sextons_own() {
        let mut names = Names::of_file("/etc/cron.d/sexton");
        let name = names.name("prune", &["x"]).unwrap();
        assert!(
            name.as_str().starts_with("sexton crontab: prune ["),
            "{name}"
        );
    }
}
