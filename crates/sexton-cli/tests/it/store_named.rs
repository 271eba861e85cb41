//! The ways to name a store: a flag, a file, the environment; none of them shows a password.

use crate::program::{Program, sexton};

const TASK: &str = "[[task]]\nname = \"t\"\nevery = \"200ms\"\nshell = 'echo hello'\n";

#[test]
fn a_store_is_named_by_a_flag_a_file_or_the_environment() {
    for (arguments, variables) in [
        (vec!["--store", "sqlite:${NAME}.db"], ("NAME", "named")),
        (
            vec!["--store-file", "url"],
            ("SEXTON_STORE", "sqlite:other.db"),
        ),
        (vec![], ("SEXTON_STORE", "sqlite:named.db")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        std::fs::write(folder.join("tasks.toml"), TASK).unwrap();
        std::fs::write(folder.join("url"), "sqlite:named.db\n").unwrap();
        let run = ["run", "tasks.toml", "--log-format", "json"];
        let (name, value) = variables;
        let mut command = sexton(folder, run);
        let mut program = Program::start(command.args(&arguments).env(name, value));
        program.finished("t");
        program.stop();
        assert!(folder.join("named.db").exists(), "{arguments:?}");
        let mut tasks = sexton(folder, ["tasks", "--json"]);
        let shown = tasks.args(&arguments).env(name, value).output().unwrap();
        assert!(
            String::from_utf8_lossy(&shown.stdout).contains("\"task\":\"t\""),
            "{shown:?}"
        );
    }
}

#[test]
fn what_names_no_store_is_told_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("url"), "postgres://u:hunter2@h:port/\n").unwrap();
    for (arguments, expected) in [
        (vec!["--store-file", "url"], "--store-file: "),
        (vec!["--store-file", "missing"], "--store-file \"missing\""),
        (
            vec!["--store", "redis://:${PASS}@h"],
            "variable PASS is not set",
        ),
        (vec!["--store", "redis://:${WORD}@h:port"], "--store: "),
    ] {
        let mut command = sexton(folder, ["tasks"]);
        let output = command.args(&arguments).env("WORD", "hunter2").output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_sqlite_file_is_whole_by_itself_after_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::run_file(folder.path(), TASK);
    program.finished("t");
    assert_eq!(program.stop().status.code(), Some(0));
    for rest in ["sexton.db-wal", "sexton.db-shm"] {
        assert!(!folder.path().join(rest).exists(), "{rest} is left");
    }
    let alone = tempfile::tempdir().unwrap();
    std::fs::copy(
        folder.path().join("sexton.db"),
        alone.path().join("sexton.db"),
    )
    .unwrap();
    let history = sexton(alone.path(), ["history", "--json"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&history.stdout);
    assert!(said.contains("\"state\":\"succeeded\""), "{history:?}");
}
