//! Crontabs that cannot be used: all that is wrong is told at once.

use std::fs;

use insta::assert_snapshot;
use sexton_cli::crontab::{self, Form};

use crate::reading::{Villagers, crontab, environment};

fn rejected(text: &str, form: Form) -> String {
    crontab(text, form).expect_err("a bad crontab").to_string()
}

#[test]
fn every_line_that_is_wrong_is_told() {
    assert_snapshot!(rejected("# bells\n61 * * * * ring\n* * * ring\n0 9 * * *\n0 9 * * FRY ring\n@fortnightly ring\n@daily\n\u{1b}[2J\nCRON_TZ=Europe/Pariss\n0 0 31 2 * ring\n@daily fine\n", Form::User), @r#"
    error: cron "61 * * * *": minutes, at byte 0: found "61", allowed is a number 0-59
     --> bells:2:1
      |
    2 | 61 * * * * ring
      | ^^^^^^^^^^

    error: the line is too short for a time and a command
     --> bells:3:1
      |
    3 | * * * ring
      | ^^^^^^^^^^ found "* * * ring"
      = allowed: minute hour day-of-month month day-of-week command, or NAME=value

    error: the line has no command
     --> bells:4:1
      |
    4 | 0 9 * * *
      | ^^^^^^^^^ found "0 9 * * *"
      = allowed: minute hour day-of-month month day-of-week command, or NAME=value

    error: cron "0 9 * * FRY": days of the week, at byte 8: found "FRY", allowed is *, a number 0-7 or a name SUN-SAT, a range N-M, or a step */S, N/S or N-M/S
     --> bells:5:1
      |
    5 | 0 9 * * FRY ring
      | ^^^^^^^^^^^

    error: cron "@fortnightly": nickname, at byte 0: found "@fortnightly", allowed is @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly
     --> bells:6:1
      |
    6 | @fortnightly ring
      | ^^^^^^^^^^^^

    error: the line has no command
     --> bells:7:1
      |
    7 | @daily
      | ^^^^^^ found "@daily"
      = allowed: minute hour day-of-month month day-of-week command, or NAME=value

    error: a control character does not belong in a crontab
     --> bells:8:1
      |
    8 | \u{1b}[2J
      | ^^^^^^ found "\u{1b}"
      = allowed: minute hour day-of-month month day-of-week command, or NAME=value

    error: no time zone is called "Europe/Pariss"; did you mean Europe/Paris?
     --> bells:9:1, field `CRON_TZ`
      |
    9 | CRON_TZ=Europe/Pariss
      | ^^^^^^^^^^^^^^^^^^^^^

    error: cron "0 0 31 2 *" is never due: no date up to 9999-12-30 matches
      --> bells:10:1
       |
    10 | 0 0 31 2 * ring
       | ^^^^^^^^^^

    bells: 9 errors
    "#);
}

#[test]
fn the_system_form_needs_a_user_that_there_is() {
    assert_snapshot!(rejected("0 9 * * * ring\n0 9 * * * esmeralda ring\n@daily root\n@hourly\n", Form::System), @r#"
    error: the line has no command
     --> bells:1:1
      |
    1 | 0 9 * * * ring
      | ^^^^^^^^^^^^^^ found "0 9 * * * ring"
      = allowed: minute hour day-of-month month day-of-week user command, or NAME=value

    error: this machine has no such user
     --> bells:2:11
      |
    2 | 0 9 * * * esmeralda ring
      |           ^^^^^^^^^ found "esmeralda"
      = help: where the lines of a crontab name no user, say `--crontab-form user`

    error: the line has no command
     --> bells:3:1
      |
    3 | @daily root
      | ^^^^^^^^^^^ found "@daily root"
      = allowed: minute hour day-of-month month day-of-week user command, or NAME=value

    error: the line names no user and no command
     --> bells:4:1
      |
    4 | @hourly
      | ^^^^^^^ found "@hourly"
      = allowed: minute hour day-of-month month day-of-week user command, or NAME=value

    bells: 4 errors
    "#);
}

#[test]
fn a_crontab_of_the_other_form() {
    assert_snapshot!(rejected("17 * * * * cd / && run-parts --report /etc/cron.hourly\n", Form::System), @r#"
    error: this machine has no such user
     --> bells:1:12
      |
    1 | 17 * * * * cd / && run-parts --report /etc/cron.hourly
      |            ^^ found "cd"
      = help: where the lines of a crontab name no user, say `--crontab-form user`

    bells: 1 error
    "#);
}

#[test]
fn a_crontab_of_the_other_form_that_can_be_read_is_warned_of() {
    let file = crontab("17 * * * * root cd / && ls\n", Form::User).unwrap();
    assert_snapshot!(file.warnings.concat(), @"
    warning: `root` is taken for the command here, not for the user
     --> bells:1:1
      |
    1 | 17 * * * * root cd / && ls
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: where the lines of a crontab name a user, say `--crontab-form system`
    ");
}

#[test]
fn a_line_without_an_end_is_told_in_brief() {
    let long = "x".repeat(1_000_000);
    assert!(rejected(&long, Form::User).len() < 1_000);
    let text = format!("* * * * * {long} ring\n{long} * * * * root ring\n");
    assert!(rejected(&text, Form::System).len() < 2_000);
}

#[test]
fn a_crontab_without_a_task_is_an_empty_one_and_warned_of() {
    let warned = |text: &str| crontab(text, Form::User).unwrap().warnings.concat();
    assert_snapshot!(warned(""), @"
    warning: the crontab has no task that can be run
     --> bells:1:1
      |
    1 | 
      | ^
    ");
    assert_snapshot!(warned("# 0 9 * * * ring\nMAILTO=joe\n"), @"
    warning: the crontab has no task that can be run
     --> bells:1:1
      |
    1 | # 0 9 * * * ring
      | ^
    ");
    assert_snapshot!(warned("@reboot ring\n"), @"
    warning: the crontab has no task that can be run
     --> bells:1:1
      |
    1 | @reboot ring
      | ^
    warning: @reboot is skipped: there is no such moment for replicas that share a schedule
     --> bells:1:1
      |
    1 | @reboot ring
      | ^^^^^^^^^^^^
      = help: start the command by the machine's own means, such as a systemd unit
    ");
}

#[test]
fn a_task_file_that_was_taken_for_a_crontab() {
    assert_snapshot!(rejected("[[task]]\nname = \"bell\"\ncron = \"@daily\"\nshell = \"ring\"\n", Form::User), @r#"
    error: the line is too short for a time and a command
     --> bells:1:1
      |
    1 | [[task]]
      | ^^^^^^^^ found "[[task]]"
      = allowed: minute hour day-of-month month day-of-week command, or NAME=value

    bells: 1 error
    "#);
}

#[test]
fn a_program_that_was_taken_for_a_crontab() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bells");
    fs::write(&path, b"\x7fELF\n\xff").unwrap();
    let told = crontab::load(&path, Form::User, None, &environment(), &Villagers);
    let told = told.expect_err("a bad crontab").to_string();
    assert_snapshot!(told.replace(folder.path().to_str().unwrap(), "FOLDER"), @"error: FOLDER/bells:2: not UTF-8 text: byte 0xff at offset 5");
}
