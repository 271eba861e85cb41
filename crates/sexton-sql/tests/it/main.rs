//! What the SQL lock managers do, seen from outside.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod conformance;
mod contention;
mod equivalence;
mod fixtures;
mod restart;
mod schema;
mod trouble;
