//! Sends an HTTP request, and judges the answer by its status.

use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use sexton::Ending;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::tail::Tail;
use crate::tasks::{Accept, HttpSpec};

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 5;
/// How much of an answer is read: its end is kept for the history.
const BODY_BYTES_MAX: usize = 1024 * 1024;
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Sends requests, over connections that it keeps. Clones share them.
#[derive(Debug, Clone)]
pub struct Requests {
    client: Client,
}

/// Why no request can be sent at all.
#[derive(Debug, Error)]
#[error("HTTP requests cannot be sent from this machine")]
pub struct RequestsError(#[source] reqwest::Error);

/// Why a request did not succeed. It never repeats the URL, which may hold a secret.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The request got no answer.
    #[error("{method} {url}: no answer")]
    NoAnswer {
        /// The method.
        method: String,
        /// The URL, as the file writes it.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
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
    /// The answer's status is none that the task accepts.
    #[error("HTTP {status}: accepted are {accept}")]
    Status {
        /// The status.
        status: u16,
        /// What the task accepts.
        accept: Accept,
    },
}

impl Requests {
    /// Ready to send, with the certificate authorities that the machine trusts.
    ///
    /// # Errors
    /// [`RequestsError`] if the machine has none, for one.
    pub fn new() -> Result<Requests, RequestsError> {
        // Whoever was first has set it, and set the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("sexton/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::limited(REDIRECTS_MAX))
            .connect_timeout(CONNECT_MAX)
            .build()
            .map_err(RequestsError)?;
        Ok(Requests { client })
    }

    /// Sends a request and reads the answer, until it is cancelled. Dropping the future gives both up.
    pub(super) async fn send(
        &self,
        spec: &HttpSpec,
        context: &Context,
        cancellation: &CancellationToken,
    ) -> Ending {
        tokio::select! {
            ending = self.answered(spec, context) => ending,
            () = cancellation.cancelled() => Ending::cancelled(),
        }
    }

    async fn answered(&self, spec: &HttpSpec, context: &Context) -> Ending {
        let mut request = self.client.request(spec.method.clone(), spec.url.clone());
        request = request.timeout(spec.timeout);
        for (name, value) in &spec.headers {
            request = request.header(name, value.expose());
        }
        for (name, value) in context.headers() {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                request = request.header(name, value);
            }
        }
        if let Some(body) = &spec.body {
            request = request.body(body.expose().to_owned());
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(source) => {
                return Ending::failed(HttpError::NoAnswer {
                    method: spec.method.to_string(),
                    url: spec.url_written.clone(),
                    source: source.without_url(),
                });
            }
        };
        let status = response.status();
        let mut tail = Tail::default();
        let read = read(response, &mut tail).await;
        let body = tail.into_text().unwrap_or_default();
        let output = format!("HTTP {status}\n{body}");
        let ending = match read {
            _ if !spec.accept.contains(status.as_u16()) => Ending::failed(HttpError::Status {
                status: status.as_u16(),
                accept: spec.accept.clone(),
            }),
            Err(source) => Ending::failed(HttpError::BrokeOff {
                status: status.as_u16(),
                source: source.without_url(),
            }),
            Ok(()) => Ending::succeeded(),
        };
        ending.with_output(output)
    }
}

async fn read(mut response: Response, tail: &mut Tail) -> Result<(), reqwest::Error> {
    let mut read = 0;
    while let Some(chunk) = response.chunk().await? {
        tail.push(&chunk);
        read += chunk.len();
        if read > BODY_BYTES_MAX {
            break;
        }
    }
    Ok(())
}
