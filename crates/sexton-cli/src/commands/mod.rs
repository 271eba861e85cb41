//! The program's commands, one a file.

pub mod check;
pub mod explain;
mod expression;
pub mod next;
pub mod operate;
pub mod run;
mod ticks;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::args::{Arguments, Command, FileArguments, StoreCommand};
use crate::config;
use crate::crontab::{self, SystemUsers};
use crate::diagnostic::Rejected;
use crate::environment::Environment;
use crate::tasks::TaskFile;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Well.
    Done,
    /// Something went wrong while it ran.
    Trouble,
    /// What it was given cannot be used. That was told on standard error.
    BadInput,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Trouble => 1,
            Exit::BadInput => 2,
        })
    }
}

/// Does what the command line says.
pub fn execute(arguments: Arguments) -> Exit {
    let environment = Environment::of_process();
    let done = match arguments.command {
        Command::Run(arguments) => run::run(&arguments, &environment),
        Command::Check(arguments) => check::check(&arguments, &environment),
        Command::Next(arguments) => next::next(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::History(arguments) => operate::history(&arguments, &environment),
        Command::Tasks(arguments) => operate::tasks(&arguments, &environment),
        Command::Trigger(arguments) => operate::trigger(&arguments, &environment),
        Command::Pause(arguments) => operate::pause(&arguments, &environment),
        Command::Resume(arguments) => operate::resume(&arguments, &environment),
        Command::Cancel(arguments) => operate::cancel(&arguments, &environment),
        Command::Store(StoreCommand::Migrate(arguments)) => {
            operate::migrate(&arguments, &environment)
        }
    };
    match done {
        Ok(exit) => exit,
        // Whoever read the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => complain(&format!("error: cannot write: {error}\n"), Exit::Trouble),
    }
}

/// Writes to standard error; there is no one to tell if that fails.
fn complain(text: &str, exit: Exit) -> Exit {
    let _ = io::stderr().lock().write_all(text.as_bytes());
    exit
}

/// Reads the file that the command line names.
fn load(arguments: &FileArguments, environment: &Environment) -> Result<TaskFile, Rejected> {
    match (&arguments.file, &arguments.crontab) {
        (_, Some(path)) => {
            let user = arguments.user.as_deref();
            let form = match (arguments.crontab_form, user) {
                (Some(form), _) => form.into(),
                (None, Some(_)) => crontab::Form::User,
                (None, None) => crontab::Form::of(path),
            };
            crontab::load(path, form, user, environment, &SystemUsers)
        }
        (Some(path), None) => config::load(path, environment),
        (None, None) => Err(Rejected::whole("no file was named")),
    }
}

/// An error with all its causes.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.ends_with(&cause) {
            text
        } else {
            format!("{text}: {cause}")
        }
    })
}
