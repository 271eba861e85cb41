//! `PostgresLockManager`, on servers that the tests start.

mod clock;
mod conformance;
mod contention;
mod equivalence;
mod faults;
mod opening;
mod proxy;
mod server;
