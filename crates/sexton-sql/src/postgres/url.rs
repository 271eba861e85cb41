//! Which server and database a URL means.

use std::borrow::Cow;
use std::str::FromStr;

use sexton_core::url::{Parameter, StoreUrl, UrlError};
use sqlx::postgres::PgConnectOptions;

use crate::error::OpenError;

const SSL_MODES: &[&str] = &[
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];
/// What the driver does; it would pass over anything else with a warning that shows the value.
const PARAMETERS: [Parameter; 18] = [
    Parameter::word("sslmode", SSL_MODES),
    Parameter::word("ssl-mode", SSL_MODES),
    Parameter::text("sslrootcert"),
    Parameter::text("ssl-root-cert"),
    Parameter::text("ssl-ca"),
    Parameter::text("sslcert"),
    Parameter::text("ssl-cert"),
    Parameter::text("sslkey"),
    Parameter::text("ssl-key"),
    Parameter::number("statement-cache-capacity"),
    Parameter::text("host"),
    Parameter::text("hostaddr"),
    Parameter::number("port"),
    Parameter::text("dbname"),
    Parameter::text("user"),
    Parameter::text("password"),
    Parameter::text("application_name"),
    Parameter::map("options"),
];
/// libpq's, that say what the driver does anyway: see [`unmet`].
const PASSED_OVER: Parameter = Parameter::word("channel_binding", &["prefer", "disable"]);
/// What the server's list of sessions shows.
const APPLICATION: &str = "sexton";

/// Reads a URL. What is said about a bad one never shows it: it may have a password in it.
pub(super) fn parse(url: &str) -> Result<PgConnectOptions, OpenError> {
    let bad = |problem: String| OpenError::BadPostgresUrl { problem };
    let unread = |error: UrlError| bad(error.to_string());
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(bad("it does not begin with postgres://".to_owned()));
    }
    let parts = StoreUrl::parse(url).map_err(unread)?;
    if let Some(problem) = unmet(&parts) {
        return Err(bad(problem.to_owned()));
    }
    let known: Vec<Parameter> = PARAMETERS.into_iter().chain([PASSED_OVER]).collect();
    parts.check_parameters(&known).map_err(unread)?;
    let url = without_channel_binding(url);
    let options = PgConnectOptions::from_str(&url).map_err(|error| bad(said(&error)))?;
    // No floats are read, and a pooler may refuse a session's settings.
    let options = options.extra_float_digits(None);
    Ok(match options.get_application_name() {
        Some(_) => options,
        None => options.application_name(APPLICATION),
    })
}

/// What libpq knows and is not done here.
fn unmet(url: &StoreUrl) -> Option<&'static str> {
    let several = "it names several hosts: write one, and for a failover one that leads to the primary at the time \
        (a virtual address, a DNS name, a proxy)";
    let has = |name: &str| url.parameter(name).is_some();
    let lists = |name: &str| url.parameter(name).is_some_and(|value| value.contains(','));
    let needs_several = ["target_session_attrs", "load_balance_hosts"];
    if url.hosts().len() > 1
        || ["host", "hostaddr", "port"].into_iter().any(lists)
        || needs_several.into_iter().any(has)
    {
        return Some(several);
    }
    if url.parameter("channel_binding") == Some("require") {
        return Some(
            "the driver does not do channel_binding=require: leave it out, and let sslmode=verify-full say who the server is",
        );
    }
    has("connect_timeout").then_some(
        "it has connect_timeout: leave it out, since connecting is part of the limit of a call, 5 s",
    )
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
        insta::assert_snapshot!(refused("postgres://u:secret@h:port/app"), @r#"this is not the URL of a PostgreSQL database: a port in it is not a number from 1 to 65535; write postgres://USER:PASSWORD@HOST:PORT/DATABASE"#);
        insta::assert_snapshot!(refused("postgres://u:secret@h/app?sslmode=perhaps"), @r#"this is not the URL of a PostgreSQL database: sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full; write postgres://USER:PASSWORD@HOST:PORT/DATABASE"#);
        insta::assert_snapshot!(refused("postgres://u:sec?ret@h/app"), @r#"this is not the URL of a PostgreSQL database: the user or the password has a `?`: percent-encode it, as %3F; write postgres://USER:PASSWORD@HOST:PORT/DATABASE"#);
        insta::assert_snapshot!(refused("postgres://u:secret@h/app?sslmod=require"), @r#"this is not the URL of a PostgreSQL database: unknown parameter "sslmod" (did you mean "sslmode"?); expected one of sslmode, ssl-mode, sslrootcert, ssl-root-cert, ssl-ca, sslcert, ssl-cert, sslkey, ssl-key, statement-cache-capacity, host, hostaddr, port, dbname, user, password, application_name, options, channel_binding; write postgres://USER:PASSWORD@HOST:PORT/DATABASE"#);
    }
}
