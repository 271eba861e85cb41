//! Where a server is, as a URL says it.

use std::path::PathBuf;
use std::time::Duration;

use redis::{ConnectionAddr, RedisConnectionInfo};
use sexton_core::url::{Host, Parameter, StoreUrl};

use crate::confirmation::Confirmation;
use crate::error::ConnectError;

const SERVER_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26_379;

/// How long claims wait for replicas if the URL says that they do, and not how long.
const WAIT_LIMIT_DEFAULT: Duration = Duration::from_secs(1);

/// What stands behind a URL.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) kind: Kind,
    /// Logins, the same for all nodes.
    pub(crate) login: RedisConnectionInfo,
    pub(crate) nodes: Vec<ConnectionAddr>,
    pub(crate) tls: TlsFiles,
    /// What claims wait for, if the URL says so.
    pub(crate) confirmation: Option<Confirmation>,
    /// For people to read, without secrets.
    pub(crate) location: String,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Server,
    /// The nodes are Sentinels, which know where the master of this name is.
    Sentinel {
        master: String,
        username: Option<String>,
        password: Option<String>,
    },
    Cluster,
}

/// Certificates in PEM files, where those of the machine are not what is wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct TlsFiles {
    pub(crate) ca: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

impl TlsFiles {
    pub(crate) fn is_empty(&self) -> bool {
        self.ca.is_none() && self.certificate.is_none() && self.key.is_none()
    }
}

fn bad(problem: impl Into<String>) -> ConnectError {
    let problem = problem.into();
    ConnectError::Url { problem }
}

/// What may stand behind the `?`.
const PARAMETERS: [Parameter; 8] = [
    Parameter::number("wait_for_replicas"),
    Parameter::number("wait_for_append_only_files"),
    Parameter::number("wait_ms"),
    Parameter::text("ca_file"),
    Parameter::text("cert_file"),
    Parameter::text("key_file"),
    Parameter::text("sentinel_username"),
    Parameter::text("sentinel_password"),
];

/// Checks which parameters go together, and with what.
fn check_parameters(url: &StoreUrl, is_tls: bool, is_sentinel: bool) -> Result<(), ConnectError> {
    url.check_parameters(&PARAMETERS)
        .map_err(|error| bad(error.to_string()))?;
    let has = |name: &str| url.parameter(name).is_some();
    if !is_tls && ["ca_file", "cert_file", "key_file"].into_iter().any(has) {
        return Err(bad("ca_file, cert_file and key_file go with rediss"));
    }
    if !is_sentinel && (has("sentinel_username") || has("sentinel_password")) {
        return Err(bad(
            "sentinel_username and sentinel_password go with redis+sentinel",
        ));
    }
    if has("cert_file") != has("key_file") {
        return Err(bad("cert_file and key_file go together"));
    }
    let waits = [has("wait_for_replicas"), has("wait_for_append_only_files")];
    if waits == [true, true] {
        return Err(bad(
            "wait_for_append_only_files waits for the replicas' files already: leave wait_for_replicas out",
        ));
    }
    if has("wait_ms") && waits == [false, false] {
        return Err(bad(
            "wait_ms goes with wait_for_replicas or wait_for_append_only_files",
        ));
    }
    Ok(())
}

fn confirmation(url: &StoreUrl) -> Option<Confirmation> {
    let limit = url.number("wait_ms");
    let limit = limit.map_or(WAIT_LIMIT_DEFAULT, |ms| Duration::from_millis(ms.into()));
    if let Some(replicas) = url.number("wait_for_replicas") {
        return Some(Confirmation::Replicas { replicas, limit });
    }
    let replicas = url.number("wait_for_append_only_files")?;
    Some(Confirmation::AppendOnlyFiles { replicas, limit })
}

fn login(url: &StoreUrl, database: i64) -> RedisConnectionInfo {
    let login = RedisConnectionInfo::default().set_db(database);
    let login = match url.user() {
        Some(user) => login.set_username(user),
        None => login,
    };
    match url.password() {
        Some(password) => login.set_password(password),
        None => login,
    }
}

fn node(host: &Host, port_default: u16, is_tls: bool) -> Result<ConnectionAddr, ConnectError> {
    if host.name.is_empty() {
        return Err(bad("it names no host"));
    }
    let (host, port) = (host.name.clone(), host.port.unwrap_or(port_default));
    Ok(match is_tls {
        true => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        },
        false => ConnectionAddr::Tcp(host, port),
    })
}

/// With the brackets that the driver leaves out.
fn written(node: &ConnectionAddr) -> String {
    match node {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. }
            if host.contains(':') =>
        {
            format!("[{host}]:{port}")
        }
        other => other.to_string(),
    }
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Address, ConnectError> {
        let url = StoreUrl::parse(url).map_err(|error| bad(error.to_string()))?;
        let scheme = url.scheme();
        let (security, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let is_tls = match security {
            "redis" => false,
            "rediss" => true,
            _ => return Err(bad("it begins with neither redis nor rediss")),
        };
        let (master, database) = match kind {
            "sentinel" => url.path().split_once('/').unwrap_or((url.path(), "")),
            "" | "cluster" => ("", url.path()),
            _ => return Err(bad("there is redis+sentinel and redis+cluster, no other")),
        };
        check_parameters(&url, is_tls, kind == "sentinel")?;
        if kind == "sentinel" && master.is_empty() {
            return Err(bad(
                "Sentinels need to be told the name of the master: …/mymaster",
            ));
        }
        if kind == "cluster" && !matches!(database, "" | "0") {
            return Err(bad("a cluster has no databases"));
        }
        if kind.is_empty() && url.hosts().len() > 1 {
            return Err(bad("several hosts go with redis+sentinel or redis+cluster"));
        }
        let database = match database.trim_end_matches('/') {
            "" => 0,
            number => number
                .parse::<u32>()
                .map_err(|_| bad("its database is not a number"))?,
        };
        let port_default = match kind {
            "sentinel" => SENTINEL_PORT,
            _ => SERVER_PORT,
        };
        let nodes = url.hosts().iter();
        let nodes = nodes
            .map(|host| node(host, port_default, is_tls))
            .collect::<Result<Vec<_>, _>>()?;
        let names: Vec<String> = nodes.iter().map(written).collect();
        let names = names.join(",");
        let location = match kind {
            "sentinel" => format!("{scheme}://{names}/{master}/{database}"),
            "cluster" => format!("{scheme}://{names}"),
            _ => format!("{scheme}://{names}/{database}"),
        };
        let parameter = |name: &str| url.parameter(name).map(str::to_owned);
        let file = |name: &str| parameter(name).map(PathBuf::from);
        let kind = match kind {
            "sentinel" => Kind::Sentinel {
                master: master.to_owned(),
                username: parameter("sentinel_username"),
                password: parameter("sentinel_password"),
            },
            "cluster" => Kind::Cluster,
            _ => Kind::Server,
        };
        Ok(Address {
            kind,
            login: login(&url, database.into()),
            nodes,
            tls: TlsFiles {
                ca: file("ca_file"),
                certificate: file("cert_file"),
                key: file("key_file"),
            },
            confirmation: confirmation(&url),
            location,
        })
    }
}

/// The server or servers of a URL for people to read, without secrets.
///
/// # Errors
/// [`ConnectError::Url`] for a URL that [`RedisOptions::connect`](crate::RedisOptions::connect) would refuse.
///
/// ```
/// let url = "redis+sentinel://app:secret@a,b:1234,c/mymaster/2";
/// assert_eq!(sexton_redis::location(url)?, "redis+sentinel://a:26379,b:1234,c:26379/mymaster/2");
/// assert_eq!(sexton_redis::location("rediss://:secret@h/")?, "rediss://h:6379/0");
/// assert!(sexton_redis::location("redis+sentinel://a:26379/").is_err());
/// # Ok::<(), sexton_redis::ConnectError>(())
/// ```
pub fn location(url: &str) -> Result<String, ConnectError> {
    Address::parse(url).map(|address| address.location)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_whole() {
        for (url, expected) in [
            ("redis://h", "redis://h:6379/0"),
            ("redis://u:p%40@h:1/3", "redis://h:1/3"),
            ("redis://[::1]:7/", "redis://[::1]:7/0"),
            ("rediss://h?ca_file=/a%20b", "rediss://h:6379/0"),
            ("redis+cluster://a:1,b:2", "redis+cluster://a:1,b:2"),
            ("rediss+cluster://u:p@a:1/0", "rediss+cluster://a:1"),
            (
                "redis+sentinel://a,[::1]/m",
                "redis+sentinel://a:26379,[::1]:26379/m/0",
            ),
        ] {
            let found = location(url);
            assert_eq!(found.as_deref().ok(), Some(expected), "{url}: {found:?}");
        }
        let address = Address::parse("redis+sentinel://u:p@a/m/4?sentinel_password=x%26y").unwrap();
        assert_eq!(
            (address.login.username(), address.login.password()),
            (Some("u"), Some("p"))
        );
        assert_eq!(address.login.db(), 4);
        let Kind::Sentinel { password, .. } = address.kind else {
            panic!("{:?}", address.kind);
        };
        assert_eq!(password.as_deref(), Some("x&y"));
        let waiting = Address::parse("redis://h?wait_for_replicas=2&wait_ms=50").unwrap();
        let limit = Duration::from_millis(50);
        let replicas = Some(Confirmation::Replicas { replicas: 2, limit });
        assert_eq!(waiting.confirmation, replicas);
    }

    #[test]
    fn a_url_that_cannot_be_used_is_answered_without_repeating_it() {
        for url in [
            "hunter2",
            "http://u:hunter2@h",
            "redis+other://u:hunter2@h",
            "redis://u:hunter2@",
            "redis://u:hunter2@h:port",
            "redis://u:hunter2@h/x",
            "redis://u:hunter2@a,b/",
            "redis://u:hunter2/@h",
            "redis://u:hunter2#@h",
            "redis://u:hunter2?@h",
            "redis://u:hunter2@@h",
            "redis://u:hunter2%@h",
            "redis://u:hunter2@h?ca_file=x",
            "rediss://u:hunter2@h?cert_file=x",
            "redis://h?password=hunter2",
            "redis+sentinel://u:hunter2@h",
            "redis+cluster://u:hunter2@h/2",
            "redis://:hunter2@h?wait_for_replicas=x",
            "redis://:hunter2@h?wait_ms=5",
            "redis://h?sentinel_password=hunter2",
            "redis+sentinel://h/m?sentinel_password=hunter2@x",
            "redis://u:hunter2@/0",
            "redis://u:hunter2@h/-1",
            "redis://:hunter2@h?wait_for_replicas=1&wait_for_append_only_files=1",
        ] {
            let error = location(url).unwrap_err();
            assert!(
                !format!("{error} {error:?}").contains("hunter2"),
                "{error:?}"
            );
        }
    }
}
