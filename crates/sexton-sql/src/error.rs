//! Why a store could not be opened.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::LockError;
use thiserror::Error;

/// Why a store could not be opened. Nothing was changed in it, unless a migration is named.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL is not one of a SQLite database.
    #[error(
        "{url:?} is not the URL of a SQLite database: {problem}; write sqlite:PATH or sqlite::memory:"
    )]
    BadUrl {
        /// The URL.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The URL is not one of a PostgreSQL database. It is not shown: it may have a password in it.
    #[error(
        "this is not the URL of a PostgreSQL database: {problem}; \
         write postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    )]
    BadPostgresUrl {
        /// What is wrong with it.
        problem: String,
    },
    /// The URL is not one of a MySQL database. It is not shown: it may have a password in it.
    #[error(
        "this is not the URL of a MySQL database: {problem}; \
         write mysql://USER:PASSWORD@HOST:PORT/DATABASE"
    )]
    BadMySqlUrl {
        /// What is wrong with it.
        problem: String,
    },
    /// The server is too old.
    #[error("{store} is a server of version {found}, at least {needed} is needed")]
    OldServer {
        /// The store.
        store: String,
        /// The server's version.
        found: String,
        /// The oldest that will do.
        needed: &'static str,
    },
    /// Something else that speaks the database's protocol, and lacks what is needed.
    #[error("{store} is {found}, which lacks {lacks}: docs/stores/{page}.md says which servers do")]
    UnknownServer {
        /// The store.
        store: String,
        /// What it says it is.
        found: String,
        /// What is missing there.
        lacks: &'static str,
        /// The page of the documentation.
        page: &'static str,
    },
    /// A schema or a table prefix cannot be used.
    #[error("the {what} {name:?} cannot be used: {problem}")]
    BadName {
        /// What is named.
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The server cannot be reached, or does not answer as it should. Try again.
    #[error(
        "{store} cannot be reached: check that the server runs and that host and port are right"
    )]
    Unreachable {
        /// The store.
        store: String,
        /// What the driver said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server refuses the user or the password.
    #[error("{store}: authentication failed: check user, password and the server's access rules")]
    AuthenticationFailed {
        /// The store.
        store: String,
        /// What the server said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server has no such database.
    #[error("{store} does not exist: create the database, or name another one")]
    NoDatabase {
        /// The store.
        store: String,
        /// What the server said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// No schema for the tables was named: on PostgreSQL, none of the connection's search path
    /// exists; on MySQL, the URL has no database.
    #[error(
        "{store} has no schema for the tables: name one, or set the search_path of its user (MySQL: the URL's database)"
    )]
    NoSchema {
        /// The store.
        store: String,
    },
    /// The tables are missing or old, and were not to be made or changed.
    #[error(
        "{store} has schema version {found} (0: no tables), version {needed} is needed, \
         and migrations were not to be applied: apply them first, as by `sexton store migrate`"
    )]
    OlderSchema {
        /// The store.
        store: String,
        /// The schema's version.
        found: i64,
        /// The version needed.
        needed: i64,
    },
    /// The tables are missing or old, and the user may not make or change them.
    #[error(
        "{store} has schema version {found} (0: no tables), and this user may not make the tables of version {needed}: \
         grant it CREATE (PostgreSQL: on the schema; MySQL: with INDEX, on the database), or let somebody make them who may, \
         by `sexton store migrate`"
    )]
    MayNotMakeTables {
        /// The store.
        store: String,
        /// The schema's version.
        found: i64,
        /// The version needed.
        needed: i64,
        /// What the server said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The table in which a Kotlin system keeps its locks is missing, and could not be made.
    #[error(
        "{store} has no table {table} that this user may see, and it could not be made: have this run: {statement}; \
         and let this user SELECT, INSERT and UPDATE there"
    )]
    NoTaskLocks {
        /// The store.
        store: String,
        /// The table.
        table: String,
        /// What makes it.
        statement: String,
        /// What the server said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The table in which a Kotlin system keeps its locks is not as it must be.
    #[error("locks cannot be shared by the table {table}: {problem}")]
    BadTaskLocks {
        /// The table, and where it is.
        table: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The path cannot be the name of a file.
    #[error("{path:?} cannot name a database: {problem}")]
    BadPath {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The path is a directory.
    #[error("{path:?} is a directory, a SQLite database is a file")]
    IsDirectory {
        /// The path.
        path: PathBuf,
    },
    /// The directory that the file should stand in is not there.
    #[error("{path:?} cannot be created: the directory {directory:?} does not exist")]
    NoDirectory {
        /// The path.
        path: PathBuf,
        /// The missing directory.
        directory: PathBuf,
    },
    /// The file is not there, and was not to be created.
    #[error("{path:?} does not exist, and was not to be created")]
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// The file is there and has nothing in it, and was not to be made a store.
    #[error(
        "{path:?} is an empty file, not a store: check the path, or start `sexton run` with it first"
    )]
    EmptyFile {
        /// The path.
        path: PathBuf,
    },
    /// The file has a trigger on a table of Sexton's, or a view in the place of one.
    #[error(
        "{store} has the {what}, which is not Sexton's: it would run with the rights of this user; \
         drop it, or use a file that nobody else can write"
    )]
    ForeignCode {
        /// The store.
        store: String,
        /// The kind and the name of what is foreign.
        what: String,
    },
    /// A call that would write, on a store that was opened to look at.
    #[error("{store} was opened read-only")]
    LookOnly {
        /// The store.
        store: String,
    },
    /// The operating system does not let this user open or create the file.
    #[error(
        "{path:?} cannot be opened: check that this user may read and write the file and its directory"
    )]
    NoPermission {
        /// The path.
        path: PathBuf,
        /// What the driver said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The file, or the directory that its log has to stand in, can be read but not written.
    #[error("{store} is read-only: the file and its directory must be writable for this user")]
    ReadOnly {
        /// The store.
        store: String,
        /// What the driver said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The file is something other than a SQLite database.
    #[error("{store} is not a SQLite database (or is encrypted); choose another path")]
    NotADatabase {
        /// The store.
        store: String,
        /// What the driver said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The file is a SQLite database with the tables of another application.
    #[error(
        "{store} is the SQLite database of another application (application_id {application_id}, \
         first table {table:?}); give Sexton a file of its own, or hand over a pool to share this one"
    )]
    NotOurs {
        /// The store.
        store: String,
        /// Its `PRAGMA application_id`.
        application_id: i64,
        /// The first of its tables by name.
        table: Option<String>,
    },
    /// The schema was written by a newer version of Sexton.
    #[error(
        "{store} has schema version {found}, this version of sexton knows up to {known}: update sexton"
    )]
    NewerSchema {
        /// The store.
        store: String,
        /// The schema's version.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// The file's place cannot hold a write-ahead log, by which processes share it.
    #[error(
        "{store} cannot have a write-ahead log (its journal mode stays {mode:?}): \
         it needs a local file system, not a network share"
    )]
    NoWriteAheadLog {
        /// The store.
        store: String,
        /// The journal mode it stays in.
        mode: String,
    },
    /// The store holds something that no version of Sexton wrote.
    #[error("{store} holds {found}, which this version of sexton cannot read")]
    Unreadable {
        /// The store.
        store: String,
        /// What was found.
        found: String,
    },
    /// Others kept the store busy for longer than the limit. Try again.
    #[error("{store} was busy for longer than {limit:?}")]
    Busy {
        /// The store.
        store: String,
        /// The limit.
        limit: Duration,
    },
    /// The machine lacks memory to open it. Try again.
    #[error("{store} cannot be opened: out of memory")]
    OutOfMemory {
        /// The store.
        store: String,
        /// What the driver said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Something else that the driver reports: a failing disk, a full one, a damaged file.
    #[error("{store} cannot be opened: {advice}")]
    Driver {
        /// The store.
        store: String,
        /// What to do.
        advice: &'static str,
        /// What the driver said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl OpenError {
    /// Whether the same call may go through later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            OpenError::Busy { .. } | OpenError::OutOfMemory { .. } | OpenError::Unreachable { .. }
        )
    }

    /// As the error of a call that had to open the store again.
    pub(crate) fn into_lock_error(self, store: String, action: &'static str) -> LockError {
        if self.is_transient() {
            return LockError::Unavailable {
                store,
                action,
                source: Arc::new(self),
            };
        }
        LockError::Refused {
            store,
            action,
            advice: self.to_string(),
            source: self.into_source().map(Arc::from),
        }
    }

    fn into_source(self) -> Option<Box<dyn StdError + Send + Sync>> {
        match self {
            OpenError::NoPermission { source, .. }
            | OpenError::ReadOnly { source, .. }
            | OpenError::NotADatabase { source, .. }
            | OpenError::Unreachable { source, .. }
            | OpenError::AuthenticationFailed { source, .. }
            | OpenError::OutOfMemory { source, .. }
            | OpenError::NoDatabase { source, .. }
            | OpenError::NoTaskLocks { source, .. }
            | OpenError::MayNotMakeTables { source, .. }
            | OpenError::Driver { source, .. } => Some(source),
            _ => None,
        }
    }
}
