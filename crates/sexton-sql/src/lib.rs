//! Lock managers that keep Sexton's task locks in a SQL database.
//!
//! Each works the same way: a batch loads what it touches into
//! [`sexton_core::lock::rules::LockState`], lets the rules decide, and writes back what changed,
//! all of it as if at one moment. So the rules stand in one place and no dialect has a copy of
//! them.
//!
//! | feature | module | store |
//! |---|---|---|
//! | `sqlite` (default) | [`sqlite`] | a SQLite file shared by the processes of one machine, or memory |
//! | `postgres` | [`postgres`] | a PostgreSQL database |
//! | `mysql` | [`mysql`] | a MySQL or MariaDB database |
//!
//! What every dialect shares stands beside the dialects' folders: what a batch touches, the words
//! and rows it is written as, how definitions are compared, and how long a busy database is asked
//! again.

mod error;
mod instance_row;
mod lent;
#[cfg(feature = "mysql")]
pub mod mysql;
mod patience;
#[cfg(feature = "postgres")]
pub mod postgres;
mod record_row;
mod said;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod server;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod tx;
mod wanted;

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
