//! How a manager is opened, by the defaults and when they do not fit.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::CALL_LIMIT_DEFAULT;
use sexton_core::name::Namespace;
use sqlx::SqlitePool;

use super::handlers::Handlers;
use super::lane::Source;
use super::url::{Missing, Target};
use super::within::within;
use super::{Inner, SqliteLockManager};
use crate::error::OpenError;
use crate::patience::{LIMIT_MAX, Patience};

/// How a [`SqliteLockManager`] is opened.
///
/// ```
/// use std::time::Duration;
/// use sexton_core::lock::LockManager;
/// use sexton_core::name::Namespace;
/// use sexton_sql::sqlite::SqliteOptions;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = SqliteOptions::new()
///     .namespace(Namespace::new("billing")?)
///     .wait_max(Duration::from_secs(2))
///     .connect("sqlite::memory:")
///     .await?;
/// assert_eq!(manager.namespace().as_str(), "billing");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    pub(super) namespace: Namespace,
    pub(super) wait_max: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) missing: Missing,
    access: Access,
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Write,
    Look,
}

impl Default for SqliteOptions {
    fn default() -> SqliteOptions {
        SqliteOptions::new()
    }
}

impl SqliteOptions {
    /// The default of [`SqliteOptions::wait_max`].
    pub const WAIT_MAX: Duration = CALL_LIMIT_DEFAULT;

    /// The namespace `default`, at most 5 s for a call, the machine's clock, a missing file is
    /// made.
    #[must_use]
    pub fn new() -> SqliteOptions {
        SqliteOptions {
            namespace: Namespace::default(),
            wait_max: SqliteOptions::WAIT_MAX,
            clock: Arc::new(SystemClock),
            missing: Missing::Create,
            access: Access::Write,
        }
    }

    /// Whose tasks the manager keeps. Namespaces in one file know nothing of each other.
    #[must_use]
    pub fn namespace(mut self, namespace: Namespace) -> SqliteOptions {
        self.namespace = namespace;
        self
    }

    /// How long a call may take in all, waiting for other writers included, before it is
    /// [`LockError::Unavailable`](sexton_core::lock::LockError::Unavailable). Zero means: one try
    /// at once that hardly anything passes; give it 100 ms or more. More than 24 days count as 24
    /// days.
    #[must_use]
    pub fn wait_max(mut self, limit: Duration) -> SqliteOptions {
        self.wait_max = limit.min(LIMIT_MAX);
        self
    }

    /// The clock that decides. All who share a file must share its clock: that of the machine, the
    /// default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> SqliteOptions {
        self.clock = clock;
        self
    }

    /// What to do if the file is not there. A URL's `?mode=` comes before this.
    #[must_use]
    pub fn missing(mut self, missing: Missing) -> SqliteOptions {
        self.missing = missing;
        self
    }

    /// Opens a file to look at it: nothing is written to it, and nothing is made beside it as long
    /// as no other process has it open. Calls that would write are refused.
    ///
    /// A file that another process has open is read with the help of its `-wal` and `-shm`, which
    /// this user must be able to read.
    #[must_use]
    pub fn read_only(mut self) -> SqliteOptions {
        self.access = Access::Look;
        self
    }

    fn source(&self, target: Target, missing: Missing) -> Source {
        match (self.access, target) {
            (Access::Look, Target::File(path)) => Source::looked_at(path),
            (_, target) => Source::own(target, missing),
        }
    }

    /// Opens a file. See [`SqliteLockManager::open`].
    ///
    /// # Errors
    /// See [`SqliteLockManager::open`].
    pub async fn open(self, path: impl AsRef<Path>) -> Result<SqliteLockManager, OpenError> {
        let source = self.source(Target::file(path.as_ref())?, self.missing);
        SqliteLockManager::start(self, source).await
    }

    /// Opens what a URL names. See [`SqliteLockManager::connect`].
    ///
    /// # Errors
    /// See [`SqliteLockManager::connect`].
    pub async fn connect(self, url: &str) -> Result<SqliteLockManager, OpenError> {
        let (target, missing) = Target::parse(url)?;
        let source = self.source(target, missing.unwrap_or(self.missing));
        SqliteLockManager::start(self, source).await
    }

    /// Uses the connections of an application's own pool. See [`SqliteLockManager::with_pool`].
    ///
    /// # Errors
    /// See [`SqliteLockManager::with_pool`].
    pub async fn with_pool(self, pool: SqlitePool) -> Result<SqliteLockManager, OpenError> {
        SqliteLockManager::start(self, Source::pool(pool)).await
    }
}

impl SqliteLockManager {
    /// Opens the file at `path`, with the default [`SqliteOptions`]. If it is not there it is made,
    /// for its owner alone (mode 0600 on Unix, the log beside it too); its directory must exist.
    ///
    /// The file must be Sexton's own, or one that an application shares by
    /// [`SqliteLockManager::with_pool`].
    ///
    /// # Errors
    /// [`OpenError`]: nothing has been changed in a file that is refused.
    pub async fn open(path: impl AsRef<Path>) -> Result<SqliteLockManager, OpenError> {
        SqliteOptions::new().open(path).await
    }

    /// Opens what a URL names, with the default [`SqliteOptions`]: `sqlite:sexton.db`,
    /// `sqlite:///var/lib/app/sexton.db`, or `sqlite::memory:`, which is gone with the manager. The
    /// path is taken as it is written, up to a `?`: `mode=rw` there refuses a file that does not
    /// exist, `mode=rwc` makes it.
    ///
    /// # Errors
    /// [`OpenError`], as for [`SqliteLockManager::open`], and for a URL that is none.
    ///
    /// ```
    /// use sexton_core::lock::LockManager;
    /// use sexton_sql::sqlite::SqliteLockManager;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = SqliteLockManager::connect("sqlite::memory:").await?;
    /// assert_eq!(manager.location(), "sqlite::memory:");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(url: &str) -> Result<SqliteLockManager, OpenError> {
        SqliteOptions::new().connect(url).await
    }

    /// Keeps the locks in an application's own database, in tables whose names begin with
    /// `sexton_`.
    ///
    /// Connections are taken from the pool for one call each, as it hands them out: its journal
    /// mode, its `synchronous` setting and its busy timeout hold. Below `synchronous=FULL` a power
    /// failure may take back grants that were answered. With a pool on `:memory:` let it have one
    /// connection at most, for each would have a database of its own.
    ///
    /// # Errors
    /// [`OpenError`], as for [`SqliteLockManager::open`], but other tables are no reason to refuse.
    ///
    /// ```
    /// use sexton_sql::sqlite::SqliteLockManager;
    /// use sqlx::sqlite::SqlitePoolOptions;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    /// let manager = SqliteLockManager::with_pool(pool).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn with_pool(pool: SqlitePool) -> Result<SqliteLockManager, OpenError> {
        SqliteOptions::new().with_pool(pool).await
    }

    async fn start(options: SqliteOptions, source: Source) -> Result<SqliteLockManager, OpenError> {
        let location = source.location();
        let limit = options.wait_max;
        let preparing = async {
            let mut patience = Patience::new(limit);
            loop {
                match source.prepare(&location).await {
                    Err(trouble)
                        if (trouble.is_busy() || trouble.is_in_doubt())
                            && patience.wait().await => {}
                    done => return done,
                }
            }
        };
        let prepared = within(limit, preparing).await;
        prepared.map_err(|trouble| trouble.into_open_error(&location, limit))?;
        let inner = Inner {
            source,
            location,
            namespace: options.namespace,
            clock: options.clock,
            wait_max: limit,
            handlers: Handlers::default(),
        };
        Ok(SqliteLockManager {
            inner: Arc::new(inner),
        })
    }
}
