//! Task locks in MongoDB 4.4.2 or later (the first with `hello`).
//!
//! # What it promises, and on what
//! - What decides a (task, index) is one document: its watermark, its fence, and all of its
//!   executions that wait or run. It is replaced where it still is the one that was read, which a
//!   server does atomically; nothing here needs a transaction. Its key is (namespace, task, index),
//!   so that there is no second document to win on.
//! - Writes are answered when a majority of the replica set has them in its journal
//!   (`w: majority, j: true`), and reads are of what a majority has (`readConcern: majority`), from
//!   the primary. Every command says so itself: the settings of a client or of a URL do not count.
//!   So no failover takes back an answer, as long as a majority keeps its disks.
//! - The primary's clock decides (`hello`), and nothing of the client's.
//! - A claim whose answer was lost is found again by its id.
//! - No primary, an election, a server that accepts no writes: an outage, never a "denied".
//!
//! A standalone server works as well: its majority is itself, and what its disk loses is lost.
//!
//! # What breaks it
//! - Clocks that differ by more than a lease tolerates. After a failover another member's clock
//!   decides, and through `mongos` the clock is that of whichever answers: where it is ahead, a lease
//!   ends before its time. Keep the members, and every `mongos`, together (NTP).
//! - A change of primary within milliseconds of an answer. What one decision reads is not causally
//!   chained: it may find a register as the old primary left it, and then the pauses and the history
//!   as the new one knew them a little earlier. So a claim that is under way may miss a pause that
//!   has just been answered; and a claim of what was triggered, or a trigger that is sent again, may
//!   miss that the execution is over, which then runs once more.
//!
//! # Collections
//! | collection | holds |
//! |---|---|
//! | `sexton_registers` | per (namespace, task, index), for ever: watermark, fence, what waits or runs |
//! | `sexton_executions` | the history: what is over |
//! | `sexton_reservations` | which index of a tick an instance is about to take, under distinct placement; dropped after an hour |
//! | `sexton_tasks` | per task: its definition as instances tell it, its pause |
//! | `sexton_instances` | per instance: when it last reported |
//! | `sexton_layout` | the version of the documents |
//!
//! They are made as they are needed, and indexes when the manager is opened. [`MongoOptions`] sets
//! another prefix than `sexton_`. Deleting from `sexton_registers` deletes the watermarks too. A
//! register's document has room for 10,000 executions that wait or run at once; claims beyond that
//! are refused with an error.
//!
//! # URLs
//! `mongodb://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?replicaSet=NAME` or
//! `mongodb+srv://USER:PASSWORD@HOST/DATABASE`, with the driver's other parameters behind the `?`:
//! `authSource=admin`, `tls=true`, `tlsCAFile=FILE`.
//!
//! # Privileges
//! The role `readWrite` on the database. Without `createIndex`, somebody else makes the indexes, and
//! the manager is opened with [`Indexes::Expect`].
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

mod archive;
mod commands;
mod driver;
mod error;
mod fleet;
mod history;
mod keys;
mod layout;
mod load;
mod manager;
mod names;
mod open_error;
mod options;
mod parameters;
mod port;
mod record;
mod register;
mod reservations;
mod store;
mod swap;
mod tasks;
mod tls;
mod value;
mod write_result;

#[cfg(test)]
mod tests;

pub use layout::Indexes;
pub use manager::MongoLockManager;
pub use mongodb;
pub use open_error::OpenError;
pub use options::MongoOptions;

/// The location that a URL names, for people to read: without user, password and parameters.
/// Connects to nothing.
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
