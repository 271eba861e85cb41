//! How a call runs: within its limit, tried again while the database is busy.

use jiff::Timestamp;
use sexton_core::lock::LockError;
use sqlx::sqlite::SqliteConnection;

use super::SqliteLockManager;
use super::error::Trouble;
use super::within::within;
use crate::patience::Patience;
use sexton_core::tick::Tick;

/// What is to be done with a connection. Done again from the start when the database was busy, so
/// it must leave nothing behind when it fails: one transaction at most.
pub(super) trait Errand: Sync {
    /// What it brings back.
    type Found: Send;

    /// Does it once.
    fn run(
        &self,
        manager: &SqliteLockManager,
        connection: &mut SqliteConnection,
    ) -> impl Future<Output = Result<Self::Found, Trouble>> + Send;
}

/// Which connection an errand takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// The same instant in whole milliseconds, rounded down.
fn in_whole_millis(time: Timestamp) -> Timestamp {
    Tick::at_or_before(time).timestamp()
}

impl SqliteLockManager {
    /// The store's clock, in the whole milliseconds that the tables keep.
    pub(super) fn clock_now(&self) -> Timestamp {
        in_whole_millis(self.inner.clock.now())
    }

    /// Puts the store's name to trouble.
    pub(super) async fn named<T>(
        &self,
        action: &'static str,
        work: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, LockError> {
        let done = within(self.inner.wait_max, work).await;
        done.map_err(|trouble| trouble.into_lock_error(&self.inner.location, action))
    }

    /// Does an errand. The connection is held between tries, so that calls of one process queue up
    /// in order and only one of them competes with other processes.
    pub(super) async fn call<E: Errand>(
        &self,
        action: &'static str,
        access: Access,
        errand: &E,
    ) -> Result<E::Found, LockError> {
        let location = &self.inner.location;
        let work = async {
            let mut patience = Patience::new(self.inner.wait_max);
            let mut doubts_left = self.inner.source.connections_max();
            'lane: loop {
                let lane = match access {
                    Access::Read => self.inner.source.reader(location).await,
                    Access::Write => self.inner.source.writer(location).await,
                };
                let trouble = match lane {
                    Err(trouble) => trouble,
                    Ok(mut lane) => loop {
                        let done = errand.run(self, lane.connection()?).await;
                        if lane.is_outdated() {
                            lane.discard().await;
                            continue 'lane;
                        }
                        let trouble = match done {
                            Ok(found) => {
                                lane.keep();
                                return Ok(found);
                            }
                            Err(trouble) => trouble,
                        };
                        if trouble.is_busy() {
                            if !patience.wait().await {
                                lane.keep_undone().await;
                                return Err(trouble);
                            }
                            continue;
                        }
                        lane.discard().await;
                        if !trouble.is_in_doubt() || doubts_left == 0 {
                            return Err(trouble);
                        }
                        doubts_left -= 1;
                        break trouble;
                    },
                };
                if trouble.is_in_doubt() {
                    continue;
                }
                if !trouble.is_busy() || !patience.wait().await {
                    return Err(trouble);
                }
            }
        };
        self.named(action, work).await
    }
}
