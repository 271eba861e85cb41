//! A handler's transaction: begun with the write lock, settled in, committed.

use std::any::Any;
use std::ops::{Deref, DerefMut};

use futures::FutureExt;
use futures::future::BoxFuture;
use sexton_core::lock::{Committed, LockError, Renewal, Settled, Settlement, Transactions};
use sqlx::Sqlite;
use sqlx::sqlite::SqliteConnection;

use super::SqliteLockManager;
use super::error::{SQLITE_ERROR, Stalled, Trouble, has_code};
use super::handlers::Noted;
use super::lane::{Source, discard};
use super::load::{Keys, load};
use super::store_back::store_back;
use super::within::within;
use crate::lent::Lent;
use crate::patience::Patience;
use crate::tx::{ENDED_EARLY, TransactionalDatabase, sealed};
use sexton_core::lock::engine::ReadSet;

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

    type Open = Begun;

    fn begin<'m>(
        manager: &'m SqliteLockManager,
        run: Option<&'m Renewal>,
    ) -> BoxFuture<'m, Result<Begun, LockError>> {
        let beginning = manager.begin_for_handler(run);
        manager.named("begin a transaction", beginning).boxed()
    }

    fn settle_and_commit<'m>(
        manager: &'m SqliteLockManager,
        begun: Begun,
        settlement: &'m Settlement,
    ) -> BoxFuture<'m, Committed> {
        manager.settle_and_commit(begun, settlement).boxed()
    }

    fn roll_back(
        manager: &SqliteLockManager,
        begun: Begun,
    ) -> BoxFuture<'_, Result<(), LockError>> {
        manager.named("roll back", begun.roll_back()).boxed()
    }
}

/// A handler's transaction on the connection that has it.
pub struct Begun {
    lent: Lent<Sqlite>,
    _noted: Option<Noted>,
}

impl Deref for Begun {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.lent
    }
}

impl DerefMut for Begun {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.lent
    }
}

impl Begun {
    /// Where SQLite has ended the transaction by itself there is nothing left to undo.
    async fn roll_back(mut self) -> Result<(), Trouble> {
        match self.lent.roll_back().await {
            Ok(()) => self.lent.give_back(),
            Err(sqlx::Error::Database(_)) => discard(self.lent).await,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// SQLite has ended it where the disk was full, or by `OR ROLLBACK`; the handler by a statement
    /// of its own. With it the savepoint went.
    async fn is_as_begun(&mut self) -> Result<bool, Trouble> {
        let released = sqlx::raw_sql("RELEASE sexton_run");
        match released.execute(&mut *self.lent).await {
            Ok(_) => Ok(true),
            Err(sqlx::Error::Database(reported)) if has_code(&*reported, SQLITE_ERROR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// With a mark, to be found at the end.
const BEGIN: &str = "BEGIN IMMEDIATE; SAVEPOINT sexton_run";

impl SqliteLockManager {
    pub(super) fn is_shared_with_an_application(&self) -> bool {
        matches!(self.inner.source, Source::Pool(_))
    }

    async fn begin_for_handler(&self, run: Option<&Renewal>) -> Result<Begun, Trouble> {
        let Source::Pool(application) = &self.inner.source else {
            // Not offered then: see `transactions`.
            return Err(Trouble::Driver(sqlx::Error::PoolClosed));
        };
        let mut patience = Patience::new(self.inner.wait_max);
        let mut doubts_left = self.inner.source.connections_max();
        loop {
            let mut lent = application.lend().await?;
            let trouble = match lent.begin(BEGIN).await {
                Ok(()) => {
                    let _noted = run.map(|run| self.inner.handlers.note(&run.lock));
                    return Ok(Begun { lent, _noted });
                }
                Err(error) => Trouble::of_begin(error),
            };
            if trouble.is_in_doubt() && doubts_left > 0 {
                doubts_left -= 1;
                discard(lent).await;
                continue;
            }
            if trouble.is_busy() {
                lent.give_back();
            }
            if !trouble.is_busy() || !patience.wait().await {
                return Err(trouble);
            }
        }
    }

    /// The transaction has the write lock: nobody has granted the execution again since it began,
    /// and nobody can before its end.
    async fn settle_and_commit(&self, mut begun: Begun, settlement: &Settlement) -> Committed {
        let limit = self.inner.wait_max;
        let error =
            |trouble: Trouble, action| trouble.into_lock_error(&self.inner.location, action);
        let settled = within(limit, self.settle_within(&mut begun, settlement)).await;
        let committed = match settled {
            Ok(Some(Settled::Recorded { .. })) => None,
            Ok(Some(Settled::Refused)) => Some(Committed::Refused),
            Ok(None) => Some(Committed::RolledBack(LockError::Refused {
                store: self.inner.location.clone(),
                action: "commit",
                advice: ENDED_EARLY.to_owned(),
                source: None,
            })),
            Err(trouble) => Some(Committed::RolledBack(error(
                trouble,
                "settle in a transaction",
            ))),
        };
        if let Some(committed) = committed {
            // Nothing is committed, whether this gets through or the connection ends without it.
            let _ = tokio::time::timeout(limit, begun.roll_back()).await;
            return committed;
        }
        match tokio::time::timeout(limit, begun.lent.commit()).await {
            Ok(Ok(())) => {
                begun.lent.give_back();
                Committed::Recorded
            }
            // SQLite says so itself: a commit that fails leaves the transaction to be rolled back.
            Ok(Err(failed)) => match failed {
                sqlx::Error::Database(_) => {
                    let _ = tokio::time::timeout(limit, begun.roll_back()).await;
                    Committed::RolledBack(error(Trouble::Driver(failed), "commit"))
                }
                _ => Committed::Unknown(error(Trouble::Driver(failed), "commit")),
            },
            Err(_) => Committed::Unknown(error(Trouble::Stalled(Stalled { limit }), "commit")),
        }
    }

    /// `None` if the transaction is not the handler's own any more.
    async fn settle_within(
        &self,
        begun: &mut Begun,
        settlement: &Settlement,
    ) -> Result<Option<Settled>, Trouble> {
        if !begun.is_as_begun().await? {
            return Ok(None);
        }
        let connection = &mut **begun;
        let namespace = &self.inner.namespace;
        let keys = Keys::new(ReadSet::of_settlements(std::slice::from_ref(settlement)));
        let mut state = load(connection, namespace, &keys).await?;
        let settled = state.settle(settlement, self.clock_now());
        let writes = state.take_writes();
        store_back(connection, namespace, &state, &writes).await?;
        Ok(Some(settled))
    }
}
