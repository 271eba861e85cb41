//! Connections: a few of our own, or an application's pool.
//!
//! A connection goes back to the others, or to the pool, only after a call that ended well;
//! in every other case, an abandoned call included, it is closed, and the server rolls back what it
//! had begun.

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use sexton_core::lock::engine::Unavailable;
use sqlx::pool::PoolOptions;
use sqlx::{ConnectOptions as _, Connection, Pool};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::driver::{ConnectOptions, ServerDriver};
use super::error::StoreError;
use crate::lent::Lent;

/// A connection that nobody used for so long is not trusted: what lies between may have dropped it
/// without a word.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// How long a connection that was kept may take to say that it is alive.
const GREETING_MAX: Duration = Duration::from_secs(1);
/// How long a connection's end may take to be said to the server.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// Where connections come from.
pub(super) enum Source<DB: ServerDriver> {
    Own(Box<Own<DB>>),
    Pool(Pool<DB>),
}

pub struct Own<DB: ServerDriver> {
    options: ConnectOptions<DB>,
    connections_max: u32,
    transactions_max: u32,
    permits: Semaphore,
    idle: Mutex<Vec<(Instant, DB::Connection)>>,
    /// Connections for handlers' transactions, which last as long as the handlers like.
    handlers: OnceLock<Pool<DB>>,
}

/// A connection for one call.
pub enum Checkout<'s, DB: ServerDriver> {
    Own {
        own: &'s Own<DB>,
        connection: DB::Connection,
        _permit: SemaphorePermit<'s>,
    },
    Pool(Lent<DB>),
}

impl<DB: ServerDriver> fmt::Debug for Source<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.location())
    }
}

impl<DB: ServerDriver> Source<DB> {
    pub(super) fn own(
        options: ConnectOptions<DB>,
        connections_max: u32,
        transactions_max: u32,
    ) -> Source<DB> {
        let permits = usize::try_from(connections_max).unwrap_or(usize::MAX);
        Source::Own(Box::new(Own {
            // The scheduler says what it does; a statement a tick is not worth a line.
            options: options.disable_statement_logging(),
            connections_max,
            transactions_max,
            permits: Semaphore::new(permits.min(Semaphore::MAX_PERMITS)),
            idle: Mutex::default(),
            handlers: OnceLock::new(),
        }))
    }

    #[cfg(feature = "postgres")]
    pub(super) fn connect_options(&self) -> ConnectOptions<DB> {
        match self {
            Source::Own(own) => own.options.clone(),
            Source::Pool(pool) => pool.connect_options().as_ref().clone(),
        }
    }

    /// Where it leads to, without user or password.
    pub(super) fn location(&self) -> String {
        match self {
            Source::Own(own) => DB::location(&own.options),
            Source::Pool(pool) => format!("{} (pool)", DB::location(&pool.connect_options())),
        }
    }

    /// Where handlers' transactions begin: an application's own pool, or one beside our
    /// connections.
    pub(super) fn handlers_pool(&self) -> &Pool<DB> {
        match self {
            Source::Own(own) => own.handlers.get_or_init(|| {
                PoolOptions::new()
                    .max_connections(own.transactions_max)
                    .connect_lazy_with(own.options.clone())
            }),
            Source::Pool(pool) => pool,
        }
    }

    /// How many connections there are for handlers' transactions, at most.
    pub(super) fn handlers_max(&self) -> u32 {
        match self {
            Source::Own(own) => own.transactions_max,
            Source::Pool(pool) => pool.options().get_max_connections(),
        }
    }

    pub(super) fn connections_max(&self) -> u32 {
        match self {
            Source::Own(own) => own.connections_max,
            Source::Pool(pool) => pool.options().get_max_connections(),
        }
    }

    /// A connection, by `deadline`, which ends a wait of `limit`.
    pub(super) async fn check_out(
        &self,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Checkout<'_, DB>, StoreError> {
        match self {
            Source::Own(own) => {
                let permit = match timeout_at(deadline, own.permits.acquire()).await {
                    Err(_) => {
                        let connections = own.connections_max;
                        return Err(Unavailable::Full { limit, connections }.into());
                    }
                    Ok(Err(_)) => return Err(Unavailable::Closed.into()),
                    Ok(Ok(permit)) => permit,
                };
                let connection = match own.take_idle() {
                    Some(connection) => connection,
                    None => match timeout_at(deadline, own.connect(limit)).await {
                        Err(_) => return Err(Unavailable::Stalled { limit }.into()),
                        Ok(connected) => connected?,
                    },
                };
                Ok(Checkout::Own {
                    own,
                    connection,
                    _permit: permit,
                })
            }
            Source::Pool(pool) => loop {
                let mut lent = lend(pool, deadline, limit).await?;
                match timeout_at(deadline, prepare(&mut lent, limit)).await {
                    Ok(Ok(Borrowed::Fit)) => return Ok(Checkout::Pool(lent)),
                    // What is done on it might never be committed: another one.
                    Ok(Ok(Borrowed::InTransaction)) => {}
                    Ok(Err(error)) => return Err(error.into()),
                    Err(_) => return Err(Unavailable::Stalled { limit }.into()),
                }
            },
        }
    }

    /// A connection for a handler, by `deadline`, which ends a wait of `limit`.
    pub(super) async fn check_out_for_handler(
        &self,
        deadline: Instant,
        limit: Duration,
    ) -> Result<Lent<DB>, StoreError> {
        let pool = self.handlers_pool();
        loop {
            let mut lent = lend(pool, deadline, limit).await?;
            let is_ours = matches!(self, Source::Own(_));
            if is_ours || DB::is_in_no_transaction(&mut lent).await? {
                return Ok(lent);
            }
        }
    }

    /// Nothing came back on a connection: those of ours that were not in use meanwhile may be as
    /// dead.
    pub(super) fn suspect(&self) {
        if let Source::Own(own) = self {
            let mut idle = own.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.clear();
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

impl<DB: ServerDriver> Own<DB> {
    async fn connect(&self, limit: Duration) -> Result<DB::Connection, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        DB::configure(&mut connection, limit).await?;
        Ok(connection)
    }

    fn take_idle(&self) -> Option<DB::Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(since, _)| since.elapsed() < IDLE_MAX);
        idle.pop().map(|(_, connection)| connection)
    }
}

/// What a connection that was lent turned out to be.
enum Borrowed {
    Fit,
    /// Somebody has left it in a transaction.
    InTransaction,
}

/// A connection of a pool that answers.
async fn lend<DB: ServerDriver>(
    pool: &Pool<DB>,
    deadline: Instant,
    limit: Duration,
) -> Result<Lent<DB>, StoreError> {
    let connections = pool.options().get_max_connections();
    loop {
        // One that was kept is only asked whether it is alive.
        let until = match pool.num_idle() {
            0 => deadline,
            _ => deadline.min(Instant::now() + GREETING_MAX),
        };
        match timeout_at(until, pool.acquire()).await {
            Ok(Ok(connection)) => return Ok(Lent::new(connection)),
            Ok(Err(sqlx::Error::PoolClosed)) => return Err(Unavailable::Closed.into()),
            Ok(Err(sqlx::Error::PoolTimedOut)) => {
                return Err(Unavailable::Full { limit, connections }.into());
            }
            Ok(Err(error)) => return Err(error.into()),
            Err(_) if until < deadline => weed(pool).await,
            Err(_) if pool.size() >= connections => {
                return Err(Unavailable::Full { limit, connections }.into());
            }
            Err(_) => return Err(Unavailable::Stalled { limit }.into()),
        }
    }
}

/// One connection did not answer: the network that took it may have taken all that were kept with
/// it. The pool asks each, at once, and those that do not answer either are closed.
async fn weed<DB: ServerDriver>(pool: &Pool<DB>) {
    let asking = (0..pool.num_idle()).map(|_| tokio::time::timeout(GREETING_MAX, pool.acquire()));
    // Held until each is asked, or one would be asked again and again.
    drop(join_all(asking).await);
}

async fn prepare<DB: ServerDriver>(
    lent: &mut Lent<DB>,
    limit: Duration,
) -> Result<Borrowed, sqlx::Error> {
    if !DB::is_in_no_transaction(lent).await? {
        return Ok(Borrowed::InTransaction);
    }
    DB::configure(lent, limit).await?;
    Ok(Borrowed::Fit)
}

/// Back to its pool as it was before, or closed.
async fn give_back<DB: ServerDriver>(mut lent: Lent<DB>) {
    let restoring = tokio::time::timeout(GOODBYE_MAX, DB::restore(&mut lent));
    if matches!(restoring.await, Ok(Ok(()))) {
        lent.give_back();
    }
}

/// The same after a handler's transaction.
pub(super) async fn give_back_from_handler<DB: ServerDriver>(mut lent: Lent<DB>) {
    let restoring = tokio::time::timeout(GOODBYE_MAX, DB::restore_after_handler(&mut lent));
    if matches!(restoring.await, Ok(Ok(()))) {
        lent.give_back();
    }
}

impl<DB: ServerDriver> Checkout<'_, DB> {
    pub(super) fn connection(&mut self) -> &mut DB::Connection {
        match self {
            Checkout::Own { connection, .. } => connection,
            Checkout::Pool(lent) => lent,
        }
    }

    /// Gives it back for the next call.
    pub(super) async fn give_back(self) {
        match self {
            Checkout::Own {
                own, connection, ..
            } => {
                if !own.permits.is_closed() {
                    let mut idle = own.idle.lock().unwrap_or_else(PoisonError::into_inner);
                    idle.push((Instant::now(), connection));
                }
            }
            Checkout::Pool(lent) => give_back(lent).await,
        }
    }
}
