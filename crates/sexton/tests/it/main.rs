//! Behaviour of the scheduler, through its public API, mostly in paused time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod acceptance;
mod backlog;
mod building;
mod clocks;
mod contained;
mod delivery;
mod diary;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod ended;
mod fleet;
mod for_ever;
mod handlers;
mod hints;
mod identity;
mod limits;
mod missed;
mod moved;
mod never_due;
mod not_begun;
mod operations;
mod overlap;
mod parts;
mod pinged;
mod placement;
#[cfg(feature = "redis")]
#[allow(clippy::print_stderr, reason = "a figure to read")]
mod redis_cluster;
#[cfg(feature = "redis")]
#[allow(clippy::print_stderr, reason = "a figure to read")]
mod redis_round_trips;
mod running;
mod shutdown;
mod simulation;
mod starts;
mod stopped;
mod store_trouble;
mod time;
#[cfg(feature = "postgres")]
mod told;
#[cfg(feature = "sqlite")]
mod transactional;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod transactional_on_servers;
mod triggered;
mod zones;
