//! Does what a task's file says: runs its command, or sends its request.
//!
//! What either says is kept in the history, bounded; a run that is cancelled leaves no process
//! behind.

mod command;
mod connection;
mod context;
mod http;
mod process;
mod stray;
mod tail;

use std::sync::Arc;
use std::time::Duration;

use sexton::{Completion, Run};

pub use command::{CommandError, STOP_GRACE_MAX};
pub use context::Context;
pub use http::{HttpError, Requests, RequestsError};
pub(crate) use stray::end_all as end_all_commands;

use crate::diagnostic::chain;
use crate::masks::Masks;
use crate::tasks::Work;

/// The text of an error that had a secret in it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct MaskedError(String);

/// How a run ended, with its secrets masked in what it said: before that is kept or logged.
pub(crate) fn masked(completion: Completion, masks: &Masks) -> Completion {
    let output = completion.output().and_then(|text| {
        let (cut, rest) = tail::split_cut(text);
        match cut {
            "" => masks.masked(rest),
            cut => masks.masked_behind(cut, rest),
        }
    });
    let error = completion
        .error()
        .and_then(|error| masks.masked(&chain(error)));
    let completion = match error {
        Some(text) => completion.with_error(MaskedError(text)),
        None => completion,
    };
    match output {
        Some(text) => completion.with_output(text),
        None => completion,
    }
}

/// Does a task's work for one run. A command that is cancelled has `stop_grace` to end.
pub async fn execute(
    work: Arc<Work>,
    requests: Requests,
    stop_grace: Duration,
    run: Run,
) -> Completion {
    let context = Context::of(&run);
    match &*work {
        Work::Command(spec) => command::run(spec, &context, run.cancellation(), stop_grace).await,
        Work::Http(spec) => requests.send(spec, &context, run.cancellation()).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_and_a_cut_output_are_masked() {
        let masks = Masks::of(["hunter2!token"]);
        let refused = std::io::Error::other("hunter2!token is no good");
        let output = "[9 bytes before this were dropped]\n!token, and hunter2!token";
        let completion = masked(Completion::failed(refused).with_output(output), &masks);
        assert_eq!(completion.error().unwrap().to_string(), "*** is no good");
        let masked = "[9 bytes before this were dropped]\n***, and ***";
        assert_eq!(completion.output(), Some(masked));
    }
}
