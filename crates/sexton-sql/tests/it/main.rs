//! What the SQL lock managers do, seen from outside.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
mod calls;
#[cfg(feature = "sqlite")]
mod conformance;
#[cfg(feature = "sqlite")]
mod contention;
#[cfg(feature = "sqlite")]
mod doubt;
#[cfg(feature = "sqlite")]
mod equivalence;
#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
mod fixtures;
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
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod proxy;
#[cfg(feature = "sqlite")]
mod restart;
#[cfg(feature = "sqlite")]
mod schema;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod servers {
    #[cfg(feature = "mysql")]
    pub(crate) mod mariadb;
    #[cfg(feature = "postgres")]
    pub(crate) mod postgres;
    pub(crate) mod process;
}
#[cfg(any(feature = "sqlite", feature = "mysql", feature = "postgres"))]
mod sweeps;
#[cfg(feature = "sqlite")]
mod transactions;
#[cfg(feature = "sqlite")]
mod trouble;
