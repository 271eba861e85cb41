//! Does what a task's file says: runs its command, or sends its request.
//!
//! What either says is kept in the history, bounded; a run that is cancelled leaves no process behind.

mod command;
mod context;
mod http;
mod process;
mod tail;

use std::sync::Arc;

use sexton::{Ending, Run};

pub use command::{CommandError, STOP_GRACE};
pub use context::Context;
pub use http::{HttpError, Requests, RequestsError};

use crate::tasks::Work;

/// Does a task's work for one run.
pub async fn execute(work: Arc<Work>, requests: Requests, run: Run) -> Ending {
    let context = Context::of(&run);
    match &*work {
        Work::Command(spec) => command::run(spec, &context, run.cancellation()).await,
        Work::Http(spec) => requests.send(spec, &context, run.cancellation()).await,
    }
}
