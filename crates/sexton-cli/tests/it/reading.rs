//! Reading texts as files, with an environment and users that are the same on every machine.

use std::path::Path;

use sexton_cli::config;
use sexton_cli::crontab::{self, Form, Users};
use sexton_cli::diagnostic::{Rejected, Source};
use sexton_cli::environment::Environment;
use sexton_cli::tasks::{RunAs, TaskFile};

pub(crate) fn environment() -> Environment {
    Environment::of([
        ("EMPTY", ""),
        ("HOME", "/home/quasimodo"),
        ("LOGNAME", "quasimodo"),
        ("PATH", "/opt/bells/bin"),
        ("SECRET", "hunter2"),
        ("SHELL", "/bin/bash"),
        ("USER", "quasimodo"),
    ])
}

/// Reads a task file that lies in `/srv/bells`.
pub(crate) fn task_file(text: &str) -> Result<TaskFile, Rejected> {
    let source = Source::new("tasks.toml", text);
    config::read(&source, Path::new("/srv/bells"), &environment())
}

/// All that is said of a bad task file.
pub(crate) fn rejected(text: &str) -> String {
    let told = task_file(text).expect_err("a bad file").to_string();
    assert!(!told.contains("hunter2"), "a secret was told: {told}");
    told
}

/// All that is said of a task that is bad: `lines` are what it has besides name, schedule and
/// command.
pub(crate) fn rejected_task(lines: &str) -> String {
    rejected(&format!(
        "[[task]]\nname = \"bell\"\ncron = \"@hourly\"\ncommand = [\"ring\"]\n{lines}\n"
    ))
}

/// All that is said of a bad HTTP request.
pub(crate) fn rejected_request(http: &str) -> String {
    rejected(&format!(
        "[[task]]\nname = \"bell\"\ncron = \"@hourly\"\nhttp = {http}\n"
    ))
}

/// A machine with `root` and a handful of other users, on which the program runs as `root`.
pub(crate) struct Villagers;

impl Users for Villagers {
    fn run_as(&self, name: &str) -> Result<Option<RunAs>, String> {
        let known = [
            "root",
            "amavis",
            "gnt-masterd",
            "list",
            "logcheck",
            "munin",
            "news",
            "www-data",
        ];
        match known.iter().position(|known| *known == name) {
            None => Err("this machine has no such user".to_owned()),
            Some(0) => Ok(None),
            Some(place) => {
                let uid = 100 + u32::try_from(place).unwrap_or(0);
                Ok(Some(RunAs {
                    name: name.to_owned(),
                    uid,
                    gid: uid,
                }))
            }
        }
    }

    fn home(&self, name: &str) -> Option<String> {
        Some(match name {
            "root" => "/root".to_owned(),
            "quasimodo" => "/home/quasimodo".to_owned(),
            _ => format!("/var/lib/{name}"),
        })
    }

    fn own(&self) -> Option<String> {
        Some("quasimodo".to_owned())
    }
}

/// Reads a crontab called `bells`.
pub(crate) fn crontab(text: &str, form: Form) -> Result<TaskFile, Rejected> {
    let source = Source::new("bells", text);
    crontab::read(
        &source,
        Path::new("/srv/bells"),
        form,
        None,
        &environment(),
        &Villagers,
    )
}
