//! What is not TOML.

use insta::assert_snapshot;

use crate::reading::rejected;

#[test]
fn an_unterminated_string() {
    assert_snapshot!(rejected("[[task]]\nname = \"bell\ncron = \"@daily\"\n"), @r#"
    error: this is not TOML: invalid basic string, expected `"`
     --> tasks.toml:2:13
      |
    2 | name = "bell
      |             ^

    tasks.toml: 1 error
    "#);
}

#[test]
fn every_line_that_is_not_toml_is_told() {
    assert_snapshot!(rejected("[[task]\nname \"bell\"\ncron = @daily\ncommand = [\"ring\",\n"), @r#"
    error: this is not TOML: unclosed array table, expected `]`
     --> tasks.toml:1:8
      |
    1 | [[task]
      |        ^

    error: this is not TOML: key with no value, expected `=`
     --> tasks.toml:2:6
      |
    2 | name "bell"
      |      ^

    error: this is not TOML: unclosed array, expected `]`
     --> tasks.toml:4:19
      |
    4 | command = ["ring",
      |                   ^

    tasks.toml: 3 errors
    "#);
}

#[test]
fn a_string_without_its_quotes() {
    assert_snapshot!(rejected("[[task]]\nname = bell\ncron = @daily\nshell = \"x\"\n"), @"
    error: this is not TOML: string values must be quoted, expected literal string
     --> tasks.toml:2:8
      |
    2 | name = bell
      |        ^^^^

    error: this is not TOML: string values must be quoted, expected literal string
     --> tasks.toml:3:8
      |
    3 | cron = @daily
      |        ^^^^^^

    tasks.toml: 2 errors
    ");
}

#[test]
fn a_key_given_twice() {
    assert_snapshot!(rejected("[[task]]\nname = \"a\"\nname = \"b\"\n"), @r#"
    error: this is not TOML: duplicate key
     --> tasks.toml:3:1
      |
    3 | name = "b"
      | ^^^^

    tasks.toml: 1 error
    "#);
}

#[test]
fn an_empty_file_has_no_task() {
    assert_snapshot!(rejected(""), @"
    error: the file has no task
     --> tasks.toml:1:1
      |
    1 | 
      | ^
      = allowed: one or more tables [[task]]

    tasks.toml: 1 error
    ");
}

#[test]
fn a_file_of_comments_has_no_task() {
    assert_snapshot!(rejected("\n# later\n"), @"
    error: the file has no task
     --> tasks.toml:1:1
      |
    1 | 
      | ^
      = allowed: one or more tables [[task]]

    tasks.toml: 1 error
    ");
}

#[test]
fn lines_are_counted_in_a_file_with_carriage_returns() {
    assert_snapshot!(rejected("# a\r\n[[task]]\r\nname = \"bell\"\r\ncrom = 1\r\nevery = \"1h\"\r\nshell = \"x\"\r\n"), @r#"
    error: unknown field `crom`
     --> tasks.toml:4:1, task "bell", field `crom`
      |
    4 | crom = 1
      | ^^^^
      = allowed: `at`, `clock_change`, `command`, `concurrency`, `cron`, `cwd`, `delivery`, `end`, `env`, `every`, `except`, `group`, `http`, `inherit`, `jitter`, `kron`, `limits`, `missed`, `name`, `nice`, `overlap`, `placement`, `priority`, `retry`, `running_max`, `shell`, `shell_program`, `start`, `stdin`, `timeout`, `timezone`, `umask`
      = help: did you mean `cron`?

    tasks.toml: 1 error
    "#);
}

#[test]
fn columns_are_counted_behind_a_byte_order_mark() {
    assert_snapshot!(rejected("\u{feff}tasks = 1\n[[task]]\nname = \"a\"\nevery = \"1h\"\nshell = \"x\"\n"), @"
    error: unknown field `tasks`
     --> tasks.toml:1:1, field `tasks`
      |
    1 | tasks = 1
      | ^^^^^
      = allowed: `defaults`, `groups`, `store`, `task`
      = help: did you mean `task`?

    tasks.toml: 1 error
    ");
}

#[test]
fn control_characters_never_reach_the_terminal() {
    assert_snapshot!(rejected("[[task]]\nname = \"a\u{1b}[2Jb\"\n"), @r#"
    error: this is not TOML: invalid basic string, expected non-double-quote visible characters, `\`
     --> tasks.toml:2:10
      |
    2 | name = "a\u{1b}[2Jb"
      |          ^^^^^^

    tasks.toml: 1 error
    "#);
}

#[test]
fn text_that_is_no_toml_at_all() {
    assert_snapshot!(rejected("*/5 * * * * root ring-the-bell\n"), @"
    error: this is not TOML: invalid unquoted key, expected letters, numbers, `-`, `_`
     --> tasks.toml:1:1
      |
    1 | */5 * * * * root ring-the-bell
      | ^^

    error: this is not TOML: key with no value, expected `=`
     --> tasks.toml:1:5
      |
    1 | */5 * * * * root ring-the-bell
      |     ^

    tasks.toml: 2 errors
    ");
}

#[test]
fn arrays_in_arrays_in_arrays_end_somewhere() {
    let text = format!("task = {}{}", "[".repeat(500), "]".repeat(500));
    assert_snapshot!(rejected(&text), @"
    error: this is not TOML: cannot recurse further; max recursion depth met
     --> tasks.toml:1:88
      |
    1 | …[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…
      |                                ^

    tasks.toml: 1 error
    ");
}

#[test]
fn of_a_very_long_line_the_part_in_question_is_shown() {
    let text = format!("x = [{}] ? {}\n", "1, ".repeat(200), "#".repeat(200));
    assert_snapshot!(rejected(&text), @"
    error: this is not TOML: unexpected key or value, expected newline, `#`
     --> tasks.toml:1:608
      |
    1 | … 1, 1, 1, 1, 1, 1, 1, 1, 1, ] ? ####################################################################…
      |                                ^

    tasks.toml: 1 error
    ");
}
