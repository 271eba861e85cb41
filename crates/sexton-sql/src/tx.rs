//! The transaction of a handler, which settles its execution when it commits.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use async_trait::async_trait;
use futures::future::BoxFuture;
use sexton_core::lock::{
    Committed, LockError, OpenTransaction, Renewal, Settlement, TransactionSlot, Transactions,
};
use sqlx::Database;
use thiserror::Error;

/// A database that handlers can take part in the transactions of: [`sqlx::Postgres`],
/// [`sqlx::MySql`] and [`sqlx::Sqlite`], by their features.
pub trait TransactionalDatabase: Database + sealed::Sealed {
    /// Its lock manager.
    type Manager: Transactions + Clone;

    /// What it is called.
    const DATABASE: &'static str;

    /// A connection with a transaction open on it, which its end undoes.
    #[doc(hidden)]
    type Open: DerefMut<Target = Self::Connection> + Send + Sync + 'static;

    /// For the run that holds a lock, if that is known.
    #[doc(hidden)]
    fn begin<'m>(
        manager: &'m Self::Manager,
        run: Option<&'m Renewal>,
    ) -> BoxFuture<'m, Result<Self::Open, LockError>>;

    #[doc(hidden)]
    fn settle_and_commit<'m>(
        manager: &'m Self::Manager,
        open: Self::Open,
        settlement: &'m Settlement,
    ) -> BoxFuture<'m, Committed>;

    /// An error only if the store was in the way: a transaction that is over already is undone.
    #[doc(hidden)]
    fn roll_back(manager: &Self::Manager, open: Self::Open)
    -> BoxFuture<'_, Result<(), LockError>>;
}

pub(crate) const ENDED_EARLY: &str = "the handler's transaction ended before its handler did, by a statement that rolled it back (a deadlock, a full disk, \
    OR ROLLBACK), a COMMIT or a statement like CREATE TABLE: let the handler return when a statement fails, and leave the commit to the scheduler";

pub(crate) mod sealed {
    /// Keeps the list to ourselves.
    pub trait Sealed {}
}

/// A transaction that a handler of a task with transactional delivery may begin, in the database
/// that keeps the task's locks. What it writes there and the outcome of its execution commit
/// together, or neither does.
///
/// The handler takes it as an argument, begins it when it has something to write, and returns. It
/// does not commit: when the handler has succeeded, the scheduler settles the execution in the
/// transaction and commits both. When it fails, panics, times out, is cancelled or has lost its
/// lock, nothing of what it wrote is there. If the database is in its way (no transaction to be
/// had, a connection that breaks, a commit refused for the moment), the execution is granted again
/// when its lease is over, while attempts are left.
///
/// ```
/// use sexton_sql::Tx;
/// use sqlx::Sqlite;
///
/// # type Error = Box<dyn std::error::Error + Send + Sync>;
/// async fn add_interest(tx: Tx<Sqlite>) -> Result<(), Error> {
///     let mut tx = tx.begin().await?;
///     sqlx::query("UPDATE accounts SET cents = cents * 102 / 100").execute(&mut *tx).await?;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Tx<DB: TransactionalDatabase> {
    slot: TransactionSlot,
    database: PhantomData<fn() -> DB>,
}

/// A transaction of another kind of database than the one that keeps the task's locks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the handler takes Tx<{wanted}>, but the task's locks are kept in {found}")]
pub struct WrongDatabase {
    /// What the handler takes.
    pub wanted: &'static str,
    /// What there is.
    pub found: &'static str,
}

/// Why a transaction did not begin.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BeginError {
    /// A run has one transaction, and it was taken already.
    #[error("the run's transaction was begun already: a run has one")]
    Taken,
    /// The database does not do it.
    #[error(transparent)]
    Store(#[from] LockError),
}

impl<DB: TransactionalDatabase> Tx<DB> {
    /// Whether these are transactions of this kind of database.
    ///
    /// # Errors
    /// [`WrongDatabase`].
    pub fn check(transactions: &dyn Transactions) -> Result<(), WrongDatabase> {
        if transactions.as_any().is::<DB::Manager>() {
            return Ok(());
        }
        Err(WrongDatabase {
            wanted: DB::DATABASE,
            found: transactions.database(),
        })
    }

    /// The transaction of a run. Handlers take it as an argument instead.
    ///
    /// # Errors
    /// As [`Tx::check`].
    pub fn of(slot: TransactionSlot) -> Result<Tx<DB>, WrongDatabase> {
        Tx::<DB>::check(slot.transactions())?;
        Ok(Tx {
            slot,
            database: PhantomData,
        })
    }

    /// Begins it: on PostgreSQL and MySQL at READ COMMITTED; on SQLite with the write lock, for
    /// which it waits, and which keeps all others from writing until the handler has returned, the
    /// locks of other tasks included. Fetch and compute before, not in between: on PostgreSQL and
    /// MySQL the server ends a transaction in which nothing is said for longer than the task's
    /// lease, or for a second if that is longer.
    ///
    /// # Errors
    /// [`BeginError`]: no connection, or a database that stays locked, within the lock manager's limit for a call.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing open.
    pub async fn begin(self) -> Result<OpenTx<DB>, BeginError> {
        let Some(manager) = self
            .slot
            .transactions()
            .as_any()
            .downcast_ref::<DB::Manager>()
        else {
            // Checked when it was made.
            return Err(BeginError::Taken);
        };
        if !self.slot.take() {
            return Err(BeginError::Taken);
        }
        let manager = manager.clone();
        let reservation = Reservation(Some(self.slot.clone()));
        let begun = DB::begin(&manager, self.slot.run()).await;
        let transaction = begun.inspect_err(|error| {
            if error.is_transient() {
                self.slot.unavailable();
            }
        })?;
        let slot = reservation.keep();
        Ok(OpenTx {
            slot,
            open: Some(Open {
                manager,
                transaction,
            }),
        })
    }
}

/// Lets a transaction that did not begin be begun again.
struct Reservation(Option<TransactionSlot>);

impl Reservation {
    fn keep(mut self) -> Option<TransactionSlot> {
        self.0.take()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(slot) = &self.0 {
            slot.not_begun();
        }
    }
}

/// The open transaction of a run: a connection to write by, `&mut *tx` where the driver wants an
/// executor.
///
/// Let it go before the handler returns, as a variable of the handler's does by itself: a run that
/// ends while something else still holds it fails. Do not commit or roll back by a statement;
/// `(&mut *tx).begin()` makes a savepoint.
pub struct OpenTx<DB: TransactionalDatabase> {
    slot: Option<TransactionSlot>,
    open: Option<Open<DB>>,
}

struct Open<DB: TransactionalDatabase> {
    manager: DB::Manager,
    transaction: DB::Open,
}

impl<DB: TransactionalDatabase> Deref for OpenTx<DB> {
    type Target = DB::Connection;

    #[allow(clippy::expect_used, reason = "it is there until the drop")]
    fn deref(&self) -> &DB::Connection {
        &self.open.as_ref().expect("taken by drop alone").transaction
    }
}

impl<DB: TransactionalDatabase> DerefMut for OpenTx<DB> {
    #[allow(clippy::expect_used, reason = "it is there until the drop")]
    fn deref_mut(&mut self) -> &mut DB::Connection {
        &mut self.open.as_mut().expect("taken by drop alone").transaction
    }
}

impl<DB: TransactionalDatabase> Drop for OpenTx<DB> {
    fn drop(&mut self) {
        if let (Some(slot), Some(open)) = (&self.slot, self.open.take()) {
            slot.give_back(Box::new(open));
        }
    }
}

impl<DB: TransactionalDatabase> fmt::Debug for OpenTx<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenTx").finish_non_exhaustive()
    }
}

#[async_trait]
impl<DB: TransactionalDatabase> OpenTransaction for Open<DB> {
    async fn settle_and_commit(self: Box<Self>, settlement: &Settlement) -> Committed {
        let Open {
            manager,
            transaction,
        } = *self;
        DB::settle_and_commit(&manager, transaction, settlement).await
    }

    async fn roll_back(self: Box<Self>) -> Result<(), LockError> {
        DB::roll_back(&self.manager, self.transaction).await
    }
}
