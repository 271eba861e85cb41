//! A file that is only looked at: nothing is written to it, and nothing is made beside it.
//!
//! SQLite reads a file in WAL mode with the help of its `-wal` and `-shm`, and makes both where
//! they are missing, read-only or not. A file without a `-wal` is whole by itself, and is read as
//! one that does not change (`immutable`). That somebody begins to write to it meanwhile shows: a
//! `-wal` is there, or the file has another time, size or number. Then what was read is thrown away
//! and read again.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use sexton_core::clock::{Clock, SystemClock};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnection;

use super::error::{Kind, Trouble, kind};
use super::file::{check_not_empty, own_options};
use super::schema;
use crate::error::OpenError;

/// The times that a file system keeps are at least this fine: two changes within it may look like
/// one.
const TIMES_FINE: Duration = Duration::from_millis(20);

/// A connection that only looks.
#[derive(Debug)]
pub(super) struct Looking {
    pub(super) connection: SqliteConnection,
    still: Option<Still>,
}

/// A file that nobody writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Still {
    path: PathBuf,
    modified: Option<Timestamp>,
    len: u64,
    inode: u64,
}

impl Looking {
    /// Whether the file was taken to stand still, and does not.
    pub(super) fn is_outdated(&self) -> bool {
        let changed = |still: &Still| Still::of(&still.path).ok().flatten().as_ref() != Some(still);
        self.still.as_ref().is_some_and(changed)
    }
}

impl Still {
    /// The file as it stands, if no write-ahead log is beside it.
    fn of(path: &Path) -> io::Result<Option<Still>> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        // Looked for first: a log that came and went in between has changed the file.
        match std::fs::symlink_metadata(log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(None),
        }
        let found = std::fs::metadata(path)?;
        let modified = found.modified()?;
        Ok(Some(Still {
            path: path.to_owned(),
            modified: Timestamp::try_from(modified).ok(),
            len: found.len(),
            inode: inode(&found),
        }))
    }

    /// How long it takes until a further change shows in the file's time.
    fn unsettled(&self) -> Duration {
        let age = |modified| SystemClock.now().duration_since(modified);
        let age = self.modified.map_or(Duration::ZERO, |modified| {
            Duration::try_from(age(modified)).unwrap_or_default()
        });
        TIMES_FINE.saturating_sub(age)
    }
}

#[cfg(unix)]
fn inode(found: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

/// Opens a file to look at it.
pub(super) async fn open(path: &Path, location: &str) -> Result<Looking, Trouble> {
    check_not_empty(path)?;
    loop {
        let still = Still::of(path).map_err(|error| unreadable(error, path))?;
        if let Some(still) = &still {
            tokio::time::sleep(still.unsettled()).await;
        }
        let options = own_options().filename(path).read_only(true);
        let opening = async {
            let options = options.immutable(still.is_some());
            let mut connection = options.connect().await?;
            schema::inspect(&mut connection, location).await?;
            Ok(connection)
        };
        let opened = opening.await;
        let is_unchanged = still.is_none() || Still::of(path).ok().as_ref() == Some(&still);
        match opened {
            Ok(connection) if is_unchanged => return Ok(Looking { connection, still }),
            Err(trouble) if is_unchanged => return Err(explained(trouble, path, location)),
            _ => {}
        }
    }
}

fn unreadable(error: io::Error, path: &Path) -> OpenError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound => OpenError::NoFile { path },
        _ => OpenError::NoPermission {
            path,
            source: Box::new(error),
        },
    }
}

fn explained(trouble: Trouble, path: &Path, location: &str) -> Trouble {
    let error = match trouble {
        Trouble::Driver(error) => error,
        other => return other,
    };
    let store = location.to_owned();
    match kind(&error) {
        Kind::NotADatabase => OpenError::NotADatabase {
            store,
            source: Box::new(error),
        }
        .into(),
        Kind::CannotOpen | Kind::ReadOnly => match std::fs::File::open(path) {
            _ if path.is_dir() => OpenError::IsDirectory {
                path: path.to_owned(),
            }
            .into(),
            Err(error) => unreadable(error, path).into(),
            Ok(_) => OpenError::Driver {
                store,
                advice: "the file can be read, and its log cannot: whoever looks must be able to \
                         read the -wal and the -shm beside it, or to make them; look as the file's \
                         owner or as root",
                source: Box::new(error),
            }
            .into(),
        },
        _ => Trouble::Driver(error),
    }
}
