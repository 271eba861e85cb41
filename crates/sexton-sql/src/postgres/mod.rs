//! Task locks in PostgreSQL 13 or later.
//!
//! # What it promises, and on what
//! - A batch is one statement that reads and, unless the claims were lost anyway, one that writes: two round trips at most while nobody else
//!   is after the same (task, index). No lock is held while the client thinks, so that no client that is stopped or cut off makes others wait.
//! - The database's clock (`clock_timestamp()`) decides, and nothing of the client's.
//! - What a call has answered is as durable as a commit of that server: with `synchronous_commit = off` or with asynchronous replicas only, a
//!   crash or a failover may take back grants that were answered, and they may be granted again.
//! - A server that only reads (a standby, a failover in progress) is an outage, never a "denied".
//! - Waiting is bounded (5 s unless told otherwise), on the server as well: by `lock_timeout`, set for the one statement or transaction.
//!
//! Connections need nothing of a session's: a pooler that hands out connections by transaction will do, if it knows prepared
//! statements (PgBouncer from 1.21 on, with `max_prepared_statements`).
//!
//! # Tables
//! | table | holds |
//! |---|---|
//! | `sexton_registers` | per (namespace, task, index), for ever: watermark, fence, and the version by which writers notice each other |
//! | `sexton_executions` | per execution: who was granted it, lease, outcome; the history |
//! | `sexton_tasks` | per task: its definition as instances tell it, its pause |
//! | `sexton_instances` | per instance: when it last reported |
//! | `sexton_namespaces` | per namespace: the revision that rises when tasks are paused, resumed or defined anew |
//! | `sexton_versions` | the version of the tables |
//!
//! Another schema and another beginning than `sexton_` can be had by [`PostgresOptions`]. Whoever deletes from `sexton_registers` takes the
//! watermarks with it.
//!
//! # Privileges
//! Once the tables exist: USAGE on their schema, and SELECT, INSERT, UPDATE and DELETE on all six tables (of `sexton_versions`, SELECT is
//! enough). To make them: CREATE on the schema, or on the database if the schema is missing too. Whoever wants to make them otherwise has the script from
//! [`PostgresOptions::migration_sql`].
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
//! assert!(matches!(answer.value[..], [Verdict::Granted(_)]));
//! # Ok(())
//! # }
//! ```

mod call;
mod decide;
mod error;
mod fleet;
mod history;
mod lane;
mod load;
mod manager;
mod names;
mod options;
mod schema;
mod sql;
mod store_back;
mod sweep;
mod tasks;
mod transaction;
mod url;

use std::sync::Arc;
use std::time::Duration;

use sexton_core::name::Namespace;
use sqlx::PgPool;
use tokio::time::{Instant, timeout_at};

pub use options::PostgresOptions;
pub use schema::Migrations;

use crate::error::OpenError;
use crate::patience::Patience;

use error::{Outage, Trouble};
use lane::Source;
use names::Names;
use sql::Sql;

/// Keeps task locks in a PostgreSQL database. Clones share its connections.
///
/// Every call is cancel-safe: dropping its future rolls back what was not committed, or loses the answer of what was.
#[derive(Debug, Clone)]
pub struct PostgresLockManager {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: Source,
    location: String,
    namespace: Namespace,
    wait_max: Duration,
    sql: Sql,
}

impl PostgresLockManager {
    /// Connects to what a URL names, with the default [`PostgresOptions`]: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, what is special
    /// in a part of it written as `%2F`. Behind a `?` may follow what the driver knows, `sslmode=require` or
    /// `sslmode=verify-full&sslrootcert=FILE` among it. What the URL does not say is taken from `PGHOST`, `PGUSER` and so on, as by `psql`.
    ///
    /// Tables that are missing are made. Safe when many replicas start at once.
    ///
    /// # Errors
    /// [`OpenError`]: a bad URL, a server that cannot be reached or does not let the user in, a missing database, missing
    /// privileges, tables of a newer version.
    pub async fn connect(url: &str) -> Result<PostgresLockManager, OpenError> {
        PostgresOptions::new().connect(url).await
    }

    /// Keeps the locks in an application's own database, by connections of its own pool, each taken for one call.
    ///
    /// A pool that is full makes calls wait, up to [`PostgresOptions::wait_max`], and then fail as unavailable: leave room for a few.
    ///
    /// # Errors
    /// [`OpenError`], as for [`PostgresLockManager::connect`].
    ///
    /// ```no_run
    /// use sexton_sql::postgres::PostgresLockManager;
    /// use sqlx::PgPool;
    ///
    /// # async fn open(pool: PgPool) -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = PostgresLockManager::with_pool(pool).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn with_pool(pool: PgPool) -> Result<PostgresLockManager, OpenError> {
        PostgresOptions::new().with_pool(pool).await
    }

    /// Closes the connections that are not in use; those in use follow when their calls end. Later calls are
    /// [`LockError::Unavailable`](sexton_core::lock::LockError::Unavailable). A pool that was handed over stays open. Without this
    /// they are dropped with the last clone.
    pub async fn close(&self) {
        self.inner.source.close().await;
    }

    async fn start(
        options: PostgresOptions,
        source: Source,
    ) -> Result<PostgresLockManager, OpenError> {
        let names = options.names()?;
        let location = source.location();
        let limit = options.wait_max;
        let prepared = prepare(&source, &names, &options, &location).await;
        let names = prepared.map_err(|trouble| trouble.into_open_error(&location, limit))?;
        let inner = Inner {
            source,
            location,
            namespace: options.namespace,
            wait_max: limit,
            sql: Sql::new(&names),
        };
        Ok(PostgresLockManager {
            inner: Arc::new(inner),
        })
    }
}

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
    Ok(lane::location(&url::parse(url)?))
}

async fn prepare(
    source: &Source,
    names: &Names,
    options: &PostgresOptions,
    location: &str,
) -> Result<Names, Trouble> {
    let limit = options.wait_max;
    let limit_ms = call::as_setting(limit);
    let deadline = Instant::now() + limit;
    let mut patience = Patience::new(limit);
    loop {
        let mut lane = source.lane(deadline, limit).await?;
        let migrations = options.migrations;
        let preparing = schema::prepare(lane.connection(), names, migrations, &limit_ms, location);
        let trouble = match timeout_at(deadline, preparing).await {
            Ok(Ok(names)) => {
                lane.keep();
                return Ok(names);
            }
            Ok(Err(trouble)) => trouble,
            Err(_) => Outage::Stalled { limit }.into(),
        };
        lane.discard();
        if !trouble.is_busy() || !patience.wait().await {
            return Err(trouble);
        }
    }
}
