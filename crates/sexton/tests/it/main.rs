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
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod ended;
mod faulty;
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
mod parted;
mod parts;
mod pinged;
mod placement;
#[cfg(feature = "redis")]
#[allow(clippy::print_stderr, reason = "a figure to read")]
mod redis_cluster;
#[cfg(feature = "redis")]
#[allow(clippy::print_stderr, reason = "a figure to read")]
mod redis_round_trips;
#[cfg(feature = "redis")]
#[path = "../../../sexton-redis/tests/it"]
#[allow(
    dead_code,
    clippy::print_stderr,
    reason = "shared with the tests of the Redis manager"
)]
mod redis_servers {
    pub(crate) mod cluster_server;
    pub(crate) mod sentinel_server;
    pub(crate) mod server;
}
mod running;
#[cfg(any(feature = "mysql", feature = "postgres"))]
#[path = "../../../sexton-sql/tests/it/servers"]
#[allow(dead_code, reason = "shared with the tests of the SQL managers")]
mod servers {
    #[cfg(feature = "mysql")]
    pub(crate) mod mariadb;
    #[cfg(feature = "postgres")]
    pub(crate) mod postgres;
    pub(crate) mod process;
}
mod shutdown;
mod simulation;
mod starts;
mod stopped;
mod store_trouble;
#[cfg(feature = "postgres")]
mod told;
#[cfg(feature = "sqlite")]
mod transactional;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod transactional_on_servers;
mod triggered;
#[path = "../../../sexton-core/tests/it/tzif.rs"]
#[allow(dead_code, reason = "shared with the tests of the core")]
mod tzif;
mod zones;
