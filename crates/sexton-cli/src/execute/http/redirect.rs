//! The one rule for redirects: none, unless the task asks; then within the URL's origin, and never
//! as another request than the task's.
//!
//! So nothing of the user's (a header, a body, a path) reaches another host, and no request says
//! where it came from.

use std::fmt;

use reqwest::header::LOCATION;
use reqwest::{Method, Response, Url};

use crate::tasks::HttpSpec;

/// What follows an answer.
#[derive(Debug)]
pub(super) enum Next {
    /// Nothing: it counts. Says why it was not followed, if it is a redirect.
    Answer(Option<Unfollowed>),
    /// The same request to another URL of the same origin.
    Follow(Url),
}

/// Why a redirect was not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unfollowed {
    /// The task follows none.
    Unasked,
    /// The task follows no more than these.
    TooMany(u8),
    /// It asks for a GET in place of the request.
    OtherMethod,
    /// It leads to another scheme, host or port.
    OtherOrigin,
    /// It leads nowhere.
    NoTarget,
}

impl fmt::Display for Unfollowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfollowed::Unasked => f.write_str("the task asks for none by `redirects`"),
            Unfollowed::TooMany(max) => write!(f, "the task asks for at most {max} by `redirects`"),
            Unfollowed::OtherMethod => {
                f.write_str("only 307 and 308 are, where the method is neither GET nor HEAD")
            }
            Unfollowed::OtherOrigin => f.write_str("it leads to another scheme, host or port"),
            Unfollowed::NoTarget => f.write_str("it names no URL"),
        }
    }
}

/// Decides what follows the answer to a request to `url`, which `followed` redirects have led to.
pub(super) fn next(spec: &HttpSpec, url: &Url, response: &Response, followed: u8) -> Next {
    let status = response.status().as_u16();
    let repeats = matches!(status, 307 | 308);
    if !repeats && !matches!(status, 301..=303) {
        return Next::Answer(None);
    }
    let unfollowed = |why| Next::Answer(Some(why));
    if spec.redirects == 0 {
        return unfollowed(Unfollowed::Unasked);
    }
    if followed >= spec.redirects {
        return unfollowed(Unfollowed::TooMany(spec.redirects));
    }
    let is_read = matches!(spec.method, Method::GET | Method::HEAD);
    if !repeats && !is_read {
        return unfollowed(Unfollowed::OtherMethod);
    }
    let location = response.headers().get(LOCATION);
    let location = location.and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
    let Some(mut target) = location.and_then(|location| url.join(location).ok()) else {
        return unfollowed(Unfollowed::NoTarget);
    };
    if target.origin() != spec.url.origin() {
        return unfollowed(Unfollowed::OtherOrigin);
    }
    // The user's own login goes along, never one of the server's choice. A URL with a host takes
    // both.
    let _ = target.set_username(spec.url.username());
    let _ = target.set_password(spec.url.password());
    Next::Follow(target)
}
