//! Files that cannot be read at all.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use sexton_cli::config;
use sexton_cli::diagnostic::FILE_BYTES_MAX;

use crate::reading::{environment, rejected};

/// All that is said of a file with these bytes, its folder called `FOLDER`.
fn rejected_bytes(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.toml");
    fs::write(&path, bytes).unwrap();
    rejected_path(&path, folder.path())
}

fn rejected_path(path: &Path, folder: &Path) -> String {
    let told = config::load(path, &environment())
        .expect_err("a bad file")
        .to_string();
    told.replace(folder.to_str().unwrap(), "FOLDER")
}

#[test]
fn a_file_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    assert_snapshot!(rejected_path(&folder.path().join("tasks.toml"), folder.path()), @"error: cannot read FOLDER/tasks.toml: No such file or directory (os error 2)");
}

#[test]
fn a_folder() {
    let folder = tempfile::tempdir().unwrap();
    assert_snapshot!(rejected_path(folder.path(), folder.path()), @"error: cannot read FOLDER: Is a directory (os error 21)");
}

#[test]
fn a_name_that_would_move_the_cursor() {
    let folder = tempfile::tempdir().unwrap();
    assert_snapshot!(rejected_path(&folder.path().join("a\u{1b}[2J.toml"), folder.path()), @r#"error: cannot read FOLDER/a\u{1b}[2J.toml: No such file or directory (os error 2)"#);
}

#[test]
fn a_program() {
    assert_snapshot!(rejected_bytes(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\xb7\0"), @"error: FOLDER/tasks.toml:1: not UTF-8 text: byte 0xb7 at offset 18");
}

#[test]
fn a_file_of_nul_bytes() {
    assert_snapshot!(rejected_bytes(&[0; 64]), @r#"
    error: this is not TOML: invalid unquoted key, expected letters, numbers, `-`, `_`
     --> FOLDER/tasks.toml:1:1
      |
    1 | \u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error: this is not TOML: key with no value, expected `=`
     --> FOLDER/tasks.toml:1:65
      |
    1 | \u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}
      |                                                                                                                                                                                                                                                                                                                                 ^

    FOLDER/tasks.toml: 2 errors
    "#);
}

#[test]
fn another_encoding_than_utf_8() {
    assert_snapshot!(rejected_bytes(b"# bells\n[[task]]\nname = \"caf\xe9\"\n"), @"error: FOLDER/tasks.toml:3: not UTF-8 text: byte 0xe9 at offset 28");
    assert_snapshot!(rejected_bytes(b"\xff\xfe[\0[\0t\0a\0s\0k\0]\0]\0"), @"error: FOLDER/tasks.toml:1: not UTF-8 text: byte 0xff at offset 0");
}

#[test]
fn a_file_that_is_too_long() {
    assert_snapshot!(rejected_bytes(&vec![b'\n'; FILE_BYTES_MAX + 1]), @"error: FOLDER/tasks.toml is longer than the 16777216 bytes that are allowed");
}

#[test]
fn too_many_tasks() {
    let text = "[[task]]\n".repeat(100_001);
    let told = rejected(&text);
    let shown: Vec<_> = told.lines().take(6).collect();
    assert_snapshot!(shown.join("\n"), @"
    error: these are too many tasks
     --> tasks.toml:1:1, field `task`
      |
    1 | [[task]]
      | ^^^^^^^^ found [[task]]
      = allowed: at most 100000
    ");
    assert_snapshot!(told.lines().next_back().unwrap(), @"tasks.toml: at least 1000 errors; no more were looked for");
}
