//! How a call runs: within its limit, tried again while others are in the way, on another connection when one broke.

use std::time::Duration;

use jiff::Timestamp;
use sexton_core::lock::LockError;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Postgres, Row, Transaction};
use tokio::time::{Instant, timeout_at};

use super::PostgresLockManager;
use super::error::{Outage, Trouble};
use crate::patience::Patience;
use crate::record_row::tick;

/// What is to be done with a connection. Done again when others were in the way or the connection broke, perhaps after it took
/// effect: it must be something that may be repeated.
pub(super) trait Errand: Send {
    /// What it brings back.
    type Found: Send;

    /// Does it once.
    fn run(
        &mut self,
        manager: &PostgresLockManager,
        connection: &mut PgConnection,
    ) -> impl Future<Output = Result<Self::Found, Trouble>> + Send;
}

impl PostgresLockManager {
    /// Does an errand.
    pub(super) async fn call<E: Errand>(
        &self,
        action: &'static str,
        errand: &mut E,
    ) -> Result<E::Found, LockError> {
        let done = self.tried(errand).await;
        done.map_err(|trouble| trouble.into_lock_error(&self.inner.location, action))
    }

    pub(super) async fn tried<E: Errand>(&self, errand: &mut E) -> Result<E::Found, Trouble> {
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
                    Err(_) => Err(Outage::Stalled { limit }.into()),
                };
                match done {
                    Ok(found) => {
                        lane.keep();
                        return Ok(found);
                    }
                    Err(trouble) if trouble.is_busy() => {
                        if !patience.wait().await {
                            lane.keep();
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

    /// Begins a transaction of several statements, and answers the clock. Neither a row that somebody holds nor this client
    /// falling silent may make others wait for longer than the limit of a call.
    pub(super) async fn begin<'c>(
        &self,
        connection: &'c mut PgConnection,
    ) -> Result<(Transaction<'c, Postgres>, Timestamp), Trouble> {
        let mut transaction = connection
            .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED")
            .await?;
        let row = self
            .inner
            .sql
            .patience
            .query()
            .bind(self.patience_ms())
            .fetch_one(&mut *transaction)
            .await?;
        Ok((transaction, tick(row.try_get(2)?)?.timestamp()))
    }

    /// The limit of a call as a setting of the server's, in ms.
    pub(super) fn patience_ms(&self) -> String {
        as_setting(self.inner.wait_max)
    }

    /// The database's clock, in whole milliseconds.
    pub(super) async fn clock_now(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Timestamp, Trouble> {
        let row = self.inner.sql.clock.query().fetch_one(connection).await?;
        Ok(tick(row.try_get(0)?)?.timestamp())
    }
}

/// A limit in whole milliseconds, at least one: 0 would be none.
pub(super) fn as_setting(limit: Duration) -> String {
    let most = u128::from(i32::MAX.unsigned_abs());
    limit.as_millis().clamp(1, most).to_string()
}

/// Reads the clock and nothing else.
pub(super) struct Now;

impl Errand for Now {
    type Found = Timestamp;

    async fn run(
        &mut self,
        manager: &PostgresLockManager,
        connection: &mut PgConnection,
    ) -> Result<Timestamp, Trouble> {
        manager.clock_now(connection).await
    }
}
