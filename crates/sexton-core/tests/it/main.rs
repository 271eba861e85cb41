//! Integration tests of `sexton-core`, in one binary.

#[cfg(test)]
#[path = "../../../sexton-sql/tests/it/calls.rs"]
mod calls;
#[cfg(test)]
mod engine;
#[cfg(test)]
#[path = "../../../sexton-sql/tests/it/fixtures.rs"]
mod fixtures;
#[cfg(test)]
mod schedule;
