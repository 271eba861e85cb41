//! What the tests and benchmarks of several crates share. Not published.
//!
//! - [`process`]: programs of this machine as private servers of one test
//! - `redis`, `postgres`, `mariadb`, `documentdb`: those servers, each behind the feature of its
//!   name
//! - [`proxy`]: a proxy before a server, which cuts connections at a chosen request or answer
//! - [`faulty`], [`parted`]: a lock manager that is slow, fails or loses answers, wholly or in part
//! - `calls`: random calls of a lock manager, and what it answers, behind the feature of its name
//! - [`fixtures`]: claims, executions and a clock around one noon
//! - [`tzif`]: files of time zone rules
//!
//! The testkit knows `sexton-core`, no store and not the scheduler: so the unit tests of a store
//! may use it, and an edit of a store does not rebuild it. A server here is a process and a URL;
//! tests open their lock managers on it themselves.

#![allow(
    clippy::unwrap_used,
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
pub mod parted;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod process;
pub mod proxy;
#[cfg(feature = "redis")]
pub mod redis;
pub mod tzif;
