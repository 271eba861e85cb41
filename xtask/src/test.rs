//! `cargo xtask test`: every test of the workspace.

use std::process::Command;

use crate::failed::{Failed, both};
use crate::servers::{self, NEWER, Newer};
use crate::step::{cargo, run, succeeds};
use crate::tools::{self, WITHOUT_VARIABLE};

/// Names a MongoDB server. This machine's Debian has none: where it is not set, what needs one is
/// named as not run.
const MONGODB: &str = "MONGODB_URL";
/// Names the programs of a server that speaks its protocol.
const DOCUMENTDB: &str = "SEXTON_DOCUMENTDB";
/// The tests that need one.
const NEED_MONGODB: &str = "binary_id(sexton-mongo::it)";

/// How to test.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Leave out the tests that need these servers or tools
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = tools::known)]
    pub(crate) without: Vec<String>,
    /// Run only the suites of these newer servers, on them; what is missing is made first
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = servers::known, conflicts_with = "without")]
    pub(crate) with: Vec<String>,
}

/// Runs all tests: the examples of the documentation, then, whatever came of those, the rest. The
/// rest comes last because its summary is the one to be seen.
pub(crate) fn test(arguments: &Arguments) -> Result<(), Failed> {
    if !arguments.with.is_empty() {
        return test_on_newer(&arguments.with);
    }
    let without = tools::provide(&arguments.without)?;
    let is_without_nextest = without.iter().any(|name| name == "nextest");
    let without = without.join(",");
    let is_set = |variable: &str| std::env::var_os(variable).is_some();
    let has_mongodb = is_set(MONGODB) || is_set(DOCUMENTDB);
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
    let newer: Vec<&str> = NEWER.iter().map(|newer| newer.name).collect();
    println!(
        "\nxtask: not run: the suites on newer servers than this machine has; `cargo xtask test --with {}` does",
        newer.join(",")
    );
    both(examples, tests)?;
    if !without.is_empty() {
        println!("\nxtask: all that was run has passed, without: {without}");
    }
    Ok(())
}

/// Runs the suites that start a server, on newer ones, each in a run of its own: all of them,
/// whatever came of one. None is started here.
fn test_on_newer(names: &[String]) -> Result<(), Failed> {
    if !succeeds(&mut cargo("nextest --version")) {
        return Err(Failed::NoNextest);
    }
    tools::provide(&[])?;
    let mut tested = Ok(());
    for newer in names.iter().filter_map(|name| Newer::named(name)) {
        let on_newer = servers::provide_kept(newer).and_then(|wrappers| {
            let (variable, value) = newer.variable(&wrappers);
            let mut nextest = cargo("nextest run --workspace --all-features --profile ci");
            nextest.args(["--filterset", newer.tests]);
            run(nextest.env(variable, value))
        });
        tested = both(tested, on_newer);
        if matches!(tested, Err(Failed::Interrupted { .. })) {
            break;
        }
    }
    tested
}
