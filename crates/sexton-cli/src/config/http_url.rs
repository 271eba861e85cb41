//! The URLs of requests and of proxies.

use reqwest::Url;

use super::fields::Field;
use crate::secret::without_secrets;

pub(super) const URL_FORM: &str = "an http:// or https:// URL";

/// A URL, and how it is shown.
pub(super) fn read_url(field: &Field<'_>) -> Option<(Url, String)> {
    let text = field.text(URL_FORM)?;
    let url = match Url::parse(text.expose()) {
        Ok(url) => url,
        Err(error) => {
            field.reject_text(&text, &format!("this is not a URL: {error}"), URL_FORM);
            return None;
        }
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        field.reject_text(&text, "this URL cannot be requested", URL_FORM);
        return None;
    }
    Some((url, without_secrets(text.written()).into_owned()))
}
