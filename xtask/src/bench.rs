//! `cargo xtask bench`: each benchmark prints our figure beside the limit's or a peer's, from the same run.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failed::Failed;
use crate::step::{cargo, read, root};

/// How criterion tells how it is getting on, and what it thinks of the last run.
const PROGRESS: [&str; 9] = [
    "Benchmarking ",
    "Change within noise",
    "Found ",
    "Gnuplot not found",
    "No change in",
    "Performance has",
    "change:",
    "high ",
    "low ",
];

/// Which benchmarks.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this one
    #[arg(value_parser = known)]
    name: Option<String>,
}

/// A benchmark and the package that has it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Benchmark {
    package: String,
    name: String,
}

impl Benchmark {
    /// With every feature: those of servers need theirs.
    fn command(&self) -> Command {
        let Benchmark { package, name } = self;
        cargo(&format!(
            "bench --package {package} --all-features --bench {name}"
        ))
    }
}

/// Every `crates/PACKAGE/benches/NAME.rs`, in order.
fn benchmarks(root: &Path) -> Vec<Benchmark> {
    let mut found = Vec::new();
    for package in entries(&root.join("crates")) {
        for file in entries(&root.join("crates").join(&package).join("benches")) {
            if let Some(name) = file.strip_suffix(".rs") {
                found.push(Benchmark {
                    package: package.clone(),
                    name: name.to_owned(),
                });
            }
        }
    }
    found.sort();
    found
}

/// The names in a folder; none if it is not there.
fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string());
    names.filter_map(Result::ok).collect()
}

fn known(name: &str) -> Result<String, String> {
    let all = benchmarks(&root());
    if all.iter().any(|benchmark| benchmark.name == name) {
        return Ok(name.to_owned());
    }
    let mut names: Vec<&str> = all.iter().map(|benchmark| &*benchmark.name).collect();
    names.dedup();
    Err(format!(
        "no benchmark is called {name:?}; known: {}",
        names.join(", ")
    ))
}

/// Runs them one after the other and prints what they measured.
pub(crate) fn bench(arguments: &Arguments) -> Result<(), Failed> {
    let only = arguments.name.as_deref();
    for benchmark in benchmarks(&root()) {
        if only.is_some_and(|only| only != benchmark.name) {
            continue;
        }
        read(&mut benchmark.command(), |line| {
            if is_summary(line) {
                println!("{line}");
            }
        })?;
    }
    Ok(())
}

/// Whether a line holds figures, not progress. In criterion's `  3 (3.00%) high mild` the words follow a share.
fn is_summary(line: &str) -> bool {
    let words = line.trim_start();
    let after_share = words.split_once("%) ").map_or(words, |(_, after)| after);
    let is_progress = PROGRESS
        .iter()
        .any(|start| words.starts_with(start) || after_share.starts_with(start));
    !words.is_empty() && !is_progress
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_benchmark_is_declared_and_makes_its_own_main() {
        let all = benchmarks(&root());
        assert!(!all.is_empty());
        for Benchmark { package, name } in all {
            let file = root().join("crates").join(&package).join("Cargo.toml");
            let manifest = fs::read_to_string(file).unwrap();
            let declared = format!("[[bench]]\nname = \"{name}\"\nharness = false\n");
            assert!(manifest.contains(&declared), "{package}: {declared}");
        }
    }

    #[test]
    fn an_unknown_benchmark_is_refused_with_what_is_known() {
        assert!(known("lateness").is_ok());
        let told = known("speed").unwrap_err();
        assert!(told.starts_with("no benchmark is called \"speed\"; known: "));
        assert!(told.contains("lateness"), "{told}");
    }

    #[test]
    fn figures_are_shown_and_progress_is_not() {
        for line in [
            "in memory, one a millisecond   10000 runs  p50 1.2ms (limit 1ms)",
            "UTC, * * * * */sexton   time:   [41.1 ns 41.3 ns 41.5 ns]",
            "                        time:   [41.1 ns 41.3 ns 41.5 ns]",
            "one task holds 40 bytes (5% low in the table)",
        ] {
            assert!(is_summary(line), "{line}");
        }
        for line in [
            "",
            "Benchmarking UTC, * * * * */sexton: Warming up for 3.0000 s",
            "Found 3 outliers among 100 measurements (3.00%)",
            "  3 (3.00%) high mild",
            "                        change: [-1.0% +0.1% +1.2%] (p = 0.80 > 0.05)",
            "                        No change in performance detected.",
        ] {
            assert!(!is_summary(line), "{line}");
        }
    }
}
