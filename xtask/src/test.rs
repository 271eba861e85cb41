//! `cargo xtask test`: every test of the workspace.

use std::process::Command;

use crate::failed::{Failed, both};
use crate::step::{cargo, run};
use crate::tools::{self, WITHOUT_VARIABLE};

/// Names a MongoDB server. There is none that could be installed: where it is not set, what needs one is named as not run.
const MONGODB: &str = "MONGODB_URL";
/// The tests that need one.
const NEED_MONGODB: &str = "binary_id(sexton-mongo::it)";

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
    let has_mongodb = std::env::var_os(MONGODB).is_some();
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
        nextest.arg(profile);
        if !has_mongodb {
            nextest.args(["--filterset", &format!("not {NEED_MONGODB}")]);
        }
        declared(&mut nextest)
    };
    if !has_mongodb {
        println!(
            "\nxtask: not run: the tests on a MongoDB server ({NEED_MONGODB}), for {MONGODB} names none"
        );
    }
    both(examples, tests)?;
    if !without.is_empty() {
        println!("\nxtask: all that was run has passed, without: {without}");
    }
    Ok(())
}
