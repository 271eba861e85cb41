//! Behaviour of the scheduler, through its public API, mostly in paused time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod acceptance;
mod building;
mod clocks;
mod delivery;
mod faulty;
mod fleet;
mod handlers;
mod limits;
mod missed;
mod operations;
mod overlap;
mod placement;
mod running;
mod shutdown;
mod simulation;
mod store_trouble;
