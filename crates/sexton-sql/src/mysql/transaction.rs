//! Handlers' transactions.

use futures::FutureExt;
use futures::future::BoxFuture;
use sexton_core::lock::{Committed, LockError, Renewal, Settlement};
use sqlx::MySql;

use super::MySqlLockManager;
use crate::lent::Lent;
use crate::tx::{TransactionalDatabase, sealed};

impl sealed::Sealed for MySql {}

impl TransactionalDatabase for MySql {
    type Manager = MySqlLockManager;

    const DATABASE: &'static str = "MySQL";

    type Open = Lent<MySql>;

    fn begin<'m>(
        manager: &'m MySqlLockManager,
        run: Option<&'m Renewal>,
    ) -> BoxFuture<'m, Result<Lent<MySql>, LockError>> {
        manager.begin_for_handler(run).boxed()
    }

    fn settle_and_commit<'m>(
        manager: &'m MySqlLockManager,
        open: Lent<MySql>,
        settlement: &'m Settlement,
    ) -> BoxFuture<'m, Committed> {
        manager.settle_and_commit(open, settlement).boxed()
    }

    fn roll_back(
        manager: &MySqlLockManager,
        open: Lent<MySql>,
    ) -> BoxFuture<'_, Result<(), LockError>> {
        manager.roll_back(open).boxed()
    }
}
