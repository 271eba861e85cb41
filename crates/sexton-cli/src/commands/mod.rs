//! The program's commands, one a file.

pub mod check;
mod clock_change;
pub mod explain;
mod expression;
pub mod next;
pub mod operate;
pub mod run;
mod ticks;

use std::io::{self, Write};

use sexton_core::schedule::zone::Database;

use crate::args::{Arguments, Command, FileArguments, StoreCommand};
use crate::config;
use crate::crontab::{self, SystemUsers};
use crate::descriptors;
use crate::diagnostic::{Rejected, chain};
use crate::environment::Environment;
use crate::exit::Exit;
use crate::headroom::{self, NoHeadroom};
use crate::tasks::TaskFile;
use crate::zones;

/// Does what the command line says.
pub fn execute(arguments: Arguments) -> Exit {
    if let Err(lack) = check_headroom(&arguments.command) {
        return complain(&format!("error: {}\n", chain(&lack)), Exit::Trouble);
    }
    let zones = Database::of(arguments.command.tz_data());
    let environment = Environment::of_process().with_zones(zones);
    let done = match arguments.command {
        Command::Run(arguments) => run::run(&arguments, &environment),
        Command::Check(arguments) => check::check(&arguments, &environment),
        Command::Next(arguments) => next::next(&arguments, &environment),
        Command::Explain(arguments) => explain::explain(&arguments, &environment),
        Command::History(arguments) => operate::history(&arguments, &environment),
        Command::Tasks(arguments) => operate::tasks(&arguments, &environment),
        Command::Instances(arguments) => operate::instances(&arguments, &environment),
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

/// Sees that there is what a command with a runtime takes of the machine.
fn check_headroom(command: &Command) -> Result<(), NoHeadroom> {
    match command {
        Command::Check(_) | Command::Next(_) | Command::Explain(_) => Ok(()),
        Command::Run(_) => {
            descriptors::raise_limit();
            headroom::for_run()
        }
        _ => headroom::for_operator(),
    }
}

/// Writes to standard error; there is no one to tell if that fails.
fn complain(text: &str, exit: Exit) -> Exit {
    let _ = io::stderr().lock().write_all(text.as_bytes());
    exit
}

/// Reads the file that the command line names.
fn load(arguments: &FileArguments, environment: &Environment) -> Result<TaskFile, Rejected> {
    let mut file = load_plain(arguments, environment)?;
    file.warnings.extend(zones::warnings(environment, &file));
    file.warnings.extend(zones::unnamed(&file));
    Ok(file)
}

fn load_plain(arguments: &FileArguments, environment: &Environment) -> Result<TaskFile, Rejected> {
    match &arguments.file {
        Some(path) => config::load(path, environment),
        None => {
            let selection = arguments.reading.of(&arguments.crontab);
            crontab::load_all(&selection, environment, &SystemUsers)
        }
    }
}
