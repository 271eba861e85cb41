//! Sends an HTTP request, and judges the answer by its status.

mod answer;
mod client;
mod error;
mod redirect;

use std::pin::{Pin, pin};

use reqwest::header::HeaderValue;
use reqwest::{Client, Response, Url};
use sexton::Completion;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use self::answer::Unread;
use self::redirect::{Next, Unfollowed};
use super::context::Context;
use super::process::descriptor;
use super::tail::Tail;
use crate::tasks::{AnswerTooLong, HttpSpec};

pub use client::{Requests, RequestsError};
pub use error::HttpError;

/// What an output has besides the answer: its status, and what of it was not read.
const FRAME_BYTES_MAX: usize = 192;

impl Requests {
    /// Sends a request and reads the answer, until it is cancelled. Dropping the future gives both
    /// up.
    pub(super) async fn send(
        &self,
        spec: &HttpSpec,
        context: &Context,
        cancellation: &CancellationToken,
    ) -> Completion {
        tokio::select! {
            completion = self.answered(spec, context) => completion,
            () = cancellation.cancelled() => Completion::cancelled(),
        }
    }

    async fn answered(&self, spec: &HttpSpec, context: &Context) -> Completion {
        let client = match self.client(&spec.connection) {
            Ok(client) => client,
            Err(error) => return Completion::failed(HttpError::NoClient(error)),
        };
        let _descriptor = match descriptor() {
            Ok(descriptor) => descriptor,
            Err(error) => return Completion::not_begun(HttpError::not_sent(spec, error.into())),
        };
        let mut limit = pin!(tokio::time::sleep(spec.timeout));
        let (response, unfollowed) = match exchange(&client, spec, context, limit.as_mut()).await {
            Ok(answer) => answer,
            Err(error @ HttpError::NotSent { .. }) => return Completion::not_begun(error),
            Err(error) => return Completion::failed(error),
        };
        let status = response.status();
        let mut tail = Tail::leaving(FRAME_BYTES_MAX);
        let reading = answer::read(response, spec.answer_bytes_max, &mut tail);
        let read = tokio::select! {
            read = reading => read.map_err(|source| HttpError::BrokeOff {
                status: status.as_u16(),
                source: source.without_url(),
            }),
            () = limit => Err(HttpError::TooSlow { status: status.as_u16(), limit: spec.timeout }),
        };
        let unread = match &read {
            Ok(unread) => unread.note(),
            Err(_) => String::new(),
        };
        let body = tail.into_text().unwrap_or_default();
        let output = format!("HTTP {status}\n{body}{unread}");
        judged(spec, status.as_u16(), unfollowed, read).with_output(output)
    }
}

fn judged(
    spec: &HttpSpec,
    status: u16,
    unfollowed: Option<Unfollowed>,
    read: Result<Unread, HttpError>,
) -> Completion {
    if !spec.accept.contains(status) {
        return Completion::failed(HttpError::Status {
            status,
            accept: spec.accept.clone(),
            unfollowed,
        });
    }
    match (read, spec.answer_too_long) {
        (Err(error), _) => Completion::failed(error),
        (Ok(Unread::Nothing), _) | (Ok(_), AnswerTooLong::Cut) => Completion::succeeded(),
        (Ok(_), AnswerTooLong::Fail) => Completion::failed(HttpError::TooLong {
            status,
            bytes_max: spec.answer_bytes_max,
        }),
    }
}

/// Sends the request, and follows redirects as far as the task asks for it. The answer may be a
/// redirect that is not followed.
async fn exchange(
    client: &Client,
    spec: &HttpSpec,
    context: &Context,
    mut limit: Pin<&mut Sleep>,
) -> Result<(Response, Option<Unfollowed>), HttpError> {
    let mut url = spec.url.clone();
    let mut followed = 0;
    loop {
        let sending = request(client, spec, url.clone(), context).send();
        let sent = tokio::select! {
            sent = sending => sent,
            () = limit.as_mut() => return Err(HttpError::timed_out(spec)),
        };
        let response = sent.map_err(|source| match followed {
            0 if error::is_shortage(&source) => {
                HttpError::not_sent(spec, source.without_url().into())
            }
            _ => HttpError::no_answer(spec, source),
        })?;
        match redirect::next(spec, &url, &response, followed) {
            Next::Answer(unfollowed) => return Ok((response, unfollowed)),
            Next::Follow(next) => url = next,
        }
        followed += 1;
    }
}

fn request(
    client: &Client,
    spec: &HttpSpec,
    url: Url,
    context: &Context,
) -> reqwest::RequestBuilder {
    let mut request = client.request(spec.method.clone(), url);
    for (name, value) in &spec.headers {
        request = request.header(name, value.expose());
    }
    for (name, value) in context.headers() {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            request = request.header(name, value);
        }
    }
    match &spec.body {
        Some(body) => request.body(body.expose().to_owned()),
        None => request,
    }
}
