//! Handlers' transactions.

use futures::FutureExt;
use futures::future::BoxFuture;
use sexton_core::lock::{Committed, LockError, Settlement};
use sqlx::{MySql, Transaction};

use super::MySqlLockManager;
use crate::tx::{TransactionalDatabase, sealed};

impl sealed::Sealed for MySql {}

impl TransactionalDatabase for MySql {
    type Manager = MySqlLockManager;

    const DATABASE: &'static str = "MySQL";

    fn begin(
        manager: &MySqlLockManager,
    ) -> BoxFuture<'_, Result<Transaction<'static, MySql>, LockError>> {
        manager.begin_for_handler().boxed()
    }

    fn settle_and_commit<'m>(
        manager: &'m MySqlLockManager,
        transaction: Transaction<'static, MySql>,
        settlement: &'m Settlement,
    ) -> BoxFuture<'m, Committed> {
        manager.settle_and_commit(transaction, settlement).boxed()
    }
}
