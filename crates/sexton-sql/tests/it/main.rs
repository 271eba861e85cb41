//! What the SQL lock managers do, seen from outside.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod calls;
#[cfg(feature = "sqlite")]
mod conformance;
#[cfg(feature = "sqlite")]
mod contention;
#[cfg(feature = "sqlite")]
mod equivalence;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod fixtures;
#[cfg(feature = "sqlite")]
mod place;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod restart;
#[cfg(feature = "sqlite")]
mod schema;
#[cfg(feature = "sqlite")]
mod trouble;
