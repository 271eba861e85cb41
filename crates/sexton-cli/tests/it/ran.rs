//! The real binary, run to its end in a folder of its own.

use std::fmt;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder that the program is run in, so that paths in its output are the same everywhere.
pub(crate) struct Folder {
    place: TempDir,
    variables: Vec<(String, String)>,
}

/// What came of one run; shows itself as exit code, standard output and standard error.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// What of standard error says whose time zone rules count: another thing on each machine.
    pub(crate) rules: String,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder {
            place: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        }
    }

    /// With a file in it; folders in the path are made.
    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Folder {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Folder {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }

    /// The program's command, with none of this process's environment but `PATH`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sexton"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.args(arguments).current_dir(self.path());
        command.env_clear().env("PATH", path);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        let piped = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        Ran::of(child.wait_with_output().unwrap())
    }
}

/// Runs the program where there is no file.
pub(crate) fn sexton(arguments: &[&str]) -> Ran {
    Folder::new().run(arguments)
}

impl Ran {
    pub(crate) fn of(output: Output) -> Ran {
        let stderr = String::from_utf8(output.stderr).unwrap();
        let of_rules = |line: &&str| line.starts_with("time zone rules: ");
        let (rules, stderr): (String, String) = stderr.split_inclusive('\n').partition(of_rules);
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr,
            rules,
        }
    }

    /// Standard output as JSON, of a run that went well and had nothing to complain of.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self}");
        serde_json::from_str(&self.stdout).unwrap()
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "exit {code}")?,
            None => write!(f, "ended by a signal")?,
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "\n--- {name}\n{text}")?;
            }
        }
        Ok(())
    }
}
