//! The in-memory manager put to the suite, and the suite put to broken managers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod in_memory;
mod mutant;
mod mutants;
