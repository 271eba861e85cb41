//! How a manager is opened, when the defaults do not fit.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mongodb::Database;
use sexton_core::clock::TokioClock;
use sexton_core::lock::CALL_LIMIT_DEFAULT;
use sexton_core::lock::engine::{Connect, Engine, Unavailable};
use sexton_core::name::Namespace;
use tokio::time::{Instant, timeout_at};

use crate::driver::{Driver, Target};
use crate::error::StoreError;
use crate::layout::Indexes;
use crate::manager::MongoLockManager;
use crate::names::{Names, PREFIX};
use crate::open_error::OpenError;
use crate::port::MongoPort;
use crate::store::Store;

/// The longest limit of a call: three times as long, in milliseconds, fits an `i32`.
const LIMIT_MAX: Duration = Duration::from_secs(8 * 24 * 60 * 60);

/// How a [`MongoLockManager`] is opened.
///
/// ```no_run
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use sexton_core::name::Namespace;
/// use sexton_mongo::MongoOptions;
///
/// let manager = MongoOptions::new()
///     .namespace(Namespace::new("billing")?)
///     .wait_max(Duration::from_secs(2))
///     .connect("mongodb://sexton:secret@a.example,b.example,c.example/app?replicaSet=rs0")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MongoOptions {
    namespace: Namespace,
    prefix: String,
    wait_max: Duration,
    indexes: Indexes,
    ca_file: Option<PathBuf>,
}

impl Default for MongoOptions {
    fn default() -> MongoOptions {
        MongoOptions::new()
    }
}

impl MongoOptions {
    /// The default of [`MongoOptions::wait_max`].
    pub const WAIT_MAX: Duration = CALL_LIMIT_DEFAULT;

    /// The namespace `default`, collections called `sexton_…`, indexes made if they are missing, at
    /// most 5 s for a call.
    #[must_use]
    pub fn new() -> MongoOptions {
        MongoOptions {
            namespace: Namespace::default(),
            prefix: PREFIX.to_owned(),
            wait_max: MongoOptions::WAIT_MAX,
            indexes: Indexes::default(),
            ca_file: None,
        }
    }

    /// Whose tasks the manager keeps. Namespaces in one database know nothing of each other.
    #[must_use]
    pub fn namespace(mut self, namespace: Namespace) -> MongoOptions {
        self.namespace = namespace;
        self
    }

    /// What the collections' names begin with: at most 40 of `a-z`, `0-9` and `_`. `sexton_` by
    /// default.
    #[must_use]
    pub fn collection_prefix(mut self, prefix: &str) -> MongoOptions {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// How long a call may take in all, waiting for a primary included, before it is
    /// [`LockError::Unavailable`](sexton_core::lock::LockError::Unavailable). Give it 100 ms or
    /// more. A command that it has begun is not interrupted: it may take effect later, within three
    /// times this limit. More than eight days count as eight days.
    #[must_use]
    pub fn wait_max(mut self, limit: Duration) -> MongoOptions {
        self.wait_max = limit.min(LIMIT_MAX);
        self
    }

    /// Who makes the indexes.
    #[must_use]
    pub fn indexes(mut self, indexes: Indexes) -> MongoOptions {
        self.indexes = indexes;
        self
    }

    /// The authorities to trust where a URL asks for TLS and names none by `tlsCAFile`: a file in
    /// PEM. The driver's own list by default.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> MongoOptions {
        self.ca_file = Some(path.into());
        self
    }

    /// Connects to what a URL names. See [`MongoLockManager::connect`].
    ///
    /// # Errors
    /// See [`MongoLockManager::connect`].
    pub async fn connect(mut self, url: &str) -> Result<MongoLockManager, OpenError> {
        let target = Target::parse(url)?;
        let deadline = Instant::now() + self.wait_max;
        let driver = Driver::connect(&target, self.ca_file.take(), self.wait_max, deadline);
        let driver = driver.await?;
        let location = target.location();
        self.open_until(deadline, Arc::new(driver), location).await
    }

    /// Uses a client of the application's. See [`MongoLockManager::with_database`].
    ///
    /// # Errors
    /// See [`MongoLockManager::with_database`].
    pub async fn with_database(self, database: Database) -> Result<MongoLockManager, OpenError> {
        let location = format!("mongodb database {} (client)", database.name());
        let driver = Driver::of(database, self.wait_max);
        self.open(Arc::new(driver), location).await
    }

    pub(crate) async fn open(
        self,
        store: Arc<dyn Store>,
        location: String,
    ) -> Result<MongoLockManager, OpenError> {
        let deadline = Instant::now() + self.wait_max;
        self.open_until(deadline, store, location).await
    }

    async fn open_until(
        self,
        deadline: Instant,
        store: Arc<dyn Store>,
        location: String,
    ) -> Result<MongoLockManager, OpenError> {
        let names = Names::new(&self.prefix)?;
        let port = MongoPort::new(store, names, self.namespace, location, self.wait_max);
        let preparing = timeout_at(deadline, port.prepare(self.indexes));
        let prepared = preparing.await.unwrap_or_else(|_| {
            let limit = self.wait_max;
            Err(StoreError::from(Unavailable::Stalled { limit }))
        });
        prepared.map_err(|error| error.into_open_error(port.location()))?;
        let engine = Engine::new(port, Arc::new(TokioClock::new()));
        Ok(MongoLockManager::new(engine))
    }
}

impl MongoLockManager {
    /// Connects to what a URL names, with the default [`MongoOptions`].
    ///
    /// # Errors
    /// [`OpenError`]: a bad URL, no primary that can be reached, a user who cannot be authenticated
    /// or lacks privileges, documents of a newer version.
    pub async fn connect(url: &str) -> Result<MongoLockManager, OpenError> {
        MongoOptions::new().connect(url).await
    }

    /// Keeps the locks in an application's own database, by its own client.
    ///
    /// # Errors
    /// [`OpenError`], as for [`MongoLockManager::connect`].
    ///
    /// ```no_run
    /// # async fn open(client: sexton_mongo::mongodb::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use sexton_mongo::MongoLockManager;
    ///
    /// let manager = MongoLockManager::with_database(client.database("app")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn with_database(database: Database) -> Result<MongoLockManager, OpenError> {
        MongoOptions::new().with_database(database).await
    }
}
