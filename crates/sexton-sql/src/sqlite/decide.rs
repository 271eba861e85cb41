//! A batch that the rules decide, in one short transaction.
//!
//! # Why a loser need not have the lock
//! Most claims of most replicas are denied, because another replica was first. If the write lock is taken when a batch
//! arrives, the batch is first decided on a plain snapshot. If the rules change *nothing* there, that answer stands: it is
//! the answer of a transaction that ran at the moment of the snapshot, which lies between the call's beginning and its
//! end, and a transaction that writes nothing is over when it has read. It does not matter that a record may open again later, just as
//! it would not matter right after a commit. The clock is read after the snapshot, so that a lease found to last and a tick found to be
//! too early were so at the snapshot as well. If the rules would change anything, nothing is kept and the batch waits for the lock.

use jiff::Timestamp;
use sexton_core::lock::rules::LockState;
use sexton_core::lock::{Answer, LockError};
use sqlx::sqlite::SqliteConnection;

use super::SqliteLockManager;
use super::begin::{begin_read, begin_write};
use super::call::{Access, Errand};
use super::error::Trouble;
use super::load::{Keys, load};
use super::store_back::store_back;
use sexton_core::lock::engine::ReadSet;

struct Decision<D> {
    keys: Keys,
    decide: D,
}

impl SqliteLockManager {
    /// Decides a batch by the rules: see the [module](self).
    pub(super) async fn decide<T, D>(
        &self,
        action: &'static str,
        read_set: ReadSet,
        decide: D,
    ) -> Result<Answer<T>, LockError>
    where
        T: Send,
        D: Fn(&mut LockState, Timestamp) -> T + Send + Sync,
    {
        let keys = Keys::new(read_set);
        self.call(action, Access::Write, &Decision { keys, decide })
            .await
    }
}

impl<T, D> Errand for Decision<D>
where
    T: Send,
    D: Fn(&mut LockState, Timestamp) -> T + Send + Sync,
{
    type Found = Answer<T>;

    async fn run(
        &self,
        manager: &SqliteLockManager,
        connection: &mut SqliteConnection,
    ) -> Result<Answer<T>, Trouble> {
        let namespace = &manager.inner.namespace;
        let busy = match begin_write(connection).await {
            Ok(mut transaction) => {
                let mut state = load(&mut transaction, namespace, &self.keys).await?;
                let now = manager.clock_now();
                let value = (self.decide)(&mut state, now);
                let writes = state.take_writes();
                if !writes.is_empty() {
                    store_back(&mut transaction, namespace, &state, &writes).await?;
                }
                transaction.commit().await?;
                return Ok(Answer { now, value });
            }
            Err(trouble) if trouble.is_busy() => trouble,
            Err(trouble) => return Err(trouble),
        };
        let mut snapshot = begin_read(connection).await?;
        let mut state = load(&mut snapshot, namespace, &self.keys).await?;
        let now = manager.clock_now();
        let value = (self.decide)(&mut state, now);
        if state.take_writes().is_empty() {
            snapshot.commit().await?;
            return Ok(Answer { now, value });
        }
        Err(busy)
    }
}
