//! Servers and tools that tests need: found, or installed, or declared to be absent.
//!
//! Tests start servers of their own, from these programs, on free ports in temporary folders.
//! Nothing here starts one, and a service that a package would start by itself is kept from it.

use std::path::PathBuf;
use std::process::Command;

use crate::failed::Failed;
use crate::no_services::NoServices;
use crate::step::run;

/// Something that tests need.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tool {
    /// Its name for `--without`.
    pub(crate) name: &'static str,
    /// What must be in `PATH` (or in Debian's folder for servers).
    programs: &'static [&'static str],
    /// A variable by which the first program may be named instead.
    variable: Option<&'static str>,
    had_by: HadBy,
}

/// How to have what is missing.
#[derive(Debug, PartialEq, Eq)]
enum HadBy {
    /// A package of Debian's.
    Package(&'static str),
    /// Not at all in reasonable time; what is done instead.
    Instead(&'static str),
}

/// All of them.
pub(crate) const TOOLS: &[Tool] = &[
    Tool {
        name: "redis",
        programs: &["redis-server", "redis-cli", "redis-benchmark"],
        variable: Some("SEXTON_REDIS_SERVER"),
        had_by: HadBy::Package("redis-server"),
    },
    Tool {
        name: "postgres",
        programs: &["postgres", "initdb", "pgbench"],
        variable: None,
        had_by: HadBy::Package("postgresql"),
    },
    Tool {
        name: "mariadb",
        programs: &["mariadbd", "mariadb-install-db"],
        variable: None,
        had_by: HadBy::Package("mariadb-server"),
    },
    Tool {
        name: "faketime",
        programs: &["faketime"],
        variable: None,
        had_by: HadBy::Package("faketime"),
    },
    Tool {
        name: "nextest",
        programs: &["cargo-nextest"],
        variable: None,
        had_by: HadBy::Instead(
            "cargo test runs the tests, more slowly, and without a limit on one that hangs",
        ),
    },
];

/// Checks licences and sources. `cargo xtask ci` needs it, and builds it where it is missing.
pub(crate) const DENY: &str = "cargo-deny";

/// The variable that tells tests which tools were declared to be absent: names with commas between.
pub(crate) const WITHOUT_VARIABLE: &str = "SEXTON_WITHOUT";

/// Checks names given to `--without`.
pub(crate) fn known(name: &str) -> Result<String, String> {
    let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).chain([DENY]).collect();
    if names.contains(&name) {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "no tool is called {name:?}; known: {}",
            names.join(", ")
        ))
    }
}

/// Sees to it that every tool is there that was not declared to be absent. Answers those to do
/// without: the declared ones, and those for which there is something instead.
pub(crate) fn provide(without: &[String]) -> Result<Vec<String>, Failed> {
    provide_from(TOOLS, without, install)
}

fn provide_from(
    tools: &[Tool],
    without: &[String],
    install: impl FnOnce(&[&str]) -> Result<(), Failed>,
) -> Result<Vec<String>, Failed> {
    let mut absent = without.to_vec();
    let mut missing = Vec::new();
    let wanted = tools
        .iter()
        .filter(|tool| !without.iter().any(|name| name == tool.name));
    for tool in wanted {
        if tool.is_there()? {
            continue;
        }
        match tool.had_by {
            HadBy::Package(package) => missing.push((tool, package)),
            HadBy::Instead(instead) => {
                println!("xtask: {} is not installed: {instead}", tool.name);
                absent.push(tool.name.to_owned());
            }
        }
    }
    if missing.is_empty() {
        return Ok(absent);
    }
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    println!("xtask: installing {}", packages.join(", "));
    let installed = install(&packages);
    if let Err(interrupted @ Failed::Interrupted { .. }) = installed {
        return Err(interrupted);
    }
    let mut still = Vec::new();
    for (tool, _) in missing {
        if !tool.is_there()? {
            still.push(tool.name);
        }
    }
    if still.is_empty() {
        return Ok(absent);
    }
    let flags = still.iter().map(|name| format!("--without {name}"));
    Err(Failed::Missing {
        names: still.join(", "),
        why: installed
            .err()
            .map_or_else(String::new, |why| format!(" ({why})")),
        flags: flags.collect::<Vec<_>>().join(" "),
    })
}

impl Tool {
    /// Whether every program is there; a variable that names no file is a mistake that installing
    /// does not mend.
    fn is_there(&self) -> Result<bool, Failed> {
        let mut searched = self.programs;
        if let Some(variable) = self.variable
            && let Some(path) = std::env::var_os(variable).map(PathBuf::from)
            && let Some((&program, others)) = self.programs.split_first()
        {
            if !path.is_file() {
                return Err(Failed::Misnamed {
                    variable,
                    path,
                    program,
                });
            }
            searched = others;
        }
        Ok(searched.iter().all(|program| find(program).is_some()))
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders
        .chain(postgres_folders())
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Where Debian puts each version's programs of PostgreSQL.
fn postgres_folders() -> impl Iterator<Item = PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter();
    versions
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
}

/// Installs packages, without the services that they would start.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failed> {
    let _no_services = NoServices::begin()?;
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
        command
    };
    run(apt().arg("update"))?;
    run(apt()
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(program: &'static [&'static str], had_by: HadBy) -> Tool {
        Tool {
            name: "it",
            programs: program,
            variable: None,
            had_by,
        }
    }

    fn never(packages: &[&str]) -> Result<(), Failed> {
        panic!("nothing is to be installed, but {packages:?} were")
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_that_are_known() {
        assert_eq!(known("redis"), Ok("redis".to_owned()));
        assert_eq!(
            known("rediss").unwrap_err(),
            "no tool is called \"rediss\"; known: redis, postgres, mariadb, faketime, nextest, cargo-deny"
        );
    }

    #[test]
    fn what_is_there_is_not_installed() {
        let tools = [tool(&["sh"], HadBy::Package("dash"))];
        assert_eq!(provide_from(&tools, &[], never).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_missing_is_installed_and_named_when_that_did_not_help() {
        let tools = [tool(
            &["sh", "no-such-program"],
            HadBy::Package("it-server"),
        )];
        let mut asked = Vec::new();
        let told = provide_from(&tools, &[], |packages| {
            asked = packages.iter().map(|&package| package.to_owned()).collect();
            run(&mut Command::new("false"))
        });
        assert_eq!(asked, ["it-server"]);
        let told = told.unwrap_err().to_string();
        assert!(
            told.starts_with("could not be had: it (`false` failed"),
            "{told}"
        );
        assert!(told.ends_with("cargo xtask test --without it"), "{told}");
    }

    #[test]
    fn what_is_declared_absent_is_not_looked_for() {
        let tools = [tool(&["no-such-program"], HadBy::Package("it-server"))];
        let without = ["it".to_owned()];
        assert_eq!(provide_from(&tools, &without, never).unwrap(), without);
    }

    #[test]
    fn what_has_something_instead_is_done_without() {
        let tools = [tool(&["no-such-program"], HadBy::Instead("another does"))];
        assert_eq!(provide_from(&tools, &[], never).unwrap(), ["it"]);
    }

    #[test]
    fn a_variable_names_the_program_instead() {
        // `PATH` is set everywhere and is no file; `CARGO` is one.
        let mut tools = [tool(&["no-such-program"], HadBy::Package("it-server"))];
        tools[0].variable = Some("PATH");
        let told = provide_from(&tools, &[], never).unwrap_err().to_string();
        assert!(told.starts_with("PATH names "), "{told}");
        assert!(
            told.ends_with("let it name no-such-program, or unset it"),
            "{told}"
        );
        tools[0].variable = Some("CARGO");
        assert!(provide_from(&tools, &[], never).is_ok());
        let mut tools = [tool(&["sh"], HadBy::Package("dash"))];
        tools[0].variable = Some("SEXTON_NO_SUCH_VARIABLE");
        assert!(provide_from(&tools, &[], never).is_ok());
    }
}
