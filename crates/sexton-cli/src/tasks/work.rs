//! What a task does: a command, or an HTTP request.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderName;
use reqwest::{Method, Url};

use super::limits::Limits;
use crate::secret::{Secret, without_passwords};

/// How long an HTTP request may take when nothing else is said.
pub const HTTP_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// What a task does.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Runs a command.
    Command(Box<CommandSpec>),
    /// Sends an HTTP request.
    Http(Box<HttpSpec>),
}

/// A command to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSpec {
    /// What to run.
    pub program: Program,
    /// Where to run it.
    pub cwd: Option<PathBuf>,
    /// What happens if that folder is not there.
    pub missing_cwd: MissingCwd,
    /// What it sees of Sexton's own environment.
    pub inherit: Inherit,
    /// Variables beyond that.
    pub variables: BTreeMap<String, Secret>,
    /// What it reads from its standard input; nothing if `None`.
    pub stdin: Option<Secret>,
    /// As whom it runs; as Sexton's own user if `None`.
    pub run_as: Option<RunAs>,
    /// The file mode creation mask, as in umask(2); Sexton's own if `None`.
    pub umask: Option<u32>,
    /// The priority, from -20 to 19; Sexton's own if `None`.
    pub nice: Option<i8>,
    /// What it may use of the machine.
    pub limits: Limits,
}

/// What a command consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A program and its arguments, with no shell between.
    Argv {
        /// The program: a path, or a name to be found in `PATH`.
        program: Secret,
        /// Its arguments.
        arguments: Vec<Secret>,
    },
    /// A text for a shell: `<shell> -c <script>`.
    Shell {
        /// The shell.
        shell: String,
        /// The text.
        script: String,
    },
}

/// What happens if the folder to run a command in is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingCwd {
    /// The run fails.
    Fail,
    /// The command begins in `/`.
    BeginInRoot,
}

/// What a command sees of the environment that Sexton itself was started in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inherit {
    /// All variables but these.
    AllBut(Arc<BTreeSet<String>>),
    /// These variables.
    Only(Arc<BTreeSet<String>>),
}

impl Default for Inherit {
    /// All variables.
    fn default() -> Inherit {
        Inherit::AllBut(Arc::default())
    }
}

impl Inherit {
    /// Variables that a supervisor means for the program alone, and the one with its store's password.
    const OF_THE_PROGRAM: [&str; 5] = [
        "JOURNAL_STREAM",
        "NOTIFY_SOCKET",
        "SEXTON_STORE",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
    ];

    /// Nothing.
    #[must_use]
    pub fn nothing() -> Inherit {
        Inherit::Only(Arc::default())
    }

    /// Whether a command inherits the variable of this name. One that is not UTF-8 is in no list.
    #[must_use]
    pub fn includes(&self, name: &OsStr) -> bool {
        let is_in =
            |names: &BTreeSet<String>| name.to_str().is_some_and(|name| names.contains(name));
        let is_chosen = match self {
            Inherit::AllBut(names) => !is_in(names),
            Inherit::Only(names) => is_in(names),
        };
        is_chosen && Inherit::OF_THE_PROGRAM.iter().all(|own| name != *own)
    }
}

/// A user to run a command as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunAs {
    /// The user's name.
    pub name: String,
    /// The user.
    pub uid: u32,
    /// The user's own group; supplementary groups are looked up by the name.
    pub gid: u32,
}

/// An HTTP request to send.
#[derive(Clone, PartialEq)]
pub struct HttpSpec {
    /// Where to. It may hold a password or a token.
    pub url: Url,
    /// The URL as the file writes it.
    pub url_written: String,
    /// How.
    pub method: Method,
    /// Headers beyond the client's own and Sexton's.
    pub headers: Vec<(HeaderName, Secret)>,
    /// What to send.
    pub body: Option<Secret>,
    /// Which answers count as success.
    pub accept: Accept,
    /// How long it may take, all in all.
    pub timeout: Duration,
}

impl fmt::Debug for HttpSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSpec")
            .field("url", &without_passwords(&self.url_written))
            .field("method", &self.method)
            .field("headers", &self.headers)
            .field("body", &self.body)
            .field("accept", &self.accept)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// Which HTTP statuses count as success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept(Vec<Statuses>);

/// A run of HTTP statuses, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statuses {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl Accept {
    /// These statuses.
    #[must_use]
    pub fn new(statuses: Vec<Statuses>) -> Accept {
        Accept(statuses)
    }

    /// Whether `status` is among them.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.0
            .iter()
            .any(|range| (range.first..=range.last).contains(&status))
    }
}

impl Default for Accept {
    /// 200 to 299.
    fn default() -> Accept {
        Accept(vec![Statuses {
            first: 200,
            last: 299,
        }])
    }
}

impl Statuses {
    /// Reads `204`, `2xx` or `200-204`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Statuses> {
        let status = |text: &str| {
            let plain = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
            let number: u16 = text.parse().ok().filter(|_| plain)?;
            (100..=599).contains(&number).then_some(number)
        };
        if let Some(class) = text.strip_suffix("xx") {
            let first = status(&format!("{class}00"))?;
            return Some(Statuses {
                first,
                last: first + 99,
            });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (status(first)?, status(last)?);
        (first <= last).then_some(Statuses { first, last })
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Statuses { first, last } if first == last => write!(f, "{first}"),
            Statuses { first, last } if first % 100 == 0 && *last == first + 99 => {
                write!(f, "{}xx", first / 100)
            }
            Statuses { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

impl fmt::Display for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, statuses) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{statuses}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Work::Command(command) => command.program.fmt(f),
            Work::Http(http) => {
                write!(
                    f,
                    "{} {}",
                    http.method,
                    without_passwords(&http.url_written)
                )
            }
        }
    }
}

impl fmt::Display for Program {
    /// As the file writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Program::Shell { script, .. } => f.write_str(script),
            Program::Argv { program, arguments } => {
                write!(f, "{program}")?;
                arguments.iter().try_for_each(|argument| {
                    let written = argument.written();
                    if written.is_empty()
                        || written.contains(|c: char| c.is_whitespace() || c == '"')
                    {
                        write!(f, " {written:?}")
                    } else {
                        write!(f, " {written}")
                    }
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_a_number_a_class_or_a_range() {
        for text in ["204", "2xx", "200-204", "500-599"] {
            let expected = if text == "500-599" { "5xx" } else { text };
            assert_eq!(Statuses::parse(text).unwrap().to_string(), expected);
        }
        for text in [
            "", "2x", "20", "099", "600", "6xx", "0xx", "204-200", "+20", "2xx-3xx", "-1",
        ] {
            assert!(Statuses::parse(text).is_none(), "{text}");
        }
        assert!(Accept::default().contains(204) && !Accept::default().contains(302));
    }
}
