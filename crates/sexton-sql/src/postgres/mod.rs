//! Task locks in PostgreSQL 13 or later.
//!
//! # What it promises, and on what
//! - A batch is one statement that reads and, unless the claims were lost anyway, one that writes: two round trips at most while nobody else
//!   is after the same (task, index), and two more before the first claim of one. No lock is held while the client thinks, so that no client that is stopped or cut off makes others wait.
//! - The database's clock (`clock_timestamp()`) decides, and nothing of the client's.
//! - What a call has answered is as durable as a commit of that server: with `synchronous_commit = off` or with asynchronous replicas only, a
//!   crash or a failover may take back grants that were answered, and they may be granted again.
//! - A server that only reads (a standby, a failover in progress) is an outage, never a "denied".
//! - The few transactions of several statements (definitions, pauses) end when their client is silent for 3 s, a handler's when it is silent for longer than its task's lease.
//! - Waiting is bounded (5 s unless told otherwise). On the server rows are waited for no longer either, by `lock_timeout` of the one statement or
//!   transaction; a table that somebody has locked whole (`VACUUM FULL`, `ALTER TABLE`) is waited for by sessions whose clients have given up. Against those
//!   set `lock_timeout`, and from PostgreSQL 14 on `client_connection_check_interval`, for the role: `ALTER ROLE sexton SET lock_timeout = '5s'`.
//!
//! Connections need nothing of a session's: a pooler that hands out connections by transaction will
//! do, if it knows prepared statements (PgBouncer from 1.21 on, with `max_prepared_statements`); a
//! schema is then named by [`PostgresOptions::schema`](crate::ServerOptions::schema), not by the
//! URL's `options`.
//!
//! What others do (a trigger, a cancel, a pause, a handover) is told by `NOTIFY` on a channel of
//! these tables' own, for which each scheduler listens by one more connection. Nothing rests on it:
//! what was not heard, behind a pooler for one, is found by the next heartbeat.
//! [`listen(false)`](crate::ServerOptions::listen) spares the connection.
//!
//! # Tables
//! | table | holds |
//! |---|---|
//! | `sexton_registers` | per (namespace, task, index), for ever: watermark, fence, and the version by which writers notice each other |
//! | `sexton_executions` | per execution: who was granted it, lease, outcome; the history |
//! | `sexton_tasks` | per task: its definition as instances tell it, its pause |
//! | `sexton_instances` | per instance: when it last reported |
//! | `sexton_versions` | the version of the tables |
//!
//! Another schema and another beginning than `sexton_` can be had by [`PostgresOptions`]. Whoever
//! deletes from `sexton_registers` takes the watermarks with it.
//!
//! # URLs
//! `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. Behind a `?` may follow what the driver knows, `sslmode=require` or
//! `sslmode=verify-full&sslrootcert=FILE` among it. What the URL does not say is taken from `PGHOST`, `PGUSER` and so on, as by `psql`.
//!
//! # Privileges
//! Once the tables exist: USAGE on their schema, and SELECT, INSERT, UPDATE and DELETE on all five tables (of `sexton_versions`, SELECT is
//! enough). To make them: CREATE on the schema, or on the database if the schema is missing too. Whoever wants to make them otherwise has the script from
//! [`PostgresOptions::migration_sql`](crate::ServerOptions::migration_sql).
//!
//! ```no_run
//! use sexton_core::lock::{Claim, ClaimLead, Execution, LockManager, Verdict};
//! use sexton_core::name::{InstanceId, TaskName};
//! use sexton_core::tick::{Concurrency, ConcurrencyIndex};
//! use sexton_sql::postgres::PostgresLockManager;
//!
//! # async fn claim() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = PostgresLockManager::connect("postgres://sexton:secret@localhost/app").await?;
//! let execution = Execution {
//!     task: TaskName::new("digest")?,
//!     index: ConcurrencyIndex::ONE,
//!     tick: "2024-01-30T10:20:30Z".parse()?,
//! };
//! let claim = Claim::new(execution, Concurrency::ONE, InstanceId::random());
//! let answer = manager.claim(ClaimLead::default(), &[claim]).await?;
//! assert!(matches!(answer.value[..], [Ok(Verdict::Granted(_))]));
//! # Ok(())
//! # }
//! ```

mod connect;
pub(crate) mod error;
mod fleet;
mod history;
mod ktor;
mod load;
mod notifications;
mod schema;
mod settings;
mod sql;
mod swap;
mod tasks;
mod transaction;
mod url;

use sqlx::Postgres;

use crate::error::OpenError;
use crate::server::database::ServerDatabase;
use crate::server::driver::ServerDriver;
use crate::server::port::ServerPort;
pub use crate::server::{KtorTable, Migrations};
use crate::server::{ServerLockManager, ServerOptions};

type Port = ServerPort<Postgres>;

impl ServerDatabase for Postgres {
    type Port = Port;
}

/// Keeps task locks in a PostgreSQL database. See the [module](self).
pub type PostgresLockManager = ServerLockManager<Postgres>;

/// How a [`PostgresLockManager`] is opened.
pub type PostgresOptions = ServerOptions<Postgres>;

/// Shares task locks with replicas of a Kotlin system, in its own table. See
/// [`crate::KtorLockManager`].
pub type KtorLockManager = crate::server::KtorLockManager<Postgres>;

/// Where a URL leads to, for people to read: without user and password. Connects to nothing.
///
/// ```
/// use sexton_sql::postgres::location;
///
/// assert_eq!(location("postgres://app:secret@db.example/bells")?, "postgres://db.example:5432/bells");
/// # Ok::<(), sexton_sql::OpenError>(())
/// ```
///
/// # Errors
/// [`OpenError::BadPostgresUrl`]
pub fn location(url: &str) -> Result<String, OpenError> {
    Ok(Postgres::location(&url::parse(url)?))
}
