//! The one grammar of the URLs of stores.
//!
//! ```text
//! SCHEME://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]…][/PATH][?NAME=VALUE[&NAME=VALUE…]]   a StoreUrl
//! SCHEME:PATH[?NAME=VALUE…]  or  SCHEME:///PATH[?NAME=VALUE…]                               a FileUrl
//! ```
//!
//! What is special in a part is percent-encoded: `@` as `%40`, `/` as `%2F`, `?` as `%3F`, `#` as
//! `%23`, `%` as `%25`. A store says which [`Parameter`]s it takes; any other is refused. No error
//! shows a user, a password, a path or the value of a parameter.

mod decode;
mod error;
mod login;
mod parameter;

use std::fmt;

use decode::decoded;

pub use error::UrlError;
pub use login::{UnencodedLogin, are_hosts};
pub use parameter::Parameter;

/// One host of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name or address, without brackets; empty where the URL has none.
    pub name: String,
    /// Its port, if the URL has one.
    pub port: Option<u16>,
}

/// The URL of a store that is somewhere in the network, taken apart. It shows itself without
/// secrets.
///
/// ```
/// use sexton_core::url::{Parameter, StoreUrl};
///
/// let url = StoreUrl::parse("redis://app:a%2Fb@db.example:6380/2?wait_ms=50")?;
/// assert_eq!((url.scheme(), url.user(), url.password()), ("redis", Some("app"), Some("a/b")));
/// assert_eq!((url.hosts()[0].name.as_str(), url.hosts()[0].port), ("db.example", Some(6380)));
/// assert_eq!(url.path(), "2");
/// url.check_parameters(&[Parameter::number("wait_ms")])?;
/// assert_eq!(url.number("wait_ms"), Some(50));
///
/// let error = StoreUrl::parse("redis://app:a/b@db.example").unwrap_err();
/// assert!(error.to_string().contains("percent-encode it, as %2F"));
/// # Ok::<(), sexton_core::url::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl {
    scheme: String,
    user: Option<String>,
    password: Option<String>,
    hosts: Vec<Host>,
    path: String,
    parameters: Vec<(String, String)>,
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreUrl")
            .field("scheme", &self.scheme)
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

impl StoreUrl {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// [`UrlError`]
    pub fn parse(url: &str) -> Result<StoreUrl, UrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::NoHosts)?;
        login::check(rest)?;
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority
            .rsplit_once('@')
            .map_or((None, authority), |(login, hosts)| (Some(login), hosts));
        let (user, password) = login.map_or((None, None), |login| match login.split_once(':') {
            Some((user, password)) => (Some(user), Some(password)),
            None => (Some(login), None),
        });
        let user = user.filter(|user| !user.is_empty());
        Ok(StoreUrl {
            scheme: scheme.to_owned(),
            user: user.map(decoded).transpose()?,
            password: password.map(decoded).transpose()?,
            hosts: hosts.split(',').map(host).collect::<Result<_, _>>()?,
            path: decoded(path)?,
            parameters: parameter::read(query)?,
        })
    }

    /// What stands before the colon.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The user, if there is one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password, if there is one. It may be empty.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The hosts, at least one; that of `SCHEME:///PATH` has no name.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// What stands behind the hosts, without the `/` before it: a database, say.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Takes names of parameters in either case, for a store that does so: they are in lower case
    /// from now on.
    #[must_use]
    pub fn lowercase_names(mut self) -> StoreUrl {
        for (name, _) in &mut self.parameters {
            name.make_ascii_lowercase();
        }
        self
    }

    /// Refuses a parameter that is not `known`, or has a value that it cannot have.
    ///
    /// # Errors
    /// [`UrlError::UnknownParameter`], [`UrlError::BadValue`]
    pub fn check_parameters(&self, known: &[Parameter]) -> Result<(), UrlError> {
        parameter::check(&self.parameters, known)
    }

    /// The value of a parameter; the last one, if it stands there more than once.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        parameter::last(&self.parameters, name)
    }

    /// The value of a parameter that was checked to be a [number](Parameter::number).
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u32> {
        self.parameter(name).and_then(|value| value.parse().ok())
    }
}

/// The URL of a store that is a file. Its path is taken as it stands, `%` and `#` included.
///
/// ```
/// use sexton_core::url::FileUrl;
///
/// assert_eq!(FileUrl::parse("sqlite:sexton.db", "sqlite")?.path(), "sexton.db");
/// assert_eq!(FileUrl::parse("sqlite:///var/lib/50%.db", "sqlite")?.path(), "/var/lib/50%.db");
/// assert!(FileUrl::parse("sqlite://sexton.db", "sqlite").is_err());
/// # Ok::<(), sexton_core::url::UrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUrl<'u> {
    path: &'u str,
    parameters: Vec<(String, String)>,
}

impl<'u> FileUrl<'u> {
    /// Takes the URL of a file apart; `scheme` is what it begins with.
    ///
    /// # Errors
    /// [`UrlError`]
    pub fn parse(url: &'u str, scheme: &'static str) -> Result<FileUrl<'u>, UrlError> {
        let rest = url
            .strip_prefix(scheme)
            .and_then(|rest| rest.strip_prefix(':'));
        let rest = rest.ok_or(UrlError::Scheme { scheme })?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = match rest.strip_prefix("//") {
            Some(path) if path.is_empty() || path.starts_with('/') => path,
            Some(_) => return Err(UrlError::HasHost { scheme }),
            None => rest,
        };
        Ok(FileUrl {
            path,
            parameters: parameter::read(query)?,
        })
    }

    /// The path, as it stands.
    #[must_use]
    pub fn path(&self) -> &'u str {
        self.path
    }

    /// Refuses a parameter that is not `known`, or has a value that it cannot have.
    ///
    /// # Errors
    /// [`UrlError::UnknownParameter`], [`UrlError::BadValue`]
    pub fn check_parameters(&self, known: &[Parameter]) -> Result<(), UrlError> {
        parameter::check(&self.parameters, known)
    }

    /// The value of a parameter; the last one, if it stands there more than once.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        parameter::last(&self.parameters, name)
    }
}

fn host(text: &str) -> Result<Host, UrlError> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, behind) = rest.split_once(']').ok_or(UrlError::Host)?;
            match behind.strip_prefix(':') {
                Some(port) => (name, port),
                None if behind.is_empty() => (name, ""),
                None => return Err(UrlError::Host),
            }
        }
        None => {
            let (name, port) = text.rsplit_once(':').unwrap_or((text, ""));
            if name.contains([':', '[', ']']) {
                return Err(UrlError::Host);
            }
            (name, port)
        }
    };
    let digits = Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let port = match digits.ok_or(UrlError::Port)? {
        "" => None,
        digits => {
            let port = digits.parse().ok().filter(|port| *port > 0);
            Some(port.ok_or(UrlError::Port)?)
        }
    };
    let name = decoded(name)?;
    Ok(Host { name, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(url: &str) -> Vec<(String, Option<u16>)> {
        let url = StoreUrl::parse(url).unwrap();
        let hosts = url.hosts().iter();
        hosts.map(|host| (host.name.clone(), host.port)).collect()
    }

    #[test]
    fn hosts_are_names_addresses_and_sockets_with_ports_or_without() {
        let found = hosts("x://u:p@a,b:1,[::1],[::1]:65535,c:/m");
        let expected = [
            ("a", None),
            ("b", Some(1)),
            ("::1", None),
            ("::1", Some(65_535)),
            ("c", None),
        ];
        assert_eq!(found, expected.map(|(name, port)| (name.to_owned(), port)));
        assert_eq!(hosts("x:///app"), [(String::new(), None)]);
        assert_eq!(hosts("x://%2Frun%2Fpg/app"), [("/run/pg".to_owned(), None)]);
    }

    #[test]
    fn a_login_may_lack_either_part() {
        let login = |url| {
            let url = StoreUrl::parse(url).unwrap();
            (
                url.user().map(str::to_owned),
                url.password().map(str::to_owned),
            )
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(login("x://h"), (None, None));
        assert_eq!(login("x://u@h"), (some("u"), None));
        assert_eq!(login("x://:p@h"), (None, some("p")));
        assert_eq!(login("x://u:@h"), (some("u"), some("")));
        assert_eq!(login("x://u%40v:p:q%2F@h"), (some("u@v"), some("p:q/")));
    }

    #[test]
    fn what_cannot_be_read_is_told_without_repeating_it() {
        let known = [
            Parameter::word("mode", &["on", "off"]),
            Parameter::number("wait_ms"),
            Parameter::map("options"),
        ];
        let mut told = String::new();
        for url in [
            "hunter2",
            "x://u:hunter2@h#hunter2",
            "x://u:hunter2%FF@h",
            "x://u:hunter2@[::1",
            "x://u:hunter2@::1",
            "x://u:hunter2@h:port",
            "x://u:hunter2@h:0",
            "x://u:hunter2@h:65536",
            "x://u:hunter2@h/a?mode=hunter2",
            "x://u:hunter2@h/a?wait_ms=hunter2",
            "x://u:hunter2@h/a?wait_ms=-1",
            "x://u:hunter2@h/a?wait=hunter2",
            "x://u:hunter2@h/a?mod=hunter2",
            "x://u:hunter2@h/a?hunter2",
            "x://u:hunter2@h/a?hunter2!=1",
        ] {
            let parsed = StoreUrl::parse(url);
            let error = parsed.and_then(|url| url.check_parameters(&known));
            told += &format!("{}\n", error.unwrap_err());
        }
        insta::assert_snapshot!(told, @r#"
        it has no ://
        it has a #: percent-encode it, as %23
        what is percent-encoded in it is not UTF-8
        a host in it cannot be read: expected NAME, NAME:PORT or [ADDRESS]:PORT
        a host in it cannot be read: expected NAME, NAME:PORT or [ADDRESS]:PORT
        a port in it is not a number from 1 to 65535
        a port in it is not a number from 1 to 65535
        a port in it is not a number from 1 to 65535
        mode must be one of on, off
        wait_ms must be a whole number
        wait_ms must be a whole number
        unknown parameter "wait"; expected one of mode, wait_ms, options
        unknown parameter "mod" (did you mean "mode"?); expected one of mode, wait_ms, options
        it has a parameter without a value: expected NAME=VALUE
        unknown parameter; expected one of mode, wait_ms, options
        "#);
        assert!(!told.contains("hunter2"));
    }

    #[test]
    fn parameters_are_decoded_and_the_last_one_counts() {
        let url = StoreUrl::parse("x://h?a=1&a=x%26y&&options[search_path]=jobs&B=2").unwrap();
        assert_eq!(url.parameter("a"), Some("x&y"));
        let known = [Parameter::text("a"), Parameter::map("options")];
        assert!(url.check_parameters(&known).is_err());
        let url = url.lowercase_names();
        assert_eq!(url.number("b"), Some(2));
        let known = [known[0], known[1], Parameter::number("b")];
        assert_eq!(url.check_parameters(&known), Ok(()));
        assert_eq!(
            format!("{url:?}"),
            "StoreUrl { scheme: \"x\", hosts: [Host { name: \"h\", port: None }], .. }"
        );
    }
}
