//! LISTEN and NOTIFY: clients notify each other of changes.
//!
//! Nothing rests on it. A client that misses a notification, because its connection was away or a
//! pooler stands between, finds the change with its next heartbeat.

use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{Executor, PgPool};
use tokio::time::{sleep, timeout};

use super::Port;

/// After so long without a word the connection is tried: what lies between may have dropped it
/// silently.
const QUIET_MAX: Duration = Duration::from_secs(60);
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// An item for each change that is heard of, and one whenever the connection is new: something may
/// have been said before. `None` where they are not wanted.
pub(super) fn of(port: &Port) -> Option<BoxStream<'static, ()>> {
    if !port.listens() {
        return None;
    }
    let limit = port.call_limit();
    // A listener takes its connection from a pool and keeps it, so it gets a pool to itself.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(limit)
        .connect_lazy_with(port.connect_options());
    let listener = Listener {
        pool,
        channel: port.sql().channel.clone(),
        namespace: port.namespace_word().to_owned(),
        limit,
        retry: RETRY_FIRST,
        listener: None,
    };
    let changes = stream::unfold(listener, |mut listener| async {
        listener.next_change().await;
        Some(((), listener))
    });
    Some(changes.boxed())
}

struct Listener {
    pool: PgPool,
    channel: String,
    namespace: String,
    limit: Duration,
    /// How long to wait after a failure.
    retry: Duration,
    listener: Option<PgListener>,
}

impl Listener {
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
