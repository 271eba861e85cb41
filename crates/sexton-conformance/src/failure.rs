//! Why a case did not pass.

use std::error::Error;
use std::fmt;
use std::panic::Location;

/// Why a case did not pass: what was expected and what the store did. Made from any error by `?`,
/// with its causes and the line it came up at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    message: String,
}

impl Failure {
    /// A failure with this message.
    #[must_use]
    pub fn new(message: impl fmt::Display) -> Failure {
        Failure {
            message: message.to_string(),
        }
    }

    /// The failure as text.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: Error> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Failure {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        let at = Location::caller();
        Failure::new(format_args!("{message} (at {}:{})", at.file(), at.line()))
    }
}
