//! The manager against real servers, which the tests start.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod cluster_server;
mod conformance;
mod connecting;
mod equivalence;
mod faults;
mod ktor;
mod sentinel_server;
mod server;
mod suite;
