//! A pool's connection, for as long as a call or a handler's transaction takes.
//!
//! A pool takes back whatever is dropped, and hands it to the next: a connection in the middle of a
//! statement, in a transaction that the driver knows nothing of, or out of one that the driver
//! still counts on. So a connection goes back only by [`Lent::give_back`]; whatever else becomes of
//! it, an abandoned call among it, it is closed, and what it had begun is undone.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{Connection, Database};
use sqlx_core::sql_str::SqlSafeStr;
use sqlx_core::transaction::TransactionManager;

/// Closed unless it is given back.
#[allow(unreachable_pub, reason = "the type of a sealed trait's transactions")]
pub struct Lent<DB: Database> {
    connection: Option<PoolConnection<DB>>,
    /// Whether its end would be the data's end, as in memory: then it goes back in any case.
    is_all_there_is: bool,
}

impl<DB: Database> Lent<DB> {
    pub(crate) fn new(connection: PoolConnection<DB>) -> Lent<DB> {
        Lent {
            connection: Some(connection),
            is_all_there_is: false,
        }
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn all_there_is(connection: PoolConnection<DB>) -> Lent<DB> {
        Lent {
            connection: Some(connection),
            is_all_there_is: true,
        }
    }

    /// After all.
    #[cfg(feature = "sqlite")]
    pub(crate) fn is_one_of_many(&mut self) {
        self.is_all_there_is = false;
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn is_all_there_is(&self) -> bool {
        self.is_all_there_is
    }

    /// For others, if it is in no transaction.
    pub(crate) fn give_back(mut self) {
        if !self.is_in_transaction() {
            drop(self.connection.take());
        }
    }

    /// Begins a transaction, which the driver counts as one: a `begin` within it makes a savepoint.
    pub(crate) async fn begin(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        DB::TransactionManager::begin(self, Some(statement.into_sql_str())).await
    }

    pub(crate) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        DB::TransactionManager::commit(self).await
    }

    pub(crate) async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        DB::TransactionManager::rollback(self).await
    }
}

impl<DB: Database> Deref for Lent<DB> {
    type Target = DB::Connection;

    #[allow(clippy::expect_used, reason = "it is there until it is given back")]
    fn deref(&self) -> &DB::Connection {
        self.connection.as_ref().expect("taken at its end alone")
    }
}

impl<DB: Database> DerefMut for Lent<DB> {
    #[allow(clippy::expect_used, reason = "it is there until it is given back")]
    fn deref_mut(&mut self) -> &mut DB::Connection {
        self.connection.as_mut().expect("taken at its end alone")
    }
}

impl<DB: Database> Drop for Lent<DB> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.is_all_there_is
        {
            // Its place in the pool is free at once: a goodbye to a server that does not answer
            // would take it for seconds.
            drop(connection.detach());
        }
    }
}
