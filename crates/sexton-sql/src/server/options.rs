//! How a manager is opened, when the defaults do not fit.

use std::marker::PhantomData;
use std::time::Duration;

use sexton_core::lock::CALL_LIMIT_DEFAULT;
use sexton_core::name::Namespace;
use sqlx::Pool;

use super::checkout::Source;
use super::database::ServerDatabase;
use super::manager::{Opening, ServerLockManager};
use super::migrations::Migrations;
use super::names::{Names, PREFIX};
use crate::error::OpenError;
use crate::patience::LIMIT_MAX;

/// How a [`ServerLockManager`] is opened: [`PostgresOptions`](crate::postgres::PostgresOptions) and
/// [`MySqlOptions`](crate::mysql::MySqlOptions) are it.
///
/// ```
/// # #[cfg(feature = "postgres")]
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use sexton_core::name::Namespace;
/// use sexton_sql::postgres::PostgresOptions;
///
/// let manager = PostgresOptions::new()
///     .namespace(Namespace::new("billing")?)
///     .schema("jobs")
///     .wait_max(Duration::from_secs(2))
///     .connect("postgres://sexton:secret@db.example/app?sslmode=require")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ServerOptions<DB: ServerDatabase> {
    namespace: Namespace,
    schema: Option<String>,
    prefix: String,
    migrations: Migrations,
    call_limit: Duration,
    connections_max: u32,
    transactions_max: u32,
    listens: bool,
    database: PhantomData<fn() -> DB>,
}

impl<DB: ServerDatabase> Clone for ServerOptions<DB> {
    fn clone(&self) -> ServerOptions<DB> {
        ServerOptions {
            namespace: self.namespace.clone(),
            schema: self.schema.clone(),
            prefix: self.prefix.clone(),
            ..*self
        }
    }
}

impl<DB: ServerDatabase> Default for ServerOptions<DB> {
    fn default() -> ServerOptions<DB> {
        ServerOptions::new()
    }
}

impl<DB: ServerDatabase> ServerOptions<DB> {
    /// The default of [`ServerOptions::wait_max`].
    pub const WAIT_MAX: Duration = CALL_LIMIT_DEFAULT;
    /// The default of [`ServerOptions::connections_max`].
    pub const CONNECTIONS_MAX: u32 = 4;
    /// The default of [`ServerOptions::transactions_max`].
    pub const TRANSACTIONS_MAX: u32 = 16;

    /// The namespace `default`, tables called `sexton_…` where the connection looks first (in
    /// PostgreSQL the first schema of its `search_path`, in MySQL its database), made if they are
    /// missing, at most 5 s for a call, at most four connections, and 16 for handlers'
    /// transactions.
    #[must_use]
    pub fn new() -> ServerOptions<DB> {
        ServerOptions {
            namespace: Namespace::default(),
            schema: None,
            prefix: PREFIX.to_owned(),
            migrations: Migrations::default(),
            call_limit: ServerOptions::<DB>::WAIT_MAX,
            connections_max: ServerOptions::<DB>::CONNECTIONS_MAX,
            transactions_max: ServerOptions::<DB>::TRANSACTIONS_MAX,
            listens: DB::NOTIFIES,
            database: PhantomData,
        }
    }

    /// Whose tasks the manager keeps. Namespaces in one database know nothing of each other.
    #[must_use]
    pub fn namespace(mut self, namespace: Namespace) -> ServerOptions<DB> {
        self.namespace = namespace;
        self
    }

    /// The schema of the tables, which MySQL calls a database: 1 to 63 bytes. One that is missing
    /// is made along with the tables.
    #[must_use]
    pub fn schema(mut self, schema: &str) -> ServerOptions<DB> {
        self.schema = Some(schema.to_owned());
        self
    }

    /// What the tables' names begin with: at most 40 of `a-z`, `0-9` and `_`. `sexton_` by default.
    #[must_use]
    pub fn table_prefix(mut self, prefix: &str) -> ServerOptions<DB> {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// Who makes and changes the tables.
    #[must_use]
    pub fn migrations(mut self, migrations: Migrations) -> ServerOptions<DB> {
        self.migrations = migrations;
        self
    }

    /// How long a call may take in all, waiting for a connection and for rows that somebody holds
    /// included, before it is
    /// [`LockError::Unavailable`](sexton_core::lock::LockError::Unavailable). Give it 100 ms or
    /// more; more than 24 days count as 24 days.
    #[must_use]
    pub fn wait_max(mut self, limit: Duration) -> ServerOptions<DB> {
        self.call_limit = limit.min(LIMIT_MAX);
        self
    }

    /// The most connections of the manager's own, 1 or more. They are opened as they are needed,
    /// and one is needed for each call that runs at the same time. Of no effect on a pool that is
    /// handed over.
    #[must_use]
    pub fn connections_max(mut self, connections: u32) -> ServerOptions<DB> {
        self.connections_max = connections.max(1);
        self
    }

    /// How many handlers' transactions may be open at once, 1 or more, each on a connection of the
    /// manager's own besides [`connections_max`](ServerOptions::connections_max). A handler that
    /// finds all in use waits for one, up to [`wait_max`](ServerOptions::wait_max). Of no effect on
    /// a pool that is handed over, which handlers share.
    #[must_use]
    pub fn transactions_max(mut self, transactions: u32) -> ServerOptions<DB> {
        self.transactions_max = transactions.max(1);
        self
    }

    /// Whether schedulers hear at once of what others did (a trigger, a cancel, a pause, a
    /// handover), by one more connection each that listens for it. Only PostgreSQL can tell
    /// (`LISTEN`), and does unless told otherwise; elsewhere, and behind a pooler that hands out
    /// connections by transaction, the next heartbeat finds it.
    #[must_use]
    pub fn listen(mut self, listen: bool) -> ServerOptions<DB> {
        self.listens = listen && DB::NOTIFIES;
        self
    }

    /// Connects to what a URL names. See [`ServerLockManager::connect`].
    ///
    /// # Errors
    /// See [`ServerLockManager::connect`].
    pub async fn connect(self, url: &str) -> Result<ServerLockManager<DB>, OpenError> {
        let source = Source::own(
            DB::parse_url(url)?,
            self.connections_max,
            self.transactions_max,
        );
        ServerLockManager::start(self.opening()?, source).await
    }

    /// Uses the connections of an application's own pool. See [`ServerLockManager::with_pool`].
    ///
    /// # Errors
    /// See [`ServerLockManager::with_pool`].
    pub async fn with_pool(self, pool: Pool<DB>) -> Result<ServerLockManager<DB>, OpenError> {
        ServerLockManager::start(self.opening()?, Source::Pool(pool)).await
    }

    /// The script that brings the tables from `version` to the newest one, 0 for a database without
    /// them: for those who apply migrations themselves and open the manager with
    /// [`Migrations::Refuse`]. Without [`ServerOptions::schema`] the tables come to stand where
    /// whoever runs it looks first.
    ///
    /// ```
    /// # #[cfg(feature = "postgres")] {
    /// use sexton_sql::postgres::PostgresOptions;
    ///
    /// let script = PostgresOptions::new().schema("jobs").migration_sql(0)?;
    /// assert!(script.contains("CREATE TABLE \"jobs\".\"sexton_registers\""));
    /// # }
    /// # Ok::<(), sexton_sql::OpenError>(())
    /// ```
    ///
    /// # Errors
    /// [`OpenError::BadName`] for a schema or a prefix that cannot be used.
    pub fn migration_sql(&self, version: i64) -> Result<String, OpenError> {
        Ok(DB::migration_script(&self.names()?, version))
    }

    fn names(&self) -> Result<Names, OpenError> {
        Names::new(DB::DICTIONARY, self.schema.as_deref(), &self.prefix)
    }

    fn opening(self) -> Result<Opening, OpenError> {
        Ok(Opening {
            names: self.names()?,
            namespace: self.namespace,
            migrations: self.migrations,
            call_limit: self.call_limit,
            listens: self.listens,
        })
    }
}

impl<DB: ServerDatabase> ServerLockManager<DB> {
    /// Connects to what a URL names, with the default [`ServerOptions`]:
    /// `SCHEME://USER:PASSWORD@HOST:PORT/DATABASE`, what is special in a part of it written as
    /// `%2F`. The [PostgreSQL](crate::postgres) and [MySQL](crate::mysql) pages say what may follow
    /// behind a `?`.
    ///
    /// Tables that are missing are made. Safe when many replicas start at once.
    ///
    /// # Errors
    /// [`OpenError`]: a bad URL, a server that cannot be reached or refuses the user, a missing database, missing
    /// privileges, tables of a newer version.
    pub async fn connect(url: &str) -> Result<ServerLockManager<DB>, OpenError> {
        ServerOptions::new().connect(url).await
    }

    /// Keeps the locks in an application's own database, by connections of its own pool, each taken
    /// for one call.
    ///
    /// A pool that is full makes calls wait, up to [`ServerOptions::wait_max`], and then fail as
    /// unavailable: leave room for a few.
    ///
    /// # Errors
    /// [`OpenError`], as for [`ServerLockManager::connect`].
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # async fn open(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
    /// use sexton_sql::postgres::PostgresLockManager;
    ///
    /// let manager = PostgresLockManager::with_pool(pool).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn with_pool(pool: Pool<DB>) -> Result<ServerLockManager<DB>, OpenError> {
        ServerOptions::new().with_pool(pool).await
    }
}
