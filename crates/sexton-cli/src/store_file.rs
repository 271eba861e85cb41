//! The file of a SQLite store: where it is by default, and whom it may belong to.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use thiserror::Error;

use crate::store_url::SQLITE_FILE_DEFAULT;

/// Where root's programs keep what they must not lose.
const FOLDER_OF_ROOT: &str = "/var/lib/sexton";
/// Folders that are for settings and crontabs, not for data.
const NO_PLACE_FOR_DATA: [&str; 2] = ["/etc", "/var/spool/cron"];
/// SQLite's own files, by what stands behind the name of the database.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// A file that others may have put there, or may change, or that is none.
#[derive(Debug, Error)]
#[error("{path:?} {problem}")]
pub(crate) struct UnsafeFile {
    path: PathBuf,
    problem: String,
}

/// The default store of a file that lies in `folder`: beside it, or in root's own folder.
pub(crate) fn default_beside(folder: &Path) -> PathBuf {
    let beside = folder.join(SQLITE_FILE_DEFAULT);
    match std::fs::canonicalize(folder) {
        Ok(whole) if geteuid().is_root() && is_no_place_for_data(&whole) => of_root(),
        _ => beside,
    }
}

/// The default store of a command without a file: the one here, or root's own.
pub(crate) fn default_here() -> PathBuf {
    let here = PathBuf::from(SQLITE_FILE_DEFAULT);
    let root = of_root();
    if geteuid().is_root() && !here.exists() && root.exists() {
        return root;
    }
    here
}

fn of_root() -> PathBuf {
    Path::new(FOLDER_OF_ROOT).join(SQLITE_FILE_DEFAULT)
}

fn is_no_place_for_data(folder: &Path) -> bool {
    NO_PLACE_FOR_DATA
        .iter()
        .any(|named| folder.starts_with(named))
}

/// Makes root's own folder, if the store belongs there and it is missing.
pub(crate) fn make_folder(store: &Path) -> io::Result<()> {
    if store != of_root() {
        return Ok(());
    }
    DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(FOLDER_OF_ROOT)
}

/// Refuses what no database can be in: opening some of it would wait for another process.
pub(crate) fn check_kind(store: &Path) -> Result<(), UnsafeFile> {
    // What cannot be looked at is told when it is opened.
    let Ok(found) = std::fs::metadata(store) else {
        return Ok(());
    };
    let kind = found.file_type();
    let what = if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_block_device() || kind.is_char_device() {
        "a device"
    } else {
        return Ok(());
    };
    Err(UnsafeFile {
        path: store.to_owned(),
        problem: format!("is {what}, and a SQLite database is a file: name another path"),
    })
}

/// Refuses a store that somebody else may have prepared, or can change: its commands run as us.
pub(crate) fn check_owner(store: &Path) -> Result<(), UnsafeFile> {
    for suffix in SUFFIXES {
        let mut path = store.as_os_str().to_owned();
        path.push(suffix);
        let path = PathBuf::from(path);
        // What is not there is made for us alone; what cannot be looked at is told when it is
        // opened.
        let Ok(found) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        let own = geteuid().as_raw();
        let (owner, mode) = (found.uid(), found.mode());
        let problem = if found.is_symlink() {
            "is a symbolic link: name the file that it leads to".to_owned()
        } else if owner != own && owner != 0 {
            format!(
                "belongs to the user with the number {owner}, and this is {own}: \
                 run sexton as that user, or make the file this user's by `chown`"
            )
        } else if mode & 0o002 != 0 {
            format!(
                "may be written by everybody (mode {:04o}): take that away by `chmod o-w`, \
                 if nobody has changed it",
                mode & 0o7777
            )
        } else {
            continue;
        };
        return Err(UnsafeFile { path, problem });
    }
    Ok(())
}
