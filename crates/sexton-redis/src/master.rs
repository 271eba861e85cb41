//! The connection to one server, or to the master that Sentinels name: made anew whenever it is
//! lost.

use std::sync::atomic::{AtomicU64, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value,
};
use tokio::sync::Mutex;

use crate::sentinels::Sentinels;

/// Who knows where the server is.
pub(crate) enum Guide {
    Address(Client),
    Sentinels(Sentinels),
}

/// The connection of the moment, and how often one was tried for.
struct Current {
    connection: Option<MultiplexedConnection>,
    trouble: Option<RedisError>,
}

pub(crate) struct Master {
    guide: Guide,
    config: AsyncConnectionConfig,
    current: Mutex<Current>,
    attempts: AtomicU64,
}

impl Master {
    pub(crate) fn new(guide: Guide, config: AsyncConnectionConfig) -> Master {
        Master {
            guide,
            config,
            current: Mutex::new(Current {
                connection: None,
                trouble: None,
            }),
            attempts: AtomicU64::new(0),
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let client = match &self.guide {
            Guide::Address(client) => client.clone(),
            // Boxed: see `RedisOptions::connect`.
            Guide::Sentinels(sentinels) => Box::pin(sentinels.master(&self.config)).await?,
        };
        client
            .get_multiplexed_async_connection_with_config(&self.config)
            .await
    }

    /// The connection, and which attempt made it. Who waited for an attempt of somebody else's
    /// takes what came of it.
    async fn connection(&self) -> Result<(MultiplexedConnection, u64), RedisError> {
        let before = self.attempts.load(Ordering::Acquire);
        let mut current = self.current.lock().await;
        let attempt = self.attempts.load(Ordering::Acquire);
        if let Some(connection) = &current.connection {
            return Ok((connection.clone(), attempt));
        }
        if let Some(trouble) = current.trouble.as_ref().filter(|_| attempt != before) {
            return Err(trouble.clone());
        }
        let connected = self.connect().await;
        let attempt = self.attempts.fetch_add(1, Ordering::AcqRel) + 1;
        match connected {
            Ok(connection) => {
                current.connection = Some(connection.clone());
                current.trouble = None;
                Ok((connection, attempt))
            }
            Err(error) => {
                current.trouble = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Lets the next call connect anew, unless somebody has already.
    async fn lose(&self, attempt: u64) {
        let mut current = self.current.lock().await;
        if self.attempts.load(Ordering::Acquire) == attempt {
            current.connection = None;
        }
    }

    /// Sends it in one go; an answer for each command, errors among them.
    pub(crate) async fn send(&self, pipeline: &Pipeline) -> Result<Vec<Value>, RedisError> {
        let (mut connection, attempt) = self.connection().await?;
        let answers = connection
            .send_packed_commands(pipeline, 0, pipeline.len())
            .await;
        let is_lost = match &answers {
            // A server that does not answer may be gone without a word.
            Err(error) => !matches!(error.kind(), ErrorKind::Server(_)) || is_elsewhere(error),
            Ok(values) => values.iter().any(|value| match value {
                Value::ServerError(error) => is_elsewhere(&RedisError::from(error.clone())),
                _ => false,
            }),
        };
        if is_lost {
            self.lose(attempt).await;
        }
        answers
    }
}

/// Whether the server says that it is not the master, or not any more.
fn is_elsewhere(error: &RedisError) -> bool {
    let kinds = [ServerErrorKind::ReadOnly, ServerErrorKind::MasterDown];
    kinds
        .iter()
        .any(|kind| error.kind() == ErrorKind::Server(*kind))
        || error
            .detail()
            .is_some_and(|detail| detail.contains("-READONLY "))
}
