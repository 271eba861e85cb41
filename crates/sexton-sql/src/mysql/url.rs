//! Which server and database a URL means.

use std::str::FromStr;

use sexton_core::url::check_login;
use sqlx::mysql::MySqlConnectOptions;

use crate::error::OpenError;

/// What may be said behind the `?`; the driver would pass over anything else. Character set and
/// time zone are ours to choose.
const PARAMETERS: [&str; 10] = [
    "ssl-mode",
    "sslmode",
    "ssl-ca",
    "sslca",
    "ssl-cert",
    "sslcert",
    "ssl-key",
    "sslkey",
    "socket",
    "statement-cache-capacity",
];

/// Reads a URL. What is said about a bad one never shows it: it may have a password in it.
pub(super) fn parse(url: &str) -> Result<MySqlConnectOptions, OpenError> {
    let bad = |problem: String| OpenError::BadMySqlUrl { problem };
    if !url.starts_with("mysql://") && !url.starts_with("mariadb://") {
        return Err(bad("it does not begin with mysql://".to_owned()));
    }
    check_login(url).map_err(|error| bad(error.to_string()))?;
    let query = url.split_once('?').map_or("", |(_, query)| query);
    if query.contains('@') {
        let problem =
            "it has an @ behind its ?: percent-encode it, as %40, or what comes before it, as %3F";
        return Err(bad(problem.to_owned()));
    }
    let keys = query.split('&').filter(|pair| !pair.is_empty());
    for key in keys.map(|pair| pair.split_once('=').map_or(pair, |(key, _)| key)) {
        if !PARAMETERS.contains(&key) {
            let known = PARAMETERS.join(", ");
            return Err(bad(format!(
                "it has the parameter {key:?}; known are {known}"
            )));
        }
    }
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
        insta::assert_snapshot!(refused("mysql://u:secret@h:port/app"), @r#"this is not the URL of a MySQL database: invalid port number; write mysql://USER:PASSWORD@HOST:PORT/DATABASE"#);
        insta::assert_snapshot!(refused("mysql://u:secret@h/app?ssl-mode=perhaps"), @r#"this is not the URL of a MySQL database: unknown value "perhaps" for `ssl_mode`; write mysql://USER:PASSWORD@HOST:PORT/DATABASE"#);
        insta::assert_snapshot!(refused("mysql://u:sec?ret@h/app"), @r#"this is not the URL of a MySQL database: the user or the password has a `?`: percent-encode it, as %3F; write mysql://USER:PASSWORD@HOST:PORT/DATABASE"#);
        insta::assert_snapshot!(refused("mysql://u:secret@h/app?charset=latin1"), @r#"this is not the URL of a MySQL database: it has the parameter "charset"; known are ssl-mode, sslmode, ssl-ca, sslca, ssl-cert, sslcert, ssl-key, sslkey, socket, statement-cache-capacity; write mysql://USER:PASSWORD@HOST:PORT/DATABASE"#);
    }
}
