//! Why a URL cannot be read, told without anything of it that may be secret.

use thiserror::Error;

use super::login::{Ambiguous, UnencodedLogin};
use crate::similar;

/// Why a URL of a store cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UrlError {
    /// There is no `://`.
    #[error("it has no ://")]
    NoHosts,
    /// User or password are not percent-encoded.
    #[error(transparent)]
    Login(#[from] UnencodedLogin),
    /// An `@` stands behind the `?`, where it may be a parameter's or the end of a password.
    #[error("it has an @ behind its ?: percent-encode it, as %40, or what comes before it, as %3F")]
    AtInQuery,
    /// A `#` stands in it.
    #[error("it has a #: percent-encode it, as %23")]
    Fragment,
    /// What is percent-encoded is no text.
    #[error("what is percent-encoded in it is not UTF-8")]
    NotUtf8,
    /// A host that is none.
    #[error("a host in it cannot be read: expected NAME, NAME:PORT or [ADDRESS]:PORT")]
    Host,
    /// A port that is none.
    #[error("a port in it is not a number from 1 to 65535")]
    Port,
    /// A URL of a file that names a host.
    #[error(
        "behind {scheme}:// stands an absolute path, {scheme}:///PATH; any other goes without //"
    )]
    HasHost {
        /// The scheme of the URL.
        scheme: &'static str,
    },
    /// A URL of another kind of store.
    #[error("it does not begin with {scheme}:")]
    Scheme {
        /// The scheme that was expected.
        scheme: &'static str,
    },
    /// A parameter without a value.
    #[error("it has a parameter without a value: expected NAME=VALUE")]
    NoValue,
    /// A parameter that the store does not take.
    #[error("{}", unknown(.name.as_deref(), .known))]
    UnknownParameter {
        /// Its name, unless it does not look like one.
        name: Option<String>,
        /// The names that the store knows.
        known: Vec<&'static str>,
    },
    /// A parameter that has a value that it cannot have. The value is not kept.
    #[error("{name} must be {expected}")]
    BadValue {
        /// The parameter.
        name: &'static str,
        /// What is expected.
        expected: String,
    },
}

impl From<Ambiguous> for UrlError {
    fn from(ambiguous: Ambiguous) -> UrlError {
        match ambiguous {
            Ambiguous::Login(login) => UrlError::Login(login),
            Ambiguous::AtInQuery => UrlError::AtInQuery,
        }
    }
}

/// What is told of a parameter that is unknown.
fn unknown(name: Option<&str>, known: &[&'static str]) -> String {
    let list = known.join(", ");
    let Some(name) = name else {
        return format!("unknown parameter; expected one of {list}");
    };
    match similar::closest(name, known.iter().copied()) {
        Some(similar) => {
            format!(
                "unknown parameter {name:?} (did you mean {similar:?}?); expected one of {list}"
            )
        }
        None => format!("unknown parameter {name:?}; expected one of {list}"),
    }
}
