//! Connections: one that writes, one that reads, or an application's pool.
//!
//! A connection of ours stays in its lane when a call is dropped halfway: the driver rolls the transaction back before whatever is sent
//! next. One that failed for another reason than a lock is closed, and opened anew by the next call.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Sqlite, SqlitePool};
use tokio::sync::{Mutex, MutexGuard};

use super::error::{Kind, Trouble, kind};
use super::schema;
use super::url::{Missing, Target};
use crate::error::OpenError;

/// How many pages the write-ahead log may grow to before they are moved into the database: 16 MiB.
const WAL_PAGES_MAX: &str = "4000";
/// How many rows a connection's thread may be ahead of whoever reads them.
const ROWS_AHEAD_MAX: usize = 1_000;
/// More than the statements there are.
const STATEMENTS_KEPT_MAX: usize = 64;

type Slot = Mutex<Option<SqliteConnection>>;

/// Where connections come from.
#[derive(Debug)]
pub(super) enum Source {
    File {
        path: PathBuf,
        missing: Missing,
        writer: Slot,
        reader: Slot,
    },
    /// One connection, whose end would be the data's end.
    Memory(Slot),
    Pool(SqlitePool),
}

/// A connection for one call.
pub(super) enum Lane<'s> {
    Slot(MutexGuard<'s, Option<SqliteConnection>>),
    Memory(MutexGuard<'s, Option<SqliteConnection>>),
    Pool(PoolConnection<Sqlite>),
}

impl Source {
    pub(super) fn own(target: Target, missing: Missing) -> Source {
        match target {
            Target::File(path) => Source::File {
                path,
                missing,
                writer: Slot::default(),
                reader: Slot::default(),
            },
            Target::Memory => Source::Memory(Slot::default()),
        }
    }

    pub(super) fn location(&self) -> String {
        match self {
            Source::File { path, .. } => Target::File(path.clone()).location(),
            Source::Memory(_) => Target::Memory.location(),
            Source::Pool(pool) => {
                let options = pool.connect_options();
                format!("sqlite:{} (pool)", options.get_filename().display())
            }
        }
    }

    /// The first connection, with the schema as it should be.
    pub(super) async fn prepare(&self, location: &str) -> Result<(), Trouble> {
        match self {
            Source::File {
                path,
                missing,
                writer,
                ..
            } => {
                let mut slot = writer.lock().await;
                if slot.is_none() {
                    *slot = Some(open_file(path, *missing, location).await?);
                }
                Ok(())
            }
            Source::Memory(slot) => {
                let mut slot = slot.lock().await;
                if slot.is_none() {
                    let mut connection = own_options().filename(":memory:").connect().await?;
                    schema::prepare(&mut connection, schema::Place::Memory, location).await?;
                    *slot = Some(connection);
                }
                Ok(())
            }
            Source::Pool(pool) => {
                let mut connection = pool.acquire().await?;
                schema::prepare(&mut connection, schema::Place::Shared, location).await
            }
        }
    }

    pub(super) async fn writer(&self, location: &str) -> Result<Lane<'_>, Trouble> {
        match self {
            Source::File { path, writer, .. } => file_lane(path, writer, location).await,
            Source::Memory(slot) => Ok(Lane::Memory(slot.lock().await)),
            Source::Pool(pool) => Ok(Lane::Pool(pool.acquire().await?)),
        }
    }

    pub(super) async fn reader(&self, location: &str) -> Result<Lane<'_>, Trouble> {
        match self {
            Source::File { path, reader, .. } => file_lane(path, reader, location).await,
            Source::Memory(_) | Source::Pool(_) => self.writer(location).await,
        }
    }

    /// Closes what is ours, after the calls that are under way.
    pub(super) async fn close(&self) -> Result<(), sqlx::Error> {
        let slots = match self {
            Source::File { writer, reader, .. } => vec![reader, writer],
            Source::Memory(slot) => vec![slot],
            Source::Pool(_) => Vec::new(),
        };
        for slot in slots {
            if let Some(connection) = slot.lock().await.take() {
                connection.close().await?;
            }
        }
        Ok(())
    }
}

/// A later connection never makes a file: one that vanished has taken all watermarks with it.
async fn file_lane<'s>(path: &Path, slot: &'s Slot, location: &str) -> Result<Lane<'s>, Trouble> {
    let mut slot = slot.lock().await;
    if slot.is_none() {
        *slot = Some(open_file(path, Missing::Refuse, location).await?);
    }
    Ok(Lane::Slot(slot))
}

impl Lane<'_> {
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection, Trouble> {
        match self {
            Lane::Slot(slot) | Lane::Memory(slot) => slot
                .as_mut()
                .ok_or(Trouble::Driver(sqlx::Error::PoolClosed)),
            Lane::Pool(connection) => Ok(connection),
        }
    }

    /// Closes the connection if the trouble was with it.
    pub(super) fn judge(&mut self, trouble: &Trouble) {
        if let Lane::Slot(slot) = self
            && trouble.breaks_connection()
        {
            **slot = None;
        }
    }
}

fn own_options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        // Waiting is ours, with jitter: see `patience`.
        .busy_timeout(Duration::ZERO)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", WAL_PAGES_MAX)
        .pragma("temp_store", "MEMORY")
        .row_buffer_size(ROWS_AHEAD_MAX)
        .statement_cache_capacity(STATEMENTS_KEPT_MAX)
        .thread_name(|number| format!("sexton-sqlite-{number}"))
        .disable_statement_logging()
}

async fn open_file(
    path: &Path,
    missing: Missing,
    location: &str,
) -> Result<SqliteConnection, Trouble> {
    let options = own_options()
        .filename(path)
        .create_if_missing(missing == Missing::Create);
    let opening = async {
        let mut connection = options.connect().await?;
        schema::prepare(&mut connection, schema::Place::OwnFile, location).await?;
        Ok(connection)
    };
    opening.await.map_err(|trouble| match trouble {
        Trouble::Driver(error) => cannot_open(error, path, missing, location),
        other => other,
    })
}

/// Says more of a failure than the driver's code does: one code stands for every file that cannot be opened.
fn cannot_open(error: sqlx::Error, path: &Path, missing: Missing, location: &str) -> Trouble {
    let store = location.to_owned();
    let path_buf = path.to_owned();
    let (advice, error) = match kind(&error) {
        Kind::Busy => return Trouble::Driver(error),
        Kind::ReadOnly => {
            let source = Box::new(error);
            return OpenError::ReadOnly { store, source }.into();
        }
        Kind::NotADatabase => {
            let source = Box::new(error);
            return OpenError::NotADatabase { store, source }.into();
        }
        Kind::CannotOpen => match why_not(path, missing) {
            Some(WhyNot::Known(known)) => return known.into(),
            Some(WhyNot::Denied) => {
                return OpenError::NoPermission {
                    path: path_buf,
                    source: Box::new(error),
                }
                .into();
            }
            None => (
                "the operating system does not open the file or its log: check the directory, \
                 and how many files this process has open",
                error,
            ),
        },
        Kind::Transient(advice) | Kind::Permanent(advice) => (advice, error),
    };
    OpenError::Driver {
        store,
        advice,
        source: Box::new(error),
    }
    .into()
}

enum WhyNot {
    Known(OpenError),
    Denied,
}

fn why_not(path: &Path, missing: Missing) -> Option<WhyNot> {
    let denied = |error: &std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let path = path.to_owned();
            Some(WhyNot::Known(OpenError::IsDirectory { path }))
        }
        Ok(_) => {
            let opened = std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open(path);
            opened.err().filter(denied).map(|_| WhyNot::Denied)
        }
        Err(error) if denied(&error) => Some(WhyNot::Denied),
        Err(_) => {
            let directory = path.parent()?;
            Some(match std::fs::metadata(directory) {
                Ok(found) if found.is_dir() && missing == Missing::Create => WhyNot::Denied,
                Ok(found) if found.is_dir() => WhyNot::Known(OpenError::NoFile {
                    path: path.to_owned(),
                }),
                _ => WhyNot::Known(OpenError::NoDirectory {
                    path: path.to_owned(),
                    directory: directory.to_owned(),
                }),
            })
        }
    }
}
