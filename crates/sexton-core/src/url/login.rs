//! User and password of a URL: what is special in them is percent-encoded, or the URL means another
//! host than was meant.

use std::fmt;

use thiserror::Error;

/// A character that stands in a URL's user or password as it is, where it means something else.
///
/// Its text names the character and how to write it, and nothing else of the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the user or the password has a `{character}`: percent-encode it, as {}", Encoded(*character))]
pub struct UnencodedLogin {
    character: char,
}

struct Encoded(char);

impl fmt::Display for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{:02X}", u32::from(self.0))
    }
}

/// Why user, password and parameters do not tell themselves from the rest of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ambiguous {
    Login(UnencodedLogin),
    /// An `@` in a parameter, or a `?` in a password: nobody can tell.
    AtInQuery,
}

/// Checks that user and password of a URL have no `/`, `?`, `#` or `@`, and a `%` only before two
/// hexadecimal digits, and that no `@` stands in a parameter. `rest` is what stands behind `://`.
///
/// Such a URL reads as that of another host, or has another password than the one that was meant;
/// where it cannot be read at all, this says why.
pub(super) fn check(rest: &str) -> Result<(), Ambiguous> {
    let Some(login) = login(rest)? else {
        return Ok(());
    };
    for (at, character) in login.char_indices() {
        let is_wrong = match character {
            '/' | '?' | '#' | '@' => true,
            '%' => {
                let digits = login.as_bytes().get(at + 1..at + 3);
                !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            }
            _ => false,
        };
        if is_wrong {
            return Err(Ambiguous::Login(UnencodedLogin { character }));
        }
    }
    Ok(())
}

/// What stands before the host, as it was meant: the last `@` ends it.
fn login(rest: &str) -> Result<Option<&str>, Ambiguous> {
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = before.split(['/', '#']).next().unwrap_or(before);
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, it)| it);
    let is_parameter = |pair: &str| pair.split('@').next().unwrap_or(pair).contains('=');
    let is_query = are_hosts(hosts)
        && query
            .split('&')
            .all(|pair| !pair.contains('@') || is_parameter(pair));
    if is_query && query.contains('@') {
        return Err(Ambiguous::AtInQuery);
    }
    let searched = if is_query { before } else { rest };
    Ok(searched.rfind('@').map(|end| &searched[..end]))
}

/// Whether these are hosts, with commas between them, each with a port or none: no colon leads to
/// anything but digits.
#[must_use]
pub fn are_hosts(text: &str) -> bool {
    text.split(',').all(|host| {
        let behind = host.rsplit_once(']').map_or(host, |(_, behind)| behind);
        let (_, port) = behind.rsplit_once(':').unwrap_or((behind, ""));
        port.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(url: &str) -> &str {
        url.split_once("://").map_or(url, |(_, rest)| rest)
    }

    #[test]
    fn what_is_special_in_a_login_is_named_with_how_it_is_written() {
        for (url, encoded) in [
            ("redis://u:p@ss@h", "%40"),
            ("redis://u:pa/ss@h:6379/0", "%2F"),
            ("redis://u:12/34@h/0", "%2F"),
            ("redis://u:pa#ss@h", "%23"),
            ("redis://u:12#34@h", "%23"),
            ("redis://u:pa?ss@h", "%3F"),
            ("redis://u:12?34@h", "%3F"),
            ("redis://u:50%off@h", "%25"),
            ("redis://u:50%@h", "%25"),
            ("redis://u:50%4@h", "%25"),
            ("redis://u/v:p@h", "%2F"),
            (
                "redis+sentinel://u:a/b@a:1,b:2/m?sentinel_password=x",
                "%2F",
            ),
        ] {
            let Err(Ambiguous::Login(error)) = check(rest(url)) else {
                panic!("{url}");
            };
            let error = error.to_string();
            assert!(error.contains("percent-encode it"), "{url}: {error}");
            assert!(error.ends_with(encoded), "{url}: {error}");
        }
    }

    #[test]
    fn an_at_behind_the_question_mark_may_end_a_password_and_is_refused() {
        for url in [
            "redis+sentinel://[::1]:1,b/m?sentinel_password=x@y",
            "redis+sentinel://u:p@a:1,b:2/m?sentinel_password=x@y&wait_ms=5",
            "postgres://h/app?application_name=me@home",
            "postgres://u:12?b=c@h/app",
        ] {
            assert_eq!(check(rest(url)), Err(Ambiguous::AtInQuery), "{url}");
        }
    }

    #[test]
    fn what_is_encoded_or_stands_elsewhere_is_left_alone() {
        for url in [
            "redis://h",
            "redis://h/0",
            "redis://:p@h/0",
            "redis://u:a%40b%2fc%25:d@h:1/0",
            "redis://u:[é $]@[::1]:1/0",
            "redis+sentinel://u:p@a:1,b:2/m?sentinel_password=x%40y&wait_ms=5",
            "mongodb+srv://u:p@cluster.example/app?authSource=admin",
        ] {
            assert_eq!(check(rest(url)), Ok(()), "{url}");
        }
    }
}
