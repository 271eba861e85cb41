//! What a task does: a command, or an HTTP request.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::http::HttpSpec;
use super::limits::Limits;
use crate::secret::{Secret, without_secrets};

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
        shell: OsString,
        /// The text, which may have bytes that are not UTF-8.
        script: OsString,
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
    /// Variables that a supervisor means for the program alone, and the one with its store's
    /// password.
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

impl fmt::Display for Work {
    /// As the file writes it, with URLs without their secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Work::Command(command) => f.write_str(&without_secrets(&command.program.to_string())),
            Work::Http(http) => write!(f, "{} {}", http.method, http.url_shown),
        }
    }
}

impl fmt::Display for Program {
    /// As the file writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Program::Shell { script, .. } => f.write_str(&script.to_string_lossy()),
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
