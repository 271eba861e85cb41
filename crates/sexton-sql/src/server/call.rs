//! How a call runs: within its limit, tried again while others are in the way, on another
//! connection when one broke.

use jiff::Timestamp;
use sexton_core::lock::LockError;
use tokio::time::{Instant, timeout_at};

use super::ServerLockManager;
use super::dialect::Dialect;
use super::error::{Outage, Trouble};
use crate::patience::Patience;

/// What is to be done with a connection. Done again when others were in the way or the connection
/// broke, perhaps after it took effect: it must be something that may be repeated.
pub(super) trait Errand<DB: Dialect>: Send {
    /// What it brings back.
    type Found: Send;

    /// Does it once.
    fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> impl Future<Output = Result<Self::Found, Trouble>> + Send;
}

impl<DB: Dialect> ServerLockManager<DB> {
    /// Does an errand.
    pub(super) async fn call<E: Errand<DB>>(
        &self,
        action: &'static str,
        errand: &mut E,
    ) -> Result<E::Found, LockError> {
        let done = self.tried(errand).await;
        done.map_err(|trouble| trouble.into_lock_error(&self.inner.location, action))
    }

    pub(super) async fn tried<E: Errand<DB>>(&self, errand: &mut E) -> Result<E::Found, Trouble> {
        let limit = self.inner.wait_max;
        let deadline = Instant::now() + limit;
        let mut patience = Patience::new(limit);
        // After the server was started anew each connection that was kept is broken.
        let mut breaks_left = self.inner.source.connections_max();
        loop {
            let mut lane = self.inner.source.lane(deadline, limit).await?;
            loop {
                let run = errand.run(self, lane.connection());
                let done = match timeout_at(deadline, run).await {
                    Ok(done) => done,
                    Err(_) => {
                        self.inner.source.distrust();
                        Err(Outage::Stalled { limit }.into())
                    }
                };
                match done {
                    Ok(found) => {
                        lane.keep().await;
                        return Ok(found);
                    }
                    Err(trouble) if trouble.is_busy() => {
                        // Nobody waits for what this try has locked.
                        if !trouble.is_overtaken() {
                            let undoing = DB::roll_back(lane.connection());
                            if !matches!(timeout_at(deadline, undoing).await, Ok(Ok(()))) {
                                lane.discard();
                                return Err(trouble);
                            }
                        }
                        if !patience.wait().await {
                            lane.keep().await;
                            return Err(trouble);
                        }
                    }
                    Err(trouble) if trouble.is_broken() && breaks_left > 0 => {
                        breaks_left -= 1;
                        lane.discard();
                        break;
                    }
                    Err(trouble) => {
                        lane.discard();
                        return Err(trouble);
                    }
                }
            }
        }
    }
}

/// Reads the clock and nothing else.
pub(super) struct Now;

impl<DB: Dialect> Errand<DB> for Now {
    type Found = Timestamp;

    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<Timestamp, Trouble> {
        DB::clock_now(manager, connection).await
    }
}

/// Tells other clients that something has changed.
pub(super) struct Tell;

impl<DB: Dialect> Errand<DB> for Tell {
    type Found = ();

    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<(), Trouble> {
        DB::tell(manager, connection).await
    }
}
