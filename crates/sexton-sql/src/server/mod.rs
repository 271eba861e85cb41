//! Task locks in a database that runs as a server of its own: what [PostgreSQL](crate::postgres)
//! and [MySQL](crate::mysql) have in common.
//!
//! [The engine](sexton_core::lock::engine) does the work, over a port of each. What stands here is
//! where connections come from, how handlers' transactions end, and the Kotlin system's table.

pub(crate) mod cause;
mod checkout;
pub(crate) mod database;
pub(crate) mod error;
pub(crate) mod ktor;
mod migrations;
pub(crate) mod names;
mod options;
pub(crate) mod port;
pub(crate) mod rows;
mod tls;
mod transaction;

use std::borrow::Borrow;
use std::sync::Arc;

use sexton_core::clock::TokioClock;
use sexton_core::lock::Transactions;
use sexton_core::lock::engine::{Engine, Limits, PortManager, Unavailable};
use sqlx::Pool;
use tokio::time::{Instant, timeout_at};

use crate::error::OpenError;
use crate::patience::Patience;

use checkout::Source;
use database::Prepare;
use error::StoreError;
use port::ServerPort;

pub use database::ServerDatabase;
pub use ktor::{KtorLockManager, KtorLocks, KtorTable};
pub use migrations::Migrations;
pub use options::ServerOptions;

/// Keeps task locks in the database of a server:
/// [`PostgresLockManager`](crate::postgres::PostgresLockManager) and
/// [`MySqlLockManager`](crate::mysql::MySqlLockManager) are it. Clones share its connections.
///
/// Every call is cancel-safe: dropping its future rolls back what was not committed, or loses the
/// answer of what was.
#[derive(Debug)]
pub struct ServerLockManager<DB: ServerDatabase> {
    engine: Arc<Engine<DB::Port>>,
}

impl<DB: ServerDatabase> Clone for ServerLockManager<DB> {
    fn clone(&self) -> ServerLockManager<DB> {
        ServerLockManager {
            engine: Arc::clone(&self.engine),
        }
    }
}

impl<DB: ServerDatabase> PortManager for ServerLockManager<DB> {
    type Port = DB::Port;

    fn engine(&self) -> &Engine<DB::Port> {
        &self.engine
    }

    fn transactions(&self) -> Option<Arc<dyn Transactions>> {
        Some(Arc::new(self.clone()))
    }
}

impl<DB: ServerDatabase> ServerLockManager<DB> {
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
        self.server().source.close().await;
    }

    fn server(&self) -> &ServerPort<DB> {
        self.engine.port().borrow()
    }

    async fn start(
        options: ServerOptions<DB>,
        source: Source<DB>,
    ) -> Result<ServerLockManager<DB>, OpenError> {
        let location = source.location();
        let limit = options.call_limit;
        let prepared = prepare(&source, &options, &location).await;
        let sql = prepared.map_err(|error| error.into_open_error(&location, limit))?;
        let mut limits = Limits::new(limit);
        limits.broken_max = source.connections_max();
        limits.notifies = DB::NOTIFIES;
        let port = ServerPort {
            source,
            location,
            namespace: options.namespace,
            limits,
            listens: options.listens,
            sql,
        };
        let engine = Engine::new(DB::Port::from(port), Arc::new(TokioClock::new()));
        Ok(ServerLockManager {
            engine: Arc::new(engine),
        })
    }
}

/// Makes or finds the tables.
async fn prepare<DB: ServerDatabase>(
    source: &Source<DB>,
    options: &ServerOptions<DB>,
    location: &str,
) -> Result<DB::Sql, StoreError> {
    let limit = options.call_limit;
    let names = options.names()?;
    let deadline = Instant::now() + limit;
    let mut patience = Patience::new(limit);
    loop {
        let mut checkout = source.check_out(deadline, limit).await?;
        let prepare = Prepare {
            names: &names,
            migrations: options.migrations,
            limit,
            location,
        };
        let preparing = DB::prepare(checkout.connection(), prepare);
        let error = match timeout_at(deadline, preparing).await {
            Ok(Ok(sql)) => {
                checkout.give_back().await;
                return Ok(sql);
            }
            Ok(Err(error)) => error,
            Err(_) => Unavailable::Stalled { limit }.into(),
        };
        drop(checkout);
        if !error.may_be_tried_again() || !patience.wait().await {
            return Err(error);
        }
    }
}
