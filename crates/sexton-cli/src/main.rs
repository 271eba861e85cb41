//! The `sexton` program.

use std::process::ExitCode;

use clap::Parser;
use sexton_cli::args::Arguments;
use sexton_cli::commands;

fn main() -> ExitCode {
    commands::execute(Arguments::parse()).into()
}
