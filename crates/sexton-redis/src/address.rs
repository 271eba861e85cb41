//! Where a server is, as a URL says it.

use std::path::PathBuf;
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};
use sexton_core::url::check_login;

use crate::confirmation::Confirmation;
use crate::error::ConnectError;

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

/// One node, as the driver reads it. What it says of a URL that it cannot read may repeat a
/// password.
fn node(
    scheme: &str,
    login: &str,
    host: &str,
    database: &str,
) -> Result<ConnectionInfo, ConnectError> {
    let url = format!("{scheme}://{login}{host}/{database}");
    url.into_connection_info()
        .map_err(|_| bad("a host, a login or a database in it cannot be read"))
}

struct Parameters {
    tls: TlsFiles,
    replicas: Option<u32>,
    files: Option<u32>,
    limit: Option<Duration>,
    sentinel_username: Option<String>,
    sentinel_password: Option<String>,
}

fn parameters(query: &str, is_tls: bool, is_sentinel: bool) -> Result<Parameters, ConnectError> {
    let mut found = Parameters {
        tls: TlsFiles::default(),
        replicas: None,
        files: None,
        limit: None,
        sentinel_username: None,
        sentinel_password: None,
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_encoding::percent_decode_str(value)
            .decode_utf8()
            .map_err(|_| bad("a parameter in it is not UTF-8"))?
            .into_owned();
        let number = || {
            value
                .parse::<u32>()
                .map_err(|_| bad("a parameter in it is to be a number"))
        };
        match name {
            "wait_for_replicas" => found.replicas = Some(number()?),
            "wait_for_append_only_files" => found.files = Some(number()?),
            "wait_ms" => found.limit = Some(Duration::from_millis(number()?.into())),
            "ca_file" if is_tls => found.tls.ca = Some(value.into()),
            "cert_file" if is_tls => found.tls.certificate = Some(value.into()),
            "key_file" if is_tls => found.tls.key = Some(value.into()),
            "sentinel_username" if is_sentinel => found.sentinel_username = Some(value),
            "sentinel_password" if is_sentinel => found.sentinel_password = Some(value),
            _ => {
                return Err(bad(
                    "it has a parameter that is none: there are wait_for_replicas, wait_for_append_only_files and wait_ms, ca_file, cert_file and key_file for rediss, \
                     sentinel_username and sentinel_password for Sentinel",
                ));
            }
        }
    }
    if found.tls.certificate.is_some() != found.tls.key.is_some() {
        return Err(bad("cert_file and key_file go together"));
    }
    if found.replicas.is_some() && found.files.is_some() {
        return Err(bad(
            "wait_for_append_only_files waits for the replicas' files already: leave wait_for_replicas out",
        ));
    }
    if found.limit.is_some() && found.replicas.is_none() && found.files.is_none() {
        return Err(bad("wait_ms goes with what is waited for"));
    }
    Ok(found)
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
        let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("it has no ://"))?;
        check_login(url).map_err(|error| bad(error.to_string()))?;
        let (security, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let is_tls = match security {
            "redis" => false,
            "rediss" => true,
            _ => return Err(bad("it begins with neither redis nor rediss")),
        };
        if !matches!(kind, "" | "sentinel" | "cluster") {
            return Err(bad("there is redis+sentinel and redis+cluster, no other"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (format!("{login}@"), rest),
            None => (String::new(), rest),
        };
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let parameters = parameters(query, is_tls, kind == "sentinel")?;
        let (master, database) = match kind {
            "sentinel" => path.split_once('/').unwrap_or((path, "")),
            _ => ("", path),
        };
        if kind == "sentinel" && master.is_empty() {
            return Err(bad(
                "Sentinels need to be told the name of the master: …/mymaster",
            ));
        }
        if kind == "cluster" && !matches!(database, "" | "0") {
            return Err(bad("a cluster has no databases"));
        }
        if kind.is_empty() && hosts.contains(',') {
            return Err(bad("several hosts go with redis+sentinel or redis+cluster"));
        }
        let of_host = |host: &str| {
            let has_port = host
                .rsplit_once(':')
                .is_some_and(|(_, port)| !port.ends_with(']'));
            match kind {
                "sentinel" if !has_port => {
                    node(security, &login, &format!("{host}:26379"), database)
                }
                _ => node(security, &login, host, database),
            }
        };
        if hosts.is_empty() {
            return Err(bad("it names no host"));
        }
        let infos = hosts
            .split(',')
            .map(of_host)
            .collect::<Result<Vec<_>, _>>()?;
        let nodes: Vec<ConnectionAddr> = infos.iter().map(|info| info.addr().clone()).collect();
        let login = infos
            .first()
            .map(|info| info.redis_settings().clone())
            .unwrap_or_default();
        let names: Vec<String> = nodes.iter().map(written).collect();
        let names = names.join(",");
        let location = match kind {
            "sentinel" => format!("{scheme}://{names}/{master}/{}", login.db()),
            "cluster" => format!("{scheme}://{names}"),
            _ => format!("{scheme}://{names}/{}", login.db()),
        };
        let kind = match kind {
            "sentinel" => Kind::Sentinel {
                master: master.to_owned(),
                username: parameters.sentinel_username,
                password: parameters.sentinel_password,
            },
            "cluster" => Kind::Cluster,
            _ => Kind::Server,
        };
        let limit = parameters.limit.unwrap_or(WAIT_LIMIT_DEFAULT);
        let confirmation = match (parameters.replicas, parameters.files) {
            (Some(replicas), _) => Some(Confirmation::Replicas { replicas, limit }),
            (None, Some(replicas)) => Some(Confirmation::AppendOnlyFiles { replicas, limit }),
            (None, None) => None,
        };
        let tls = parameters.tls;
        Ok(Address {
            kind,
            login,
            nodes,
            tls,
            confirmation,
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
