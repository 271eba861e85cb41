//! Lock managers that keep Sexton's task locks in a SQL database.
//!
//! Each works the same way: a batch is one short transaction that loads what the batch touches into
//! [`sexton_core::lock::rules::LockState`], lets the rules decide, and writes back what changed. So the rules stand in
//! one place and no dialect has a copy of them.
//!
//! | feature | module | store |
//! |---|---|---|
//! | `sqlite` (default) | [`sqlite`] | a SQLite file shared by the processes of one machine, or memory |
//!
//! What every dialect shares stands beside the dialects' folders: what a batch touches, the words and rows it is written as, how definitions
//! are compared, and how long a busy database is asked again.

mod define;
mod error;
mod patience;
mod record_row;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod wanted;
mod words;

pub use error::OpenError;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteLockManager;
