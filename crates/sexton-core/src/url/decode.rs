//! Percent-encoding.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::error::UrlError;

/// The text that is encoded so.
pub(super) fn decoded(text: &str) -> Result<String, UrlError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| UrlError::NotUtf8)
}
