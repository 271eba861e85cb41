//! HTTP requests, over real sockets: what is sent, which answers count, and that no secret is told.

mod answers;
mod certificates;
mod redirects;
mod tls;
mod trust;
mod urls;

use std::net::{SocketAddr, TcpListener};

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
    request_in(tempfile::tempdir().unwrap(), http, more, variables)
}

/// The same in a folder that has files already.
fn request_in(folder: TempDir, http: &str, more: &str, variables: &[(&str, &str)]) -> Requesting {
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

/// Nobody listens on a port that was bound and let go.
fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
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
