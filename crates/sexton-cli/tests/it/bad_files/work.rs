//! Tasks that do nothing, too much, or what cannot be done.

use insta::assert_snapshot;

use crate::reading::{rejected, rejected_request, rejected_task};

/// All that is said of a task whose work is bad.
fn rejected_work(lines: &str) -> String {
    rejected(&format!(
        "[[task]]\nname = \"bell\"\nevery = \"1h\"\n{lines}\n"
    ))
}

#[test]
fn a_task_does_exactly_one_thing() {
    assert_snapshot!(rejected_work(""), @r#"
    error: the task does nothing
     --> tasks.toml:1:1, task "bell"
      |
    1 | [[task]]
      | ^^^^^^^^
      = allowed: exactly one of `command`, `shell`, `http`

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_work("command = [\"ring\"]\nshell = \"ring\""), @r#"
    error: the task already has `command`
     --> tasks.toml:5:9, task "bell", field `shell`
      |
    5 | shell = "ring"
      |         ^^^^^^ found "ring"
      = allowed: exactly one of `command`, `shell`, `http`

    tasks.toml: 1 error
    "#);
}

#[test]
fn commands_that_are_none() {
    assert_snapshot!(rejected_work("command = \"ring --loud\""), @r#"
    error: a string does not belong here
     --> tasks.toml:4:11, task "bell", field `command`
      |
    4 | command = "ring --loud"
      |           ^^^^^^^^^^^^^ found "ring --loud"
      = allowed: an array of strings, the program first: ["echo", "hello"]; a line for the shell is written `shell = "echo hello"`

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_work("command = []"), @r#"
    error: the array is empty
     --> tasks.toml:4:11, task "bell", field `command`
      |
    4 | command = []
      |           ^^ found []
      = allowed: an array of strings, the program first: ["echo", "hello"]; a line for the shell is written `shell = "echo hello"`

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_work("command = [\"ring\", 3]"), @r#"
    error: an integer does not belong here
     --> tasks.toml:4:20, task "bell", field `command[1]`
      |
    4 | command = ["ring", 3]
      |                    ^ found 3
      = allowed: a string

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_work("command = [\"\", \"x\"]"), @r#"
    error: the program is empty
     --> tasks.toml:4:12, task "bell", field `command[0]`
      |
    4 | command = ["", "x"]
      |            ^^ found ""
      = allowed: a path, or a name to be found in PATH

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_work("command = [\"ring\\u0000\"]"), @r#"
    error: a NUL character does not belong here
     --> tasks.toml:4:12, task "bell", field `command[0]`
      |
    4 | command = ["ring\u0000"]
      |            ^^^^^^^^^^^^ found "ring\u0000"
      = allowed: a string

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_work("shell = \"  \""), @r#"
    error: there is nothing for the shell to do
     --> tasks.toml:4:9, task "bell", field `shell`
      |
    4 | shell = "  "
      |         ^^^^ found "  "
      = allowed: a string for the shell

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_work("shell = [\"ring\"]"), @r#"
    error: an array does not belong here
     --> tasks.toml:4:9, task "bell", field `shell`
      |
    4 | shell = ["ring"]
      |         ^^^^^^^^ found ["ring"]
      = allowed: a string for the shell

    tasks.toml: 1 error
    "#);
}

#[test]
fn a_command_of_too_many_arguments() {
    let argv = vec!["\"x\""; 1_001].join(", ");
    assert_snapshot!(rejected_work(&format!("command = [{argv}]")), @r#"
    error: these are too many arguments
     --> tasks.toml:4:11, task "bell", field `command`
      |
    4 | command = ["x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x",…
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ found ["x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x",…
      = allowed: at most 1000

    tasks.toml: 1 error
    "#);
}

#[test]
fn settings_of_commands() {
    assert_snapshot!(rejected_task("cwd = \"\""), @r#"
    error: the folder is empty
     --> tasks.toml:5:7, task "bell", field `cwd`
      |
    5 | cwd = ""
      |       ^^ found ""
      = allowed: a folder, relative to the file's own

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("env = { \"A=B\" = \"c\", SEXTON_TICK = \"now\", N = 3 }"), @r#"
    error: this cannot be the name of a variable
     --> tasks.toml:5:9, task "bell", field `env."A=B"`
      |
    5 | env = { "A=B" = "c", SEXTON_TICK = "now", N = 3 }
      |         ^^^^^ found "A=B"
      = allowed: a table of strings: { NAME = "value" }, without the names SEXTON_…

    error: this cannot be the name of a variable
     --> tasks.toml:5:22, task "bell", field `env.SEXTON_TICK`
      |
    5 | env = { "A=B" = "c", SEXTON_TICK = "now", N = 3 }
      |                      ^^^^^^^^^^^ found "SEXTON_TICK"
      = allowed: a table of strings: { NAME = "value" }, without the names SEXTON_…

    error: an integer does not belong here
     --> tasks.toml:5:47, task "bell", field `env.N`
      |
    5 | env = { "A=B" = "c", SEXTON_TICK = "now", N = 3 }
      |                                               ^ found 3
      = allowed: a string

    tasks.toml: 3 errors
    "#);
    assert_snapshot!(rejected_task("env = [\"A=b\"]"), @r#"
    error: an array does not belong here
     --> tasks.toml:5:7, task "bell", field `env`
      |
    5 | env = ["A=b"]
      |       ^^^^^^^ found ["A=b"]
      = allowed: a table of strings: { NAME = "value" }, without the names SEXTON_…

    tasks.toml: 1 error
    "#);
}

#[test]
fn variables_that_cannot_be_filled_in() {
    assert_snapshot!(rejected_task("cwd = \"${BELFRY}/bells\""), @r#"
    error: the environment variable BELFRY is not set
     --> tasks.toml:5:7, task "bell", field `cwd`
      |
    5 | cwd = "${BELFRY}/bells"
      |       ^^^^^^^^^^^^^^^^^ found "${BELFRY}/bells"
      = allowed: `${NAME}` or `${NAME:-default}`
      = help: set BELFRY, or give a default: `${BELFRY:-default}`

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("cwd = \"${BELFRY\""), @r#"
    error: `${` without its `}`
     --> tasks.toml:5:7, task "bell", field `cwd`
      |
    5 | cwd = "${BELFRY"
      |       ^^^^^^^^^^ found "${BELFRY"
      = allowed: `${NAME}` or `${NAME:-default}`
      = help: a dollar sign itself is written `$$`

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("cwd = \"${BELFRY?}\""), @r#"
    error: `${BELFRY?}` does not name an environment variable
     --> tasks.toml:5:7, task "bell", field `cwd`
      |
    5 | cwd = "${BELFRY?}"
      |       ^^^^^^^^^^^^ found "${BELFRY?}"
      = allowed: `${NAME}` or `${NAME:-default}`
      = help: a dollar sign itself is written `$$`

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("cwd = \"a${SECRET}b${}\""), @r#"
    error: `${}` does not name an environment variable
     --> tasks.toml:5:7, task "bell", field `cwd`
      |
    5 | cwd = "a${SECRET}b${}"
      |       ^^^^^^^^^^^^^^^^ found "a${SECRET}b${}"
      = allowed: `${NAME}` or `${NAME:-default}`
      = help: a dollar sign itself is written `$$`

    tasks.toml: 1 error
    "#);
}

#[test]
fn requests_that_cannot_be_sent() {
    assert_snapshot!(rejected_request("\"https://bell.example/\""), @r#"
    error: a string does not belong here
     --> tasks.toml:4:8, task "bell", field `http`
      |
    4 | http = "https://bell.example/"
      |        ^^^^^^^^^^^^^^^^^^^^^^^ found "https://bell.example/"
      = allowed: { url = "https://…", method, headers, body, accept, timeout, redirects, answer_bytes_max, answer_too_long, ca, certificate, key, proxy }

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_request("{ method = \"GET\" }"), @r#"
    error: `url` is missing
     --> tasks.toml:4:8, task "bell", field `http`
      |
    4 | http = { method = "GET" }
      |        ^^^^^^^^^^^^^^^^^^ found { method = "GET" }
      = allowed: { url = "https://…", method, headers, body, accept, timeout, redirects, answer_bytes_max, answer_too_long, ca, certificate, key, proxy }

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_request("{ url = \"bell.example/ring\" }"), @r#"
    error: this is not a URL: relative URL without a base
     --> tasks.toml:4:16, task "bell", field `http.url`
      |
    4 | http = { url = "bell.example/ring" }
      |                ^^^^^^^^^^^^^^^^^^^ found "bell.example/ring"
      = allowed: an http:// or https:// URL

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_request("{ url = \"ftp://bell.example/ring\" }"), @r#"
    error: this URL cannot be requested
     --> tasks.toml:4:16, task "bell", field `http.url`
      |
    4 | http = { url = "ftp://bell.example/ring" }
      |                ^^^^^^^^^^^^^^^^^^^^^^^^^ found "ftp://bell.example/ring"
      = allowed: an http:// or https:// URL

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_request("{ url = \"https://\" }"), @r#"
    error: this is not a URL: empty host
     --> tasks.toml:4:16, task "bell", field `http.url`
      |
    4 | http = { url = "https://" }
      |                ^^^^^^^^^^ found "https://"
      = allowed: an http:// or https:// URL

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_request("{ url = \"${SECRET}\" }"), @r#"
    error: the value that the environment gives cannot be used
     --> tasks.toml:4:16, task "bell", field `http.url`
      |
    4 | http = { url = "${SECRET}" }
      |                ^^^^^^^^^^^ found "${SECRET}"
      = allowed: an http:// or https:// URL
      = help: the value is not shown, for it may be secret

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_request("{ url = \"https://a/\", method = \"get\" }"), @r#"
    error: this word is not known here
     --> tasks.toml:4:39, task "bell", field `http.method`
      |
    4 | http = { url = "https://a/", method = "get" }
      |                                       ^^^^^ found "get"
      = allowed: "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"
      = help: did you mean "GET"?

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_request("{ url = \"https://a/\", body = 1 }"), @r#"
    error: an integer does not belong here
     --> tasks.toml:4:37, task "bell", field `http.body`
      |
    4 | http = { url = "https://a/", body = 1 }
      |                                     ^ found 1
      = allowed: a string

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_request("{ url = \"https://a/\", timeout = \"2d\" }"), @r#"
    error: the duration is out of range
     --> tasks.toml:4:40, task "bell", field `http.timeout`
      |
    4 | http = { url = "https://a/", timeout = "2d" }
      |                                        ^^^^ found "2d"
      = allowed: a duration like "200ms", "15m", "1h30m" or "7d", 1ms to 1d

    tasks.toml: 1 error
    "#);
}

#[test]
fn headers_that_cannot_be_sent() {
    assert_snapshot!(rejected_request("{ url = \"https://a/\", headers = { Content-Length = \"1\", \"a b\" = \"c\" } }"), @r#"
    error: this header cannot be set
     --> tasks.toml:4:42, task "bell", field `http.headers.Content-Length`
      |
    4 | http = { url = "https://a/", headers = { Content-Length = "1", "a b" = "c" } }
      |                                          ^^^^^^^^^^^^^^ found "Content-Length"
      = allowed: a table of headers, { Name = "value" }, without Content-Length, Transfer-Encoding, Connection and Sexton-…, which are set by Sexton

    error: this header cannot be set
     --> tasks.toml:4:64, task "bell", field `http.headers."a b"`
      |
    4 | http = { url = "https://a/", headers = { Content-Length = "1", "a b" = "c" } }
      |                                                                ^^^^^ found "a b"
      = allowed: a table of headers, { Name = "value" }, without Content-Length, Transfer-Encoding, Connection and Sexton-…, which are set by Sexton

    tasks.toml: 2 errors
    "#);
    assert_snapshot!(rejected_request("{ url = \"https://a/\", headers = { A = \"b\\nc\", B = 1 } }"), @r#"
    error: a header cannot have this value
     --> tasks.toml:4:46, task "bell", field `http.headers.A`
      |
    4 | http = { url = "https://a/", headers = { A = "b\nc", B = 1 } }
      |                                              ^^^^^^ found "b\nc"
      = allowed: visible characters, spaces and tabs

    error: an integer does not belong here
     --> tasks.toml:4:58, task "bell", field `http.headers.B`
      |
    4 | http = { url = "https://a/", headers = { A = "b\nc", B = 1 } }
      |                                                          ^ found 1
      = allowed: a string

    tasks.toml: 2 errors
    "#);
    assert_snapshot!(rejected_request("{ url = \"https://a/\", headers = [\"A: b\"] }"), @r#"
    error: an array does not belong here
     --> tasks.toml:4:40, task "bell", field `http.headers`
      |
    4 | http = { url = "https://a/", headers = ["A: b"] }
      |                                        ^^^^^^^^ found ["A: b"]
      = allowed: a table of headers, { Name = "value" }, without Content-Length, Transfer-Encoding, Connection and Sexton-…, which are set by Sexton

    tasks.toml: 1 error
    "#);
}

#[test]
fn statuses_that_are_none() {
    assert_snapshot!(rejected_request("{ url = \"https://a/\", accept = 99 }"), @r#"
    error: the number is out of range
     --> tasks.toml:4:39, task "bell", field `http.accept`
      |
    4 | http = { url = "https://a/", accept = 99 }
      |                                       ^^ found 99
      = allowed: a whole number, 100..=599

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_request("{ url = \"https://a/\", accept = [200, \"ok\", true] }"), @r#"
    error: these are no HTTP statuses
     --> tasks.toml:4:45, task "bell", field `http.accept[1]`
      |
    4 | http = { url = "https://a/", accept = [200, "ok", true] }
      |                                             ^^^^ found "ok"
      = allowed: statuses 100..=599: 204, "2xx" or "200-204", or an array of these

    error: a boolean does not belong here
     --> tasks.toml:4:51, task "bell", field `http.accept[2]`
      |
    4 | http = { url = "https://a/", accept = [200, "ok", true] }
      |                                                   ^^^^ found true
      = allowed: statuses 100..=599: 204, "2xx" or "200-204", or an array of these

    tasks.toml: 2 errors
    "#);
    assert_snapshot!(rejected_request("{ url = \"https://a/\", accept = [] }"), @r#"
    error: the array is empty
     --> tasks.toml:4:39, task "bell", field `http.accept`
      |
    4 | http = { url = "https://a/", accept = [] }
      |                                       ^^ found []
      = allowed: statuses 100..=599: 204, "2xx" or "200-204", or an array of these

    tasks.toml: 1 error
    "#);
}

#[test]
fn a_request_has_no_folder_and_no_environment() {
    let request = "http = { url = \"https://a/\" }\ncwd = \"/\"\nenv = { A = \"b\" }";
    assert_snapshot!(rejected_work(request), @r#"
    error: `cwd` means nothing to an HTTP request
     --> tasks.toml:5:7, task "bell", field `cwd`
      |
    5 | cwd = "/"
      |       ^^^ found "/"
      = allowed: `cwd` goes with `command` and `shell`

    error: `env` means nothing to an HTTP request
     --> tasks.toml:6:7, task "bell", field `env`
      |
    6 | env = { A = "b" }
      |       ^^^^^^^^^^^ found { A = "b" }
      = allowed: `env` goes with `command` and `shell`

    tasks.toml: 2 errors
    "#);
}
