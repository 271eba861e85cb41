//! HTTP requests, over real sockets: what is sent, which answers count, and that no secret is told.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ended, Program, sexton};
use crate::server::{Server, reply};

struct Requesting {
    program: Program,
    _folder: TempDir,
}

/// A program that sends this request all the time, one after the other.
fn request(http: &str, more: &str, variables: &[(&str, &str)]) -> Requesting {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[store]\nurl = \"memory:\"\n[[task]]\nname = \"prüfen\"\nevery = \"200ms\"\noverlap = \"skip\"\n\
         {more}\nhttp = {http}\n"
    );
    std::fs::write(folder.path().join("tasks.toml"), text).unwrap();
    let mut command = sexton(folder.path(), ["run", "--log-format", "json", "tasks.toml"]);
    let program = Program::start(command.envs(variables.iter().copied()));
    Requesting {
        program,
        _folder: folder,
    }
}

impl Requesting {
    fn end(&mut self) -> Value {
        self.program.finished("prüfen")
    }

    fn stop(self) -> Ended {
        self.program.stop()
    }
}

#[test]
fn a_request_says_who_asks_and_for_which_tick() {
    let server = Server::start(|_, connection| reply(connection, "200 OK", "", "done\n"));
    let http = format!(
        "{{ url = \"{}/warm?a=b\", method = \"PUT\", headers = {{ X-Own = \"${{TOKEN}}\" }}, body = \"{{\\\"a\\\": 1}}\" }}",
        server.url
    );
    let mut requesting = request(&http, "", &[("TOKEN", "hunter2")]);
    let instance = requesting.program.began();
    let end = requesting.end();
    let request = server.request();
    assert_eq!(request.line, "PUT /warm?a=b HTTP/1.1");
    assert_eq!(request.body, "{\"a\": 1}");
    let tick = end["tick"].as_str();
    for (name, value) in [
        ("x-own", Some("hunter2")),
        ("sexton-tick", tick),
        ("sexton-concurrency-index", Some("1")),
        ("sexton-concurrency", Some("1")),
        ("sexton-fence", Some("1")),
        ("sexton-attempt", Some("1")),
        ("sexton-instance", Some(instance.as_str())),
        (
            "user-agent",
            Some(concat!("sexton/", env!("CARGO_PKG_VERSION"))),
        ),
    ] {
        assert_eq!(request.header(name), value, "{name}");
    }
    assert_eq!(
        request.header("sexton-task").map(str::as_bytes),
        Some("prüfen".as_bytes())
    );
    assert_eq!(end["outcome"], "succeeded");
    assert_eq!(end["output"], "HTTP 200 OK\ndone\n");
    let ended = requesting.stop();
    assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
}

#[test]
fn only_accepted_statuses_are_a_success() {
    for (status, accept, error) in [
        ("201 Created", "", Value::Null),
        ("404 Not Found", "", json!("HTTP 404: accepted are 2xx")),
        ("404 Not Found", ", accept = [\"2xx\", 404]", Value::Null),
        (
            "200 OK",
            ", accept = [201, \"300-302\"]",
            json!("HTTP 200: accepted are 201, 300-302"),
        ),
    ] {
        let server = Server::start(move |_, connection| reply(connection, status, "", "body"));
        let http = format!("{{ url = \"{}\"{accept} }}", server.url);
        let end = request(&http, "", &[]).end();
        assert_eq!(end["error"], error, "{status} {accept}");
        assert_eq!(end["output"], format!("HTTP {status}\nbody"));
    }
}

#[test]
fn redirects_are_followed_and_not_for_ever() {
    let server = Server::start(|request, connection| match request.line.as_str() {
        "GET /once HTTP/1.1" => reply(connection, "302 Found", "Location: /there\r\n", ""),
        "GET /there HTTP/1.1" => reply(connection, "200 OK", "", "there"),
        _ => reply(
            connection,
            "302 Found",
            "Location: /loop?token=hunter2\r\n",
            "",
        ),
    });
    let end = request(&format!("{{ url = \"{}/once\" }}", server.url), "", &[]).end();
    assert_eq!(end["output"], "HTTP 200 OK\nthere");
    let url = format!("{}/loop", server.url);
    let mut requesting = request(&format!("{{ url = \"{url}\" }}"), "", &[]);
    let end = requesting.end();
    assert_eq!(end["outcome"], "failed");
    let error = end["error"].as_str().unwrap();
    assert!(
        error.starts_with(&format!("GET {url}: no answer: ")),
        "{error}"
    );
    assert!(error.contains("redirect"), "{error}");
    let ended = requesting.stop();
    assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
}

#[test]
fn a_secret_in_the_url_is_not_told_whatever_goes_wrong() {
    // Nobody listens on a port that was bound and let go.
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nonsense = Server::start(|_, connection| {
        let _ = connection.write_all(b"this is not HTTP\r\n\r\n");
    });
    let short = Server::start(|_, connection| {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
    });
    let closed = format!("http://{closed}");
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

#[test]
fn who_does_not_answer_is_not_waited_for_longer_than_said() {
    let server = Server::start(|_, connection| {
        // Waits for the client to hang up.
        let _ = connection.read(&mut [0]);
    });
    let http = |timeout: &str| format!("{{ url = \"{}\"{timeout} }}", server.url);
    let end = request(&http(", timeout = \"200ms\""), "", &[]).end();
    assert_eq!(end["outcome"], "failed");
    assert!(
        end["error"].as_str().unwrap().contains("timed out"),
        "{end}"
    );
    let end = request(&http(", timeout = \"1h\""), "timeout = \"200ms\"", &[]).end();
    assert_eq!(end["outcome"], "timed_out", "{end}");
}

#[test]
fn the_end_of_a_long_answer_is_kept_and_no_more_read_than_bounded() {
    let server = Server::start(|request, connection| {
        if request.line.contains("/long") {
            reply(
                connection,
                "200 OK",
                "",
                &("x".repeat(500_000) + "the end é"),
            );
        } else {
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            // Ends when the client hangs up.
            while connection.write_all(&[b'y'; 10_000]).is_ok() {}
        }
    });
    let end = request(&format!("{{ url = \"{}/long\" }}", server.url), "", &[]).end();
    let output = end["output"].as_str().unwrap();
    assert!(output.ends_with("xxxthe end é"), "{}", output.len());
    assert!(output.len() <= sexton_core::lock::Settlement::OUTPUT_BYTES_MAX);
    let end = request(&format!("{{ url = \"{}/endless\" }}", server.url), "", &[]).end();
    assert_eq!(end["outcome"], "succeeded");
}
