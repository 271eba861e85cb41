//! A handler's transaction: begun, settled in, committed.

use std::any::Any;

use sexton_core::lock::rules::LockState;
use sexton_core::lock::{Committed, LockError, Settled, Settlement, Transactions};
use sqlx::Transaction;
use tokio::time::{Instant, timeout_at};

use super::ServerLockManager;
use super::call::Errand;
use super::decide::{Decision, Kind};
use super::dialect::Dialect;
use super::error::{Outage, Trouble};
use crate::wanted::Wanted;

impl<DB: Dialect> Transactions for ServerLockManager<DB> {
    fn database(&self) -> &'static str {
        DB::NAME
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

impl<DB: Dialect> ServerLockManager<DB> {
    fn in_transaction(&self, trouble: Trouble, action: &'static str) -> LockError {
        trouble.into_lock_error(&self.inner.location, action)
    }

    /// Begins one.
    pub(crate) async fn begin_for_handler(&self) -> Result<Transaction<'static, DB>, LockError> {
        let limit = self.inner.wait_max;
        let beginning = DB::begin_for_handler(self.inner.source.handlers_pool());
        let begun = match tokio::time::timeout(limit, beginning).await {
            Ok(begun) => begun.map_err(Trouble::from),
            Err(_) => Err(Outage::Stalled { limit }.into()),
        };
        begun.map_err(|trouble| self.in_transaction(trouble, "begin a transaction"))
    }

    /// The settling takes the row of the (task, index) and keeps it until the commit: whoever would grant the execution again, or ask
    /// whether it still runs, waits for that row and then finds what was committed.
    pub(crate) async fn settle_and_commit(
        &self,
        mut transaction: Transaction<'static, DB>,
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
        connection: &mut DB::Connection,
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
