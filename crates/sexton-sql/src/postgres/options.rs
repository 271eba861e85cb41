//! How a manager is opened, when the defaults do not fit.

use std::time::Duration;

use sexton_core::name::Namespace;
use sqlx::PgPool;

use super::PostgresLockManager;
use super::lane::Source;
use super::names::{Names, PREFIX};
use super::schema::{self, Migrations};
use super::url::parse;
use crate::error::OpenError;

/// How a [`PostgresLockManager`] is opened.
///
/// ```
/// use std::time::Duration;
/// use sexton_core::name::Namespace;
/// use sexton_sql::postgres::PostgresOptions;
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = PostgresOptions::new()
///     .namespace(Namespace::new("billing")?)
///     .schema("jobs")
///     .wait_max(Duration::from_secs(2))
///     .connect("postgres://sexton:secret@db.example/app?sslmode=require")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    pub(super) namespace: Namespace,
    pub(super) schema: Option<String>,
    pub(super) prefix: String,
    pub(super) migrations: Migrations,
    pub(super) wait_max: Duration,
    pub(super) connections_max: u32,
}

impl Default for PostgresOptions {
    fn default() -> PostgresOptions {
        PostgresOptions::new()
    }
}

impl PostgresOptions {
    /// The default of [`PostgresOptions::wait_max`].
    pub const WAIT_MAX: Duration = Duration::from_secs(5);
    /// The default of [`PostgresOptions::connections_max`].
    pub const CONNECTIONS_MAX: u32 = 4;

    /// The namespace `default`, tables called `sexton_…` in the first schema of the connection's `search_path`, made if they are
    /// missing, at most 5 s for a call, at most four connections.
    #[must_use]
    pub fn new() -> PostgresOptions {
        PostgresOptions {
            namespace: Namespace::default(),
            schema: None,
            prefix: PREFIX.to_owned(),
            migrations: Migrations::default(),
            wait_max: PostgresOptions::WAIT_MAX,
            connections_max: PostgresOptions::CONNECTIONS_MAX,
        }
    }

    /// Whose tasks the manager keeps. Namespaces in one database know nothing of each other.
    #[must_use]
    pub fn namespace(mut self, namespace: Namespace) -> PostgresOptions {
        self.namespace = namespace;
        self
    }

    /// The schema of the tables, 1 to 63 bytes. One that is missing is made along with the tables.
    #[must_use]
    pub fn schema(mut self, schema: &str) -> PostgresOptions {
        self.schema = Some(schema.to_owned());
        self
    }

    /// What the tables' names begin with: at most 40 of `a-z`, `0-9` and `_`. `sexton_` by default.
    #[must_use]
    pub fn table_prefix(mut self, prefix: &str) -> PostgresOptions {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// Who makes and changes the tables.
    #[must_use]
    pub fn migrations(mut self, migrations: Migrations) -> PostgresOptions {
        self.migrations = migrations;
        self
    }

    /// How long a call may take in all, waiting for a connection and for rows that somebody holds included, before it is
    /// [`LockError::Unavailable`](sexton_core::lock::LockError::Unavailable). Give it 100 ms or more.
    #[must_use]
    pub fn wait_max(mut self, limit: Duration) -> PostgresOptions {
        self.wait_max = limit;
        self
    }

    /// The most connections of the manager's own, 1 or more. They are opened as they are needed, and one is needed for each
    /// call that runs at the same time. Of no effect on a pool that is handed over.
    #[must_use]
    pub fn connections_max(mut self, connections: u32) -> PostgresOptions {
        self.connections_max = connections.max(1);
        self
    }

    /// Connects to what a URL names. See [`PostgresLockManager::connect`].
    ///
    /// # Errors
    /// See [`PostgresLockManager::connect`].
    pub async fn connect(self, url: &str) -> Result<PostgresLockManager, OpenError> {
        let source = Source::own(parse(url)?, self.connections_max);
        PostgresLockManager::start(self, source).await
    }

    /// Uses the connections of an application's own pool. See [`PostgresLockManager::with_pool`].
    ///
    /// # Errors
    /// See [`PostgresLockManager::with_pool`].
    pub async fn with_pool(self, pool: PgPool) -> Result<PostgresLockManager, OpenError> {
        PostgresLockManager::start(self, Source::Pool(pool)).await
    }

    /// The script that brings the tables from `version` to the newest one, 0 for a database without them: one transaction, for those who
    /// apply migrations themselves and open the manager with [`Migrations::Refuse`]. Without [`PostgresOptions::schema`] the tables come to
    /// stand in the first schema of the `search_path` of whoever runs it.
    ///
    /// ```
    /// use sexton_sql::postgres::PostgresOptions;
    ///
    /// let script = PostgresOptions::new().schema("jobs").migration_sql(0)?;
    /// assert!(script.contains("CREATE TABLE \"jobs\".\"sexton_registers\""));
    /// # Ok::<(), sexton_sql::OpenError>(())
    /// ```
    ///
    /// # Errors
    /// [`OpenError::BadName`] for a schema or a prefix that cannot be used.
    pub fn migration_sql(&self, version: i64) -> Result<String, OpenError> {
        Ok(schema::script(&self.names()?, version))
    }

    pub(super) fn names(&self) -> Result<Names, OpenError> {
        Names::new(self.schema.as_deref(), &self.prefix)
    }
}
