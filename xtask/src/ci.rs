//! `cargo xtask ci`: what must pass before anything lands.

use crate::failed::Failed;
use crate::step::{cargo, run, succeeds};
use crate::tools::DENY;
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
    deny(&arguments.without)?;
    test::test(arguments)
}

/// Builds it quickly: it runs once. Its own lock file is what it was tested with.
const INSTALL_DENY: &str = "install --quiet --debug --locked cargo-deny@0.20.2";

/// Licences, sources and duplicates. Advisories are not looked at here: their database is not to be
/// had everywhere; `cargo deny check` does.
fn deny(without: &[String]) -> Result<(), Failed> {
    if without.iter().any(|name| name == DENY) {
        println!("\nxtask: licences and sources are not checked: without {DENY}");
        return Ok(());
    }
    if !succeeds(&mut cargo("deny --version")) {
        run(&mut cargo(INSTALL_DENY))?;
    }
    // It looks at the packages of every platform, of which a build has fetched those of its own.
    run(&mut cargo("fetch --quiet --locked"))?;
    run(&mut cargo(
        "deny --offline --log-level error check bans licenses sources",
    ))
}
