//! Task locks in MongoDB 4.4.2 or later (the first with `hello`).
//!
//! # What it promises, and on what
//! - What decides a (task, index) is one document: its watermark, its fence, and all of its executions that wait or run. It is replaced where
//!   it still is the one that was read, which a server does atomically; nothing here needs a transaction. Its key is (namespace, task,
//!   index), so that there is no second document to win on.
//! - Writes are answered when a majority of the replica set has them in its journal (`w: majority, j: true`), and reads are of what a majority
//!   has (`readConcern: majority`), from the primary. Every command says so itself: the settings of a client or of a URL do not count. So no failover takes
//!   back what was answered, as long as a majority keeps its disks.
//! - The primary's clock decides (`hello`), and nothing of the client's.
//! - A claim whose answer was lost is found again by its id.
//! - No primary, an election, a server that only reads: an outage, never a "denied".
//!
//! A server that stands alone does too: its majority is itself, and what its disk loses is lost.
//!
//! # What breaks it
//! - Clocks that differ by more than a lease tolerates. After a failover another member's clock decides, and through `mongos` the clock is that
//!   of whichever answers: where it is ahead, a lease ends before its time. Keep the members, and every `mongos`, together (NTP).
//! - A change of primary within milliseconds of an answer. What one decision reads is not causally chained: it may find a register as the old
//!   primary left it, and then the pauses and the history as the new one knew them a little earlier. So a claim that is under way may miss a pause that has
//!   just been answered; and a claim of what was triggered, or a trigger that is sent again, may
//!   miss that the execution is over, which then runs once more.
//!
//! # Collections
//! | collection | holds |
//! |---|---|
//! | `sexton_registers` | per (namespace, task, index), for ever: watermark, fence, what waits or runs |
//! | `sexton_executions` | the history: what is over |
//! | `sexton_places` | which index of a tick an instance is about to take, under distinct placement; dropped after an hour |
//! | `sexton_tasks` | per task: its definition as instances tell it, its pause |
//! | `sexton_instances` | per instance: when it last reported |
//! | `sexton_namespaces` | per namespace: the revision that rises when tasks are paused, resumed or defined differently |
//! | `sexton_layout` | the version of the documents |
//!
//! They are made as they are needed, and indexes when the manager is opened. Another beginning than
//! `sexton_` can be had by [`MongoOptions`]. Deleting from `sexton_registers` deletes the
//! watermarks too. A register's document has room for 10,000 executions that wait or run at
//! once; claims beyond that are refused with an error.
//!
//! # URLs
//! `mongodb://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?replicaSet=NAME` or `mongodb+srv://USER:PASSWORD@HOST/DATABASE`, with what else the
//! driver knows behind the `?`: `authSource=admin`, `tls=true`, `tlsCAFile=FILE`.
//!
//! # Privileges
//! The role `readWrite` on the database. Without `createIndex`, somebody else makes the indexes, and the manager is opened with
//! [`Indexes::Expect`].
//!
//! ```no_run
//! use sexton_core::lock::{Claim, ClaimLead, Execution, LockManager, Verdict};
//! use sexton_core::name::{InstanceId, TaskName};
//! use sexton_core::tick::{Concurrency, ConcurrencyIndex};
//! use sexton_mongo::MongoLockManager;
//!
//! # async fn claim() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = MongoLockManager::connect("mongodb://sexton:secret@localhost/app").await?;
//! let execution = Execution {
//!     task: TaskName::new("digest")?,
//!     index: ConcurrencyIndex::ONE,
//!     tick: "2024-01-30T10:20:30Z".parse()?,
//! };
//! let claim = Claim::new(execution, Concurrency::ONE, InstanceId::random());
//! let answer = manager.claim(ClaimLead::default(), &[claim]).await?;
//! assert!(matches!(answer.value[..], [Ok(Verdict::Granted(_))]));
//! # Ok(())
//! # }
//! ```

mod call;
mod commands;
mod decide;
mod driver;
mod fleet;
mod history;
mod layout;
mod load;
mod manager;
mod names;
mod open_error;
mod options;
mod parameters;
mod patience;
mod places;
mod record;
mod register;
mod store;
mod sweep;
mod tasks;
mod tls;
mod trouble;
mod value;
mod wanted;

#[cfg(test)]
#[path = "../../sexton-sql/tests/it/calls.rs"]
#[allow(
    clippy::unwrap_used,
    reason = "shared with the tests of the SQL managers"
)]
mod calls;
#[cfg(test)]
#[path = "../../sexton-sql/tests/it/fixtures.rs"]
#[allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared with the tests of the SQL managers"
)]
mod fixtures;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use sexton_core::name::Namespace;

use names::Names;
use store::Store;

pub use mongodb;
pub use open_error::OpenError;
pub use options::{Indexes, MongoOptions};

/// Keeps task locks in a MongoDB database. See the [crate's documentation](crate). Clones share its
/// connections.
///
/// Every call is cancel-safe: dropping its future is the same as losing its answer.
#[derive(Debug, Clone)]
pub struct MongoLockManager {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    names: Names,
    namespace: Namespace,
    location: String,
    wait_max: Duration,
}

impl MongoLockManager {
    /// Connects to what a URL names, with the default [`MongoOptions`].
    ///
    /// # Errors
    /// [`OpenError`]: a bad URL, no primary that can be reached, a user who is not let in or lacks privileges, documents of a newer
    /// version.
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
    pub async fn with_database(database: mongodb::Database) -> Result<MongoLockManager, OpenError> {
        MongoOptions::new().with_database(database).await
    }

    /// Closes the connections; those in use follow when their calls end. Later calls are
    /// [`LockError::Unavailable`](sexton_core::lock::LockError::Unavailable). A client that was
    /// handed over stays open.
    pub async fn close(&self) {
        self.inner.store.close().await;
    }
}

/// Where a URL leads to, for people to read: without user, password and parameters. Connects to
/// nothing.
///
/// ```
/// use sexton_mongo::location;
///
/// assert_eq!(location("mongodb://app:secret@db.example/bells")?, "mongodb://db.example:27017/bells");
/// # Ok::<(), sexton_mongo::OpenError>(())
/// ```
///
/// # Errors
/// [`OpenError::BadUrl`]
pub fn location(url: &str) -> Result<String, OpenError> {
    Ok(driver::Target::parse(url)?.location())
}
