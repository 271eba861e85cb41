//! Lock managers that keep Sexton's task locks in a SQL database.
//!
//! Each works the same way: a batch loads what it touches into
//! [`sexton_core::lock::rules::LockState`], lets the rules decide, and writes what changed, all of
//! it as if at one moment. So the rules stand in one place and no store has a copy of them. The
//! servers are ports under [the engine](sexton_core::lock::engine).
//!
//! | feature | module | store |
//! |---|---|---|
//! | `sqlite` (default) | [`sqlite`] | a SQLite file shared by the processes of one machine, or memory |
//! | `postgres` | [`postgres`] | a PostgreSQL database |
//! | `mysql` | [`mysql`] | a MySQL or MariaDB database |
//!
//! What they share stands beside their folders: the rows of records and instances, connections that
//! a pool has lent, handlers' transactions.

mod error;
mod instance_row;
mod lent;
#[cfg(feature = "mysql")]
pub mod mysql;
mod patience;
#[cfg(feature = "postgres")]
pub mod postgres;
mod record_row;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod server;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod task_row;
mod tx;

pub use error::OpenError;
#[cfg(feature = "mysql")]
pub use mysql::MySqlLockManager;
#[cfg(feature = "postgres")]
pub use postgres::PostgresLockManager;
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub use server::{
    KtorLockManager, KtorLocks, KtorTable, Migrations, ServerDatabase, ServerLockManager,
    ServerOptions,
};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteLockManager;
pub use tx::{BeginError, OpenTx, TransactionalDatabase, Tx, WrongDatabase};
