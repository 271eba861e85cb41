//! Handlers' transactions.

use futures::FutureExt;
use futures::future::BoxFuture;
use sexton_core::lock::{Committed, LockError, Renewal, Settlement};
use sqlx::Postgres;

use super::PostgresLockManager;
use crate::lent::Lent;
use crate::tx::{TransactionalDatabase, sealed};

impl sealed::Sealed for Postgres {}

impl TransactionalDatabase for Postgres {
    type Manager = PostgresLockManager;

    const DATABASE: &'static str = "PostgreSQL";

    type Open = Lent<Postgres>;

    fn begin<'m>(
        manager: &'m PostgresLockManager,
        run: Option<&'m Renewal>,
    ) -> BoxFuture<'m, Result<Lent<Postgres>, LockError>> {
        manager.begin_for_handler(run).boxed()
    }

    fn settle_and_commit<'m>(
        manager: &'m PostgresLockManager,
        open: Lent<Postgres>,
        settlement: &'m Settlement,
    ) -> BoxFuture<'m, Committed> {
        manager.settle_and_commit(open, settlement).boxed()
    }

    fn roll_back(
        manager: &PostgresLockManager,
        open: Lent<Postgres>,
    ) -> BoxFuture<'_, Result<(), LockError>> {
        manager.roll_back(open).boxed()
    }
}
