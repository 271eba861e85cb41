//! Whether what is sent to a store is kept from others on the way.

use std::net::IpAddr;

use sexton_core::url;

use crate::secret::Secret;
use crate::store_url::StoreUrl;

/// A warning if the store is on another host, and its URL does not ask for TLS by which the host
/// proves who it is.
pub(crate) fn warning(url: &StoreUrl) -> Option<String> {
    let (secret, advice) = match url {
        StoreUrl::Sqlite(_) | StoreUrl::Memory => return None,
        StoreUrl::Redis(secret) => (secret, "write `rediss` in place of `redis`"),
        StoreUrl::Postgres(secret) => (secret, "add `sslmode=verify-full`"),
        StoreUrl::MySql(secret) => (secret, "add `ssl-mode=VERIFY_IDENTITY`"),
        StoreUrl::MongoDb(secret) => (secret, "add `tls=true`"),
    };
    if hosts(secret.written()).all(is_here) || is_verified(url, secret) {
        return None;
    }
    Some(format!(
        "warning: the store {secret} is on another host, without TLS that is verified: somebody \
         in between can read what is sent, the password too, and answer in its place\n  \
         help: {advice} in its URL; docs/stores/ says how\n"
    ))
}

/// The hosts of a URL as a store shows it: without login, with ports.
fn hosts(location: &str) -> impl Iterator<Item = &str> {
    let (_, rest) = location.split_once("://").unwrap_or(("", location));
    // A socket's folder stands where the host would.
    let authority = match rest.starts_with('/') {
        true => rest,
        false => rest.split(['/', '?']).next().unwrap_or(rest),
    };
    authority
        .split(',')
        .map(|host| match host.strip_prefix('[') {
            Some(address) => address.split(']').next().unwrap_or(address),
            None if host.starts_with('/') => host,
            None => host.split(':').next().unwrap_or(host),
        })
}

fn is_here(host: &str) -> bool {
    let is_socket = host.is_empty() || host.starts_with('/') || host.starts_with("%2F");
    let name = host.to_ascii_lowercase();
    let is_loopback = host
        .parse()
        .is_ok_and(|address: IpAddr| address.to_canonical().is_loopback());
    is_socket || is_loopback || name == "localhost" || name.ends_with(".localhost")
}

fn is_verified(url: &StoreUrl, secret: &Secret) -> bool {
    let Ok(parts) = url::StoreUrl::parse(secret.expose()) else {
        return false;
    };
    let parts = parts.lowercase_names();
    let scheme = parts.scheme();
    let set = |names: [&str; 2]| {
        let value = names.into_iter().find_map(|name| parts.parameter(name));
        value.map(|value| value.to_ascii_lowercase().replace('_', "-"))
    };
    let is_on = |name: &str| parts.parameter(name) == Some("true");
    let modes = ["sslmode", "ssl-mode"];
    match url {
        StoreUrl::Sqlite(_) | StoreUrl::Memory => true,
        StoreUrl::Redis(_) => scheme.starts_with("rediss"),
        StoreUrl::Postgres(_) | StoreUrl::MySql(_) => set(modes)
            .is_some_and(|mode| matches!(&*mode, "verify-ca" | "verify-full" | "verify-identity")),
        StoreUrl::MongoDb(_) => {
            let asked = set(["tls", "ssl"]);
            let is_tls = asked.map_or(scheme == "mongodb+srv", |asked| asked == "true");
            is_tls && !is_on("tlsinsecure") && !is_on("tlsallowinvalidcertificates")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn warned(url: &str) -> bool {
        let url = StoreUrl::parse(url, Path::new("")).unwrap();
        let warning = warning(&url);
        assert!(!format!("{warning:?}").contains("hunter2"), "{warning:?}");
        warning.is_some()
    }

    #[test]
    fn only_another_host_without_verified_tls_is_warned_of() {
        for url in [
            "redis://u:hunter2@db.example",
            "redis://10.0.0.1:6380/1",
            "redis+cluster://127.0.0.1,10.0.0.2",
            "postgres://u:hunter2@db.example/app",
            "postgres://u:hunter2@db.example/app?sslmode=require",
            "postgres:///app?host=db.example",
            "mysql://u:hunter2@db.example/app?ssl-mode=REQUIRED",
            "mongodb://u:hunter2@db.example/app",
            "mongodb://u:hunter2@db.example/app?tls=true&tlsAllowInvalidCertificates=true",
        ] {
            assert!(warned(url), "{url}");
        }
        for url in [
            "memory:",
            "sqlite:a.db",
            "redis://localhost",
            "redis://[::1]:7/",
            "redis+sentinel://127.0.0.1,127.0.0.2/m",
            "rediss://u:hunter2@db.example",
            "postgres://u:hunter2@127.0.0.1/app",
            "postgres:///app?host=/run/postgresql",
            "postgres://u:hunter2@db.example/app?sslmode=verify-full",
            "mysql://u:hunter2@db.example/app?ssl-mode=VERIFY_IDENTITY",
            "mongodb://u:hunter2@db.example/app?tls=true",
        ] {
            assert!(!warned(url), "{url}");
        }
    }
}
