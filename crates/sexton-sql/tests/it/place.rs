//! Where a test's SQLite file stands.

use std::path::PathBuf;
use std::sync::Arc;

use sexton_core::clock::ManualClock;
use sexton_sql::sqlite::{SqliteLockManager, SqliteOptions};
use sexton_testkit::fixtures::noon;
use tempfile::TempDir;

/// A directory for one test, and the database in it.
pub(crate) struct Place {
    pub(crate) directory: TempDir,
    pub(crate) clock: ManualClock,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place {
            directory: tempfile::tempdir().unwrap(),
            clock: noon(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("sexton.db")
    }

    pub(crate) fn options(&self) -> SqliteOptions {
        SqliteOptions::new().clock(Arc::new(self.clock.clone()))
    }

    /// Another manager on the same file and clock, as another process would have.
    pub(crate) async fn open(&self) -> SqliteLockManager {
        self.options().open(self.path()).await.unwrap()
    }
}
