//! `sexton run`.

use std::io;

use tracing_subscriber::EnvFilter;

use super::{Exit, chain, complain, load};
use crate::args::RunArguments;
use crate::environment::Environment;
use crate::run::{self, RunError};
use crate::visible::visible;

/// What goes to standard error of the program's inside, in the words of
/// [`EnvFilter`](https://docs.rs/tracing-subscriber/latest/tracing_subscriber/filter/struct.EnvFilter.html).
const LOG_VARIABLE: &str = "SEXTON_LOG";

/// Runs a file's tasks until the program is asked to stop.
///
/// # Errors
/// Never: what cannot be written is told by the exit.
pub fn run(arguments: &RunArguments, environment: &Environment) -> io::Result<Exit> {
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
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .init();
    }
    let again = || load(&arguments.file, environment);
    let file = match again() {
        Ok(file) => file,
        Err(rejected) => return Ok(complain(&rejected.to_string(), Exit::BadInput)),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let report = match runtime.block_on(run::run(file, arguments, again)) {
        Ok(report) => report,
        Err(error) => {
            let exit = match error {
                RunError::Store(_) | RunError::Build(_) | RunError::Requests(_) => Exit::BadInput,
                _ => Exit::Trouble,
            };
            return Ok(complain(
                &format!("error: {}\n", visible(&chain(&error))),
                exit,
            ));
        }
    };
    let is_clean = report.cut_off.is_empty() && report.all_settled;
    Ok(if is_clean { Exit::Done } else { Exit::Trouble })
}
