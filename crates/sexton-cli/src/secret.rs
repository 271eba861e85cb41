//! Text that may hold a secret.

use std::borrow::Cow;
use std::fmt;

/// A text that may have been put together from the environment.
///
/// It shows itself (`Display`, `Debug`) only as it is written in the file, `${TOKEN}` and all; the
/// value is had by [`Secret::expose`] alone, so that `grep expose` finds every place where it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: String,
    written: Option<String>,
}

impl Secret {
    /// A text that stands in the file as it is.
    #[must_use]
    pub fn plain(value: impl Into<String>) -> Secret {
        Secret {
            value: value.into(),
            written: None,
        }
    }

    /// A text that the file writes as `written`, and the environment makes `value`.
    #[must_use]
    pub fn resolved(written: impl Into<String>, value: impl Into<String>) -> Secret {
        Secret {
            value: value.into(),
            written: Some(written.into()),
        }
    }

    /// The value. Where it goes, nothing may print it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// The text as the file writes it.
    #[must_use]
    pub fn written(&self) -> &str {
        self.written.as_deref().unwrap_or(&self.value)
    }

    /// Whether the environment had a part in the value.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        self.written.is_some()
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.written())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.written(), f)
    }
}

/// `text` with a `*` for every character of the passwords in its URLs (`scheme://user:password@host`), which people write
/// where `${NAME}` should stand. That itself is left to see.
#[must_use]
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    const SCHEME_END: &str = "://";
    let mut masked = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(SCHEME_END) {
        let (before, authority) = rest.split_at(at + SCHEME_END.len());
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>');
        let authority = &authority[..authority.find(ends).unwrap_or(authority.len())];
        // A password may have a `/`, though it should not: the last `@` counts, unless it is in the query.
        let authority = authority.split('?').next().unwrap_or(authority);
        let password = authority.rfind('@').and_then(|end| {
            let start = authority.find(':').filter(|colon| *colon < end)? + 1;
            Some(start..end)
        });
        masked.push_str(before);
        let Some(password) = password else {
            rest = &rest[before.len()..];
            continue;
        };
        let written = &authority[password.clone()];
        masked.push_str(&authority[..password.start]);
        if written.starts_with("${") && written.ends_with('}') {
            masked.push_str(written);
        } else {
            masked.extend(written.chars().map(|_| '*'));
        }
        rest = &rest[before.len() + password.end..];
    }
    if masked.is_empty() {
        return Cow::Borrowed(text);
    }
    masked.push_str(rest);
    Cow::Owned(masked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_masked_and_nothing_else() {
        for (text, masked) in [
            (
                "url = \"redis://me:hunter2@host:6379/0\"",
                "url = \"redis://me:*******@host:6379/0\"",
            ),
            (
                "redis://:h/@2é@host a://b:c@d",
                "redis://:*****@host a://b:*@d",
            ),
            ("redis://me:${PASSWORD}@host", "redis://me:${PASSWORD}@host"),
            (
                "http://host:80/a?to=b@c http://me@host",
                "http://host:80/a?to=b@c http://me@host",
            ),
            ("mailto:a@b, c://", "mailto:a@b, c://"),
        ] {
            assert_eq!(without_passwords(text), masked);
        }
    }

    #[test]
    fn a_secret_shows_itself_as_it_is_written() {
        let secret = Secret::resolved("Bearer ${TOKEN}", "Bearer hunter2");
        assert_eq!(
            format!("{secret} {secret:?}"),
            "Bearer ${TOKEN} \"Bearer ${TOKEN}\""
        );
        assert_eq!(secret.expose(), "Bearer hunter2");
    }
}
