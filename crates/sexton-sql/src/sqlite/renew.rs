//! Renewals while a handler has the file to itself.
//!
//! A handler's transaction has SQLite's one write lock from its beginning to its end. A renewal of
//! the lease of that very run cannot be written until it is over, and need not be: whoever would be
//! granted the execution meanwhile would have to write that, too. So it is answered by what is
//! read, which cannot change before the transaction's end, and the transaction settles the
//! execution itself. Where it is rolled back instead, its handler has ended.
//!
//! Leases of other runs are not so lucky: at the transaction's end they may be over, and somebody
//! else the first to write. They are answered as they stand in the file, neither longer nor
//! shorter.

use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;
use sexton_core::lock::rules::LockState;
use sexton_core::lock::{Answer, LockError, Renewal, Renewed};
use sqlx::sqlite::SqliteConnection;

use super::SqliteLockManager;
use super::begin::{begin_read, begin_write};
use super::call::{Access, Errand};
use super::error::{Stalled, Trouble};
use super::load::{Keys, load};
use super::store_back::store_back;
use crate::patience::Patience;
use sexton_core::lock::engine::ReadSet;

struct Renewing<'b> {
    keys: Keys,
    batch: &'b [Renewal],
    /// How long to try to write before what is read is answered.
    limit: Duration,
}

impl SqliteLockManager {
    /// Renews leases, of handlers with a transaction among them.
    pub(super) async fn renew_beside_handlers(
        &self,
        batch: &[Renewal],
    ) -> Result<Answer<Vec<Renewed>>, LockError> {
        let rule = |state: &mut LockState, now| renew_all(state, batch, now);
        let renewed = Box::pin(self.decide("renew", ReadSet::of_renewals(batch), rule));
        let begun = std::pin::pin!(self.inner.handlers.have_any(batch));
        // A renewal that waits when its run's transaction begins would wait for its end.
        match select(begun, renewed).await {
            Either::Right((answer, _)) => return answer,
            Either::Left(((), waiting)) => drop(waiting),
        }
        let leases = batch.iter().map(|one| one.lease.duration());
        let shortest = leases.min().unwrap_or_default();
        // In time for a lease of which two thirds are left, and within the limit of a call.
        let limit = (shortest / 6).min(self.inner.wait_max / 4);
        let keys = Keys::new(ReadSet::of_renewals(batch));
        let renewing = Renewing { keys, batch, limit };
        let renewed = self.call("renew", Access::Write, &renewing);
        match tokio::time::timeout(limit * 2, renewed).await {
            Ok(answer) => answer,
            // Its handlers have all the connections that the pool has: those leases are as good as
            // unread.
            Err(_) if batch.iter().all(|one| self.inner.handlers.have(&one.lock)) => {
                let now = self.clock_now();
                let renewed = |one: &Renewal| Renewed::Extended {
                    lease_until: now.saturating_add(one.lease.duration()).ok(),
                    cancel_requested: false,
                };
                let value = batch.iter().map(renewed).collect();
                Ok(Answer { now, value })
            }
            Err(_) => {
                let limit = limit * 2;
                let stalled = Trouble::Stalled(Stalled { limit });
                Err(stalled.into_lock_error(&self.inner.location, "renew"))
            }
        }
    }
}

fn renew_all(state: &mut LockState, batch: &[Renewal], now: Timestamp) -> Vec<Renewed> {
    batch.iter().map(|one| state.renew(one, now)).collect()
}

impl Errand for Renewing<'_> {
    type Found = Answer<Vec<Renewed>>;

    async fn run(
        &self,
        manager: &SqliteLockManager,
        connection: &mut SqliteConnection,
    ) -> Result<Self::Found, Trouble> {
        let namespace = &manager.inner.namespace;
        let handlers = &manager.inner.handlers;
        let is_of_handlers = |one: &Renewal| handlers.have(&one.lock);
        let mut patience = Patience::new(self.limit);
        loop {
            match begin_write(&mut *connection).await {
                Ok(mut transaction) => {
                    let mut state = load(&mut transaction, namespace, &self.keys).await?;
                    let now = manager.clock_now();
                    let value = renew_all(&mut state, self.batch, now);
                    let writes = state.take_writes();
                    store_back(&mut transaction, namespace, &state, &writes).await?;
                    transaction.commit().await?;
                    return Ok(Answer { now, value });
                }
                Err(trouble) if trouble.is_busy() => {
                    let has_others = !self.batch.iter().all(is_of_handlers);
                    if has_others && patience.wait().await {
                        continue;
                    }
                    // Where the handler has ended meanwhile, the write lock is somebody else's.
                    if !self.batch.iter().any(is_of_handlers) {
                        return Err(trouble);
                    }
                }
                Err(trouble) => return Err(trouble),
            }
            break;
        }
        let mut snapshot = begin_read(connection).await?;
        let mut state = load(&mut snapshot, namespace, &self.keys).await?;
        let now = manager.clock_now();
        snapshot.commit().await?;
        let answer = |one: &Renewal| {
            let stands = state
                .record(&one.lock.execution)
                .and_then(|record| record.lease_until);
            match state.renew(one, now) {
                Renewed::Extended {
                    cancel_requested, ..
                } if !is_of_handlers(one) => Renewed::Extended {
                    lease_until: stands,
                    cancel_requested,
                },
                renewed => renewed,
            }
        };
        let value = self.batch.iter().map(answer).collect();
        Ok(Answer { now, value })
    }
}
