//! A handler's transaction: begun, settled in, committed.

use std::any::Any;

use futures::FutureExt;
use futures::future::BoxFuture;
use sexton_core::lock::rules::LockState;
use sexton_core::lock::{Committed, LockError, Settled, Settlement, Transactions};
use sqlx::postgres::PgConnection;
use sqlx::{Postgres, Transaction};
use tokio::time::{Instant, timeout_at};

use super::PostgresLockManager;
use super::call::Errand;
use super::decide::{Decision, Kind};
use super::error::{Outage, Trouble};
use crate::tx::{TransactionalDatabase, sealed};
use crate::wanted::Wanted;

impl Transactions for PostgresLockManager {
    fn database(&self) -> &'static str {
        Postgres::DATABASE
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

impl sealed::Sealed for Postgres {}

impl TransactionalDatabase for Postgres {
    type Manager = PostgresLockManager;

    const DATABASE: &'static str = "PostgreSQL";

    fn begin(
        manager: &PostgresLockManager,
    ) -> BoxFuture<'_, Result<Transaction<'static, Postgres>, LockError>> {
        async {
            let begun = manager.begin_for_handler().await;
            begun.map_err(|trouble| manager.in_transaction(trouble, "begin a transaction"))
        }
        .boxed()
    }

    fn settle_and_commit<'m>(
        manager: &'m PostgresLockManager,
        transaction: Transaction<'static, Postgres>,
        settlement: &'m Settlement,
    ) -> BoxFuture<'m, Committed> {
        manager.settle_and_commit(transaction, settlement).boxed()
    }
}

impl PostgresLockManager {
    fn in_transaction(&self, trouble: Trouble, action: &'static str) -> LockError {
        trouble.into_lock_error(&self.inner.location, action)
    }

    async fn begin_for_handler(&self) -> Result<Transaction<'static, Postgres>, Trouble> {
        let limit = self.inner.wait_max;
        let pool = self.inner.source.handlers_pool();
        let beginning = pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED");
        match tokio::time::timeout(limit, beginning).await {
            Ok(begun) => Ok(begun?),
            Err(_) => Err(Outage::Stalled { limit }.into()),
        }
    }

    /// The settling takes the row of the (task, index) and keeps it until the commit: whoever would grant the execution again, or ask
    /// whether it still runs, waits for that row and then finds what was committed.
    async fn settle_and_commit(
        &self,
        mut transaction: Transaction<'static, Postgres>,
        settlement: &Settlement,
    ) -> Committed {
        let limit = self.inner.wait_max;
        let deadline = Instant::now() + limit;
        let stalled = || Trouble::from(Outage::Stalled { limit });
        let settling = timeout_at(deadline, self.settle_within(&mut transaction, settlement));
        let settled = settling.await.unwrap_or_else(|_| Err(stalled()));
        let is_recorded = match settled {
            Ok(settled) => matches!(settled, Settled::Recorded { .. }),
            Err(trouble) => {
                // Nothing was committed, whether this gets through or the connection ends without it.
                let _ = tokio::time::timeout(limit, transaction.rollback()).await;
                return Committed::RolledBack(
                    self.in_transaction(trouble, "settle in a transaction"),
                );
            }
        };
        if !is_recorded {
            let _ = tokio::time::timeout(limit, transaction.rollback()).await;
            return Committed::Refused;
        }
        match tokio::time::timeout(limit, transaction.commit()).await {
            Ok(Ok(())) => Committed::Recorded,
            // The server has said no.
            Ok(Err(error)) => {
                // The server has said no, unless it was only ended by something.
                let has_refused = matches!(error, sqlx::Error::Database(_));
                let trouble = Trouble::from(error);
                let is_known = has_refused && !trouble.is_broken();
                let error = self.in_transaction(trouble, "commit");
                if is_known {
                    Committed::RolledBack(error)
                } else {
                    Committed::Unknown(error)
                }
            }
            Err(_) => Committed::Unknown(self.in_transaction(stalled(), "commit")),
        }
    }

    async fn settle_within(
        &self,
        connection: &mut PgConnection,
        settlement: &Settlement,
    ) -> Result<Settled, Trouble> {
        let batch = std::slice::from_ref(settlement);
        let kind = Kind {
            action: "settle",
            wanted: Wanted::by_settlements,
            execution: |settlement: &Settlement| &settlement.lock.execution,
        };
        loop {
            let mut decision = Decision::new(kind, batch, LockState::settle);
            match decision.run(self, &mut *connection).await {
                Ok(_) => return Ok(decision.into_answers().next().unwrap_or(Settled::Refused)),
                // Each statement sees what is committed by then.
                Err(Trouble::Outage(Outage::Overtaken)) => {}
                Err(trouble) => return Err(trouble),
            }
        }
    }
}
