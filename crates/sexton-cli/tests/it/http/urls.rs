//! Where a URL is told, its secrets are not.

use super::{closed_port, request};
use crate::program::{Program, sexton};
use crate::server::Server;

#[test]
fn a_secret_in_the_url_is_not_told_whatever_goes_wrong() {
    let nonsense = Server::start(|_, connection| {
        let _ = connection.write_all(b"this is not HTTP\r\n\r\n");
    });
    let short = Server::start(|_, connection| {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
    });
    let closed = format!("http://{}", closed_port());
    for (base, expected) in [
        (closed.as_str(), ": no answer: "),
        (nonsense.url.as_str(), ": no answer: "),
        (short.url.as_str(), "HTTP 200, and the answer broke off"),
        ("http://${TOKEN}.invalid", ": no answer: "),
    ] {
        let http = format!("{{ url = \"{base}/${{TOKEN}}?key=${{TOKEN}}\" }}");
        let variables = [
            ("TOKEN", "hunter2"),
            ("SEXTON_LOG", "sexton=debug,sexton_cli=debug"),
        ];
        let mut requesting = request(&http, "", &variables);
        let end = requesting.end();
        assert_eq!(end["outcome"], "failed");
        let error = end["error"].as_str().unwrap();
        assert!(error.contains(expected), "{error}");
        let ended = requesting.stop();
        assert!(
            !format!("{end} {ended:?}").contains("hunter2"),
            "{end} {ended:?}"
        );
    }
}

/// A task file whose request and store have literal secrets in their URLs.
fn literal(http: &str) -> String {
    format!(
        "[store]\nurl = \"sqlite:sexton.db\"\n[[task]]\nname = \"a\"\nevery = \"200ms\"\n\
         overlap = \"skip\"\nhttp = {{ url = \"{http}\" }}\n"
    )
}

#[test]
fn a_literal_password_or_key_is_in_no_error_no_log_and_no_history() {
    let short = Server::start(|_, connection| {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
    });
    let short = short.url.strip_prefix("http://").unwrap();
    for (host, error) in [
        (closed_port().to_string(), ": no answer: "),
        (short.to_owned(), "HTTP 200, and the answer broke off"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("http://bob:hunter2@{host}/ring?key=hunter2&hunter2");
        std::fs::write(folder.path().join("tasks.toml"), literal(&url)).unwrap();
        let mut command = sexton(folder.path(), ["run", "--log-format", "json", "tasks.toml"]);
        let mut program = Program::start(command.env("SEXTON_LOG", "trace"));
        let end = program.finished("a");
        assert!(end["error"].as_str().unwrap().contains(error), "{end}");
        if error.starts_with(':') {
            let shown =
                format!("GET http://bob:*******@{host}/ring?key=*******&*******: no answer");
            assert!(end["error"].as_str().unwrap().starts_with(&shown), "{end}");
        }
        let ended = program.stop();
        let mut history = sexton(
            folder.path(),
            ["history", "--output", "--json", "--file", "tasks.toml"],
        );
        let history = history.output().unwrap();
        assert!(history.status.success());
        let history = String::from_utf8(history.stdout).unwrap();
        assert!(history.contains(error), "{history}");
        let mut next = sexton(folder.path(), ["tasks", "--file", "tasks.toml"]);
        let next = next.output().unwrap();
        let all = format!("{end} {ended:?} {history} {next:?}");
        assert!(!all.contains("hunter2"), "{all}");
    }
}
