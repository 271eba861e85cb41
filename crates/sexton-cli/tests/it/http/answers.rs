//! How long an answer may take, and how much of it is read.

use sexton_core::lock::Settlement;

use super::request;
use crate::server::{Server, reply};

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
fn an_answer_that_stops_in_its_middle_is_kept_as_far_as_it_came() {
    let server = Server::start(|_, connection| {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        let _ = connection.read(&mut [0]);
    });
    let http = format!("{{ url = \"{}\", timeout = \"300ms\" }}", server.url);
    let end = request(&http, "", &[]).end();
    let error = "HTTP 200, and the answer timed out: no end within 300ms";
    assert_eq!(end["error"], error);
    assert_eq!(end["output"], "HTTP 200 OK\nhalf");
}

#[test]
fn the_end_of_a_long_answer_is_kept() {
    let server = Server::start(|_, connection| {
        let body = "x".repeat(500_000) + "the end é";
        reply(connection, "200 OK", "", &body);
    });
    let end = request(&format!("{{ url = \"{}\" }}", server.url), "", &[]).end();
    let output = end["output"].as_str().unwrap();
    assert!(output.ends_with("xxxthe end é"), "{}", output.len());
    assert!(output.len() <= Settlement::OUTPUT_BYTES_MAX);
}

/// How many bytes the output tells of: those that it has, and those that were dropped before them.
fn bytes_read(output: &str, note: &str) -> usize {
    let answer = output.strip_prefix("HTTP 200 OK\n").unwrap();
    let answer = answer.strip_suffix(note).unwrap();
    let (dropped, kept) = answer
        .split_once(" bytes before this were dropped]\n")
        .unwrap();
    let dropped: usize = dropped.strip_prefix('[').unwrap().parse().unwrap();
    assert!(
        kept.chars().all(|character| character == 'y'),
        "a piece of the answer, and no more"
    );
    dropped + kept.len()
}

#[test]
fn an_answer_is_read_to_a_bound_and_what_was_not_read_is_told_as_it_is() {
    const MIB: usize = 1024 * 1024;
    let server = Server::start(|request, connection| {
        let headers = match request.line.as_str() {
            "GET /known HTTP/1.1" => "Content-Length: 3145728\r\n",
            _ => "",
        };
        let _ = write!(connection, "HTTP/1.1 200 OK\r\n{headers}\r\n");
        // Ends when the client hangs up, long before all is written.
        while connection.write_all(&[b'y'; 10_000]).is_ok() {}
    });
    for (path, note) in [
        ("known", "\n[the last 2097152 bytes were not read]"),
        (
            "unknown",
            "\n[more than 1048576 bytes: the rest was not read]",
        ),
    ] {
        let end = request(&format!("{{ url = \"{}/{path}\" }}", server.url), "", &[]).end();
        assert_eq!(end["outcome"], "succeeded");
        let output = end["output"].as_str().unwrap();
        assert!(output.len() <= Settlement::OUTPUT_BYTES_MAX);
        assert_eq!(bytes_read(output, note), MIB);
    }
    let http = format!(
        "url = \"{}/unknown\", answer_bytes_max = 2097152",
        server.url
    );
    let end = request(&format!("{{ {http} }}"), "", &[]).end();
    let note = "\n[more than 2097152 bytes: the rest was not read]";
    assert_eq!(bytes_read(end["output"].as_str().unwrap(), note), 2 * MIB);
    let end = request(
        &format!("{{ {http}, answer_too_long = \"fail\" }}"),
        "",
        &[],
    )
    .end();
    let error = "HTTP 200, and the answer is longer than answer_bytes_max = 2097152";
    assert_eq!(end["error"], error);
    assert_eq!(bytes_read(end["output"].as_str().unwrap(), note), 2 * MIB);
}

#[test]
fn an_answer_as_long_as_the_bound_is_read_whole() {
    let server = Server::start(|request, connection| {
        if request.line.starts_with("GET /known ") {
            reply(connection, "200 OK", "", "12345");
        } else {
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n12345");
        }
    });
    for path in ["known", "unknown"] {
        let read = |bytes_max: u32| {
            let http = format!(
                "{{ url = \"{}/{path}\", answer_bytes_max = {bytes_max}, answer_too_long = \"fail\" }}",
                server.url
            );
            request(&http, "", &[]).end()
        };
        let whole = read(5);
        assert_eq!(whole["outcome"], "succeeded");
        assert_eq!(whole["output"], "HTTP 200 OK\n12345");
        assert_eq!(read(4)["outcome"], "failed");
        let none = read(0)["output"].as_str().unwrap().to_owned();
        assert!(
            none.ends_with(" read]") && !none.contains("12345"),
            "{none}"
        );
    }
}
