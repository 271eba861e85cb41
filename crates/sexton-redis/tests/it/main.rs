//! The manager against real servers, which the tests start.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod asking;
mod cluster;
mod cluster_server;
mod conformance;
mod connecting;
mod deadlines;
mod equivalence;
mod eviction;
mod failover;
mod faults;
mod ktor;
mod permissions;
#[path = "../../../sexton-sql/tests/it/proxy.rs"]
#[allow(dead_code, reason = "shared with the tests of the SQL managers")]
mod proxy;
mod sentinel_server;
mod sentinels;
mod server;
mod suite;
mod sweeps;
mod tls;
