//! The lock manager of a server, and how it is opened.

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use sexton_core::clock::TokioClock;
use sexton_core::lock::Transactions;
use sexton_core::lock::engine::{Engine, Limits, PortManager, Unavailable};
use sexton_core::name::Namespace;
use tokio::time::{Instant, timeout_at};

use crate::error::OpenError;
use crate::patience::Patience;

use super::checkout::Source;
use super::database::ServerDatabase;
use super::driver::Prepare;
use super::error::StoreError;
use super::migrations::Migrations;
use super::names::Names;
use super::port::ServerPort;

/// Keeps task locks in the database of a server:
/// [`PostgresLockManager`](crate::postgres::PostgresLockManager) and
/// [`MySqlLockManager`](crate::mysql::MySqlLockManager) are it. Clones share its connections.
///
/// Every call is cancel-safe: dropping its future rolls back what was not committed, or loses the
/// answer of what was.
#[derive(Debug)]
pub struct ServerLockManager<DB: ServerDatabase> {
    pub(super) engine: Arc<Engine<DB::Port>>,
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
    /// Closes the connections that are not in use; those in use follow when their calls end. Later
    /// calls are [`LockError::Unavailable`](sexton_core::lock::LockError::Unavailable). A pool that
    /// was handed over stays open. Without this they are dropped with the last clone.
    pub async fn close(&self) {
        self.server().source.close().await;
    }

    pub(super) fn server(&self) -> &ServerPort<DB> {
        self.engine.port().borrow()
    }

    pub(super) async fn start(
        opening: Opening,
        source: Source<DB>,
    ) -> Result<ServerLockManager<DB>, OpenError> {
        let location = source.location();
        let limit = opening.call_limit;
        let prepared = prepare(&source, &opening, &location).await;
        let sql = prepared.map_err(|error| error.into_open_error(&location, limit))?;
        let mut limits = Limits::new(limit);
        limits.broken_max = source.connections_max();
        limits.notifies = DB::NOTIFIES;
        let port = ServerPort {
            source,
            location,
            namespace: opening.namespace,
            limits,
            listens: opening.listens,
            sql,
        };
        let engine = Engine::new(DB::Port::from(port), Arc::new(TokioClock::new()));
        Ok(ServerLockManager {
            engine: Arc::new(engine),
        })
    }
}

/// What a manager is opened with.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) namespace: Namespace,
    pub(super) names: Names,
    pub(super) migrations: Migrations,
    pub(super) call_limit: Duration,
    pub(super) listens: bool,
}

/// Makes or finds the tables.
async fn prepare<DB: ServerDatabase>(
    source: &Source<DB>,
    opening: &Opening,
    location: &str,
) -> Result<DB::Sql, StoreError> {
    let limit = opening.call_limit;
    let deadline = Instant::now() + limit;
    let mut patience = Patience::new(limit);
    loop {
        let mut checkout = source.check_out(deadline, limit).await?;
        let prepare = Prepare {
            names: &opening.names,
            migrations: opening.migrations,
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
