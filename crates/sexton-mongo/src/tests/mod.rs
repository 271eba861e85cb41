//! What can be tested without a server: everything but the driver, over documents in memory.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod candidates;
mod conformance;
mod documents;
mod equivalence;
mod held_up;
mod history;
mod large;
mod opening;
mod races;
mod reaching;
mod server;
mod sorting;
mod statements;
mod trouble;
mod waiting;
mod wire;
