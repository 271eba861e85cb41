//! Task locks in a database that runs as a server of its own: what [PostgreSQL](crate::postgres)
//! and [MySQL](crate::mysql) have in common.
//!
//! [The engine](sexton_core::lock::engine) does the work, over a port of each. What stands here is
//! where connections come from, how handlers' transactions end, and the Kotlin system's table.

pub(crate) mod cause;
mod checkout;
pub(crate) mod database;
pub(crate) mod driver;
pub(crate) mod error;
pub(crate) mod ktor;
mod manager;
mod migrations;
pub(crate) mod names;
mod options;
pub(crate) mod port;
pub(crate) mod rows;
mod tls;
mod transaction;

pub use database::ServerDatabase;
pub use ktor::{KtorLockManager, KtorLocks, KtorTable};
pub use manager::ServerLockManager;
pub use migrations::Migrations;
pub use options::ServerOptions;
