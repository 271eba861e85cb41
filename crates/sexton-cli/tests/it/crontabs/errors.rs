//! Lines that cannot be used are left out and told, all at once; the others run.

use std::fs;

use insta::assert_snapshot;
use sexton_cli::crontab::{self, Form};

use crate::reading::{Villagers, crontab, environment};

fn rejected(text: &str, form: Form) -> String {
    crontab(text, form).expect_err("a bad crontab").to_string()
}

/// What is told of a crontab of which one line runs at least.
fn warned(text: &str, form: Form) -> String {
    let file = crontab(text, form).unwrap_or_else(|rejected| panic!("{rejected}"));
    assert!(!file.tasks.is_empty());
    file.warnings.concat()
}

#[test]
fn every_line_that_is_wrong_is_told() {
    assert_snapshot!(warned("# bells\n61 * * * * ring\n* * * ring\n0 9 * * *\n0 9 * * FRY ring\n@fortnightly ring\n@daily\n\u{1b}[2J\nCRON_TZ=Europe/Pariss\n0 0 31 2 * ring\n@daily fine\n", Form::User), @r#"
    warning: this line is left out: cron "61 * * * *": minutes, at byte 0: found "61", allowed is a number 0-59
     --> bells:2:1
      |
    2 | 61 * * * *…
      | ^^^^^^^^^^
    warning: this line is left out: the line is too short for a time and a command
     --> bells:3:1
      |
    3 | *…
      | ^ found "*"
      = allowed: minute hour day-of-month month day-of-week command, or NAME=value
    warning: this line is left out: the line has no command
     --> bells:4:1
      |
    4 | 0 9 * * *
      | ^^^^^^^^^ found "0 9 * * *"
      = allowed: minute hour day-of-month month day-of-week command, or NAME=value
    warning: this line is left out: cron "0 9 * * FRY": days of the week, at byte 8: found "FRY", allowed is *, a number 0-7 or a name SUN-SAT, a range N-M, or a step */S, N/S or N-M/S
     --> bells:5:1
      |
    5 | 0 9 * * FRY…
      | ^^^^^^^^^^^
    warning: this line is left out: cron "@fortnightly": nickname, at byte 0: found "@fortnightly", allowed is @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly
     --> bells:6:1
      |
    6 | @fortnightly…
      | ^^^^^^^^^^^^
    warning: this line is left out: the line has no command
     --> bells:7:1
      |
    7 | @daily
      | ^^^^^^ found "@daily"
      = allowed: minute hour day-of-month month day-of-week command, or NAME=value
    warning: this line is left out: the line is too short for a time and a command
     --> bells:8:1
      |
    8 | …
      | ^
      = allowed: minute hour day-of-month month day-of-week command, or NAME=value
    warning: this line is left out: no time zone is called "Europe/Pariss"; did you mean Europe/Paris?
     --> bells:9:1, field `CRON_TZ`
      |
    9 | CRON_TZ=Europe/Pariss
      | ^^^^^^^^^^^^^^^^^^^^^
      = help: the lines below count in this machine's zone
    warning: this line is left out: cron "0 0 31 2 *" is never due: no date up to 9999-12-30 matches
      --> bells:10:1
       |
    10 | 0 0 31 2 *…
       | ^^^^^^^^^^
    "#);
}

#[test]
fn the_system_form_needs_a_user_that_there_is() {
    assert_snapshot!(warned("0 9 * * * ring\n0 9 * * * esmeralda ring\n@daily root\n@hourly\n@daily root fine\n", Form::System), @r#"
    warning: this line is left out: the line has no command
     --> bells:1:1
      |
    1 | 0 9 * * *…
      | ^^^^^^^^^ found "0 9 * * *"
      = allowed: minute hour day-of-month month day-of-week user command, or NAME=value
    warning: this line is left out: this machine has no such user
     --> bells:2:11
      |
    2 | 0 9 * * * esmeralda…
      |           ^^^^^^^^^ found "esmeralda"
      = help: where the lines of a crontab name no user, say `--crontab-form user`
    warning: this line is left out: the line has no command
     --> bells:3:1
      |
    3 | @daily…
      | ^^^^^^ found "@daily"
      = allowed: minute hour day-of-month month day-of-week user command, or NAME=value
    warning: this line is left out: the line names no user and no command
     --> bells:4:1
      |
    4 | @hourly
      | ^^^^^^^ found "@hourly"
      = allowed: minute hour day-of-month month day-of-week user command, or NAME=value
    "#);
}

#[test]
fn a_crontab_of_the_other_form() {
    assert_snapshot!(rejected("17 * * * * cd / && run-parts --report /etc/cron.hourly\n", Form::System), @r#"
    warning: this line is left out: this machine has no such user
     --> bells:1:12
      |
    1 | 17 * * * * cd…
      |            ^^ found "cd"
      = help: where the lines of a crontab name no user, say `--crontab-form user`

    error: no line can be run
    "#);
}

#[test]
fn a_crontab_of_the_other_form_that_can_be_read_is_warned_of() {
    let file = crontab("17 * * * * root cd / && ls\n", Form::User).unwrap();
    assert_snapshot!(file.warnings.concat(), @"
    warning: `root` is taken for the command here, not for the user
     --> bells:1:1
      |
    1 | 17 * * * *…
      | ^^^^^^^^^^
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
    for text in [
        "",
        "# 0 9 * * * ring\nMAILTO=\"\"\n",
        "# caf\u{e9}\n\u{c}\n",
    ] {
        let file = crontab(text, Form::User).unwrap();
        assert_eq!(
            file.warnings,
            ["warning: there is no task that can be run\n"],
            "{text:?}"
        );
    }
    let file = crontab("@reboot ring\n", Form::User).unwrap();
    assert_snapshot!(file.warnings.concat(), @"
    warning: @reboot is skipped: there is no such moment for replicas that share a schedule
     --> bells:1:1
      |
    1 | @reboot…
      | ^^^^^^^
      = help: start the command by the machine's own means, such as a systemd unit
    warning: there is no task that can be run
    ");
}

#[test]
fn a_crontab_of_which_no_line_can_run_is_refused() {
    for text in [
        "61 * * * * ring\n",
        "0 0 31 2 * ring\n@reboot ring\n",
        "# caf\u{e9}\n* * * ring\n",
    ] {
        let told = rejected(text, Form::User);
        assert!(told.ends_with("error: no line can be run\n"), "{told}");
        assert!(told.contains("--> bells:"), "{told}");
    }
}

#[test]
fn a_sixth_field_is_no_command() {
    assert_snapshot!(warned("* * * * * * * echo hi\n0 0 9 * * MON-FRI ring\n@daily fine\n", Form::User), @r#"
    warning: this line is left out: a crontab has five fields of time, and no command is called like this sixth
     --> bells:1:11
      |
    1 | * * * * * *…
      |           ^ found "*"
      = help: schedules with seconds or years are for task files: `cron = "0 30 9 * * MON-FRI"`; a program of such a name is run by its path
    warning: this line is left out: a crontab has five fields of time, and no command is called like this sixth
     --> bells:2:11
      |
    2 | 0 0 9 * * MON-FRI…
      |           ^^^^^^^ found "MON-FRI"
      = help: schedules with seconds or years are for task files: `cron = "0 30 9 * * MON-FRI"`; a program of such a name is run by its path
    "#);
    assert_snapshot!(warned("* * * * * * root echo hi\n@daily root fine\n", Form::System), @r#"
    warning: this line is left out: a crontab has five fields of time, and no command is called like this sixth
     --> bells:1:11
      |
    1 | * * * * * *…
      |           ^ found "*"
      = help: schedules with seconds or years are for task files: `cron = "0 30 9 * * MON-FRI"`; a program of such a name is run by its path
    "#);
}

#[test]
fn mail_is_told_of_once() {
    assert_snapshot!(warned("MAILTO=joe\n@daily a\nMAILTO=jim\n@daily b\n", Form::User), @r#"
    warning: nothing is mailed
     --> bells:1:1, field `MAILTO`
      |
    1 | MAILTO=joe
      | ^^^^^^^^^^
      = help: what commands print is in the history: `sexton history --output`; `MAILTO=""` ends this warning
    "#);
    assert_eq!(warned("MAILTO=\"\"\n@daily a\n", Form::User), "");
}

#[test]
fn what_cron_would_not_run_runs_and_is_told() {
    assert_snapshot!(warned("0 22-2 * * * ring\n", Form::User), @"
    warning: Sexton runs this line, and cron would not: `22-2` runs past the end of its field, and cron reads that as no value at all
     --> bells:1:1
      |
    1 | 0 22-2 * * *…
      | ^^^^^^^^^^^^
    ");
    for time in [
        "0 0 * * fri-sun",
        "5/10 * * * *",
        "0 0 L * *",
        "0 0 ? * 5#2",
        "0 0 15W * *",
    ] {
        let told = warned(&format!("{time} ring\n"), Form::User);
        assert!(
            told.starts_with("warning: Sexton runs this line, and cron would not: "),
            "{told}"
        );
    }
}

#[test]
fn a_name_is_given_as_it_should_be() {
    assert_snapshot!(rejected("# sexton: nmae = \"a\"\n@daily ring\n#sexton: name = \"a\", retry = 3\n@daily ring\n", Form::User), @r#"
    error: a comment for Sexton that cannot be used: it has no key `nmae`
     --> bells:1:1
      |
    1 | # sexton: nmae = "a"
      | ^^^^^^^^^^^^^^^^^^^^
      = allowed: `# sexton: name = "backup"`, directly above the line of that name

    error: a comment for Sexton that cannot be used: it is not `key = "value"`
     --> bells:3:1
      |
    3 | #sexton: name = "a", retry = 3
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = allowed: `# sexton: name = "backup"`, directly above the line of that name

    bells: 2 errors
    "#);
    assert_snapshot!(warned("# sexton: name = \"a\"\n\n@daily ring\n# sexton: name = \"b\"\n@daily b\n# sexton: name = \"b\"\n@daily c\n# sexton: name = \"d\"\n", Form::User), @r#"
    warning: this names no line
     --> bells:1:1
      |
    1 | # sexton: name = "a"
      | ^^^^^^^^^^^^^^^^^^^^
      = allowed: `# sexton: name = "backup"`, directly above the line of that name
    warning: this line is left out: the line at bells:5 has the name "b" already
     --> bells:7:1
      |
    7 | @daily…
      | ^^^^^^
    warning: this names no line
     --> bells:8:1
      |
    8 | # sexton: name = "d"
      | ^^^^^^^^^^^^^^^^^^^^
      = allowed: `# sexton: name = "backup"`, directly above the line of that name
    "#);
}

#[test]
fn nothing_of_a_command_is_told_with_what_is_wrong() {
    let text = "61 * * * * ring hunter2\n* * * * * * ring hunter2\n@reboot ring hunter2\n@dayly hunter2\n\
                * * * * * root hunter2\n0 22-2 * * * ring hunter2\n* * * * * ring hunter2\0\n\
                # sexton: name = \"x\"\n@daily hunter2\n# sexton: name = \"x\"\n@daily ring hunter2\n";
    for (form, count) in [(Form::User, 8), (Form::System, 8)] {
        let read = crontab(text, form);
        let told = read.map_or_else(
            |rejected| rejected.to_string(),
            |file| file.warnings.concat(),
        );
        assert!(!told.contains("hunter2"), "{told}");
        assert_eq!(told.matches("warning: ").count(), count, "{told}");
    }
}

#[test]
fn a_delay_that_is_none_is_left_out() {
    assert_snapshot!(warned("RANDOM_DELAY=1h\n@daily ring\n", Form::User), @"
    warning: this line is left out: this is no delay
     --> bells:1:1, field `RANDOM_DELAY`
      |
    1 | RANDOM_DELAY=1h
      | ^^^^^^^^^^^^^^^
      = allowed: a whole number of minutes, 0 to 1440
    ");
}

#[test]
fn a_task_file_that_was_taken_for_a_crontab() {
    assert_snapshot!(rejected("[[task]]\nname = \"bell\"\ncron = \"@daily\"\nshell = \"ring\"\n", Form::User), @r#"
    warning: this line is left out: the line is too short for a time and a command
     --> bells:1:1
      |
    1 | [[task]]
      | ^^^^^^^^ found "[[task]]"
      = allowed: minute hour day-of-month month day-of-week command, or NAME=value

    error: no line can be run
    "#);
}

#[test]
fn a_program_that_was_taken_for_a_crontab() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bells");
    fs::write(&path, b"\x7fELF\n\xff").unwrap();
    let told = crontab::load(&path, Form::User, None, &environment(), &Villagers);
    let told = told.expect_err("a bad crontab").to_string();
    assert_snapshot!(told.replace(folder.path().to_str().unwrap(), "FOLDER"), @r#"
    warning: this line is left out: the line is too short for a time and a command
     --> FOLDER/bells:1:1
      |
    1 | …
      | ^
      = allowed: minute hour day-of-month month day-of-week command, or NAME=value

    warning: this line is left out: the time is not UTF-8 text
     --> FOLDER/bells:2:1
      |
    2 | …
      | ^
      = allowed: minute hour day-of-month month day-of-week command, or NAME=value

    error: no line can be run
    "#);
}
