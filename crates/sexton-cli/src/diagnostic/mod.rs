//! What is wrong with a file, told so that it can be put right: every problem, not the first alone.
//!
//! A [`Problem`] names its place in the [`Source`], the task and the field, what was found and what
//! is allowed. A [`Report`] collects them and renders them with the line they are about. Nothing
//! here ever sees a value from the environment: what is shown is the file as it is written.

mod chain;
mod problem;
mod render;
mod report;
mod source;

pub(crate) use chain::chain;
pub use problem::{Problem, Severity};
pub use report::{Rejected, Report};
pub use source::{FILE_BYTES_MAX, ReadError, Source};
