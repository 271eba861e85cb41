//! Connections: a few of our own, or an application's pool.
//!
//! One of our own goes back to the others only after a call that ended well; whatever else happened to it, an abandoned call among it, it is
//! closed, and whatever it had begun is rolled back by the server.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool, Postgres};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::error::{Outage, Trouble};

/// A connection that nobody used for so long is not trusted: what lies between may have dropped it without a word.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// How long a connection's end may take to be said to the server.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// Where connections come from.
#[derive(Debug)]
pub(super) enum Source {
    Own(Box<Own>),
    Pool(PgPool),
}

#[derive(Debug)]
pub(super) struct Own {
    options: PgConnectOptions,
    connections_max: u32,
    permits: Semaphore,
    idle: Mutex<Vec<(Instant, PgConnection)>>,
    /// Connections for handlers' transactions, which last as long as the handlers like.
    handlers: OnceLock<PgPool>,
}

/// A connection for one call.
pub(super) enum Lane<'s> {
    Own {
        own: &'s Own,
        connection: PgConnection,
        _permit: SemaphorePermit<'s>,
    },
    Pool(PoolConnection<Postgres>),
}

impl Source {
    pub(super) fn own(options: PgConnectOptions, connections_max: u32) -> Source {
        let permits = usize::try_from(connections_max).unwrap_or(usize::MAX);
        Source::Own(Box::new(Own {
            // The scheduler says what it does; a statement a tick is not worth a line.
            options: options.disable_statement_logging(),
            connections_max,
            permits: Semaphore::new(permits.min(Semaphore::MAX_PERMITS)),
            idle: Mutex::default(),
            handlers: OnceLock::new(),
        }))
    }

    /// Where it leads to, without user or password.
    pub(super) fn location(&self) -> String {
        match self {
            Source::Own(own) => location(&own.options),
            Source::Pool(pool) => format!("{} (pool)", location(&pool.connect_options())),
        }
    }

    /// Where handlers' transactions begin: an application's own pool, or one beside our connections.
    pub(super) fn handlers_pool(&self) -> &PgPool {
        match self {
            Source::Own(own) => own.handlers.get_or_init(|| {
                PgPoolOptions::new()
                    .max_connections(own.connections_max)
                    .connect_lazy_with(own.options.clone())
            }),
            Source::Pool(pool) => pool,
        }
    }

    pub(super) fn connections_max(&self) -> u32 {
        match self {
            Source::Own(own) => own.connections_max,
            Source::Pool(pool) => pool.options().get_max_connections(),
        }
    }

    /// A connection, by `deadline`, which ends a wait of `limit`.
    pub(super) async fn lane(
        &self,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Lane<'_>, Trouble> {
        let connections = self.connections_max();
        let full = Outage::Full { limit, connections };
        match self {
            Source::Own(own) => {
                let permit = match timeout_at(deadline, own.permits.acquire()).await {
                    Err(_) => return Err(full.into()),
                    Ok(Err(_)) => return Err(Outage::Closed.into()),
                    Ok(Ok(permit)) => permit,
                };
                let connection = match own.take_idle() {
                    Some(connection) => connection,
                    None => match timeout_at(deadline, own.options.connect()).await {
                        Err(_) => return Err(Outage::Stalled { limit }.into()),
                        Ok(connected) => connected?,
                    },
                };
                Ok(Lane::Own {
                    own,
                    connection,
                    _permit: permit,
                })
            }
            Source::Pool(pool) => match timeout_at(deadline, pool.acquire()).await {
                Ok(Ok(connection)) => Ok(Lane::Pool(connection)),
                Ok(Err(sqlx::Error::PoolClosed)) => Err(Outage::Closed.into()),
                Ok(Err(sqlx::Error::PoolTimedOut)) => Err(full.into()),
                Ok(Err(error)) => Err(error.into()),
                Err(_) if pool.size() >= connections => Err(full.into()),
                Err(_) => Err(Outage::Stalled { limit }.into()),
            },
        }
    }

    /// Closes what is ours and not in use. A connection in use is closed when it comes back.
    pub(super) async fn close(&self) {
        let Source::Own(own) = self else { return };
        own.permits.close();
        if let Some(handlers) = own.handlers.get() {
            // Those in use follow when their handlers end.
            let _ = tokio::time::timeout(GOODBYE_MAX, handlers.close()).await;
        }
        while let Some(connection) = own.take_idle() {
            // A server that is gone need not be told.
            let _ = tokio::time::timeout(GOODBYE_MAX, connection.close()).await;
        }
    }
}

impl Own {
    fn take_idle(&self) -> Option<PgConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(since, _)| since.elapsed() < IDLE_MAX);
        idle.pop().map(|(_, connection)| connection)
    }
}

impl Lane<'_> {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        match self {
            Lane::Own { connection, .. } => connection,
            Lane::Pool(connection) => connection,
        }
    }

    /// Gives it back for the next call.
    pub(super) fn keep(self) {
        if let Lane::Own {
            own, connection, ..
        } = self
            && !own.permits.is_closed()
        {
            let mut idle = own.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push((Instant::now(), connection));
        }
    }

    /// Closes it.
    pub(super) fn discard(self) {
        if let Lane::Pool(mut connection) = self {
            connection.close_on_drop();
        }
    }
}

pub(super) fn location(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    match options.get_socket() {
        Some(socket) => format!("postgres://{}/{database}", socket.display()),
        None => {
            let (host, port) = (options.get_host(), options.get_port());
            format!("postgres://{host}:{port}/{database}")
        }
    }
}
