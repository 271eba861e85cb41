//! Every example is run, and what it shows is what it says.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[allow(clippy::print_stdout, reason = "seeds and figures to read")]
mod ledger;
mod policies;
mod service;
