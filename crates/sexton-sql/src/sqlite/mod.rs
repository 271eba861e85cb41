//! Task locks in SQLite: one file that the processes of a machine share, or memory.
//!
//! # What it promises, and on what
//! - Every batch is one `BEGIN IMMEDIATE` transaction, under a write-ahead log and `synchronous=FULL`: what a call has answered survives a
//!   crash of the process and of the machine, as far as the disk keeps what it says it has written.
//! - All processes must run on the machine that has the file: a write-ahead log does not work over a network file system
//!   (<https://www.sqlite.org/wal.html>), and their clock is the machine's.
//! - The file, its `-wal` and its `-shm` belong together. Whoever deletes, replaces or copies one of them
//!   while processes run takes the watermarks with it.
//! - A connection on which anything went wrong is closed, an application's too: SQLite ends transactions by itself, where the disk is full for one. An outage is over as soon as
//!   its cause is.
//! - Waiting for other writers is bounded (5 s unless told otherwise) and fair enough: short waits of random length.
//!
//! # What the tables hold
//! | table | a row for each | grows with |
//! |---|---|---|
//! | `sexton_registers` | (task, index), with its watermark and fence; never pruned, for it decides who runs what | tasks |
//! | `sexton_executions` | execution granted, skipped or waiting: the history, and the leases of what runs | ticks, until pruned |
//! | `sexton_tasks` | task that an instance defined or an operator paused | tasks |
//! | `sexton_instances` | instance that reported itself | instances |
//! | `sexton_schema` | migration applied | versions |
//!
//! The history is nearly all of the file. How much is kept is the scheduler's retention; a file
//! that was pruned does not shrink, its free pages are used again.
//!
//! # When not to use it
//! - The replicas run on more than one machine, or the file would lie on a network file system.
//! - Many processes claim all the time: one writes at a time, and who is next is left to chance.
//! - The disk is lost with its container: the watermarks go with it, and past ticks may be granted again.
//!
//! ```
//! use sexton_core::lock::{Claim, ClaimLead, Execution, LockManager, Verdict};
//! use sexton_core::name::{InstanceId, TaskName};
//! use sexton_core::tick::{Concurrency, ConcurrencyIndex};
//! use sexton_sql::sqlite::SqliteLockManager;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("sexton.db");
//! let manager = SqliteLockManager::open(&path).await?;
//! let execution = Execution {
//!     task: TaskName::new("digest")?,
//!     index: ConcurrencyIndex::ONE,
//!     tick: "2024-01-30T10:20:30Z".parse()?,
//! };
//! let claim = Claim::new(execution, Concurrency::ONE, InstanceId::random());
//! let answer = manager.claim(ClaimLead::default(), &[claim]).await?;
//! assert!(matches!(answer.value[..], [Ok(Verdict::Granted(_))]));
//! manager.close().await?;
//! # Ok(())
//! # }
//! ```

mod begin;
mod call;
mod decide;
mod error;
mod file;
mod fleet;
mod handlers;
mod history;
mod lane;
mod load;
mod look;
mod manager;
mod options;
mod present;
mod prune;
mod record_json;
mod renew;
mod schema;
mod store_back;
mod sweep;
mod tasks;
mod transaction;
mod url;
mod within;

use std::sync::Arc;
use std::time::Duration;

use sexton_core::clock::Clock;
use sexton_core::lock::LockError;
use sexton_core::name::Namespace;

pub use options::SqliteOptions;
pub use schema::{APPLICATION_ID, migration_sql};
pub use url::Missing;

use handlers::Handlers;
use lane::Source;

/// Keeps task locks in a SQLite database. Clones share its connections.
///
/// Every call is cancel-safe: dropping its future rolls its transaction back, or loses the answer
/// of one that was already committed.
#[derive(Debug, Clone)]
pub struct SqliteLockManager {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: Source,
    location: String,
    namespace: Namespace,
    clock: Arc<dyn Clock>,
    wait_max: Duration,
    handlers: Handlers,
}

impl SqliteLockManager {
    /// Closes the connections, after the calls that are under way. A later call opens a file again;
    /// what was in memory is gone. A pool that was handed over stays open. Without this they close
    /// in the background when the last clone is dropped.
    ///
    /// # Errors
    /// [`LockError`] if a connection could not be closed cleanly. What was answered is safe even so.
    pub async fn close(&self) -> Result<(), LockError> {
        let closing = async { Ok(self.inner.source.close().await?) };
        self.named("close", closing).await
    }
}
