//! Task locks in MySQL 8.0.19 or later and MariaDB 10.6 or later.
//!
//! # What it promises, and on what
//! - A batch is one statement that reads and, unless the claims were lost anyway, one short transaction that writes. No lock is held while the
//!   rules are asked, only while what they decided is written.
//! - The database's clock (`UTC_TIMESTAMP`) decides, and nothing of the client's.
//! - What a call has answered is as durable as a commit of that server: with `innodb_flush_log_at_trx_commit` other than 1, or with asynchronous
//!   replicas only, a crash or a failover may take back grants that were answered, and they may be granted again.
//! - A server that only reads (`read_only`: a replica, a failover in progress) is an outage, never a "denied".
//! - Waiting is bounded (5 s unless told otherwise), on the server as well: by `innodb_lock_wait_timeout` and
//!   `lock_wait_timeout`, in whole seconds. On a connection of an application's pool they are set for the call, and put back; so is
//!   its time zone, to UTC.
//! - A client that is stopped or cut off in the middle of a transaction keeps others from its rows for 2 to 4 s: the server ends the transaction then, by MariaDB's
//!   `idle_transaction_timeout` or MySQL's `wait_timeout`, or by `net_write_timeout` if the client takes no answers. A handler's transaction may be silent for as long as its
//!   task's lease is.
//!
//! Every server of the fleet must be one: in a cluster that takes writes in several places (Galera,
//! group replication with several primaries) conflicts come up at the commit. They are tried again,
//! but it has not been tested.
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
//! They stand in the URL's database. Another one, and another beginning than `sexton_`, can be had
//! by [`MySqlOptions`]. Whoever deletes from `sexton_registers` takes the watermarks with it.
//!
//! # URLs
//! `mysql://USER:PASSWORD@HOST:PORT/DATABASE`, or `mariadb://`. Behind a `?` may follow `ssl-mode=REQUIRED` or
//! `ssl-mode=VERIFY_IDENTITY&ssl-ca=FILE`, `ssl-cert=FILE&ssl-key=FILE` for a client's certificate, and `socket=PATH`. TLS is
//! used if the server offers it, unless it says otherwise. MySQL 8's own way to check passwords (`caching_sha2_password`)
//! needs TLS, through a socket too. docs/stores/mysql.md says more.
//!
//! # Privileges
//! Once the tables exist: SELECT, INSERT, UPDATE and DELETE on all five (of `sexton_versions`, SELECT is enough). To make them: CREATE and INDEX
//! on the database. Whoever wants to make them otherwise has the script from
//! [`MySqlOptions::migration_sql`](crate::ServerOptions::migration_sql).
//!
//! ```no_run
//! use sexton_core::lock::{Claim, ClaimLead, Execution, LockManager, Verdict};
//! use sexton_core::name::{InstanceId, TaskName};
//! use sexton_core::tick::{Concurrency, ConcurrencyIndex};
//! use sexton_sql::mysql::MySqlLockManager;
//!
//! # async fn claim() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = MySqlLockManager::connect("mysql://sexton:secret@localhost/app").await?;
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
mod lists;
mod load;
mod schema;
mod sql;
mod swap;
mod tasks;
mod transaction;
mod url;

use sqlx::MySql;

use crate::error::OpenError;
use crate::server::database::ServerDatabase;
use crate::server::driver::ServerDriver;
use crate::server::port::ServerPort;
pub use crate::server::{KtorTable, Migrations};
use crate::server::{ServerLockManager, ServerOptions};

type Port = ServerPort<MySql>;

impl ServerDatabase for MySql {
    type Port = Port;
}

/// Keeps task locks in a MySQL or MariaDB database. See the [module](self).
pub type MySqlLockManager = ServerLockManager<MySql>;

/// How a [`MySqlLockManager`] is opened.
pub type MySqlOptions = ServerOptions<MySql>;

/// Shares task locks with replicas of a Kotlin system, in its own table. See
/// [`crate::KtorLockManager`].
pub type KtorLockManager = crate::server::KtorLockManager<MySql>;

/// Where a URL leads to, for people to read: without user and password. Connects to nothing.
///
/// ```
/// use sexton_sql::mysql::location;
///
/// assert_eq!(location("mysql://app:secret@db.example/bells")?, "mysql://db.example:3306/bells");
/// # Ok::<(), sexton_sql::OpenError>(())
/// ```
///
/// # Errors
/// [`OpenError::BadMySqlUrl`]
pub fn location(url: &str) -> Result<String, OpenError> {
    Ok(MySql::location(&url::parse(url)?))
}
