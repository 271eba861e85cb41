//! Whom the program trusts: the machine's authorities, the same for requests and for stores.

use std::io::{Read as _, Write as _};
use std::process::Command;

use rustix::process::Signal;

use super::certificates::{Authority, Handshakes};
use crate::program::{Program, sexton};
use crate::ran::Folder;
use crate::server::{Server, reply};

const HTTPS: &str = "[store]\nurl = \"memory:\"\n[[task]]\nname = \"ping\"\nevery = \"1h\"\nhttp = { url = \"https://h/\" }\n";
const PLAIN: &str = "[store]\nurl = \"memory:\"\n[[task]]\nname = \"ring\"\nevery = \"100ms\"\nshell = \"echo ring\"\n";
const NO_AUTHORITIES: &str = "error: task \"ping\" in line 3: this machine has no CA certificates, so no https:// URL can be \
    requested: install them (the package `ca-certificates`), or name a file of them by the environment variable SSL_CERT_FILE \
    or the request's field `ca`\n";

/// A folder for a program that finds no certificate on its machine.
fn without_certificates() -> Folder {
    Folder::new().variable("SSL_CERT_FILE", "/nonexistent/ca.pem")
}

#[test]
fn without_certificates_only_what_needs_them_fails_and_check_tells() {
    let folder = without_certificates()
        .file("https.toml", HTTPS)
        .file("plain.toml", PLAIN);
    for command in ["check", "run"] {
        let ran = folder.run(&[command, "https.toml"]);
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(2), NO_AUTHORITIES),
            "{ran}"
        );
    }
    assert_eq!(folder.run(&["check", "plain.toml"]).code, Some(0));
    let mut command = folder.command(&["run", "--log-format", "json", "plain.toml"]);
    let mut program = Program::start(&mut command);
    assert_eq!(program.finished("ring")["outcome"], "succeeded");
}

#[test]
fn a_request_that_needs_no_certificates_is_sent_without_them() {
    let server = Server::start(|_, connection| reply(connection, "200 OK", "", ""));
    let authority = Authority::new("ours");
    let secure = Server::start_tls(authority.server(None), |_, connection| {
        reply(connection, "200 OK", "", "");
    });
    let folder = without_certificates().file("ca.pem", authority.pem());
    for http in [
        format!("{{ url = \"{}\" }}", server.url),
        format!("{{ url = \"{}\", ca = \"ca.pem\" }}", secure.url),
    ] {
        let text = HTTPS
            .replace("{ url = \"https://h/\" }", &http)
            .replace("1h", "100ms");
        std::fs::write(folder.path().join("tasks.toml"), text).unwrap();
        let mut command = folder.command(&["run", "--log-format", "json", "tasks.toml"]);
        let mut program = Program::start(&mut command);
        assert_eq!(program.finished("ping")["outcome"], "succeeded", "{http}");
    }
}

#[test]
fn a_file_read_again_that_needs_certificates_is_refused_and_the_old_one_goes_on() {
    let folder = without_certificates().file("tasks.toml", PLAIN);
    let mut command = folder.command(&["run", "--log-format", "json", "tasks.toml"]);
    let mut program = Program::start(&mut command);
    program.finished("ring");
    std::fs::write(folder.path().join("tasks.toml"), HTTPS).unwrap();
    program.signal(Signal::HUP);
    let told = program.wait("reloaded", |_| true);
    assert!(told.to_string().contains("ca-certificates"), "{told}");
    program.finished("ring");
}

/// A container without `ca-certificates`: nothing under `/etc/ssl`. Needs root, or user namespaces.
#[test]
fn a_machine_without_certificates_is_told_what_to_install() {
    let folder = Folder::new()
        .file("https.toml", HTTPS)
        .file("plain.toml", PLAIN);
    let in_container = |arguments: &str| {
        let script = format!(
            "for d in /etc/ssl /etc/pki /usr/share/ssl /usr/local/ssl; do if [ -d $d ]; then mount -t tmpfs none $d; fi; done; \
             exec {} {arguments}",
            env!("CARGO_BIN_EXE_sexton")
        );
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-ec", &script])
            .current_dir(folder.path())
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR");
        command.output().unwrap()
    };
    for command in ["check", "run"] {
        let ran = in_container(&format!("{command} https.toml"));
        let stderr = String::from_utf8_lossy(&ran.stderr);
        assert_eq!((ran.status.code(), &*stderr), (Some(2), NO_AUTHORITIES));
    }
    let ran = in_container("check plain.toml");
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
}

#[test]
fn one_file_of_authorities_counts_for_requests_and_stores() {
    let (trusted, other) = (Authority::new("trusted"), Authority::new("other"));
    let folder = Folder::new().file("ca.pem", trusted.pem());
    let ca = folder.path().join("ca.pem");
    for (authority, is_taken) in [(&trusted, true), (&other, false)] {
        let server = Server::start_tls(authority.server(None), |_, connection| {
            reply(connection, "200 OK", "", "");
        });
        let text = HTTPS
            .replace("https://h/", &server.url)
            .replace("1h", "100ms");
        std::fs::write(folder.path().join("tasks.toml"), text).unwrap();
        let mut command = sexton(folder.path(), ["run", "--log-format", "json", "tasks.toml"]);
        let mut program = Program::start(command.env("SSL_CERT_FILE", &ca));
        let outcome = if is_taken { "succeeded" } else { "failed" };
        assert_eq!(program.finished("ping")["outcome"], outcome);

        let silent = || Handshakes::start(authority.server(None), |_| Ok(()));
        let (redis, mongodb) = (silent(), silent());
        // To a request for TLS a PostgreSQL server says yes by one letter.
        let postgres = Handshakes::start(authority.server(None), |connection| {
            connection.read_exact(&mut [0; 8])?;
            connection.write_all(b"S")
        });
        for (server, url) in [
            (&redis, format!("rediss://127.0.0.1:{}/", redis.port)),
            (
                &postgres,
                format!(
                    "postgres://u@127.0.0.1:{}/db?sslmode=verify-full",
                    postgres.port
                ),
            ),
            (
                &mongodb,
                format!("mongodb://127.0.0.1:{}/db?tls=true", mongodb.port),
            ),
        ] {
            let mut looking = sexton(folder.path(), ["tasks", "--store", &url]);
            looking.env("SSL_CERT_FILE", &ca);
            let ran = looking.output().unwrap();
            assert_eq!(server.is_taken(), is_taken, "{url}: {ran:?}");
        }
    }
}
