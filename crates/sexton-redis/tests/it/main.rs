//! The manager against real servers, which the tests start.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod asking;
mod cluster;
mod conformance;
mod connecting;
mod deadlines;
mod equivalence;
mod eviction;
mod failover;
mod faults;
mod ktor;
mod permissions;
mod sentinels;
mod suite;
mod sweeps;
mod tls;
