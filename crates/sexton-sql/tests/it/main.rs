//! What the SQL lock managers do, seen from outside.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[cfg(feature = "sqlite")]
mod conformance;
#[cfg(feature = "sqlite")]
mod contention;
#[cfg(feature = "sqlite")]
mod doubt;
#[cfg(feature = "sqlite")]
mod equivalence;
#[cfg(feature = "sqlite")]
mod looking;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod on_servers;
#[cfg(feature = "sqlite")]
mod place;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod restart;
#[cfg(feature = "sqlite")]
mod schema;
#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
mod sweeps;
#[cfg(feature = "sqlite")]
mod transactions;
#[cfg(feature = "sqlite")]
mod trouble;
