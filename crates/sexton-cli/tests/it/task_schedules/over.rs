//! Tasks that are never due any more.

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::program::{Program, sexton};
use crate::ran::Folder;

const OVER: &str = "[store]\nurl = \"memory:\"\n\
    [[task]]\nname = \"past\"\nshell = \"ring\"\nat = 2020-01-01T00:00:00Z\n\
    [[task]]\nname = \"monday\"\nshell = \"ring\"\nkron = \"0 0 9 * * 1\"\n\
    [[task]]\nname = \"ended\"\nshell = \"ring\"\ncron = \"@daily\"\nend = 2021-01-01T00:00:00Z\n\
    [[task]]\nname = \"years\"\nshell = \"ring\"\ncron = [\"0 0 0 1 1 * 2019\", \"0 0 0 1 1 * 2018\"]\n\
    [[task]]\nname = \"alive\"\nshell = \"ring\"\ncron = \"@daily\"\n";

#[test]
fn check_warns_of_tasks_that_are_over_and_says_what_was_probably_meant() {
    let folder = Folder::new().file("tasks.toml", OVER).variable("TZ", "UTC");
    assert_snapshot!(folder.run(&["check", "tasks.toml"]), @r#"
    exit 0
    --- stdout
    tasks.toml: 5 tasks, no errors, 4 warnings

    --- stderr
    warning: task "past" in line 3 is never due any more: once at 2020-01-01T00:00:00.000Z
      help: its time has passed

    warning: task "monday" in line 7 is never due any more: at 09:00 every day, in 1, UTC
      help: its last year is the year 1: a part without a letter is a year; Monday is written 1w

    warning: task "ended" in line 11 is never due any more: at 00:00 every day, UTC, before 2021-01-01T00:00:00.000Z
      help: its end, 2021-01-01T00:00:00.000Z, has passed

    warning: task "years" in line 16 is never due any more: at 00:00 on the 1st of January, in 2019, UTC; and at 00:00 on the 1st of January, in 2018, UTC
      help: its last year, 2019, is over; its last year, 2018, is over
    "#);
}

#[test]
fn a_task_that_is_over_is_told_at_the_start_and_at_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::run_file(folder.path(), OVER);
    for (task, advice) in [
        ("past", "its time has passed"),
        (
            "monday",
            "its last year is the year 1: a part without a letter is a year; Monday is written 1w",
        ),
        ("ended", "its end, 2021-01-01T00:00:00.000Z, has passed"),
        (
            "years",
            "its last year, 2019, is over; its last year, 2018, is over",
        ),
    ] {
        let told = program.wait("never due", |event| event["task"] == task);
        assert_eq!(told["advice"], advice);
    }
    let late =
        format!("{OVER}[[task]]\nname = \"late\"\nshell = \"ring\"\nkron = \"0 0 9 * * 5\"\n");
    std::fs::write(folder.path().join("tasks.toml"), late).unwrap();
    program.signal(Signal::HUP);
    let told = program.wait("never due", |event| event["task"] == "late");
    assert!(
        told["advice"].to_string().contains("Friday is written 5w"),
        "{told}"
    );
    assert_eq!(program.stop().status.code(), Some(0));
}

#[test]
fn a_task_that_is_over_is_told_to_people() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tasks.toml"), OVER).unwrap();
    let mut program = Program::start(&mut sexton(folder.path(), ["run", "tasks.toml"]));
    let told = program.wait_line("monday", |line| {
        let (_, told) = line.split_once("monday: ")?;
        Some(told.to_owned())
    });
    assert_snapshot!(told, @"never due any more: at 09:00 every day, in 1, UTC: its last year is the year 1: a part without a letter is a year; Monday is written 1w");
    assert_eq!(program.stop().status.code(), Some(0));
}
