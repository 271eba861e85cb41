//! Scheduled tasks for a service with many replicas: every replica knows the schedule, and each
//! tick is run by exactly one of them.
//!
//! ```
//! use std::time::Duration;
//! use sexton::{MemoryLockManager, Run, Scheduler, State, Task};
//!
//! #[derive(Clone)]
//! struct Greeting(&'static str);
//!
//! async fn greet(run: Run, State(Greeting(words)): State<Greeting>) {
//!     println!("{words} at {}", run.tick());
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let scheduler = Scheduler::builder()
//!     .manager(MemoryLockManager::new())
//!     .state(Greeting("hello"))
//!     .task(Task::new("greet").cron("0 */15 * * * *")?.in_tz("Europe/Paris")?.run(greet))
//!     .start()
//!     .await?;
//! // … serve, until scheduler.shutdown_signal() …
//! let report = scheduler.shutdown(Duration::from_secs(30)).await;
//! assert!(report.cut_off.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! Replicas agree through a [lock manager](sexton_core::lock::LockManager): in memory for one
//! process, or in a store that you already run: by the features `sqlite`, `postgres`, `mysql`,
//! `mongodb` and `redis`.

mod attempt_outcome;
mod backoff;
pub mod clock;
mod command;
mod contained;
mod context;
mod driver;
mod due;
mod error;
mod error_chain;
pub mod event;
mod execute;
mod extract;
mod granted;
mod handler;
mod housekeeping;
mod identity;
mod layer;
mod limits;
mod lines;
mod no_answer;
mod offset;
mod operator;
mod parts;
pub mod policy;
mod presence;
mod renewer;
mod run;
mod runs;
mod scheduler;
mod settler;
mod starts;
mod stop_cause;
mod store_client;
mod task;
mod transaction;
mod turns;
mod watched;

pub use error::{BuildError, HandleError};
pub use event::Event;
pub use extract::{BuildContext, FromRun, MissingArgument, State};
pub use handler::{BoxError, Completion, Handler, IntoCompletion};
pub use layer::HandlerService;
pub use operator::Operator;
pub use run::Run;
pub use scheduler::{Scheduler, SchedulerBuilder, SchedulerHandle, ShutdownReport};
pub use sexton_core::memory::MemoryLockManager;
pub use sexton_core::tick::{Attempt, Concurrency, ConcurrencyIndex, Fence, Tick};
pub use sexton_core::{instant, length, lock, name, schedule};
#[cfg(feature = "mongodb")]
pub use sexton_mongo::{self as mongodb, MongoLockManager};
#[cfg(feature = "redis")]
pub use sexton_redis::{self as redis, RedisLockManager};
#[cfg(feature = "mysql")]
pub use sexton_sql::mysql::{self, MySqlLockManager};
#[cfg(feature = "postgres")]
pub use sexton_sql::postgres::{self, PostgresLockManager};
#[cfg(feature = "sqlite")]
pub use sexton_sql::sqlite::{self, SqliteLockManager};
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub use sexton_sql::{BeginError, OpenTx, TransactionalDatabase, Tx};
pub use task::{ReadyTask, Task, TaskError, TaskProblem};

#[cfg(all(doctest, feature = "postgres", feature = "sqlite"))]
#[doc = include_str!("../../../README.md")]
struct Readme;

#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../../../docs/policies.md")]
struct Policies;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/schedules.md")]
struct Schedules;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/migrating-from-ktor.md")]
struct MigratingFromKtor;
