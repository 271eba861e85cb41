//! Which server and database a URL means.

use std::borrow::Cow;
use std::str::FromStr;

use sexton_core::url::check_login;
use sqlx::postgres::PgConnectOptions;

use crate::error::OpenError;

/// What the driver knows; it would pass over anything else with a warning that shows the value.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];
/// What the server's list of sessions shows.
const APPLICATION: &str = "sexton";

/// Reads a URL. What is said about a bad one never shows it: it may have a password in it.
pub(super) fn parse(url: &str) -> Result<PgConnectOptions, OpenError> {
    let bad = |problem: String| OpenError::BadPostgresUrl { problem };
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(bad("it does not begin with postgres://".to_owned()));
    }
    check_login(url).map_err(|error| bad(error.to_string()))?;
    let query = url.split_once('?').map_or("", |(_, query)| query);
    if query.contains('@') {
        let problem =
            "it has an @ behind its ?: percent-encode it, as %40, or what comes before it, as %3F";
        return Err(bad(problem.to_owned()));
    }
    if let Some(problem) = unmet(url, query) {
        return Err(bad(problem.to_owned()));
    }
    let url = without_channel_binding(url);
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let keys = query.split('&').filter(|pair| !pair.is_empty());
    for key in keys.map(|pair| pair.split_once('=').map_or(pair, |(key, _)| key)) {
        if !PARAMETERS.contains(&key) && !key.starts_with("options[") {
            let known = PARAMETERS.join(", ");
            return Err(bad(format!(
                "it has the parameter {key:?}; known are {known}"
            )));
        }
    }
    let options = PgConnectOptions::from_str(&url).map_err(|error| bad(said(&error)))?;
    // No floats are read, and a pooler may refuse a session's settings.
    let options = options.extra_float_digits(None);
    Ok(match options.get_application_name() {
        Some(_) => options,
        None => options.application_name(APPLICATION),
    })
}

/// What libpq knows and is not done here.
fn unmet(url: &str, query: &str) -> Option<&'static str> {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?']).next().unwrap_or_default();
    let hosts = authority
        .rsplit_once('@')
        .map_or(authority, |(_, hosts)| hosts);
    let several = "it names several hosts: write one, and for a failover one that leads to the primary at the time \
        (a virtual address, a DNS name, a proxy)";
    if hosts.contains(',') {
        return Some(several);
    }
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match key {
            "host" | "hostaddr" | "port" if value.contains(',') || value.contains("%2C") => {
                Some(several)
            }
            "target_session_attrs" | "load_balance_hosts" => Some(several),
            "channel_binding" => match value {
                "prefer" | "disable" => None,
                _ => Some(
                    "the driver does not do channel_binding=require: leave it out, and let sslmode=verify-full say who the server is",
                ),
            },
            "connect_timeout" => Some(
                "it has connect_timeout: leave it out, since connecting is part of the limit of a call, 5 s",
            ),
            _ => None,
        }
    })
}

/// The driver would pass over it with a warning.
fn without_channel_binding(url: &str) -> Cow<'_, str> {
    match url.split_once('?') {
        Some((before, query)) if query.contains("channel_binding=") => {
            let pairs = query.split('&');
            let pairs = pairs.filter(|pair| !pair.starts_with("channel_binding="));
            format!("{before}?{}", pairs.collect::<Vec<_>>().join("&")).into()
        }
        _ => url.into(),
    }
}

/// What is wrong, without the driver's own introductions to it.
fn said(error: &sqlx::Error) -> String {
    let error: &dyn std::error::Error = error;
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().unwrap_or(error).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        parse(url).unwrap_err().to_string()
    }

    #[test]
    fn a_url_names_server_database_and_user() {
        let options =
            parse("postgresql://us%2Fer:pass@db.example:5433/app?sslmode=require").unwrap();
        assert_eq!(options.get_host(), "db.example");
        assert_eq!(options.get_port(), 5433);
        assert_eq!(options.get_database(), Some("app"));
        assert_eq!(options.get_username(), "us/er");
        assert_eq!(options.get_application_name(), Some("sexton"));
        let options = parse("postgres://h/app?application_name=billing").unwrap();
        assert_eq!(options.get_application_name(), Some("billing"));
    }

    #[test]
    fn what_libpq_does_and_the_driver_does_not_is_told() {
        for url in [
            "postgres://u:secret@a,b/app",
            "postgres://u:secret@a:5432,b:5433/app",
            "postgres://u:secret@/app?host=a,b",
            "postgres://u:secret@a/app?target_session_attrs=read-write",
        ] {
            let said = refused(url);
            assert!(said.contains("several hosts"), "{url}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
        let said = refused("postgres://u:secret@h/app?channel_binding=require");
        assert!(said.contains("sslmode=verify-full"), "{said}");
        let said = refused("postgres://u:secret@h/app?sslmode=require&connect_timeout=10");
        assert!(said.contains("the limit of a call"), "{said}");
        let options = parse("postgres://u:se,cret@h/app?channel_binding=prefer&dbname=b").unwrap();
        assert_eq!(options.get_database(), Some("b"));
    }

    #[test]
    fn a_bad_url_is_told_what_is_wrong_with_it_without_its_password() {
        insta::assert_snapshot!(refused("mysql://u:secret@h/app"), @r#"this is not the URL of a PostgreSQL database: it does not begin with postgres://; write postgres://USER:PASSWORD@HOST:PORT/DATABASE"#);
        insta::assert_snapshot!(refused("postgres://u:secret@h:port/app"), @r#"this is not the URL of a PostgreSQL database: invalid port number; write postgres://USER:PASSWORD@HOST:PORT/DATABASE"#);
        insta::assert_snapshot!(refused("postgres://u:secret@h/app?sslmode=perhaps"), @r#"this is not the URL of a PostgreSQL database: unknown value "perhaps" for `ssl_mode`; write postgres://USER:PASSWORD@HOST:PORT/DATABASE"#);
        insta::assert_snapshot!(refused("postgres://u:sec?ret@h/app"), @r#"this is not the URL of a PostgreSQL database: the user or the password has a `?`: percent-encode it, as %3F; write postgres://USER:PASSWORD@HOST:PORT/DATABASE"#);
        insta::assert_snapshot!(refused("postgres://u:secret@h/app?sslmod=require"), @r#"this is not the URL of a PostgreSQL database: it has the parameter "sslmod"; known are sslmode, ssl-mode, sslrootcert, ssl-root-cert, ssl-ca, sslcert, ssl-cert, sslkey, ssl-key, statement-cache-capacity, host, hostaddr, port, dbname, user, password, application_name, options; write postgres://USER:PASSWORD@HOST:PORT/DATABASE"#);
    }
}
