//! The arguments and the name of the process, and what it answers to anybody else.

use std::io::{self, Write};
use std::process::ExitCode;

use thiserror::Error;

/// The argument that makes the program this process.
pub(crate) const ARGUMENT: &str = "__exec";
/// The argument that makes the program the process that becomes a command under limits.
pub(super) const LIMITED: &str = "__exec-limited";
/// What the process is called in lists of processes, so that `killall sexton` leaves it alone.
pub(crate) const NAME: &str = "sexton-exec";
#[cfg(target_os = "linux")]
pub(super) const NAME_OF_THREAD: &std::ffi::CStr = c"sexton-exec";

/// Why the process does nothing.
#[derive(Debug, Error)]
pub(super) enum ExecError {
    #[error("`{ARGUMENT}` is for `sexton run` itself")]
    NotOurs(#[source] io::Error),
    #[error("cannot watch a command")]
    System(#[from] io::Error),
}

/// The error of a start by anybody but the program.
pub(super) fn not_ours() -> ExecError {
    ExecError::NotOurs(io::ErrorKind::InvalidInput.into())
}

/// Says why, and how the process ends by it.
pub(super) fn refused(error: &ExecError) -> ExitCode {
    // There is no one to tell if that fails.
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::from(2)
}
