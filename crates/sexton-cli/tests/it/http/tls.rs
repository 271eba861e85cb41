//! A request's own authority, client certificate and proxy.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};

use rustix::process::Signal;
use serde_json::Value;

use super::certificates::Authority;
use super::{Requesting, closed_port, request_in};
use crate::program::LIMIT;
use crate::ran::Folder;
use crate::server::{Server, reply};

fn greeting(authority: &Authority, clients: Option<&Authority>) -> Server {
    let config = authority.server(clients);
    Server::start_tls(config, |_, connection| {
        reply(connection, "200 OK", "", "hello");
    })
}

/// A program in a folder with `ca.pem`, `client.pem` and `client.key` of these authorities.
fn requesting(http: &str, ca: &Authority, clients: &Authority) -> Requesting {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
    clients.write_client(folder.path());
    request_in(folder, http, "", &[])
}

#[test]
fn a_request_trusts_the_authority_that_it_names_and_no_other() {
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let server = greeting(&ours, None);
    let http = format!("{{ url = \"{}\", ca = \"ca.pem\" }}", server.url);
    let end = requesting(&http, &ours, &ours).end();
    assert_eq!(end["output"], "HTTP 200 OK\nhello");
    for end in [
        requesting(&http, &others, &ours).end(),
        requesting(&format!("{{ url = \"{}\" }}", server.url), &ours, &ours).end(),
    ] {
        let error = end["error"].as_str().unwrap();
        assert!(
            error.contains("no trusted authority has signed the certificate"),
            "{error}"
        );
        assert!(error.contains("`ca`"), "{error}");
    }
}

#[test]
fn a_request_says_who_it_is_by_its_certificate() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let server = greeting(&servers, Some(&clients));
    let http = |more: &str| format!("{{ url = \"{}\", ca = \"ca.pem\"{more} }}", server.url);
    let own = http(", certificate = \"client.pem\", key = \"client.key\"");
    let end = requesting(&own, &servers, &clients).end();
    assert_eq!(end["output"], "HTTP 200 OK\nhello");
    for end in [
        requesting(&http(""), &servers, &clients).end(),
        requesting(&own, &servers, &servers).end(),
    ] {
        assert_eq!(end["outcome"], "failed", "{end}");
    }
}

#[test]
fn a_redirect_never_leads_out_of_tls() {
    let plain = Server::start(|_, connection| reply(connection, "200 OK", "", ""));
    let authority = Authority::new("ours");
    let target = format!("Location: {}/\r\n", plain.url);
    let server = Server::start_tls(authority.server(None), move |_, connection| {
        reply(connection, "302 Found", &target, "");
    });
    let http = format!(
        "{{ url = \"{}\", ca = \"ca.pem\", redirects = 5 }}",
        server.url
    );
    let end = requesting(&http, &authority, &authority).end();
    let error = end["error"].as_str().unwrap();
    assert!(
        error.contains("it leads to another scheme, host or port"),
        "{error}"
    );
    assert!(plain.request_so_far().is_none());
}

#[test]
fn authorities_are_read_when_the_file_is_and_a_change_counts_from_the_next_reading() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let server = greeting(&new, None);
    for field in [", ca = \"ca.pem\"", ""] {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, old.pem()).unwrap();
        let variables: &[_] = match field {
            "" => &[("SSL_CERT_FILE", ca.to_str().unwrap())],
            _ => &[],
        };
        let http = format!("{{ url = \"{}\"{field} }}", server.url);
        let mut requesting = request_in(folder, &http, "", variables);
        assert_eq!(requesting.end()["outcome"], "failed");
        std::fs::write(&ca, new.pem()).unwrap();
        requesting.program.signal(Signal::HUP);
        requesting.program.wait("reloaded", |_| true);
        let succeeded = |event: &Value| event["outcome"] == "succeeded";
        requesting.program.wait("finished", succeeded);
    }
}

/// A proxy for tunnels: tells what each client says before its tunnel begins.
fn tunnels() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, heads) = channel();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let mut head = String::new();
            let mut reader = BufReader::new(client.try_clone().unwrap());
            while !head.ends_with("\r\n\r\n") {
                assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
            }
            let target = head.split(' ').nth(1).unwrap();
            let server = TcpStream::connect(target).unwrap();
            (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let (to_server, to_client) = (server.try_clone().unwrap(), client);
            std::thread::spawn(move || std::io::copy(&mut reader, &mut &to_server));
            std::thread::spawn(move || std::io::copy(&mut &server, &mut &to_client));
            sender.send(head).unwrap();
        }
    });
    (url, heads)
}

#[test]
fn a_proxy_sees_the_host_of_an_https_request_and_nothing_else() {
    let authority = Authority::new("ours");
    let server = greeting(&authority, None);
    let (proxy, heads) = tunnels();
    let proxy = proxy.replace("http://", "http://bob:pw@");
    let http = format!(
        "{{ url = \"{}/path?token=hunter2\", headers = {{ X-Api-Key = \"hunter2\" }}, ca = \"ca.pem\", proxy = \"{proxy}\" }}",
        server.url
    );
    let end = requesting(&http, &authority, &authority).end();
    assert_eq!(end["output"], "HTTP 200 OK\nhello");
    let request = server.request();
    assert_eq!(request.header("x-api-key"), Some("hunter2"));
    assert_eq!(request.header("proxy-authorization"), None);
    let head = heads.recv_timeout(LIMIT).unwrap();
    let host = server.url.strip_prefix("https://").unwrap();
    assert!(
        head.starts_with(&format!("CONNECT {host} HTTP/1.1\r\n")),
        "{head}"
    );
    assert!(
        !head.contains("hunter2") && !head.contains("sexton-task"),
        "{head}"
    );
}

#[test]
fn files_that_cannot_be_used_are_told_by_check_with_their_line() {
    let (one, other) = (Authority::new("one"), Authority::new("other"));
    let folder = Folder::new()
        .file("ca.pem", one.pem())
        .file("none.pem", "nothing of the kind")
        .file(
            "bad.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        );
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    one.write_client(folder.path());
    std::fs::rename(
        folder.path().join("client.key"),
        folder.path().join("other.key"),
    )
    .unwrap();
    other.write_client(folder.path());
    for (fields, error) in [
        (
            "ca = \"away.pem\"",
            "the file `away.pem` cannot be read: No such file or directory",
        ),
        (
            "ca = \"/\"",
            "the file `/` cannot be read: it is not a file",
        ),
        (
            "ca = \"pipe\"",
            "the file `pipe` cannot be read: it is not a file",
        ),
        (
            "ca = \"none.pem\"",
            "the file `none.pem` cannot be used: there is no certificate in it",
        ),
        (
            "ca = \"bad.pem\"",
            "the file `bad.pem` cannot be used: certificate 1 in it cannot be used",
        ),
        ("ca = \"\"", "the path is empty"),
        (
            "certificate = \"client.pem\"",
            "`certificate` and `key` go together",
        ),
        (
            "key = \"client.key\"",
            "`certificate` and `key` go together",
        ),
        (
            "certificate = \"client.pem\", key = \"client.pem\"",
            "the file `client.pem` cannot be used: there is no private key in it",
        ),
        (
            "certificate = \"client.pem\", key = \"other.key\"",
            "the file `other.key` cannot be used: the key does not go with the certificate",
        ),
        ("proxy = \"socks5://h\"", "this URL cannot be requested"),
    ] {
        let text = format!(
            "[[task]]\nname = \"a\"\nevery = \"1h\"\nhttp = {{ url = \"https://h/\", {fields} }}\n"
        );
        std::fs::write(folder.path().join("tasks.toml"), text).unwrap();
        let ran = folder.run(&["check", "tasks.toml"]);
        assert_eq!(ran.code, Some(2), "{fields}: {ran}");
        assert!(ran.stderr.contains(error), "{fields}: {ran}");
        assert!(ran.stderr.contains("tasks.toml:4:"), "{fields}: {ran}");
    }
    let text =
        "[[task]]\nname = \"a\"\nevery = \"1h\"\nhttp = { url = \"http://h/\", ca = \"ca.pem\" }\n";
    std::fs::write(folder.path().join("tasks.toml"), text).unwrap();
    let ran = folder.run(&["check", "tasks.toml"]);
    assert!(
        ran.stderr.contains("this means nothing without TLS"),
        "{ran}"
    );
}

#[test]
fn a_proxy_stands_between_unless_the_task_wants_none() {
    let proxy = Server::start(|request, connection| {
        let body = format!(
            "{} for {:?}",
            request.line,
            request.header("proxy-authorization")
        );
        reply(connection, "200 OK", "", &body);
    });
    let server = Server::start(|_, connection| reply(connection, "200 OK", "", "direct"));
    let at = proxy.url.replace("http://", "http://bob:hunter2@");
    let through = format!(
        "HTTP 200 OK\nGET {}/ HTTP/1.1 for Some(\"Basic Ym9iOmh1bnRlcjI=\")",
        server.url
    );
    let environment = [("http_proxy", at.as_str())];
    for (field, variables, output) in [
        (format!(", proxy = \"{at}\""), &[][..], through.as_str()),
        (String::new(), &environment[..], &through),
        (
            ", proxy = \"none\"".to_owned(),
            &environment[..],
            "HTTP 200 OK\ndirect",
        ),
        (
            ", proxy = \"\"".to_owned(),
            &environment[..],
            "HTTP 200 OK\ndirect",
        ),
    ] {
        let http = format!("{{ url = \"{}/\"{field} }}", server.url);
        let mut requesting = super::request(&http, "", variables);
        assert_eq!(requesting.end()["output"], output, "{field}");
        let ended = requesting.stop();
        assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
    }
}

#[test]
fn the_password_of_a_proxy_that_is_away_is_not_told() {
    let closed = closed_port();
    for url in ["http://h.invalid/", "https://h.invalid/"] {
        let http = format!("{{ url = \"{url}\", proxy = \"http://bob:hunter2@{closed}\" }}");
        let mut requesting = super::request(&http, "", &[("SEXTON_LOG", "trace")]);
        let end = requesting.end();
        assert_eq!(end["outcome"], "failed");
        let ended = requesting.stop();
        assert!(!format!("{end} {ended:?}").contains("hunter2"), "{ended:?}");
    }
}
