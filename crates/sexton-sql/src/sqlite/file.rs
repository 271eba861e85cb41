//! A file of Sexton's own, opened: how it is made, and why it cannot be opened.

use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};

use super::error::{Kind, Trouble, kind};
use super::schema;
use super::url::Missing;
use crate::error::OpenError;

/// How many pages the write-ahead log may grow to before they are moved into the database: 16 MiB.
const WAL_PAGES_MAX: &str = "4000";
/// How many rows a connection's thread may be ahead of its reader.
const ROWS_AHEAD_MAX: usize = 1_000;
/// More than the statements there are.
const STATEMENTS_KEPT_MAX: usize = 64;

pub(super) fn own_options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        // Waiting is ours, with jitter: see `patience`.
        .busy_timeout(Duration::ZERO)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", WAL_PAGES_MAX)
        .pragma("temp_store", "MEMORY")
        // A file may come from somebody else: nothing in its schema may call what has effects.
        .pragma("trusted_schema", "OFF")
        .row_buffer_size(ROWS_AHEAD_MAX)
        .statement_cache_capacity(STATEMENTS_KEPT_MAX)
        .thread_name(|number| format!("sexton-sqlite-{number}"))
        .disable_statement_logging()
}

/// Opens a file that is written to, and brings its tables to this version.
pub(super) async fn open(
    path: &Path,
    missing: Missing,
    location: &str,
) -> Result<SqliteConnection, Trouble> {
    match missing {
        Missing::Create => make_private(path),
        Missing::Refuse => check_not_empty(path)?,
    }
    let options = own_options().filename(path).create_if_missing(false);
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

/// Makes an empty file that only this user may read and write. SQLite gives a log the mode of its
/// database, so the file must not begin with another one.
fn make_private(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Whether the file was there before, or cannot be made: opening it tells.
    let _ = options.open(path);
}

/// An empty file is no store: somebody named or made the wrong one.
pub(super) fn check_not_empty(path: &Path) -> Result<(), OpenError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() == 0 => Err(OpenError::EmptyFile {
            path: path.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Says more of a failure than the driver's code does: one code stands for every file that cannot
/// be opened.
fn cannot_open(error: sqlx::Error, path: &Path, missing: Missing, location: &str) -> Trouble {
    let store = location.to_owned();
    let path_buf = path.to_owned();
    let (advice, error) = match kind(&error) {
        Kind::Busy => return Trouble::Driver(error),
        Kind::OutOfMemory => {
            let source = Box::new(error);
            return OpenError::OutOfMemory { store, source }.into();
        }
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
                "the operating system does not open the file or its log: check that this user may \
                 write the file and its directory, and how many files this process has open",
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
