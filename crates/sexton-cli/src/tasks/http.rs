//! An HTTP request to send, and which answers count as success.

use std::fmt;
use std::time::Duration;

use reqwest::header::HeaderName;
use reqwest::{Method, Url};

use crate::secret::Secret;
use crate::tls::{Authorities, Identity};

/// How long an HTTP request may take when nothing else is said.
pub const HTTP_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
/// How much of an answer is read by default.
pub const ANSWER_BYTES_DEFAULT: u64 = 1024 * 1024;

/// An HTTP request to send.
#[derive(Clone, PartialEq)]
pub struct HttpSpec {
    /// Where to. It may hold a password or a token.
    pub url: Url,
    /// The URL as the file writes it, without its secrets.
    pub url_shown: String,
    /// How.
    pub method: Method,
    /// Headers beyond the client's own and Sexton's.
    pub headers: Vec<(HeaderName, Secret)>,
    /// What to send.
    pub body: Option<Secret>,
    /// Which answers count as success.
    pub accept: Accept,
    /// How long it may take, all in all.
    pub timeout: Duration,
    /// How many redirects are followed, within the URL's origin.
    pub redirects: u8,
    /// How much of an answer is read.
    pub answer_bytes_max: u64,
    /// What becomes of a longer answer.
    pub answer_too_long: AnswerTooLong,
    /// How the server is connected to.
    pub connection: Connection,
}

/// What becomes of an answer that is longer than what is read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerTooLong {
    /// The rest is not read, which the output says.
    Cut,
    /// The run fails.
    Fail,
}

/// How a server is connected to: requests that agree in this share connections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Connection {
    /// Whether there is TLS to be trusted: to the server, or to the proxy that the file names.
    pub is_secured: bool,
    /// Whom to trust; the machine's authorities if `None`.
    pub authorities: Option<Authorities>,
    /// The certificate by which the client says who it is.
    pub identity: Option<Identity>,
    /// What stands between.
    pub proxy: Proxy,
}

/// What stands between the client and a server.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Proxy {
    /// What `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    OfEnvironment,
    /// Nothing.
    Direct,
    /// This proxy. Its URL may hold a password.
    At(Url),
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Proxy::OfEnvironment => "OfEnvironment",
            Proxy::Direct => "Direct",
            Proxy::At(_) => "At(…)",
        })
    }
}

impl fmt::Debug for HttpSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSpec")
            .field("url", &self.url_shown)
            .field("method", &self.method)
            .field("headers", &self.headers)
            .field("body", &self.body)
            .field("accept", &self.accept)
            .field("timeout", &self.timeout)
            .field("redirects", &self.redirects)
            .field("answer_bytes_max", &self.answer_bytes_max)
            .field("answer_too_long", &self.answer_too_long)
            .field("connection", &self.connection)
            .finish()
    }
}

/// Which HTTP statuses count as success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept(Vec<Statuses>);

/// A run of HTTP statuses, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statuses {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl Accept {
    /// These statuses.
    #[must_use]
    pub fn new(statuses: Vec<Statuses>) -> Accept {
        Accept(statuses)
    }

    /// Whether `status` is among them.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.0
            .iter()
            .any(|range| (range.first..=range.last).contains(&status))
    }
}

impl Default for Accept {
    /// 200 to 299.
    fn default() -> Accept {
        Accept(vec![Statuses {
            first: 200,
            last: 299,
        }])
    }
}

impl Statuses {
    /// Reads `204`, `2xx` or `200-204`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Statuses> {
        let status = |text: &str| {
            let plain = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
            let number: u16 = text.parse().ok().filter(|_| plain)?;
            (100..=599).contains(&number).then_some(number)
        };
        if let Some(class) = text.strip_suffix("xx") {
            let first = status(&format!("{class}00"))?;
            return Some(Statuses {
                first,
                last: first + 99,
            });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (status(first)?, status(last)?);
        (first <= last).then_some(Statuses { first, last })
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Statuses { first, last } if first == last => write!(f, "{first}"),
            Statuses { first, last } if first % 100 == 0 && *last == first + 99 => {
                write!(f, "{}xx", first / 100)
            }
            Statuses { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

impl fmt::Display for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, statuses) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{statuses}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_a_number_a_class_or_a_range() {
        for text in ["204", "2xx", "200-204", "500-599"] {
            let expected = if text == "500-599" { "5xx" } else { text };
            assert_eq!(Statuses::parse(text).unwrap().to_string(), expected);
        }
        for text in [
            "", "2x", "20", "099", "600", "6xx", "0xx", "204-200", "+20", "2xx-3xx", "-1",
        ] {
            assert!(Statuses::parse(text).is_none(), "{text}");
        }
        assert!(Accept::default().contains(204) && !Accept::default().contains(302));
    }
}
