//! Schedules that are none, or are never due.

use insta::assert_snapshot;

use crate::reading::{rejected, rejected_task};

/// All that is said of a task whose schedule is bad.
fn rejected_schedule(lines: &str) -> String {
    rejected(&format!(
        "[[task]]\nname = \"bell\"\nshell = \"ring\"\n{lines}\n"
    ))
}

#[test]
fn a_task_is_due_by_exactly_one_schedule() {
    assert_snapshot!(rejected_schedule(""), @r#"
    error: the task has no schedule
     --> tasks.toml:1:1, task "bell"
      |
    1 | [[task]]
      | ^^^^^^^^
      = allowed: exactly one of `cron`, `kron`, `every`, `at`

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("cron = \"@daily\"\nevery = \"1h\"\nat = 2030-01-01"), @r#"
    error: the task already has `cron`
     --> tasks.toml:5:9, task "bell", field `every`
      |
    5 | every = "1h"
      |         ^^^^ found "1h"
      = allowed: exactly one of `cron`, `kron`, `every`, `at`

    error: the task already has `cron`
     --> tasks.toml:6:6, task "bell", field `at`
      |
    6 | at = 2030-01-01
      |      ^^^^^^^^^^ found 2030-01-01
      = allowed: exactly one of `cron`, `kron`, `every`, `at`

    tasks.toml: 2 errors
    "#);
}

#[test]
fn what_belongs_beside_an_expression() {
    assert_snapshot!(rejected_schedule("cron = \"TZ=Europe/Paris 0 0 * * *\""), @r#"
    error: cron "TZ=Europe/Paris 0 0 * * *": "TZ=Europe/Paris" does not belong here; write timezone = "Europe/Paris" in a task file, --tz "Europe/Paris" on the command line, `in_tz` in code
     --> tasks.toml:4:8, task "bell", field `cron`
      |
    4 | cron = "TZ=Europe/Paris 0 0 * * *"
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^ found "TZ=Europe/Paris 0 0 * * *"
      = allowed: a string with a cron expression, like "30 9 * * MON-FRI" or "@daily", or an array of them

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("cron = \"@every 5m\""), @r#"
    error: cron "@every 5m": "@every 5m" does not belong here; write every = "5m" in a task file, --every "5m" on the command line, `Every` in code
     --> tasks.toml:4:8, task "bell", field `cron`
      |
    4 | cron = "@every 5m"
      |        ^^^^^^^^^^^ found "@every 5m"
      = allowed: a string with a cron expression, like "30 9 * * MON-FRI" or "@daily", or an array of them

    tasks.toml: 1 error
    "#);
}

#[test]
fn cron_expressions_that_are_none() {
    assert_snapshot!(rejected_schedule("cron = \"0 25 * * *\""), @r#"
    error: cron "0 25 * * *": hours, at byte 2: found "25", allowed is a number 0-23
     --> tasks.toml:4:8, task "bell", field `cron`
      |
    4 | cron = "0 25 * * *"
      |        ^^^^^^^^^^^^ found "0 25 * * *"
      = allowed: a string with a cron expression, like "30 9 * * MON-FRI" or "@daily", or an array of them

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("cron = \"0 9 * *\""), @r#"
    error: cron "0 9 * *": field count, at byte 7: found nothing, allowed is 5 fields (minutes hours day-of-month month day-of-week), 6 (seconds first), 7 (years last), or a nickname
     --> tasks.toml:4:8, task "bell", field `cron`
      |
    4 | cron = "0 9 * *"
      |        ^^^^^^^^^ found "0 9 * *"
      = allowed: a string with a cron expression, like "30 9 * * MON-FRI" or "@daily", or an array of them

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("cron = \"0 9 * * FRY\""), @r#"
    error: cron "0 9 * * FRY": days of the week, at byte 8: found "FRY", allowed is *, a number 0-7 or a name SUN-SAT, a range N-M, or a step */S, N/S or N-M/S
     --> tasks.toml:4:8, task "bell", field `cron`
      |
    4 | cron = "0 9 * * FRY"
      |        ^^^^^^^^^^^^^ found "0 9 * * FRY"
      = allowed: a string with a cron expression, like "30 9 * * MON-FRI" or "@daily", or an array of them

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("cron = \", * * * *\""), @r#"
    error: cron ", * * * *": minutes, at byte 0: found nothing, allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
     --> tasks.toml:4:8, task "bell", field `cron`
      |
    4 | cron = ", * * * *"
      |        ^^^^^^^^^^^ found ", * * * *"
      = allowed: a string with a cron expression, like "30 9 * * MON-FRI" or "@daily", or an array of them

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("cron = \"@fortnightly\""), @r#"
    error: cron "@fortnightly": nickname, at byte 0: found "@fortnightly", allowed is @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly
     --> tasks.toml:4:8, task "bell", field `cron`
      |
    4 | cron = "@fortnightly"
      |        ^^^^^^^^^^^^^^ found "@fortnightly"
      = allowed: a string with a cron expression, like "30 9 * * MON-FRI" or "@daily", or an array of them

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("cron = \"\""), @r#"
    error: cron "": field count, at byte 0: found nothing, allowed is 5 fields (minutes hours day-of-month month day-of-week), 6 (seconds first), 7 (years last), or a nickname
     --> tasks.toml:4:8, task "bell", field `cron`
      |
    4 | cron = ""
      |        ^^ found ""
      = allowed: a string with a cron expression, like "30 9 * * MON-FRI" or "@daily", or an array of them

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule(&format!("cron = \"{} * * * *\"", "1,".repeat(200) + "1")), @r#"
    error: cron expression is 409 bytes long, at most 256 are allowed: "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"…
     --> tasks.toml:4:8, task "bell", field `cron`
      |
    4 | cron = "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,…
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ found "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1…
      = allowed: a string with a cron expression, like "30 9 * * MON-FRI" or "@daily", or an array of them

    tasks.toml: 1 error
    "#);
}

#[test]
fn a_cron_expression_that_is_never_due() {
    assert_snapshot!(rejected_schedule("cron = \"0 0 31 2 *\""), @r#"
    error: cron "0 0 31 2 *" is never due: no date up to 9999-12-30 matches
     --> tasks.toml:4:8, task "bell", field `cron`
      |
    4 | cron = "0 0 31 2 *"
      |        ^^^^^^^^^^^^ found "0 0 31 2 *"
      = allowed: a string with a cron expression, like "30 9 * * MON-FRI" or "@daily", or an array of them

    tasks.toml: 1 error
    "#);
}

#[test]
fn kron_strings_that_are_none() {
    assert_snapshot!(rejected_schedule("kron = \"0 0 x * *\""), @r#"
    error: kron "0 0 x * *": hours, at byte 4: found "x", allowed is a number 0-23, N-M, N-L, N/S, /S, */S, *, F or L
     --> tasks.toml:4:8, task "bell", field `kron`
      |
    4 | kron = "0 0 x * *"
      |        ^^^^^^^^^^^ found "0 0 x * *"
      = allowed: a string of the krontab language, like "0/15 * * * *" (seconds first), or an array of them

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("kron = \"0 0\""), @r#"
    error: kron "0 0": hours, at byte 3: found nothing, allowed is seconds minutes hours day-of-month month, then in any order: years, <minutes>o, <weekdays>w, <milliseconds>ms
     --> tasks.toml:4:8, task "bell", field `kron`
      |
    4 | kron = "0 0"
      |        ^^^^^ found "0 0"
      = allowed: a string of the krontab language, like "0/15 * * * *" (seconds first), or an array of them

    tasks.toml: 1 error
    "#);
}

#[test]
fn intervals_that_are_none() {
    assert_snapshot!(rejected_schedule("every = \"0s\""), @r#"
    error: period: found 0ns, allowed is 1ms to 3650 days in whole milliseconds
     --> tasks.toml:4:9, task "bell", field `every`
      |
    4 | every = "0s"
      |         ^^^^ found "0s"
      = allowed: a duration like "200ms", "15m", "1h30m" or "7d"

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("every = \"sometimes\""), @r#"
    error: every "sometimes": length, at byte 0: found "sometimes", allowed is whole numbers with the units w, d, h, m, s, ms, the largest first, such as 1h30m
     --> tasks.toml:4:9, task "bell", field `every`
      |
    4 | every = "sometimes"
      |         ^^^^^^^^^^^ found "sometimes"
      = allowed: a duration like "200ms", "15m", "1h30m" or "7d"

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("every = \"1 month\""), @r#"
    error: every "1 month": length, at byte 2: found "month", allowed is units of a fixed length: w, d, h, m, s, ms; months and years have none
     --> tasks.toml:4:9, task "bell", field `every`
      |
    4 | every = "1 month"
      |         ^^^^^^^^^ found "1 month"
      = allowed: a duration like "200ms", "15m", "1h30m" or "7d"

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("every = \"1.5h\""), @r#"
    error: every "1.5h": length, at byte 0: found "1.5h", allowed is whole numbers with the units w, d, h, m, s, ms, the largest first, such as 1h30m
     --> tasks.toml:4:9, task "bell", field `every`
      |
    4 | every = "1.5h"
      |         ^^^^^^ found "1.5h"
      = allowed: a duration like "200ms", "15m", "1h30m" or "7d"

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("every = 60"), @r#"
    error: an integer does not belong here
     --> tasks.toml:4:9, task "bell", field `every`
      |
    4 | every = 60
      |         ^^ found 60
      = allowed: a duration like "200ms", "15m", "1h30m" or "7d"

    tasks.toml: 1 error
    "#);
}

#[test]
fn instants_that_are_none() {
    assert_snapshot!(rejected_schedule("at = \"tomorrow\""), @r#"
    error: this is not an instant
     --> tasks.toml:4:6, task "bell", field `at`
      |
    4 | at = "tomorrow"
      |      ^^^^^^^^^^ found "tomorrow"
      = allowed: an instant like 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00, or a local time of the task's time zone like 2026-12-24T18:00:00 or 2026-12-24

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("at = 18:00:00"), @r#"
    error: this is not an instant
     --> tasks.toml:4:6, task "bell", field `at`
      |
    4 | at = 18:00:00
      |      ^^^^^^^^ found 18:00:00
      = allowed: an instant like 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00, or a local time of the task's time zone like 2026-12-24T18:00:00 or 2026-12-24

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("at = 2026-12-24T18:00:00.1234Z"), @r#"
    error: an instant is in whole milliseconds
     --> tasks.toml:4:6, task "bell", field `at`
      |
    4 | at = 2026-12-24T18:00:00.1234Z
      |      ^^^^^^^^^^^^^^^^^^^^^^^^^ found 2026-12-24T18:00:00.1234Z
      = allowed: an instant like 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00, or a local time of the task's time zone like 2026-12-24T18:00:00 or 2026-12-24

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("at = \"2026-03-29T02:30:00\"\ntimezone = \"Europe/Paris\""), @r#"
    error: this local time is skipped or repeated where the clocks change: give an offset
     --> tasks.toml:4:6, task "bell", field `at`
      |
    4 | at = "2026-03-29T02:30:00"
      |      ^^^^^^^^^^^^^^^^^^^^^ found "2026-03-29T02:30:00"
      = allowed: an instant like 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00, or a local time of the task's time zone like 2026-12-24T18:00:00 or 2026-12-24

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("at = \"2016-12-31T23:59:60Z\""), @r#"
    error: seconds are 00-59: a leap second, :60, is no instant here
     --> tasks.toml:4:6, task "bell", field `at`
      |
    4 | at = "2016-12-31T23:59:60Z"
      |      ^^^^^^^^^^^^^^^^^^^^^^ found "2016-12-31T23:59:60Z"
      = allowed: an instant like 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00, or a local time of the task's time zone like 2026-12-24T18:00:00 or 2026-12-24

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("at = 2016-12-31T23:59:60Z"), @r#"
    error: seconds are 00-59: a leap second, :60, is no instant here
     --> tasks.toml:4:6, task "bell", field `at`
      |
    4 | at = 2016-12-31T23:59:60Z
      |      ^^^^^^^^^^^^^^^^^^^^ found 2016-12-31T23:59:60Z
      = allowed: an instant like 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00, or a local time of the task's time zone like 2026-12-24T18:00:00 or 2026-12-24

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("at = \"2026-12-24T18:00:00+25:00\""), @r#"
    error: an offset from UTC is less than a day: -23:59 to +23:59
     --> tasks.toml:4:6, task "bell", field `at`
      |
    4 | at = "2026-12-24T18:00:00+25:00"
      |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^ found "2026-12-24T18:00:00+25:00"
      = allowed: an instant like 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00, or a local time of the task's time zone like 2026-12-24T18:00:00 or 2026-12-24

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("at = \"2026-11-01T09:00+05:00[Europe/Paris]\""), @r#"
    error: an instant has an offset, not a zone in brackets, which could contradict it
     --> tasks.toml:4:6, task "bell", field `at`
      |
    4 | at = "2026-11-01T09:00+05:00[Europe/Paris]"
      |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ found "2026-11-01T09:00+05:00[Europe/Paris]"
      = allowed: an instant like 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00, or a local time of the task's time zone like 2026-12-24T18:00:00 or 2026-12-24

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("at = 1766599200"), @r#"
    error: an integer does not belong here
     --> tasks.toml:4:6, task "bell", field `at`
      |
    4 | at = 1766599200
      |      ^^^^^^^^^^ found 1766599200
      = allowed: an instant like 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00, or a local time of the task's time zone like 2026-12-24T18:00:00 or 2026-12-24

    tasks.toml: 1 error
    "#);
}

#[test]
fn time_zones_that_are_none() {
    assert_snapshot!(rejected_task("timezone = \"Europe/Pariss\""), @r#"
    error: no time zone is called "Europe/Pariss"; did you mean Europe/Paris?
     --> tasks.toml:5:12, task "bell", field `timezone`
      |
    5 | timezone = "Europe/Pariss"
      |            ^^^^^^^^^^^^^^^ found "Europe/Pariss"
      = allowed: an IANA time zone like "Europe/Paris" or "UTC"

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("timezone = \"CEST\""), @r#"
    error: no time zone is called "CEST"; write an IANA name such as Europe/Paris, America/New_York or UTC
     --> tasks.toml:5:12, task "bell", field `timezone`
      |
    5 | timezone = "CEST"
      |            ^^^^^^ found "CEST"
      = allowed: an IANA time zone like "Europe/Paris" or "UTC"

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("timezone = \"\""), @r#"
    error: no time zone is called ""; write an IANA name such as Europe/Paris, America/New_York or UTC
     --> tasks.toml:5:12, task "bell", field `timezone`
      |
    5 | timezone = ""
      |            ^^ found ""
      = allowed: an IANA time zone like "Europe/Paris" or "UTC"

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_task("timezone = 1"), @r#"
    error: an integer does not belong here
     --> tasks.toml:5:12, task "bell", field `timezone`
      |
    5 | timezone = 1
      |            ^ found 1
      = allowed: an IANA time zone like "Europe/Paris" or "UTC"

    tasks.toml: 1 error
    "#);
}

#[test]
fn an_end_that_is_not_after_the_start() {
    assert_snapshot!(rejected_task("start = 2030-02-01\nend = 2030-01-01"), @r#"
    error: the end is not after the start
     --> tasks.toml:6:7, task "bell", field `end`
      |
    6 | end = 2030-01-01
      |       ^^^^^^^^^^ found 2030-01-01
      = allowed: an instant after `start`

    tasks.toml: 1 error
    "#);
}

#[test]
fn a_start_that_is_not_before_the_end_that_all_tasks_have() {
    assert_snapshot!(rejected(r#"
[defaults]
end = 2030-01-01
[[task]]
name = "bell"
cron = "@daily"
shell = "ring"
start = 2031-01-01
"#), @r#"
    error: the start is not before the end
     --> tasks.toml:8:9, task "bell", field `start`
      |
    8 | start = 2031-01-01
      |         ^^^^^^^^^^ found 2031-01-01
      = allowed: an instant before `end`

    tasks.toml: 1 error
    "#);
}

#[test]
fn no_tick_between_start_and_end() {
    assert_snapshot!(rejected(r#"
[[task]]
name = "bell"
cron = "0 0 1 1 *"
shell = "ring"
start = 2030-02-01
end = 2030-03-01
"#), @r#"
    error: at 00:00 on the 1st of January, UTC, from 2030-02-01T00:00:00.000Z, before 2030-03-01T00:00:00.000Z is never due: it has no tick between its start and its end
     --> tasks.toml:2:1, task "bell"
      |
    2 | [[task]]
      | ^^^^^^^^

    tasks.toml: 1 error
    "#);
}
