//! The program's commands, one a file.

pub mod check;
mod clock_change;
mod complain;
pub mod explain;
mod expression;
mod load;
pub mod next;
pub mod operate;
pub mod run;
mod ticks;

use std::io;

use sexton_core::schedule::zone::Database;

use crate::args::{Arguments, Command, StoreCommand};
use crate::descriptors;
use crate::diagnostic::chain;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::headroom::{self, NoHeadroom};
use complain::complain;

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
