//! How to connect, and what to wait for.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::clock::Clock;
use sexton_core::lock::CALL_LIMIT_DEFAULT;
use sexton_core::name::Namespace;

use crate::buckets::Buckets;
use crate::confirmation::Confirmation;

/// The longest limit of a call.
const LIMIT_MAX: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// How a [`RedisLockManager`](crate::RedisLockManager) connects.
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
    pub(crate) buckets: Option<u16>,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) access: Access,
}

/// What the server is connected to for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Write,
    /// By a user who may have no right to write.
    Look,
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
            connect_timeout: CALL_LIMIT_DEFAULT,
            response_timeout: CALL_LIMIT_DEFAULT,
            confirmation: Confirmation::None,
            buckets: None,
            clock: None,
            access: Access::Write,
        }
    }

    /// The namespace whose tasks are kept: fleets in different ones do not see each other.
    pub fn namespace(mut self, namespace: Namespace) -> RedisOptions {
        self.namespace = namespace;
        self
    }

    /// Into how many buckets the tasks of the namespace are divided, 1..=1024, brought into that
    /// range. All keys of a bucket share a slot of a cluster, and a batch is one call for each
    /// bucket that it reaches into.
    ///
    /// Whoever connects to a namespace first decides, by this or by default: 16 in a cluster, 1
    /// anywhere else. Others find that out; who asks for another number is refused.
    pub fn buckets(mut self, count: u16) -> RedisOptions {
        let (least, most) = (*Buckets::ALLOWED.start(), *Buckets::ALLOWED.end());
        self.buckets = Some(count.clamp(least, most));
        self
    }

    /// How long connecting may take, with the login. More than 24 days count as 24 days, as for
    /// every limit here.
    pub fn connect_timeout(mut self, limit: Duration) -> RedisOptions {
        self.connect_timeout = limit.min(LIMIT_MAX);
        self
    }

    /// How long an answer may take before the server counts as unavailable.
    pub fn response_timeout(mut self, limit: Duration) -> RedisOptions {
        self.response_timeout = limit.min(LIMIT_MAX);
        self
    }

    /// A claim counts as answered once so many replicas have it (`WAIT`), and as an outage if they
    /// do not within the limit (whole milliseconds, 1 ms at least): it is then claimed again by its
    /// id. A failover to one of those replicas loses no grant; to another it may.
    pub fn wait_for_replicas(mut self, replicas: u32, limit: Duration) -> RedisOptions {
        let limit = limit.min(LIMIT_MAX);
        self.confirmation = Confirmation::Replicas { replicas, limit };
        self
    }

    /// A claim counts as answered once the server has written it to its append-only file on disk,
    /// and so many replicas to theirs (`WAITAOF`, Redis 7.2 and later), as
    /// [`RedisOptions::wait_for_replicas`] otherwise.
    pub fn wait_for_append_only_files(mut self, replicas: u32, limit: Duration) -> RedisOptions {
        let limit = limit.min(LIMIT_MAX);
        self.confirmation = Confirmation::AppendOnlyFiles { replicas, limit };
        self
    }

    /// Connects to look: nothing is written to find out what the server can do, so that a user who
    /// may only read is enough. Calls that write are refused by the server, unless the user may.
    pub fn read_only(mut self) -> RedisOptions {
        self.access = Access::Look;
        self
    }

    /// Decides by this clock instead of the server's: for tests that hold time still.
    #[doc(hidden)]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> RedisOptions {
        self.clock = Some(clock);
        self
    }
}
