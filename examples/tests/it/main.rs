//! Every example is run, and what it shows is what it says.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[allow(clippy::print_stdout, reason = "seeds and figures to read")]
mod ledger;
mod policies;
#[path = "../../../crates/sexton-sql/tests/it/postgres/server.rs"]
#[allow(dead_code, reason = "shared with the tests of the PostgreSQL manager")]
mod postgres_server;
mod service;
