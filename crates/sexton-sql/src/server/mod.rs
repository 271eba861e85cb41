//! Task locks in a database that runs as a server of its own: what [PostgreSQL](crate::postgres)
//! and [MySQL](crate::mysql) have in common.
//!
//! A batch is read, decided by the rules, and written where nothing has changed in between: see
//! `decide.rs`. What differs between databases is how they say it, which is all that a `Dialect`
//! knows.

mod call;
mod decide;
pub(crate) mod dialect;
mod enqueue;
pub(crate) mod error;
mod fleet;
mod history;
pub(crate) mod ktor;
mod lane;
pub(crate) mod loaded;
mod manager;
pub(crate) mod names;
mod options;
mod sweep;
mod tasks;
mod tls;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use sexton_core::name::Namespace;
use sqlx::Pool;
use tokio::time::{Instant, timeout_at};

use crate::error::OpenError;
use crate::patience::Patience;

use dialect::{Dialect, Prepared};
use error::{Outage, Trouble};
use lane::Source;

pub use ktor::{KtorLockManager, KtorLocks, KtorTable};
pub use options::{Migrations, ServerOptions};

/// A database that runs as a server: [`sqlx::Postgres`] and [`sqlx::MySql`], by their features.
pub trait ServerDatabase: Dialect {}

impl<DB: Dialect> ServerDatabase for DB {}

/// Keeps task locks in the database of a server:
/// [`PostgresLockManager`](crate::postgres::PostgresLockManager) and
/// [`MySqlLockManager`](crate::mysql::MySqlLockManager) are it. Clones share its connections.
///
/// Every call is cancel-safe: dropping its future rolls back what was not committed, or loses the
/// answer of what was.
#[derive(Debug)]
pub struct ServerLockManager<DB: Dialect> {
    inner: Arc<Inner<DB>>,
}

impl<DB: Dialect> Clone for ServerLockManager<DB> {
    fn clone(&self) -> ServerLockManager<DB> {
        ServerLockManager {
            inner: Arc::clone(&self.inner),
        }
    }
}

#[derive(Debug)]
struct Inner<DB: Dialect> {
    source: Source<DB>,
    location: String,
    namespace: Namespace,
    wait_max: Duration,
    listens: bool,
    sql: DB::Sql,
}

impl<DB: Dialect> ServerLockManager<DB> {
    /// Connects to what a URL names, with the default [`ServerOptions`]:
    /// `SCHEME://USER:PASSWORD@HOST:PORT/DATABASE`, what is special in a part of it written as
    /// `%2F`. The [PostgreSQL](crate::postgres) and [MySQL](crate::mysql) pages say what may follow
    /// behind a `?`.
    ///
    /// Tables that are missing are made. Safe when many replicas start at once.
    ///
    /// # Errors
    /// [`OpenError`]: a bad URL, a server that cannot be reached or does not let the user in, a missing database, missing
    /// privileges, tables of a newer version.
    pub async fn connect(url: &str) -> Result<ServerLockManager<DB>, OpenError> {
        ServerOptions::new().connect(url).await
    }

    /// Keeps the locks in an application's own database, by connections of its own pool, each taken
    /// for one call.
    ///
    /// A pool that is full makes calls wait, up to [`ServerOptions::wait_max`], and then fail as
    /// unavailable: leave room for a few.
    ///
    /// # Errors
    /// [`OpenError`], as for [`ServerLockManager::connect`].
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # async fn open(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
    /// use sexton_sql::postgres::PostgresLockManager;
    ///
    /// let manager = PostgresLockManager::with_pool(pool).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn with_pool(pool: Pool<DB>) -> Result<ServerLockManager<DB>, OpenError> {
        ServerOptions::new().with_pool(pool).await
    }

    /// Closes the connections that are not in use; those in use follow when their calls end. Later
    /// calls are [`LockError::Unavailable`](sexton_core::lock::LockError::Unavailable). A pool that
    /// was handed over stays open. Without this they are dropped with the last clone.
    pub async fn close(&self) {
        self.inner.source.close().await;
    }

    /// How a connection besides the others is made.
    #[cfg(feature = "postgres")]
    pub(crate) fn connect_options(&self) -> dialect::Options<DB> {
        self.inner.source.connect_options()
    }

    /// What the dialect's statements are.
    pub(crate) fn sql(&self) -> &DB::Sql {
        &self.inner.sql
    }

    /// The namespace, for a statement.
    pub(crate) fn namespace_word(&self) -> &str {
        self.inner.namespace.as_str()
    }

    /// The limit of a call.
    #[cfg(feature = "postgres")]
    pub(crate) fn wait_max(&self) -> Duration {
        self.inner.wait_max
    }

    async fn start(
        options: ServerOptions<DB>,
        source: Source<DB>,
    ) -> Result<ServerLockManager<DB>, OpenError> {
        let location = source.location();
        let limit = options.wait_max;
        let prepared = prepare(&source, &options, &location).await;
        let sql = prepared.map_err(|trouble| trouble.into_open_error(&location, limit))?;
        let inner = Inner {
            source,
            location,
            namespace: options.namespace,
            wait_max: limit,
            listens: options.listens,
            sql,
        };
        Ok(ServerLockManager {
            inner: Arc::new(inner),
        })
    }
}

async fn prepare<DB: Dialect>(
    source: &Source<DB>,
    options: &ServerOptions<DB>,
    location: &str,
) -> Result<DB::Sql, Trouble> {
    let limit = options.wait_max;
    let names = options.names()?;
    let deadline = Instant::now() + limit;
    let mut patience = Patience::new(limit);
    loop {
        let mut lane = source.lane(deadline, limit).await?;
        let prepared = Prepared {
            names: &names,
            migrations: options.migrations,
            limit,
            location,
        };
        let preparing = DB::prepare(lane.connection(), prepared);
        let trouble = match timeout_at(deadline, preparing).await {
            Ok(Ok(sql)) => {
                lane.keep().await;
                return Ok(sql);
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
