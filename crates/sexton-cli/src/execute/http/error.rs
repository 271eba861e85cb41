//! Why a request did not succeed.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use rustls::CertificateError;
use thiserror::Error;

use super::client::RequestsError;
use super::redirect::Unfollowed;
use crate::descriptors;
use crate::duration;
use crate::tasks::{Accept, HttpSpec};

/// Why a request did not succeed. It shows URLs without their secrets.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// No request can be sent.
    #[error(transparent)]
    NoClient(RequestsError),
    /// The machine lacks something that a connection needs, such as descriptors or memory.
    #[error("{method} {url}: not sent")]
    NotSent {
        /// The method.
        method: String,
        /// The URL.
        url: String,
        /// What it lacks.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The request got no answer.
    #[error("{method} {url}: no answer{}", .advice.unwrap_or_default())]
    NoAnswer {
        /// The method.
        method: String,
        /// The URL.
        url: String,
        /// What to do, if that is known.
        advice: Option<&'static str>,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The request got no answer in time.
    #[error("{method} {url}: timed out: no answer within {}", duration::display(*.limit))]
    TimedOut {
        /// The method.
        method: String,
        /// The URL.
        url: String,
        /// How long it could take.
        limit: Duration,
    },
    /// The answer did not come to its end.
    #[error("HTTP {status}, and the answer broke off")]
    BrokeOff {
        /// The status.
        status: u16,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The answer did not come to its end in time.
    #[error("HTTP {status}, and the answer timed out: no end within {}", duration::display(*.limit))]
    TooSlow {
        /// The status.
        status: u16,
        /// How long it could take.
        limit: Duration,
    },
    /// The answer is longer than what is read, and the task does not want that.
    #[error("HTTP {status}, and the answer is longer than answer_bytes_max = {bytes_max}")]
    TooLong {
        /// The status.
        status: u16,
        /// How much is read.
        bytes_max: u64,
    },
    /// The answer's status is none that the task accepts.
    #[error("HTTP {status}: accepted are {accept}{}", .unfollowed.map_or_else(String::new, |why| format!("; the redirect was not followed: {why}")))]
    Status {
        /// The status.
        status: u16,
        /// What the task accepts.
        accept: Accept,
        /// Why it was not followed, if it is a redirect.
        unfollowed: Option<Unfollowed>,
    },
}

impl HttpError {
    pub(super) fn no_answer(spec: &HttpSpec, source: reqwest::Error) -> HttpError {
        HttpError::NoAnswer {
            method: spec.method.to_string(),
            url: spec.url_shown.clone(),
            advice: advice(&source),
            source: source.without_url(),
        }
    }

    pub(super) fn not_sent(spec: &HttpSpec, source: Box<dyn StdError + Send + Sync>) -> HttpError {
        HttpError::NotSent {
            method: spec.method.to_string(),
            url: spec.url_shown.clone(),
            source,
        }
    }

    pub(super) fn timed_out(spec: &HttpSpec) -> HttpError {
        HttpError::TimedOut {
            method: spec.method.to_string(),
            url: spec.url_shown.clone(),
            limit: spec.timeout,
        }
    }
}

/// Whether no connection was made, for want of something that passes.
pub(super) fn is_shortage(error: &reqwest::Error) -> bool {
    if !error.is_connect() {
        return false;
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref().is_some_and(descriptors::is_shortage) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// What to do where the server's certificate is the cause.
fn advice(error: &reqwest::Error) -> Option<&'static str> {
    let unknown_issuer = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
    (*tls_error(error)? == unknown_issuer)
        .then_some(", since no trusted authority has signed the certificate (name its own by `ca`)")
}

/// What rustls says beneath an error: it is kept within errors of input and output, which do not
/// count what they hold among their causes.
fn tls_error<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e rustls::Error> {
    let held = error.downcast_ref::<io::Error>();
    let beneath = match held {
        Some(held) => held
            .get_ref()
            .map(|error| -> &'e (dyn StdError + 'static) { error }),
        None => error.source(),
    };
    error.downcast_ref().or_else(|| beneath.and_then(tls_error))
}
