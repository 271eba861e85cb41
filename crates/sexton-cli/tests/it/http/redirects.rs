//! Redirects: none unless the task asks, and nothing of the user's crosses an origin.

use serde_json::Value;

use super::request;
use crate::server::{Connection, Request, Server, reply};

fn redirect(connection: &mut dyn Connection, status: &str, location: &str) {
    reply(connection, status, &format!("Location: {location}\r\n"), "");
}

/// Answers `/from` with this redirect to `/to`, and what comes there with its method and body.
fn redirecting(status: &'static str) -> Server {
    Server::start(move |request, connection| {
        if request.line.contains(" /from") {
            redirect(connection, status, "/to?token=hunter2");
        } else {
            let body = format!("{} {}", request.line, request.body);
            reply(connection, "200 OK", "", &body);
        }
    })
}

#[test]
fn a_redirect_is_the_answer_unless_the_task_asks_for_it_to_be_followed() {
    let server = redirecting("302 Found");
    let post = format!("url = \"{}/from\", body = \"ding\"", server.url);
    let mut requesting = request(&format!("{{ {post} }}"), "", &[]);
    let end = requesting.end();
    assert_eq!(
        end["error"],
        "HTTP 302: accepted are 2xx; the redirect was not followed: the task asks for none by `redirects`"
    );
    assert_eq!(end["output"], "HTTP 302 Found\n");
    let ended = requesting.stop();
    assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
    while let Some(request) = server.request_so_far() {
        assert_eq!(request.line, "POST /from HTTP/1.1");
    }
    let end = request(&format!("{{ {post}, accept = [302] }}"), "", &[]).end();
    assert_eq!(end["outcome"], "succeeded");
    assert_eq!(end["output"], "HTTP 302 Found\n");
}

#[test]
fn redirects_are_followed_as_many_as_the_task_asks_for() {
    let server = Server::start(|request, connection| match request.line.as_str() {
        "GET /2 HTTP/1.1" => redirect(connection, "301 Moved Permanently", "1"),
        "GET /1 HTTP/1.1" => redirect(connection, "302 Found", "/0"),
        "GET /0 HTTP/1.1" => reply(connection, "200 OK", "", "there"),
        _ => redirect(connection, "307 Temporary Redirect", "/loop"),
    });
    for (path, redirects, output, error) in [
        ("2", 2, "HTTP 200 OK\nthere", None),
        ("2", 1, "HTTP 302 Found\n", Some("at most 1 by")),
        (
            "loop",
            20,
            "HTTP 307 Temporary Redirect\n",
            Some("at most 20 by"),
        ),
    ] {
        let http = format!(
            "{{ url = \"{}/{path}\", redirects = {redirects} }}",
            server.url
        );
        let end = request(&http, "", &[]).end();
        assert_eq!(end["output"], output);
        match error {
            None => assert_eq!(end["error"], Value::Null),
            Some(error) => assert!(end["error"].as_str().unwrap().contains(error), "{end}"),
        }
    }
}

#[test]
fn a_request_that_is_not_get_or_head_is_repeated_as_it_was_or_not_at_all() {
    for status in ["301 Moved Permanently", "302 Found", "303 See Other"] {
        let server = redirecting(status);
        let http = format!(
            "{{ url = \"{}/from\", body = \"ding\", redirects = 5 }}",
            server.url
        );
        let end = request(&http, "", &[]).end();
        assert_eq!(end["output"], format!("HTTP {status}\n"));
        let error = end["error"].as_str().unwrap();
        assert!(error.contains("only 307 and 308 are"), "{error}");
    }
    for status in ["307 Temporary Redirect", "308 Permanent Redirect"] {
        let server = redirecting(status);
        let http = format!(
            "{{ url = \"{}/from\", method = \"PUT\", body = \"ding\", redirects = 5 }}",
            server.url
        );
        let end = request(&http, "", &[]).end();
        let repeated = "HTTP 200 OK\nPUT /to?token=hunter2 HTTP/1.1 ding";
        assert_eq!(end["output"], repeated);
    }
    let server = redirecting("303 See Other");
    let http = format!(
        "{{ url = \"{}/from\", method = \"HEAD\", redirects = 5 }}",
        server.url
    );
    let mut requesting = request(&http, "", &[]);
    assert_eq!(requesting.end()["outcome"], "succeeded");
    let lines = [server.request().line, server.request().line];
    assert_eq!(
        lines,
        ["HEAD /from HTTP/1.1", "HEAD /to?token=hunter2 HTTP/1.1"]
    );
}

#[test]
fn nothing_of_the_users_crosses_an_origin() {
    for status in [
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let other = Server::start(|_, connection| reply(connection, "200 OK", "", "mine now"));
        let target = format!("{}/taken", other.url);
        let server = Server::start(move |_, connection| redirect(connection, status, &target));
        for method in ["GET", "POST"] {
            let http = format!(
                "{{ url = \"{}/?token=hunter2\", method = \"{method}\", redirects = 20, \
                 headers = {{ X-Api-Key = \"hunter2\" }}, body = \"hunter2\" }}",
                server.url
            );
            let end = request(&http, "", &[]).end();
            assert_eq!(end["output"], format!("HTTP {status}\n"));
            let error = end["error"].as_str().unwrap();
            assert!(error.contains("the redirect was not followed: "), "{error}");
        }
        assert!(other.request_so_far().is_none(), "{status}");
    }
}

#[test]
fn a_redirect_within_the_origin_has_all_of_the_users_and_no_referer() {
    let server = Server::start(|request: &Request, connection| {
        if request.line.contains(" /from") {
            let host = request.header("host").unwrap();
            // A server's own choice of user and password changes nothing.
            redirect(
                connection,
                "307 Temporary Redirect",
                &format!("http://eve:eve@{host}/to"),
            );
        } else {
            reply(connection, "200 OK", "", "");
        }
    });
    let base = server.url.replace("http://", "http://bob:hunter2@");
    let http = format!(
        "{{ url = \"{base}/from?token=hunter2\", redirects = 1, headers = {{ X-Api-Key = \"key\" }} }}"
    );
    let mut requesting = request(&http, "", &[]);
    assert_eq!(requesting.end()["outcome"], "succeeded");
    let (first, second) = (server.request(), server.request());
    assert_eq!(second.line, "GET /to HTTP/1.1");
    for name in ["x-api-key", "authorization", "sexton-task", "sexton-fence"] {
        assert!(first.header(name).is_some(), "{name}");
        assert_eq!(first.header(name), second.header(name), "{name}");
    }
    for request in [first, second] {
        assert_eq!(request.header("referer"), None);
    }
}
