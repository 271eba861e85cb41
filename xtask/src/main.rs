//! The chores of Sexton's workspace: `cargo xtask test`, `ci`, `tidy`, `bench`, `servers`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "chores talk to whoever started them"
)]

mod bench;
mod ci;
mod failed;
mod no_services;
mod process;
mod servers;
mod step;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failed::Failed;

/// The chores of Sexton's workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Run every test; find or install (apt-get) the servers and tools they need
    Test(test::Arguments),
    /// What CI does: format, tidy rules, lints, docs, licences, tests
    Ci(test::Arguments),
    /// Look for what the compiler lets pass and we do not
    Tidy,
    /// Run the benchmarks: our figures beside the limits' or the peers'
    Bench(bench::Arguments),
    /// Make a folder with a server newer than this Debian's, for `test --with`
    Servers(servers::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = process::watch()
        .map_err(|cause| Failed::Signals { cause })
        .and_then(|()| match arguments.chore {
            Chore::Test(arguments) => test::test(&arguments),
            Chore::Ci(arguments) => ci::ci(&arguments),
            Chore::Tidy => tidy::tidy(),
            Chore::Bench(arguments) => bench::bench(&arguments),
            Chore::Servers(arguments) => servers::servers(&arguments),
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("\nxtask: {failed}");
            ExitCode::from(failed.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(words: &[&str]) -> Result<Vec<String>, String> {
        let words = ["cargo xtask", "test"].iter().chain(words);
        match Arguments::try_parse_from(words) {
            Ok(Arguments {
                chore: Chore::Test(arguments),
            }) => Ok(arguments.without),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn absences_are_declared_one_by_one_or_together() {
        assert_eq!(without(&[]).unwrap(), [""; 0]);
        assert_eq!(without(&["--without", "redis"]).unwrap(), ["redis"]);
        let both = ["redis", "nextest"];
        assert_eq!(without(&["--without", "redis,nextest"]).unwrap(), both);
        let apart = ["--without=redis", "--without", "nextest"];
        assert_eq!(without(&apart).unwrap(), both);
    }

    #[test]
    fn newer_servers_are_named_one_by_one_or_together() {
        let words = ["cargo xtask", "test", "--with", "mysql,valkey"];
        let arguments = Arguments::try_parse_from(words).unwrap();
        let Chore::Test(arguments) = arguments.chore else {
            panic!("{:?}", arguments.chore)
        };
        assert_eq!(arguments.with, ["mysql", "valkey"]);
        let both = [
            "cargo xtask",
            "test",
            "--with",
            "mysql",
            "--without",
            "redis",
        ];
        assert!(Arguments::try_parse_from(both).is_err());
        let told = Arguments::try_parse_from(["cargo xtask", "test", "--with", "oracle"]);
        let told = told.unwrap_err().to_string();
        assert!(told.contains("no newer server is called"), "{told}");
    }

    #[test]
    fn an_unknown_absence_is_refused_with_what_is_known() {
        let told = without(&["--without", "redis,oracle"]).unwrap_err();
        assert!(told.contains("\"oracle\""), "{told}");
        assert!(
            told.contains("known: redis, postgres, mariadb, faketime, nextest, cargo-deny"),
            "{told}"
        );
        assert!(without(&["--without"]).is_err());
    }
}
