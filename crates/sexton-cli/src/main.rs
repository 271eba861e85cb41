//! The `sexton` program.

use std::process::ExitCode;

use clap::Parser;
use sexton_cli::args::{Arguments, Command};
use sexton_cli::{commands, exec, init};

fn main() -> ExitCode {
    // Both are done before there is a thread: what they start and reap is the whole of what this
    // process has.
    if let Some(code) = exec::run_if_asked() {
        return code;
    }
    let arguments = Arguments::parse();
    if matches!(arguments.command, Command::Run(_)) && init::is_needed() {
        return init::run();
    }
    commands::execute(arguments).into()
}
