//! An HTTP request: `http = { url, method, headers, body, accept, timeout, … }`.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use toml::de::DeValue;

use super::fields::{Field, Fields, KEY_CHARS_MAX};
use super::http_connection as connection;
use super::http_url::read_url;
use crate::secret::Secret;
use crate::tasks::{
    ANSWER_BYTES_DEFAULT, Accept, AnswerTooLong, HTTP_TIMEOUT_DEFAULT, HttpSpec, Policies, Statuses,
};
use crate::visible::brief;

const FORM: &str = "{ url = \"https://…\", method, headers, body, accept, timeout, redirects, answer_bytes_max, \
    answer_too_long, ca, certificate, key, proxy }";
const ACCEPT_FORM: &str = "statuses 100..=599: 204, \"2xx\" or \"200-204\", or an array of these";
const HEADER_FORM: &str = "a table of headers, { Name = \"value\" }, without Content-Length, \
    Transfer-Encoding, Connection and Sexton-…, which are set by Sexton";
const HEADERS_MAX: usize = 100;
const HTTP_TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const REDIRECTS_MAX: u8 = 20;
const ANSWER_BYTES_MAX: i64 = 1 << 40;

/// Reads a request, or reports why it cannot be sent.
pub(super) fn read(field: &Field<'_>, policies: &Policies, folder: &Path) -> Option<HttpSpec> {
    let mut fields = field.table(FORM)?;
    let url = match fields.get("url") {
        Some(url) => read_url(&url),
        None => {
            field.reject("`url` is missing", FORM);
            None
        }
    };
    let body = fields.get("body").and_then(|field| field.text("a string"));
    let method = match fields.get("method") {
        Some(method) => read_method(&method),
        None if body.is_some() => Some(Method::POST),
        None => Some(Method::GET),
    };
    let headers = read_headers(&mut fields);
    let accept = match fields.get("accept") {
        Some(accept) => read_accept(&accept),
        None => Some(Accept::default()),
    };
    let timeout = match fields.get("timeout") {
        Some(timeout) => timeout.duration(Duration::from_millis(1)..=HTTP_TIMEOUT_MAX),
        // Behind the task's own timeout, which ends the run as timed out: of two that are equal
        // either might come first.
        None => Some(policies.timeout.map_or(HTTP_TIMEOUT_DEFAULT, |timeout| {
            timeout.saturating_add(HTTP_TIMEOUT_DEFAULT)
        })),
    };
    let redirects = match fields.get("redirects") {
        Some(redirects) => redirects.integer(0..=REDIRECTS_MAX.into()),
        None => Some(0),
    };
    let answer_bytes_max = match fields.get("answer_bytes_max") {
        Some(bytes) => bytes
            .integer(0..=ANSWER_BYTES_MAX)
            .and_then(|bytes| u64::try_from(bytes).ok()),
        None => Some(ANSWER_BYTES_DEFAULT),
    };
    let answer_too_long = match fields.get("answer_too_long") {
        Some(word) => word.word(&[("cut", AnswerTooLong::Cut), ("fail", AnswerTooLong::Fail)]),
        None => Some(AnswerTooLong::Cut),
    };
    let is_https = url.as_ref().is_some_and(|(url, _)| url.scheme() == "https");
    let connection = connection::read(&mut fields, is_https, folder);
    fields.finish();
    let (url, url_shown) = url?;
    Some(HttpSpec {
        url,
        url_shown,
        method: method?,
        headers: headers?,
        body,
        accept: accept?,
        timeout: timeout?,
        redirects: u8::try_from(redirects?).ok()?,
        answer_bytes_max: answer_bytes_max?,
        answer_too_long: answer_too_long?,
        connection: connection?,
    })
}

fn read_method(field: &Field<'_>) -> Option<Method> {
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
    ];
    let words: Vec<_> = methods
        .iter()
        .map(|method| (method.as_str(), method))
        .collect();
    field.word(&words).cloned()
}

fn read_headers(fields: &mut Fields<'_>) -> Option<Vec<(HeaderName, Secret)>> {
    let Some(field) = fields.get("headers") else {
        return Some(Vec::new());
    };
    let mut headers = Vec::new();
    let mut all_well = true;
    for (key, span, field) in field.table(HEADER_FORM)?.into_entries() {
        let name = HeaderName::from_bytes(key.as_bytes()).ok().filter(is_users);
        let Some(name) = name else {
            let mut problem = field
                .problem("this header cannot be set")
                .allowed(HEADER_FORM);
            problem.span = span;
            problem.found = Some(format!("{:?}", brief(key, KEY_CHARS_MAX)));
            field.scope.push(problem);
            all_well = false;
            continue;
        };
        match field.text("a string") {
            None => all_well = false,
            Some(value) if HeaderValue::from_str(value.expose()).is_err() => {
                let detail = "a header cannot have this value";
                field.reject_text(&value, detail, "visible characters, spaces and tabs");
                all_well = false;
            }
            Some(value) => headers.push((name, value)),
        }
    }
    if headers.len() > HEADERS_MAX {
        field.reject(
            "these are too many headers",
            format!("at most {HEADERS_MAX}"),
        );
        return None;
    }
    all_well.then_some(headers)
}

/// Whether the header is the user's to set.
fn is_users(name: &HeaderName) -> bool {
    let name = name.as_str();
    !matches!(name, "content-length" | "transfer-encoding" | "connection")
        && !name.starts_with("sexton-")
}

fn read_accept(field: &Field<'_>) -> Option<Accept> {
    if matches!(field.value, DeValue::Array(_)) {
        field.many(ACCEPT_FORM)?;
    }
    let items = field.one_or_many();
    let statuses: Vec<_> = items.iter().map(read_statuses).collect();
    statuses
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .map(Accept::new)
}

fn read_statuses(field: &Field<'_>) -> Option<Statuses> {
    if let DeValue::Integer(_) = field.value {
        let status = u16::try_from(field.integer(100..=599)?).ok()?;
        return Some(Statuses {
            first: status,
            last: status,
        });
    }
    let text = field.text(ACCEPT_FORM)?;
    let statuses = Statuses::parse(text.expose());
    if statuses.is_none() {
        field.reject_text(&text, "these are no HTTP statuses", ACCEPT_FORM);
    }
    statuses
}
