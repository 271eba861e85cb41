//! A handler's transaction: begun with the write lock, settled in, committed.

use std::any::Any;

use futures::FutureExt;
use futures::future::BoxFuture;
use sexton_core::lock::{Committed, LockError, Settled, Settlement, Transactions};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Sqlite, Transaction};

use super::SqliteLockManager;
use super::call::within;
use super::error::{Stalled, Trouble};
use super::lane::Source;
use super::load::{Keys, load};
use super::store_back::store_back;
use crate::patience::Patience;
use crate::tx::{TransactionalDatabase, sealed};
use crate::wanted::Wanted;

impl Transactions for SqliteLockManager {
    fn database(&self) -> &'static str {
        Sqlite::DATABASE
    }

    /// Each has the write lock from its beginning.
    fn at_once_max(&self) -> usize {
        1
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

impl sealed::Sealed for Sqlite {}

impl TransactionalDatabase for Sqlite {
    type Manager = SqliteLockManager;

    const DATABASE: &'static str = "SQLite";

    fn begin(
        manager: &SqliteLockManager,
    ) -> BoxFuture<'_, Result<Transaction<'static, Sqlite>, LockError>> {
        let beginning = manager.begin_for_handler();
        manager.named("begin a transaction", beginning).boxed()
    }

    fn settle_and_commit<'m>(
        manager: &'m SqliteLockManager,
        transaction: Transaction<'static, Sqlite>,
        settlement: &'m Settlement,
    ) -> BoxFuture<'m, Committed> {
        manager.settle_and_commit(transaction, settlement).boxed()
    }
}

impl SqliteLockManager {
    pub(super) fn is_shared_with_an_application(&self) -> bool {
        matches!(self.inner.source, Source::Pool(_))
    }

    async fn begin_for_handler(&self) -> Result<Transaction<'static, Sqlite>, Trouble> {
        let Source::Pool(pool) = &self.inner.source else {
            // Not offered then: see `transactions`.
            return Err(Trouble::Driver(sqlx::Error::PoolClosed));
        };
        let mut patience = Patience::new(self.inner.wait_max);
        loop {
            match pool.begin_with("BEGIN IMMEDIATE").await {
                Ok(transaction) => return Ok(transaction),
                Err(error) => {
                    let trouble = Trouble::from(error);
                    if !trouble.is_busy() || !patience.wait().await {
                        return Err(trouble);
                    }
                }
            }
        }
    }

    /// The transaction has the write lock: nobody has granted the execution again since it began,
    /// and nobody can before its end.
    async fn settle_and_commit(
        &self,
        mut transaction: Transaction<'static, Sqlite>,
        settlement: &Settlement,
    ) -> Committed {
        let limit = self.inner.wait_max;
        let error =
            |trouble: Trouble, action| trouble.into_lock_error(&self.inner.location, action);
        let settled = within(limit, self.settle_within(&mut transaction, settlement)).await;
        let committed = match settled {
            Ok(Settled::Recorded { .. }) => None,
            Ok(Settled::Refused) => Some(Committed::Refused),
            Err(trouble) => Some(Committed::RolledBack(error(
                trouble,
                "settle in a transaction",
            ))),
        };
        if let Some(committed) = committed {
            // Nothing is committed, whether this gets through or the connection ends without it.
            let _ = tokio::time::timeout(limit, transaction.rollback()).await;
            return committed;
        }
        match tokio::time::timeout(limit, transaction.commit()).await {
            Ok(Ok(())) => Committed::Recorded,
            // SQLite says so itself: a commit that fails leaves the transaction to be rolled back.
            Ok(Err(failed)) => match failed {
                sqlx::Error::Database(_) => {
                    Committed::RolledBack(error(Trouble::Driver(failed), "commit"))
                }
                _ => Committed::Unknown(error(Trouble::Driver(failed), "commit")),
            },
            Err(_) => Committed::Unknown(error(Trouble::Stalled(Stalled { limit }), "commit")),
        }
    }

    async fn settle_within(
        &self,
        connection: &mut SqliteConnection,
        settlement: &Settlement,
    ) -> Result<Settled, Trouble> {
        let namespace = &self.inner.namespace;
        let keys = Keys::new(Wanted::by_settlements(std::slice::from_ref(settlement)));
        let mut state = load(connection, namespace, &keys).await?;
        let settled = state.settle(settlement, self.clock_now());
        let changes = state.take_changes();
        store_back(connection, namespace, &state, &changes).await?;
        Ok(settled)
    }
}
