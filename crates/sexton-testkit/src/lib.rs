//! What the tests and benchmarks of several crates share. Not published.
//!
//! | module | holds |
//! |---|---|
//! | [`process`] | programs of this machine as private servers of one test |
//! | `redis`, `postgres`, `mariadb`, `documentdb` | those servers, each behind the feature of its name |
//! | [`proxy`] | a proxy before a server, which cuts connections at a chosen request or answer |
//! | [`faulty`], [`parted`] | a lock manager that is slow, fails or loses answers, and one that does so in part |
//! | `calls` | random calls of a lock manager, and what it answers, for comparing stores (feature `calls`) |
//! | [`memory_port`] | a port of the engine in memory, whose calls go wrong by a script or from a seed |
//! | [`virtual_clock`] | a clock on which waiting takes no time |
//! | [`fixtures`] | claims, executions and a clock around one noon |
//! | [`tzif`] | files of time zone rules |
//!
//! The testkit knows `sexton-core`, no store and not the scheduler: so the unit tests of a store
//! may use it, and an edit of a store does not rebuild it. A server here is a process and a URL;
//! tests open their lock managers on it themselves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[cfg(feature = "calls")]
pub mod calls;
#[cfg(feature = "documentdb")]
pub mod documentdb;
pub mod faulty;
pub mod fixtures;
#[cfg(feature = "mariadb")]
pub mod mariadb;
pub mod memory_port;
pub mod parted;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod process;
pub mod proxy;
#[cfg(feature = "redis")]
pub mod redis;
pub mod tzif;
pub mod virtual_clock;
