//! `cargo xtask ci`: what must pass before anything lands.

use crate::failed::Failed;
use crate::step::{cargo, run, succeeds};
use crate::{test, tidy};

/// Each store alone, and none: what one of them needs must not come from another.
const FEATURES: [&str; 6] = ["", "sqlite", "postgres", "mysql", "mongodb", "redis"];

/// Runs every check, the quick ones first.
pub(crate) fn ci(arguments: &test::Arguments) -> Result<(), Failed> {
    run(&mut cargo("fmt --all --check"))?;
    tidy::tidy()?;
    run(&mut cargo(
        "clippy --workspace --all-targets --all-features -- -D warnings",
    ))?;
    for features in FEATURES {
        let mut clippy = cargo("clippy --package sexton --no-default-features");
        clippy.args(["--features", features, "--", "-D", "warnings"]);
        run(&mut clippy)?;
    }
    // The program as it is built by default, without most of the stores.
    run(&mut cargo("clippy --package sexton-cli -- -D warnings"))?;
    let mut docs = cargo("doc --workspace --all-features --no-deps");
    run(docs.env("RUSTDOCFLAGS", "-D warnings"))?;
    deny()?;
    test::test(arguments)
}

/// Licences, sources and duplicates, where cargo-deny is installed. Advisories are not looked at
/// here: their database is not to be had everywhere; `cargo deny check` does.
fn deny() -> Result<(), Failed> {
    if succeeds(&mut cargo("deny --version")) {
        return run(&mut cargo("deny check bans licenses sources"));
    }
    println!("\nxtask: cargo-deny is not installed: licences and sources are not checked");
    Ok(())
}
