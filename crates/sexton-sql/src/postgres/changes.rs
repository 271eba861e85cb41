//! LISTEN and NOTIFY: clients tell each other that there is something to look at.
//!
//! Nothing rests on it. Whoever does not hear of a change, because its connection was away or a
//! pooler stands between, finds it with the next heartbeat.

use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use sqlx::postgres::{PgConnection, PgListener, PgPoolOptions};
use sqlx::{Executor, PgPool};
use tokio::time::{sleep, timeout};

use super::PostgresLockManager as Manager;
use crate::server::error::Trouble;

/// After so long without a word the connection is tried: what lies between may have dropped it
/// silently.
const QUIET_MAX: Duration = Duration::from_secs(60);
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Tells all who listen.
pub(super) async fn tell(manager: &Manager, connection: &mut PgConnection) -> Result<(), Trouble> {
    let sql = manager.sql();
    let tell = sql.tell.query().bind(sql.channel.as_str());
    tell.bind(manager.namespace_word())
        .execute(connection)
        .await?;
    Ok(())
}

/// An item for each change that is heard of, and one whenever the connection is new: something may
/// have been said before.
pub(super) fn changes(manager: &Manager) -> BoxStream<'static, ()> {
    let limit = manager.wait_max();
    // A listener takes its connection from a pool, and for good: one of its own.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(limit)
        .connect_lazy_with(manager.connect_options());
    let ear = Ear {
        pool,
        channel: manager.sql().channel.clone(),
        namespace: manager.namespace_word().to_owned(),
        limit,
        retry: RETRY_FIRST,
        listener: None,
    };
    stream::unfold(ear, |mut ear| async {
        ear.next_change().await;
        Some(((), ear))
    })
    .boxed()
}

struct Ear {
    pool: PgPool,
    channel: String,
    namespace: String,
    limit: Duration,
    /// How long to wait after a failure.
    retry: Duration,
    listener: Option<PgListener>,
}

impl Ear {
    async fn next_change(&mut self) {
        // What is wrong is told by the calls, which meet it too.
        while self.listen().await.is_err() {
            self.listener = None;
            sleep(self.retry).await;
            self.retry = (self.retry * 2).min(RETRY_MAX);
        }
    }

    async fn listen(&mut self) -> Result<(), sqlx::Error> {
        let Some(listener) = &mut self.listener else {
            let mut listener = PgListener::connect_with(&self.pool).await?;
            listener.eager_reconnect(false);
            listener.listen(&self.channel).await?;
            self.listener = Some(listener);
            self.retry = RETRY_FIRST;
            return Ok(());
        };
        loop {
            match timeout(QUIET_MAX, listener.try_recv()).await {
                Ok(heard) => match heard? {
                    Some(told) if told.payload() == self.namespace => return Ok(()),
                    Some(_) => {}
                    None => return Err(sqlx::Error::WorkerCrashed),
                },
                Err(_) => {
                    let asked = timeout(self.limit, listener.execute("SELECT 1")).await;
                    asked.map_err(|_| sqlx::Error::PoolTimedOut)??;
                }
            }
        }
    }
}
