//! `sexton run`.

use std::io::{self, IsTerminal};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::complain::complain;
use super::load::load;
use crate::args::RunArguments;
use crate::diagnostic::chain;
use crate::environment::Environment;
use crate::execute::end_all_commands;
use crate::exit::Exit;
use crate::headroom;
use crate::output::{Output, lost_in_words};
use crate::run;
use crate::visible::visible;

/// What goes to standard error of the program's inside, in the words of
/// [`EnvFilter`](https://docs.rs/tracing-subscriber/latest/tracing_subscriber/filter/struct.EnvFilter.html).
const LOG_VARIABLE: &str = "SEXTON_LOG";

/// How long the program waits at its end for commands that are being killed.
const END_MAX: Duration = Duration::from_secs(2);

/// Runs a file's tasks until the program is asked to stop.
///
/// # Errors
/// If the process has no outputs, or can have no threads.
pub fn run(arguments: &RunArguments, environment: &Environment) -> io::Result<Exit> {
    let stderr = Output::stderr()?;
    if let Some(filter) = environment.text(LOG_VARIABLE) {
        let filter = match EnvFilter::try_new(filter) {
            Ok(filter) => filter,
            Err(error) => {
                return Ok(complain(
                    &format!("error: {LOG_VARIABLE}: {error}\n"),
                    Exit::BadInput,
                ));
            }
        };
        let writer = stderr.clone();
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(io::stderr().is_terminal() && run::allows_colours(environment))
            .with_writer(move || writer.clone())
            .init();
    }
    // The zone rules may have been replaced since the start, too.
    let again = || {
        let zones = environment.zones().reopened();
        load(&arguments.file, &environment.clone().with_zones(zones))
    };
    let file = match load(&arguments.file, environment) {
        Ok(file) => file,
        Err(rejected) => return Ok(complain(&rejected.to_string(), Exit::BadInput)),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(headroom::workers())
        .enable_all()
        .build()?;
    let stdout = Output::stdout(stderr.clone())?;
    let ran = runtime.block_on(run::run(file, arguments, environment, stdout, again));
    // Runs that were dropped with the runtime have left processes that end now.
    runtime.shutdown_timeout(run::FINISH_MAX);
    end_all_commands(END_MAX);
    let exit = match ran {
        Ok(exit) => exit,
        Err(error) => {
            let text = format!("error: {}\n", visible(&chain(&error)));
            stderr.line(text.into_bytes(), lost_in_words);
            error.exit()
        }
    };
    stderr.finish(run::FINISH_MAX);
    Ok(exit)
}
