//! Steps of a chore: commands that are shown, and must succeed.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use crate::failed::Failed;
use crate::process::{self, Group};

/// What `cargo xtask` sets for us alone. Build scripts watch some of it (ring's does), and would run again each time that a
/// chore and a bare cargo take turns.
const OURS: [&str; 4] = [
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_BIN_",
    "CARGO_CRATE_",
];

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}

/// A cargo command in the workspace's folder.
pub(crate) fn cargo(words: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(words.split_whitespace()).current_dir(root());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if OURS.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

/// Shows the command, runs it, and insists on its success.
pub(crate) fn run(command: &mut Command) -> Result<(), Failed> {
    follow(command, |_| {})
}

/// Runs the command as [`run`] does, and hands each line of its output to `line`.
pub(crate) fn read(command: &mut Command, line: impl FnMut(&str) + Send) -> Result<(), Failed> {
    follow(command.stdout(Stdio::piped()), line)
}

fn follow(command: &mut Command, mut line: impl FnMut(&str) + Send) -> Result<(), Failed> {
    let step = shown(command);
    println!("\n> {step}");
    // Nothing asks: a question that nobody sees would wait for ever.
    let started = Group::start(command.stdin(Stdio::null()));
    let started = started.map_err(|cause| Failed::Start {
        step: step.clone(),
        cause,
    })?;
    let ended = started.map(|mut group| {
        let output = group.output().map(BufReader::new);
        let lines = output.into_iter().flat_map(BufRead::lines);
        thread::scope(|scope| {
            // Beside the waiting: the output ends only when nobody holds it any more, orphans included.
            scope.spawn(|| lines.map_while(Result::ok).for_each(|text| line(&text)));
            let ended = group.wait();
            for left in process::stop_orphans() {
                println!("xtask: `{step}` left {left} running: stopped");
            }
            ended
        })
    });
    match (process::interrupted(), ended) {
        (Some(signal), _) => Err(Failed::Interrupted { signal }),
        (None, Some(Err(cause))) => Err(Failed::Follow { step, cause }),
        (None, Some(Ok(status))) if !status.success() => Err(Failed::Step { step, status }),
        (None, _) => Ok(()),
    }
}

/// Whether the command can be run and succeeds, without a word.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// The command as it could be typed.
fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let words = command.get_args().map(|word| word.to_string_lossy());
    let set = command.get_envs().filter_map(|(name, value)| {
        Some(format!(
            "{}={:?}",
            name.to_string_lossy(),
            value?.to_string_lossy()
        ))
    });
    let words: Vec<String> = set
        .chain(std::iter::once(program))
        .chain(words.map(|word| word.into_owned()))
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_fails_the_chore_and_is_named() {
        assert!(run(Command::new("true").arg("--x")).is_ok());
        let why = run(Command::new("false").arg("a b").env("NAME", "v")).unwrap_err();
        let why = why.to_string();
        assert!(why.starts_with("`NAME=\"v\" false a b` failed"), "{why}");
        let why = run(&mut Command::new("/no/such/program")).unwrap_err();
        let why = why.to_string();
        assert!(why.starts_with("cannot start `program`"), "{why}");
    }

    #[test]
    fn the_lines_of_a_step_are_handed_on() {
        let mut lines = Vec::new();
        let mut command = Command::new("printf");
        read(command.arg("a\nb\n"), |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["a", "b"]);
    }

    #[test]
    fn what_cargo_sets_for_us_is_not_handed_on() {
        let command = cargo("version");
        let removed = |wanted: &str| {
            let mut set = command.get_envs();
            set.any(|(name, value)| name == wanted && value.is_none())
        };
        assert!(removed("CARGO_MANIFEST_DIR"));
        assert!(removed("CARGO_PKG_NAME"));
        assert!(!removed("PATH"));
    }
}
