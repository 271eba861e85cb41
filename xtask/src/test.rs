//! `cargo xtask test`: every test of the workspace.

use std::process::Command;

use crate::failed::{Failed, both};
use crate::step::{cargo, run};
use crate::tools::{self, WITHOUT_VARIABLE};

/// How to test.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Leave out the tests that need these servers or tools
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = tools::known)]
    pub(crate) without: Vec<String>,
}

/// Runs all tests: the examples of the documentation, then, whatever came of those, the rest. The rest comes last
/// because its summary is the one to be seen.
pub(crate) fn test(arguments: &Arguments) -> Result<(), Failed> {
    let without = tools::provide(&arguments.without)?;
    let is_without_nextest = without.iter().any(|name| name == "nextest");
    let without = without.join(",");
    let declared = |command: &mut Command| run(command.env(WITHOUT_VARIABLE, &without));
    let examples = declared(&mut cargo("test --workspace --all-features --doc"));
    let tests = if is_without_nextest {
        declared(&mut cargo(
            "test --workspace --all-features --lib --bins --tests --no-fail-fast",
        ))
    } else {
        let is_ci = std::env::var_os("CI").is_some();
        let profile = if is_ci { "ci" } else { "default" };
        let mut nextest = cargo("nextest run --workspace --all-features --profile");
        declared(nextest.arg(profile))
    };
    both(examples, tests)?;
    if !without.is_empty() {
        println!("\nxtask: all that was run has passed, without: {without}");
    }
    Ok(())
}
