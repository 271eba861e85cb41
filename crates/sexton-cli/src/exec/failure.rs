//! Why a command could not be started.

use std::io;

use super::wire::Step;

/// The step that failed, and the operating system's error.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) step: Step,
    pub(super) errno: i32,
}

impl Failure {
    /// Makes an error the failure of a step.
    pub(super) fn at(step: Step) -> impl Fn(io::Error) -> Failure {
        move |error| Failure {
            step,
            errno: errno(&error),
        }
    }
}

/// The number of an error of the operating system.
pub(super) fn errno(error: &io::Error) -> i32 {
    error
        .raw_os_error()
        .unwrap_or(nix::errno::Errno::EINVAL as i32)
}
