//! Text that may hold a secret.

use std::borrow::Cow;
use std::fmt;

use sexton_core::url::are_hosts;

/// A text that may have been put together from the environment.
///
/// It shows itself (`Display`, `Debug`) only as it is written in the file, `${TOKEN}` and all, and
/// URLs without their secrets; the value is had by [`Secret::expose`] alone, so that `grep expose`
/// finds every place where it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: String,
    written: Option<String>,
    /// The values of the variables in it.
    filled: Vec<String>,
    /// The bytes of a value that is not UTF-8; `value` has the replacement character in it then.
    bytes: Option<Vec<u8>>,
}

impl Secret {
    /// A text that stands in the file as it is.
    #[must_use]
    pub fn plain(value: impl Into<String>) -> Secret {
        Secret {
            value: value.into(),
            written: None,
            filled: Vec::new(),
            bytes: None,
        }
    }

    /// A text that stands in the file as it is, and may not be UTF-8.
    ///
    /// ```
    /// use sexton_cli::secret::Secret;
    ///
    /// assert_eq!(Secret::of_bytes(b"caf\xe9".to_vec()).expose_bytes(), b"caf\xe9");
    /// ```
    #[must_use]
    pub fn of_bytes(value: Vec<u8>) -> Secret {
        match String::from_utf8(value) {
            Ok(value) => Secret::plain(value),
            Err(error) => Secret {
                bytes: Some(error.as_bytes().to_vec()),
                ..Secret::plain(String::from_utf8_lossy(error.as_bytes()))
            },
        }
    }

    /// A text that the file writes as `written`, and the environment makes `value`.
    #[must_use]
    pub fn resolved(written: impl Into<String>, value: impl Into<String>) -> Secret {
        Secret {
            value: value.into(),
            written: Some(written.into()),
            filled: Vec::new(),
            bytes: None,
        }
    }

    /// The same, which these values of variables were filled in to.
    #[must_use]
    pub(crate) fn filled_with(self, filled: Vec<String>) -> Secret {
        Secret { filled, ..self }
    }

    /// The values of the environment's variables that were filled in.
    pub(crate) fn filled(&self) -> &[String] {
        &self.filled
    }

    /// The value. Where it goes, nothing may print it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// The bytes of the value. Where they go, nothing may print them.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or(self.value.as_bytes())
    }

    /// The bytes as the file writes them.
    pub(crate) fn written_bytes(&self) -> &[u8] {
        match &self.written {
            Some(written) => written.as_bytes(),
            None => self.expose_bytes(),
        }
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
        f.write_str(&without_secrets(self.written()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&without_secrets(self.written()), f)
    }
}

/// `text` with a `*` for every character of what is secret in its URLs: the password, the values of
/// the query and the fragment. `${NAME}` is left to see, and as many characters as there were.
///
/// This is the only way in which a URL is shown. Where it is not clear whether a piece belongs to a
/// password, since something special in it is not percent-encoded, the piece is masked.
#[must_use]
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    if !text.contains(SCHEME_END) {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(SCHEME_END) {
        let (before, behind) = rest.split_at(at + SCHEME_END.len());
        masked.push_str(before);
        let url = UrlText::of(&before[..at], behind);
        url.show(&mut masked);
        rest = &behind[url.text.len()..];
    }
    masked.push_str(rest);
    Cow::Owned(masked)
}

const SCHEME_END: &str = "://";
/// How far the end of a password is looked for behind a quotation mark.
const WORD_BYTES_MAX: usize = 1024;

/// What follows `://` in a text.
struct UrlText<'t> {
    text: &'t str,
    /// Where its host begins, behind the `@`.
    host: usize,
    /// Whether a user alone is a secret, as a token is that stands in place of user and password.
    is_web: bool,
}

impl<'t> UrlText<'t> {
    fn of(before: &str, behind: &'t str) -> UrlText<'t> {
        let is_web = ["http", "https"].iter().any(|scheme| {
            let start = before.len().checked_sub(scheme.len());
            start.is_some_and(|start| {
                before.as_bytes()[start..].eq_ignore_ascii_case(scheme.as_bytes())
            })
        });
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`');
        let text = &behind[..behind.find(ends).unwrap_or(behind.len())];
        let word = &behind[..behind.floor_char_boundary(WORD_BYTES_MAX)];
        let word = word.split(char::is_whitespace).next().unwrap_or(word);
        let authority = text.split(['/', '?', '#']).next().unwrap_or(text);
        let path = text.split(['?', '#']).next().unwrap_or(text);
        let end = if are_hosts(authority) && !path.contains('/') {
            text.rfind('@')
        } else if are_hosts(authority) || is_web && authority.contains('@') {
            // Behind a path the `@` of a parameter ends no password.
            path.rfind('@')
        } else {
            // A password that is not encoded may have any of these characters, and a quotation
            // mark.
            let found = text.rfind('@').or_else(|| word.rfind('@'));
            found.or_else(|| authority.len().checked_sub(1))
        };
        let host = end.map_or(0, |end| end + 1);
        let text = &behind[..text.len().max(host)];
        UrlText { text, host, is_web }
    }

    fn show(&self, out: &mut String) {
        let (login, rest) = self.text.split_at(self.host);
        let (login, at) = login
            .strip_suffix('@')
            .map_or((login, ""), |login| (login, "@"));
        match login.split_once(':') {
            Some((user, password)) => {
                out.push_str(user);
                out.push(':');
                mask(password, out);
            }
            None if self.is_web => mask(login, out),
            None => out.push_str(login),
        }
        out.push_str(at);
        let (rest, fragment) = match rest.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (rest, None),
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        out.push_str(path);
        if let Some(query) = query {
            out.push('?');
            for (index, pair) in query.split('&').enumerate() {
                if index > 0 {
                    out.push('&');
                }
                // A value that stands alone is one without a name.
                let (name, value) = match pair.split_once('=') {
                    Some((name, value)) => (name, value),
                    None => ("", pair),
                };
                out.push_str(name);
                if pair.len() > value.len() {
                    out.push('=');
                }
                mask(value, out);
            }
        }
        if let Some(fragment) = fragment {
            out.push('#');
            mask(fragment, out);
        }
    }
}

/// A `*` for each character, but for the names of variables: `${NAME}`, `${NAME:-*******}`.
fn mask(secret: &str, out: &mut String) {
    let mut rest = secret;
    while let Some(start) = rest.find("${") {
        let Some(end) = rest[start..].find('}').map(|end| start + end) else {
            break;
        };
        stars(&rest[..start], out);
        let variable = &rest[start + 2..end];
        let (name, default) = match variable.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (variable, None),
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.bytes().all(is_name) {
            out.push_str("${");
            out.push_str(name);
            if let Some(default) = default {
                out.push_str(":-");
                stars(default, out);
            }
            out.push('}');
        } else {
            stars(&rest[start..=end], out);
        }
        rest = &rest[end + 1..];
    }
    stars(rest, out);
}

fn stars(secret: &str, out: &mut String) {
    out.extend(secret.chars().map(|_| '*'));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_in_urls_is_masked_and_nothing_else() {
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
                "redis://me:a${B}c${D:-hunter2}@host",
                "redis://me:*${B}*${D:-*******}@host",
            ),
            (
                "http://host:80/a?to=b@c&d&e= postgres://me@host/db",
                "http://host:80/a?to=***&*&e= postgres://me@host/db",
            ),
            (
                "postgres://u@h/db?password=hunter2&sslmode=${MODE}",
                "postgres://u@h/db?password=*******&sslmode=${MODE}",
            ),
            (
                "redis+sentinel://a,b/m?sentinel_password=x@y",
                "redis+sentinel://a,b/m?sentinel_password=***",
            ),
            ("https://token@host/x#key=1", "https://*****@host/x#*****"),
            ("http://[::1]:80/a", "http://[::1]:80/a"),
            ("mongodb://a:1,b:2/db", "mongodb://a:1,b:2/db"),
            ("mailto:a@b, c://", "mailto:a@b, c://"),
        ] {
            assert_eq!(without_secrets(text), masked);
            assert_eq!(without_secrets(masked), masked, "a second time");
        }
    }

    #[test]
    fn a_password_that_is_not_encoded_is_masked_all_the_same() {
        for text in [
            "mysql://u:hunter2?hunter2@h/x",
            "mysql://u:hunter2#hunter2@h/x",
            "mysql://u:hunter2/hunter2@h/x",
            "mysql://u:1/hunter2@h/x",
            "mysql://u:1?hunter2@h/x",
            "mysql://u:hunter2\"hunter2@h/x",
            "mysql://u:a'hunter2@h/x",
            "mysql://u:hunter2/x",
            "mysql://u:hunter2",
            "HTTP://hunter2@h",
        ] {
            let masked = without_secrets(text);
            assert!(!masked.contains("hunter2"), "{text}: {masked}");
            assert_eq!(masked.chars().count(), text.chars().count());
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
