//! Tables and fields that are not what they should be.

use insta::assert_snapshot;

use crate::reading::{rejected, rejected_task};

#[test]
fn a_field_with_a_typo() {
    assert_snapshot!(rejected_task("concurency = 2"), @r#"
    error: unknown field `concurency`
     --> tasks.toml:5:1, task "bell", field `concurency`
      |
    5 | concurency = 2
      | ^^^^^^^^^^
      = allowed: `at`, `clock_change`, `command`, `concurrency`, `cron`, `cwd`, `delivery`, `end`, `env`, `every`, `except`, `group`, `http`, `inherit`, `jitter`, `kron`, `limits`, `missed`, `name`, `nice`, `overlap`, `placement`, `priority`, `retry`, `running_max`, `shell`, `shell_program`, `start`, `stdin`, `timeout`, `timezone`, `umask`
      = help: did you mean `concurrency`?

    tasks.toml: 1 error
    "#);
}

#[test]
fn a_field_that_looks_like_none() {
    assert_snapshot!(rejected_task("frobnicate = true"), @r#"
    error: unknown field `frobnicate`
     --> tasks.toml:5:1, task "bell", field `frobnicate`
      |
    5 | frobnicate = true
      | ^^^^^^^^^^
      = allowed: `at`, `clock_change`, `command`, `concurrency`, `cron`, `cwd`, `delivery`, `end`, `env`, `every`, `except`, `group`, `http`, `inherit`, `jitter`, `kron`, `limits`, `missed`, `name`, `nice`, `overlap`, `placement`, `priority`, `retry`, `running_max`, `shell`, `shell_program`, `start`, `stdin`, `timeout`, `timezone`, `umask`

    tasks.toml: 1 error
    "#);
}

#[test]
fn unknown_fields_in_every_table() {
    assert_snapshot!(rejected(r#"
tasks = []
[store]
uri = "memory:"
[defaults]
cron = "@daily"
[[task]]
name = "bell"
every = "1h"
http = { url = "https://bell.example/", retries = 3 }
retry = { attempts = 3, delay = "1s" }
"#), @r#"
    error: unknown field `tasks`
     --> tasks.toml:2:1, field `tasks`
      |
    2 | tasks = []
      | ^^^^^
      = allowed: `defaults`, `groups`, `store`, `task`
      = help: did you mean `task`?

    error: unknown field `uri`
     --> tasks.toml:4:1, field `store.uri`
      |
    4 | uri = "memory:"
      | ^^^
      = allowed: `namespace`, `url`
      = help: did you mean `url`?

    error: unknown field `cron`
     --> tasks.toml:6:1, field `defaults.cron`
      |
    6 | cron = "@daily"
      | ^^^^
      = allowed: `cwd`, `delivery`, `end`, `env`, `group`, `inherit`, `jitter`, `limits`, `missed`, `nice`, `overlap`, `placement`, `priority`, `retry`, `running_max`, `shell_program`, `start`, `timeout`, `timezone`, `umask`

    error: unknown field `retries`
      --> tasks.toml:10:41, task "bell", field `http.retries`
       |
    10 | http = { url = "https://bell.example/", retries = 3 }
       |                                         ^^^^^^^
       = allowed: `accept`, `answer_bytes_max`, `answer_too_long`, `body`, `ca`, `certificate`, `headers`, `key`, `method`, `proxy`, `redirects`, `timeout`, `url`

    error: unknown field `delay`
      --> tasks.toml:11:25, task "bell", field `retry.delay`
       |
    11 | retry = { attempts = 3, delay = "1s" }
       |                         ^^^^^
       = allowed: `attempts`, `backoff`, `backoff_max`

    tasks.toml: 5 errors
    "#);
}

#[test]
fn a_task_that_is_no_table() {
    assert_snapshot!(rejected("task = \"bell\"\n"), @r#"
    error: a string does not belong here
     --> tasks.toml:1:8, field `task`
      |
    1 | task = "bell"
      |        ^^^^^^ found "bell"
      = allowed: one or more tables [[task]]

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected("[task]\nname = \"bell\"\n"), @"
    error: a table does not belong here
     --> tasks.toml:1:1, field `task`
      |
    1 | [task]
      | ^^^^^^ found [task]
      = allowed: one or more tables [[task]]

    tasks.toml: 1 error
    ");
    assert_snapshot!(rejected("task = [3]\n"), @"
    error: an integer does not belong here
     --> tasks.toml:1:9, field `task[0]`
      |
    1 | task = [3]
      |         ^ found 3
      = allowed: a table [[task]]

    tasks.toml: 1 error
    ");
}

#[test]
fn an_array_of_no_tasks() {
    assert_snapshot!(rejected("task = []\n"), @"
    error: the file has no task
     --> tasks.toml:1:8, field `task`
      |
    1 | task = []
      |        ^^ found []
      = allowed: one or more tables [[task]]

    tasks.toml: 1 error
    ");
}

#[test]
fn a_store_that_is_no_table() {
    assert_snapshot!(rejected("store = \"memory:\"\n[[task]]\nname = \"a\"\nevery = \"1h\"\nshell = \"x\"\n"), @r#"
    error: a string does not belong here
     --> tasks.toml:1:9, field `store`
      |
    1 | store = "memory:"
      |         ^^^^^^^^^ found "memory:"
      = allowed: a table [store]

    tasks.toml: 1 error
    "#);
}

#[test]
fn a_task_without_a_name_is_known_by_its_place() {
    assert_snapshot!(rejected("[[task]]\nname = \"a\"\nevery = \"1h\"\nshell = \"x\"\n\n[[task]]\nevery = \"1h\"\nshell = \"x\"\n"), @"
    error: the task has no `name`
     --> tasks.toml:6:1, task 2
      |
    6 | [[task]]
      | ^^^^^^^^
      = allowed: a name of 1 to 200 bytes, unique in the file, without control characters

    tasks.toml: 1 error
    ");
}

#[test]
fn a_name_used_twice() {
    assert_snapshot!(rejected(r#"
[[task]]
name = "bell"
every = "1h"
shell = "ring"

[[task]]
name = "bell"
every = "2h"
shell = "ring"
"#), @r#"
    error: the task in line 2 has the same name
     --> tasks.toml:8:8, task "bell", field `name`
      |
    8 | name = "bell"
      |        ^^^^^^ found "bell"
      = allowed: a name of 1 to 200 bytes, unique in the file, without control characters

    tasks.toml: 1 error
    "#);
}

#[test]
fn names_that_cannot_be() {
    let named = |name: &str| {
        rejected(&format!(
            "[[task]]\nname = {name}\nevery = \"1h\"\nshell = \"x\"\n"
        ))
    };
    assert_snapshot!(named("\"\""), @r#"
    error: task name is empty
     --> tasks.toml:2:8, task "", field `name`
      |
    2 | name = ""
      |        ^^ found ""
      = allowed: a name of 1 to 200 bytes, unique in the file, without control characters

    tasks.toml: 1 error
    "#);
    assert_snapshot!(named("\" bell\""), @r#"
    error: task name has ' ' at byte 0, which is not allowed there: " bell"
     --> tasks.toml:2:8, task " bell", field `name`
      |
    2 | name = " bell"
      |        ^^^^^^^ found " bell"
      = allowed: a name of 1 to 200 bytes, unique in the file, without control characters

    tasks.toml: 1 error
    "#);
    assert_snapshot!(named("\"two\\nlines\""), @r#"
    error: task name has '\n' at byte 3, which is not allowed there: "two\nlines"
     --> tasks.toml:2:8, task "two\nlines", field `name`
      |
    2 | name = "two\nlines"
      |        ^^^^^^^^^^^^ found "two\nlines"
      = allowed: a name of 1 to 200 bytes, unique in the file, without control characters

    tasks.toml: 1 error
    "#);
    assert_snapshot!(named("\"sexton:prune\""), @r#"
    error: names that begin with `sexton:` are Sexton's own
     --> tasks.toml:2:8, task "sexton:prune", field `name`
      |
    2 | name = "sexton:prune"
      |        ^^^^^^^^^^^^^^ found "sexton:prune"
      = allowed: a name of 1 to 200 bytes, unique in the file, without control characters

    tasks.toml: 1 error
    "#);
    assert_snapshot!(named("7"), @"
    error: an integer does not belong here
     --> tasks.toml:2:8, task 1, field `name`
      |
    2 | name = 7
      |        ^ found 7
      = allowed: a name of 1 to 200 bytes, unique in the file, without control characters

    tasks.toml: 1 error
    ");
    assert_snapshot!(named(&format!("\"{}\"", "x".repeat(201))), @r#"
    error: task name is 201 bytes long, at most 200 are allowed: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"…
     --> tasks.toml:2:8, task "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…", field `name`
      |
    2 | name = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ found "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
      = allowed: a name of 1 to 200 bytes, unique in the file, without control characters

    tasks.toml: 1 error
    "#);
}

#[test]
fn what_is_very_long_is_told_in_brief() {
    let long = "y".repeat(100_000);
    let text = format!(
        "{long} = 1\n[[task]]\nname = \"{long}\"\n{long} = 2\nevery = \"1h\"\nshell = \"x\"\n"
    );
    let told = rejected(&text);
    assert!(told.len() < 10_000, "{} bytes", told.len());
    let text = format!(
        "[[task]]\nname = \"a\"\nevery = \"1h\"\ncommand = [\"x\"]\nenv = {{ \"=\" = \"a\", \"={long}\" = \"a\" }}\ncwd = \"${{{long}}}\"\n"
    );
    let told = rejected(&text);
    assert!(told.len() < 10_000, "{} bytes", told.len());
}

#[test]
fn concurrency_is_a_whole_number_from_one() {
    assert_snapshot!(rejected_task("concurrency = 0"), @r#"
    error: the number is out of range
     --> tasks.toml:5:15, task "bell", field `concurrency`
      |
    5 | concurrency = 0
      |               ^ found 0
      = allowed: a whole number, 1..=1000

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("concurrency = -1"), @r#"
    error: the number is out of range
     --> tasks.toml:5:15, task "bell", field `concurrency`
      |
    5 | concurrency = -1
      |               ^^ found -1
      = allowed: a whole number, 1..=1000

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("concurrency = 1.5"), @r#"
    error: a float does not belong here
     --> tasks.toml:5:15, task "bell", field `concurrency`
      |
    5 | concurrency = 1.5
      |               ^^^ found 1.5
      = allowed: a whole number, 1..=1000

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("concurrency = \"2\""), @r#"
    error: a string does not belong here
     --> tasks.toml:5:15, task "bell", field `concurrency`
      |
    5 | concurrency = "2"
      |               ^^^ found "2"
      = allowed: a whole number, 1..=1000

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("concurrency = 99_999_999_999_999_999_999"), @r#"
    error: the number is out of range
     --> tasks.toml:5:15, task "bell", field `concurrency`
      |
    5 | concurrency = 99_999_999_999_999_999_999
      |               ^^^^^^^^^^^^^^^^^^^^^^^^^^ found 99_999_999_999_999_999_999
      = allowed: a whole number, 1..=1000

    tasks.toml: 1 error
    "#);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file() {
    assert_snapshot!(rejected(r#"
[store]
url = "ftp://files.example/"

[defaults]
timezone = "Europe/Pariss"

[[task]]
name = "bell"
cron = "61 * * * *"
command = "ring"
concurrency = 0

[[task]]
name = "bell"
every = "1h"
at = 2030-01-01
http = { method = "FETCH" }
timeout = "soon"
"#), @r#"
    error: unknown kind of store `ftp:`
     --> tasks.toml:3:7, field `store.url`
      |
    3 | url = "ftp://files.example/"
      |       ^^^^^^^^^^^^^^^^^^^^^^ found "ftp://files.example/"
      = allowed: "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)

    error: no time zone is called "Europe/Pariss"; did you mean Europe/Paris?
     --> tasks.toml:6:12, field `defaults.timezone`
      |
    6 | timezone = "Europe/Pariss"
      |            ^^^^^^^^^^^^^^^ found "Europe/Pariss"
      = allowed: an IANA time zone like "Europe/Paris" or "UTC"

    error: cron "61 * * * *": minutes, at byte 0: found "61", allowed is a number 0-59
      --> tasks.toml:10:8, task "bell", field `cron`
       |
    10 | cron = "61 * * * *"
       |        ^^^^^^^^^^^^ found "61 * * * *"
       = allowed: a string with a cron expression, like "30 9 * * MON-FRI" or "@daily", or an array of them

    error: a string does not belong here
      --> tasks.toml:11:11, task "bell", field `command`
       |
    11 | command = "ring"
       |           ^^^^^^ found "ring"
       = allowed: an array of strings, the program first: ["echo", "hello"]; a line for the shell is written `shell = "echo hello"`

    error: the number is out of range
      --> tasks.toml:12:15, task "bell", field `concurrency`
       |
    12 | concurrency = 0
       |               ^ found 0
       = allowed: a whole number, 1..=1000

    error: the task in line 8 has the same name
      --> tasks.toml:15:8, task "bell", field `name`
       |
    15 | name = "bell"
       |        ^^^^^^ found "bell"
       = allowed: a name of 1 to 200 bytes, unique in the file, without control characters

    error: the task already has `every`
      --> tasks.toml:17:6, task "bell", field `at`
       |
    17 | at = 2030-01-01
       |      ^^^^^^^^^^ found 2030-01-01
       = allowed: exactly one of `cron`, `kron`, `every`, `at`

    error: `url` is missing
      --> tasks.toml:18:8, task "bell", field `http`
       |
    18 | http = { method = "FETCH" }
       |        ^^^^^^^^^^^^^^^^^^^^ found { method = "FETCH" }
       = allowed: { url = "https://…", method, headers, body, accept, timeout, redirects, answer_bytes_max, answer_too_long, ca, certificate, key, proxy }

    error: this word is not known here
      --> tasks.toml:18:19, task "bell", field `http.method`
       |
    18 | http = { method = "FETCH" }
       |                   ^^^^^^^ found "FETCH"
       = allowed: "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"

    error: this is not a duration that can be used: at byte 0: found "soon", allowed is whole numbers with the units w, d, h, m, s, ms, the largest first, such as 1h30m
      --> tasks.toml:19:11, task "bell", field `timeout`
       |
    19 | timeout = "soon"
       |           ^^^^^^ found "soon"
       = allowed: a duration like "200ms", "15m", "1h30m" or "7d", 1ms to 366d

    tasks.toml: 10 errors
    "#);
}
