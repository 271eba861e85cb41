//! Handlers' transactions.

use futures::FutureExt;
use futures::future::BoxFuture;
use sexton_core::lock::{Committed, LockError, Settlement};
use sqlx::{Postgres, Transaction};

use super::PostgresLockManager;
use crate::tx::{TransactionalDatabase, sealed};

impl sealed::Sealed for Postgres {}

impl TransactionalDatabase for Postgres {
    type Manager = PostgresLockManager;

    const DATABASE: &'static str = "PostgreSQL";

    fn begin(
        manager: &PostgresLockManager,
    ) -> BoxFuture<'_, Result<Transaction<'static, Postgres>, LockError>> {
        manager.begin_for_handler().boxed()
    }

    fn settle_and_commit<'m>(
        manager: &'m PostgresLockManager,
        transaction: Transaction<'static, Postgres>,
        settlement: &'m Settlement,
    ) -> BoxFuture<'m, Committed> {
        manager.settle_and_commit(transaction, settlement).boxed()
    }
}
