//! Task locks in Redis and Valkey, for [Sexton](https://docs.rs/sexton).
//!
//! ```no_run
//! use sexton_redis::RedisLockManager;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = RedisLockManager::connect("redis://127.0.0.1/").await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises, and on what
//! - Every batch is one script, which the server runs alone: it is decided by the server's clock
//!   and without anything in between. Scripts are sent once and, after a restart or a
//!   `SCRIPT FLUSH`, once more, without anybody's doing.
//! - What was answered is as durable as the server keeps it: with `appendfsync always` it survives
//!   a crash, with `everysec` a crash may take a second, without an append-only file all since the
//!   last snapshot.
//! - A failover to a replica loses what that had not received yet; what was granted there may then
//!   be granted again. Let [`RedisOptions::wait_for_replicas`] wait for them, and set
//!   `min-replicas-to-write`.
//! - `maxmemory-policy` must be `noeviction` (the default) or one of `volatile-*`: no key has an
//!   expiry, so those evict none. A server that throws any key away throws watermarks away. The
//!   locks of [`RedisLockManager::ktor_compatible`] expire, and need `noeviction`.
//!
//! # What it keeps
//! Keys begin with `sexton:{NAMESPACE/BUCKET}:`. A task stays in its bucket, whose keys share a
//! slot of a cluster; on a single server there is one bucket, `0`.
//!
//! | key | type | holds | goes |
//! |---|---|---|---|
//! | `reg` | hash | per (task, index): watermark and fence, and the latest at-most-once execution while it runs | never: about 60 bytes each |
//! | `live` | set | which of those hold an execution that runs | when it ends |
//! | `rec` | hash | per execution: its record | with the retention |
//! | `run` | hash | at-most-once executions that run on while a later one has begun | when they end |
//! | `wait`, `lane`, `wake`, `bare` | sorted sets | which records wait, are leased, when leases end, which have none | when they end |
//! | `hist` | sorted set | records that are over, by tick | with the retention |
//! | `ahead` | sorted set | which (task, index) was triggered above its watermark, and how far | when that has passed it |
//! | `cancel` | hash | what somebody asked to be cancelled | when it ends |
//! | `pause`, `def`, `tasks` | hashes, sorted set | pauses, definitions, the names of tasks | never, but pauses |
//! | `inst` | hash | instances | a day after the retention, or when they leave |
//! | `meta` | hash | in bucket 0, how many buckets there are | never |

mod address;
mod answer;
mod arguments;
mod batches;
mod buckets;
mod checks;
mod claims;
mod confirmation;
mod connection;
mod error;
mod fleet;
mod history;
mod ktor;
mod link;
mod manager;
mod master;
mod options;
mod parts;
mod record_text;
mod scripts;
mod sentinels;
mod task_lock;
mod tls;

pub use address::location;
pub use error::ConnectError;
pub use ktor::{KtorError, KtorLockManager, KtorLocks};
pub use manager::RedisLockManager;
pub use options::RedisOptions;
pub use task_lock::{RedisTaskLock, TaskLockError};
