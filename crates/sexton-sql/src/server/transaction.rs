//! A handler's transaction: begun, settled in, committed.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::engine::{ErrorClass, PortError, Unavailable};
use sexton_core::lock::{Committed, LockError, Renewal, Settled, Settlement, Transactions};
use sexton_core::policy::Lease;
use tokio::time::{Instant, timeout_at};

use super::checkout::give_back_from_handler;
use super::database::ServerDatabase;
use super::error::StoreError;
use super::manager::ServerLockManager;
use crate::lent::Lent;
use crate::tx::ENDED_EARLY;

/// The least that a handler may be silent for between two statements, however short its lease:
/// MySQL counts in seconds.
const HANDLER_SILENCE_MIN: Duration = Duration::from_secs(1);

const NOT_TAKEN: &str = "the database does not take what the handler wrote";

impl<DB: ServerDatabase> Transactions for ServerLockManager<DB> {
    fn database(&self) -> &'static str {
        DB::NAME
    }

    fn at_once_max(&self) -> usize {
        let connections = self.server().source.handlers_max();
        usize::try_from(connections).unwrap_or(usize::MAX)
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

impl<DB: ServerDatabase> ServerLockManager<DB> {
    fn in_transaction(&self, error: StoreError, action: &'static str) -> LockError {
        error.into_lock_error(&self.server().location, action)
    }

    /// Begins one, for the run that holds a lock, if that is known.
    pub(crate) async fn begin_for_handler(
        &self,
        run: Option<&Renewal>,
    ) -> Result<Lent<DB>, LockError> {
        let limit = self.server().call_limit();
        let deadline = Instant::now() + limit;
        let lease = run.map_or_else(Lease::default, |run| run.lease);
        let silence = lease.duration().max(HANDLER_SILENCE_MIN);
        let beginning = async {
            let source = &self.server().source;
            let mut lent = source.check_out_for_handler(deadline, limit).await?;
            DB::begin_for_handler(&mut lent, silence).await?;
            Ok(lent)
        };
        let begun = timeout_at(deadline, beginning).await;
        let begun = begun.unwrap_or_else(|_| Err(Unavailable::Stalled { limit }.into()));
        begun.map_err(|error| self.in_transaction(error, "begin a transaction"))
    }

    /// Undoes one.
    pub(crate) async fn roll_back(&self, mut lent: Lent<DB>) -> Result<(), LockError> {
        let limit = self.server().call_limit();
        let undone = tokio::time::timeout(limit, lent.roll_back()).await;
        let undone = undone.map_err(|_| StoreError::from(Unavailable::Stalled { limit }));
        match undone.and_then(|undone| Ok(undone?)) {
            Ok(()) => {
                give_back_from_handler(lent).await;
                Ok(())
            }
            Err(error) => Err(self.in_transaction(error, "roll back")),
        }
    }

    /// The settling takes the row of the (task, index) and keeps it until the commit: a call
    /// that would grant the execution again, or asks whether it still runs, waits for that row and
    /// then finds what was committed.
    pub(crate) async fn settle_and_commit(
        &self,
        mut lent: Lent<DB>,
        settlement: &Settlement,
    ) -> Committed {
        let limit = self.server().call_limit();
        let deadline = Instant::now() + limit;
        let stalled = || StoreError::from(Unavailable::Stalled { limit });
        let settling = timeout_at(deadline, self.settle_within(&mut lent, settlement));
        let settled = settling.await.unwrap_or_else(|_| Err(stalled()));
        let instead = match settled {
            Ok(Some(Settled::Recorded { .. })) => None,
            Ok(Some(_)) => Some(Committed::Refused),
            Ok(None) => Some(Committed::RolledBack(self.refused(ENDED_EARLY, None))),
            Err(error) => {
                let error = self.in_transaction(error, "settle in a transaction");
                Some(Committed::RolledBack(error))
            }
        };
        if let Some(instead) = instead {
            // Nothing was committed, whether this gets through or the connection ends without it.
            let _ = self.roll_back(lent).await;
            return instead;
        }
        match tokio::time::timeout(limit, lent.commit()).await {
            Ok(Ok(())) => {
                give_back_from_handler(lent).await;
                Committed::Recorded
            }
            Ok(Err(error)) => {
                // The server has said no, unless it was only ended by something.
                let has_refused = matches!(error, sqlx::Error::Database(_));
                let error = StoreError::from(error);
                let is_known = has_refused && error.class() != ErrorClass::Broken;
                match self.in_transaction(error, "commit") {
                    // It is about what the handler wrote, and not about our tables.
                    LockError::Refused { source, .. } if is_known => {
                        Committed::RolledBack(self.refused(NOT_TAKEN, source))
                    }
                    error if is_known => Committed::RolledBack(error),
                    error => Committed::Unknown(error),
                }
            }
            Err(_) => Committed::Unknown(self.in_transaction(stalled(), "commit")),
        }
    }

    fn refused(
        &self,
        advice: &str,
        source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    ) -> LockError {
        LockError::Refused {
            store: self.server().location.clone(),
            action: "commit",
            advice: advice.to_owned(),
            source,
        }
    }

    /// `None` if the transaction is not the handler's own any more.
    async fn settle_within(
        &self,
        connection: &mut DB::Connection,
        settlement: &Settlement,
    ) -> Result<Option<Settled>, StoreError> {
        if !DB::is_as_begun(connection, self.server().call_limit()).await? {
            return Ok(None);
        }
        let settling = self.engine.settle_in_transaction(connection, settlement);
        Ok(Some(settling.await?))
    }
}
