//! How to connect, and what to wait for.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::clock::Clock;
use sexton_core::name::Namespace;

use crate::connection::{Confirmation, Connection};
use crate::error::ConnectError;
use crate::manager::RedisLockManager;

/// How a [`RedisLockManager`] connects.
///
/// ```no_run
/// use std::time::Duration;
/// use sexton_redis::RedisOptions;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let options = RedisOptions::new().wait_for_replicas(1, Duration::from_millis(500));
/// let manager = options.connect("redis://sexton:secret@redis.example:6379/2").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct RedisOptions {
    pub(crate) namespace: Namespace,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) confirmation: Confirmation,
    pub(crate) clock: Option<Arc<dyn Clock>>,
}

impl Default for RedisOptions {
    fn default() -> RedisOptions {
        RedisOptions::new()
    }
}

impl RedisOptions {
    /// The namespace `default`, 5 s to connect, 5 s for an answer, no waiting for replicas.
    pub fn new() -> RedisOptions {
        RedisOptions {
            namespace: Namespace::default(),
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(5),
            confirmation: Confirmation::None,
            clock: None,
        }
    }

    /// The namespace whose tasks are kept: fleets in different ones do not see each other.
    pub fn namespace(mut self, namespace: Namespace) -> RedisOptions {
        self.namespace = namespace;
        self
    }

    /// How long connecting may take, with the login.
    pub fn connect_timeout(mut self, limit: Duration) -> RedisOptions {
        self.connect_timeout = limit;
        self
    }

    /// How long an answer may take before the server counts as unavailable.
    pub fn response_timeout(mut self, limit: Duration) -> RedisOptions {
        self.response_timeout = limit;
        self
    }

    /// A claim counts as answered once so many replicas have it (`WAIT`), and as an outage if they do not within the limit (whole
    /// milliseconds, 1 ms at least): it is then claimed again by its id. A failover to one of those replicas loses no grant;
    /// to another it may.
    pub fn wait_for_replicas(mut self, replicas: u32, limit: Duration) -> RedisOptions {
        self.confirmation = Confirmation::Replicas { replicas, limit };
        self
    }

    /// A claim counts as answered once the server has written it to its append-only file on disk, and so many replicas to theirs
    /// (`WAITAOF`, Redis 7.2 and later), as [`RedisOptions::wait_for_replicas`] otherwise.
    pub fn wait_for_append_only_files(mut self, replicas: u32, limit: Duration) -> RedisOptions {
        self.confirmation = Confirmation::AppendOnlyFiles { replicas, limit };
        self
    }

    /// Decides by this clock instead of the server's: for tests that hold time still.
    #[doc(hidden)]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> RedisOptions {
        self.clock = Some(clock);
        self
    }

    /// Connects to a server and looks whether it can be used.
    ///
    /// # Errors
    /// [`ConnectError`]: a URL that is none, nobody there, a wrong password, a server that throws keys away.
    pub async fn connect(self, url: &str) -> Result<RedisLockManager, ConnectError> {
        let connection = Connection::open(url, &self).await?;
        Ok(RedisLockManager::new(connection, self.namespace))
    }
}
