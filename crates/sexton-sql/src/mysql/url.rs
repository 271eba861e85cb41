//! Which server and database a URL means.

use std::str::FromStr;

use sexton_core::url::{Parameter, StoreUrl, UrlError};
use sqlx::mysql::MySqlConnectOptions;

use crate::error::OpenError;

const SSL_MODES: &[&str] = &[
    "DISABLED",
    "PREFERRED",
    "REQUIRED",
    "VERIFY_CA",
    "VERIFY_IDENTITY",
];
/// What may be said behind the `?`; the driver would pass over anything else. Character set and
/// time zone are ours to choose.
const PARAMETERS: [Parameter; 10] = [
    Parameter::word("ssl-mode", SSL_MODES),
    Parameter::word("sslmode", SSL_MODES),
    Parameter::text("ssl-ca"),
    Parameter::text("sslca"),
    Parameter::text("ssl-cert"),
    Parameter::text("sslcert"),
    Parameter::text("ssl-key"),
    Parameter::text("sslkey"),
    Parameter::text("socket"),
    Parameter::number("statement-cache-capacity"),
];

/// Reads a URL. What is said about a bad one never shows it: it may have a password in it.
pub(super) fn parse(url: &str) -> Result<MySqlConnectOptions, OpenError> {
    let bad = |problem: String| OpenError::BadMySqlUrl { problem };
    let unread = |error: UrlError| bad(error.to_string());
    if !url.starts_with("mysql://") && !url.starts_with("mariadb://") {
        return Err(bad("it does not begin with mysql://".to_owned()));
    }
    let parts = StoreUrl::parse(url).map_err(unread)?;
    if parts.hosts().len() > 1 {
        let problem = "it names several hosts: write one, and for a failover one that leads to the primary at the time";
        return Err(bad(problem.to_owned()));
    }
    parts.check_parameters(&PARAMETERS).map_err(unread)?;
    MySqlConnectOptions::from_str(url).map_err(|error| bad(said(&error)))
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
    fn a_url_names_server_and_database() {
        let options =
            parse("mariadb://us%2Fer:pass@db.example:3307/app?ssl-mode=REQUIRED").unwrap();
        assert_eq!(options.get_host(), "db.example");
        assert_eq!(options.get_port(), 3307);
        assert_eq!(options.get_database(), Some("app"));
        assert_eq!(options.get_username(), "us/er");
    }

    #[test]
    fn a_bad_url_is_told_what_is_wrong_with_it_without_its_password() {
        insta::assert_snapshot!(refused("postgres://u:secret@h/app"), @r#"this is not the URL of a MySQL database: it does not begin with mysql://; write mysql://USER:PASSWORD@HOST:PORT/DATABASE"#);
        insta::assert_snapshot!(refused("mysql://u:secret@h:port/app"), @r#"this is not the URL of a MySQL database: a port in it is not a number from 1 to 65535; write mysql://USER:PASSWORD@HOST:PORT/DATABASE"#);
        insta::assert_snapshot!(refused("mysql://u:secret@h/app?ssl-mode=perhaps"), @r#"this is not the URL of a MySQL database: ssl-mode must be one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY; write mysql://USER:PASSWORD@HOST:PORT/DATABASE"#);
        insta::assert_snapshot!(refused("mysql://u:sec?ret@h/app"), @r#"this is not the URL of a MySQL database: the user or the password has a `?`: percent-encode it, as %3F; write mysql://USER:PASSWORD@HOST:PORT/DATABASE"#);
        insta::assert_snapshot!(refused("mysql://u:secret@h/app?charset=latin1"), @r#"this is not the URL of a MySQL database: unknown parameter "charset"; expected one of ssl-mode, sslmode, ssl-ca, sslca, ssl-cert, sslcert, ssl-key, sslkey, socket, statement-cache-capacity; write mysql://USER:PASSWORD@HOST:PORT/DATABASE"#);
    }
}
