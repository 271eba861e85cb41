//! `PostgresLockManager`, on servers that the tests start.

mod changes;
mod clock;
mod conformance;
mod equivalence;
mod opening;
mod pauses;
mod urls;
