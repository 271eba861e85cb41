//! Cron expressions that are refused, and what is said about them.

use insta::assert_snapshot;
use sexton_core::schedule::{Cron, EXPRESSION_BYTES_MAX, ScheduleError};

use super::cron;

fn refused(expressions: &[&str]) -> String {
    let errors = expressions
        .iter()
        .map(|expression| Cron::parse(expression).unwrap_err().to_string());
    errors.collect::<Vec<_>>().join("\n")
}

#[test]
fn values_out_of_range_are_told_with_their_place_and_range() {
    assert_snapshot!(refused(&[
        "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8", "60 * * * * *",
        "* * * * * * 1969", "* * * * * * 10000", "1,2,99 * * * *", "5-99 * * * *", "* * * FOO *", "* * * * MUN",
    ]), @r#"
    cron "60 * * * *": minutes, at byte 0: found "60", allowed is a number 0-59
    cron "* 24 * * *": hours, at byte 2: found "24", allowed is a number 0-23
    cron "* * 0 * *": days of the month, at byte 4: found "0", allowed is a number 1-31
    cron "* * 32 * *": days of the month, at byte 4: found "32", allowed is a number 1-31
    cron "* * * 13 *": months, at byte 6: found "13", allowed is a number 1-12 or a name JAN-DEC
    cron "* * * * 8": days of the week, at byte 8: found "8", allowed is a number 0-7 or a name SUN-SAT
    cron "60 * * * * *": seconds, at byte 0: found "60", allowed is a number 0-59
    cron "* * * * * * 1969": years, at byte 12: found "1969", allowed is a number 1970-9999
    cron "* * * * * * 10000": years, at byte 12: found "10000", allowed is a number 1970-9999
    cron "1,2,99 * * * *": minutes, at byte 4: found "99", allowed is a number 0-59
    cron "5-99 * * * *": minutes, at byte 2: found "99", allowed is a number 0-59
    cron "* * * FOO *": months, at byte 6: found "FOO", allowed is *, a number 1-12 or a name JAN-DEC, a range N-M, or a step */S, N/S or N-M/S
    cron "* * * * MUN": days of the week, at byte 8: found "MUN", allowed is *, a number 0-7 or a name SUN-SAT, a range N-M, or a step */S, N/S or N-M/S
    "#);
}

#[test]
fn what_is_no_item_is_told_with_what_is_allowed() {
    assert_snapshot!(refused(&[
        ", * * * *", "5, * * * *", ",5 * * * *", "5,,6 * * * *", "a * * * *", "- * * * *", "5- * * * *", "/ * * * *",
        "5/ * * * *", "*/ * * * *", "** * * * *", "*-5 * * * *", "1.5 * * * *", "+5 * * * *", "? * * * *", "* ? * * *",
        "99999999999999999999 * * * *", "L * * * *", "٣ * * * *",
    ]), @r#"
    cron ", * * * *": minutes, at byte 0: found nothing, allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
    cron "5, * * * *": minutes, at byte 2: found nothing, allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
    cron ",5 * * * *": minutes, at byte 0: found nothing, allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
    cron "5,,6 * * * *": minutes, at byte 2: found nothing, allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
    cron "a * * * *": minutes, at byte 0: found "a", allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
    cron "- * * * *": minutes, at byte 0: found nothing, allowed is a number 0-59
    cron "5- * * * *": minutes, at byte 2: found nothing, allowed is a number 0-59
    cron "/ * * * *": minutes, at byte 1: found nothing, allowed is a step 1-60
    cron "5/ * * * *": minutes, at byte 2: found nothing, allowed is a step 1-60
    cron "*/ * * * *": minutes, at byte 2: found nothing, allowed is a step 1-60
    cron "** * * * *": minutes, at byte 0: found "**", allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
    cron "*-5 * * * *": minutes, at byte 0: found "*", allowed is a number 0-59
    cron "1.5 * * * *": minutes, at byte 0: found "1.5", allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
    cron "+5 * * * *": minutes, at byte 0: found "+5", allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
    cron "? * * * *": minutes, at byte 0: found "?", allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
    cron "* ? * * *": hours, at byte 2: found "?", allowed is *, a number 0-23, a range N-M, or a step */S, N/S or N-M/S
    cron "99999999999999999999 * * * *": minutes, at byte 0: found "99999999999999999999", allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
    cron "L * * * *": minutes, at byte 0: found "L", allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
    cron "٣ * * * *": minutes, at byte 0: found "٣", allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
    "#);
}

#[test]
fn steps_beyond_the_field_are_refused() {
    assert_snapshot!(refused(&[
        "*/61 * * * *", "*/0 * * * *", "* */25 * * *", "* * */32 * *", "* * * */13 *", "* * * * */8", "0/99 * * * *",
    ]), @r#"
    cron "*/61 * * * *": minutes, at byte 2: found "61", allowed is a step 1-60
    cron "*/0 * * * *": minutes, at byte 2: found "0", allowed is a step 1-60
    cron "* */25 * * *": hours, at byte 4: found "25", allowed is a step 1-24
    cron "* * */32 * *": days of the month, at byte 6: found "32", allowed is a step 1-31
    cron "* * * */13 *": months, at byte 8: found "13", allowed is a step 1-12
    cron "* * * * */8": days of the week, at byte 10: found "8", allowed is a step 1-7
    cron "0/99 * * * *": minutes, at byte 2: found "99", allowed is a step 1-60
    "#);
    // As large as the field has values is every time it comes round.
    assert_eq!(cron("*/60 */24 * * *"), cron("*/60 */24 * * *"));
}

#[test]
fn ranges_that_run_past_the_end_are_refused_where_that_has_no_clear_meaning() {
    assert_snapshot!(refused(&["50-10 * * * *", "50-10 * * * * *", "* * 25-5 * *", "* * * * * * 2030-2026"]), @r#"
    cron "50-10 * * * *": minutes, at byte 0: found "50-10", allowed is a range N-M in which N is not above M
    cron "50-10 * * * * *": seconds, at byte 0: found "50-10", allowed is a range N-M in which N is not above M
    cron "* * 25-5 * *": days of the month, at byte 4: found "25-5", allowed is a range N-M in which N is not above M
    cron "* * * * * * 2030-2026": years, at byte 12: found "2030-2026", allowed is a range N-M in which N is not above M
    "#);
}

#[test]
fn special_days_that_do_not_exist_are_refused() {
    assert_snapshot!(refused(&[
        "0 0 L-0 * *", "0 0 L-31 * *", "0 0 L-x * *", "0 0 LL * *", "0 0 W * *", "0 0 32W * *", "0 0 1-5W * *",
        "0 0 ?,1 * *", "0 0 ?/2 * *", "0 0 * * L", "0 0 * * 8L", "0 0 * * 1#0", "0 0 * * 1#6", "0 0 * * #1", "0 0 * * 1#",
        "0 0 * * 1-3#1",
    ]), @r#"
    cron "0 0 L-0 * *": days of the month, at byte 6: found "0", allowed is a number of days 1-30 before the month's last
    cron "0 0 L-31 * *": days of the month, at byte 6: found "31", allowed is a number of days 1-30 before the month's last
    cron "0 0 L-x * *": days of the month, at byte 6: found "x", allowed is a number of days 1-30 before the month's last
    cron "0 0 LL * *": days of the month, at byte 4: found "LL", allowed is a number 1-31, a range, a step, L, L-N (N days before the last), LW, NW, or ? alone
    cron "0 0 W * *": days of the month, at byte 4: found "W", allowed is a number 1-31, a range, a step, L, L-N (N days before the last), LW, NW, or ? alone
    cron "0 0 32W * *": days of the month, at byte 4: found "32W", allowed is a number 1-31, a range, a step, L, L-N (N days before the last), LW, NW, or ? alone
    cron "0 0 1-5W * *": days of the month, at byte 4: found "1-5W", allowed is a number 1-31, a range, a step, L, L-N (N days before the last), LW, NW, or ? alone
    cron "0 0 ?,1 * *": days of the month, at byte 4: found "?", allowed is a number 1-31, a range, a step, L, L-N (N days before the last), LW, NW, or ? alone
    cron "0 0 ?/2 * *": days of the month, at byte 4: found "?/2", allowed is a number 1-31, a range, a step, L, L-N (N days before the last), LW, NW, or ? alone
    cron "0 0 * * L": days of the week, at byte 8: found "L", allowed is a number 0-7 or a name SUN-SAT, a range, a step, NL (the month's last), N#1 to N#5, N#L, or ? alone
    cron "0 0 * * 8L": days of the week, at byte 8: found "8L", allowed is a number 0-7 or a name SUN-SAT, a range, a step, NL (the month's last), N#1 to N#5, N#L, or ? alone
    cron "0 0 * * 1#0": days of the week, at byte 10: found "0", allowed is a number 1-5 (first to fifth of the month), or L (last)
    cron "0 0 * * 1#6": days of the week, at byte 10: found "6", allowed is a number 1-5 (first to fifth of the month), or L (last)
    cron "0 0 * * #1": days of the week, at byte 8: found nothing, allowed is a number 0-7 or a name SUN-SAT
    cron "0 0 * * 1#": days of the week, at byte 10: found nothing, allowed is a number 1-5 (first to fifth of the month), or L (last)
    cron "0 0 * * 1-3#1": days of the week, at byte 8: found "1-3", allowed is a number 0-7 or a name SUN-SAT
    "#);
}

#[test]
fn the_number_of_fields_is_checked() {
    assert_snapshot!(refused(&["", " \t ", "*", "* * * *", "* * * * * * * *", "@reboot", "@daily *", "@", "@weekdays"]), @r#"
    cron "": field count, at byte 0: found nothing, allowed is 5 fields (minutes hours day-of-month month day-of-week), 6 (seconds first), 7 (years last), or a nickname
    cron " \t ": field count, at byte 3: found nothing, allowed is 5 fields (minutes hours day-of-month month day-of-week), 6 (seconds first), 7 (years last), or a nickname
    cron "*": field count, at byte 1: found nothing, allowed is 5 fields (minutes hours day-of-month month day-of-week), 6 (seconds first), 7 (years last), or a nickname
    cron "* * * *": field count, at byte 7: found nothing, allowed is 5 fields (minutes hours day-of-month month day-of-week), 6 (seconds first), 7 (years last), or a nickname
    cron "* * * * * * * *": field count, at byte 14: found "*", allowed is 5 fields (minutes hours day-of-month month day-of-week), 6 (seconds first), 7 (years last), or a nickname
    cron "@reboot": nickname, at byte 0: found "@reboot", allowed is @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly
    cron "@daily *": field count, at byte 8: found nothing, allowed is 5 fields (minutes hours day-of-month month day-of-week), 6 (seconds first), 7 (years last), or a nickname
    cron "@": nickname, at byte 0: found "@", allowed is @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly
    cron "@weekdays": nickname, at byte 0: found "@weekdays", allowed is @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly
    "#);
}

#[test]
fn what_belongs_beside_an_expression_is_told_with_its_place() {
    assert_snapshot!(refused(&[
        "TZ=Europe/Paris 0 0 * * *", "cron_tz=Europe/Paris 0 0 * * *", "TZ=\u{1b}[31m * * * * *", "@every 5m", "@every 1h 30m", "@every",
        "@EVERY 5m", " 90s ", "1h 30m", "2026-12-24T18:00:00Z", "TZ='Europe/Paris' 0 0 * * *",
    ]), @r#"
    cron "TZ=Europe/Paris 0 0 * * *": "TZ=Europe/Paris" does not belong here; write timezone = "Europe/Paris" in a task file, --tz "Europe/Paris" on the command line, `in_tz` in code
    cron "cron_tz=Europe/Paris 0 0 * * *": "cron_tz=Europe/Paris" does not belong here; write timezone = "Europe/Paris" in a task file, --tz "Europe/Paris" on the command line, `in_tz` in code
    cron "TZ=\u{1b}[31m * * * * *": "TZ=\u{1b}[31m" does not belong here; write timezone = "\u{1b}[31m" in a task file, --tz "\u{1b}[31m" on the command line, `in_tz` in code
    cron "@every 5m": "@every 5m" does not belong here; write every = "5m" in a task file, --every "5m" on the command line, `Every` in code
    cron "@every 1h 30m": "@every 1h 30m" does not belong here; write every = "1h 30m" in a task file, --every "1h 30m" on the command line, `Every` in code
    cron "@every": "@every" does not belong here; write every = "5m" in a task file, --every "5m" on the command line, `Every` in code
    cron "@EVERY 5m": "@EVERY 5m" does not belong here; write every = "5m" in a task file, --every "5m" on the command line, `Every` in code
    cron " 90s ": "90s" does not belong here; write every = "90s" in a task file, --every "90s" on the command line, `Every` in code
    cron "1h 30m": "1h 30m" does not belong here; write every = "1h 30m" in a task file, --every "1h 30m" on the command line, `Every` in code
    cron "2026-12-24T18:00:00Z": "2026-12-24T18:00:00Z" does not belong here; write at = "2026-12-24T18:00:00Z" in a task file, `Once` in code
    cron "TZ='Europe/Paris' 0 0 * * *": "TZ='Europe/Paris'" does not belong here; write timezone = "Europe/Paris" in a task file, --tz "Europe/Paris" on the command line, `in_tz` in code
    "#);
}

#[test]
fn what_is_never_due_is_refused() {
    assert_snapshot!(refused(&[
        "0 0 30 2 *", "0 0 31 2 *", "0 0 31 2,4,6,9,11 *", "0 0 0 30 2 ? *", "0 0 L-30 2 *", "0 0 31W 4 *",
        "0 0 0 29 2 * 2027", "0 0 0 29 2 * 2025/4", "0 0 0 29 2 * 2100,2200,2300",
    ]), @r#"
    cron "0 0 30 2 *" is never due: no date up to 9999-12-30 matches
    cron "0 0 31 2 *" is never due: no date up to 9999-12-30 matches
    cron "0 0 31 2,4,6,9,11 *" is never due: no date up to 9999-12-30 matches
    cron "0 0 0 30 2 ? *" is never due: no date up to 9999-12-30 matches
    cron "0 0 L-30 2 *" is never due: no date up to 9999-12-30 matches
    cron "0 0 31W 4 *" is never due: no date up to 9999-12-30 matches
    cron "0 0 0 29 2 * 2027" is never due: no date up to 9999-12-30 matches
    cron "0 0 0 29 2 * 2025/4" is never due: no date up to 9999-12-30 matches
    cron "0 0 0 29 2 * 2100,2200,2300" is never due: no date up to 9999-12-30 matches
    "#);
    // The fifth Monday of a February comes once in decades, and is found.
    assert!(Cron::parse("0 0 * 2 1#5").is_ok());
    assert!(Cron::parse("0 0 0 29 2 * 2000").is_ok());
}

#[test]
fn long_expressions_are_refused_unread() {
    let longest = format!("{}5 * * * *", "5,".repeat((EXPRESSION_BYTES_MAX - 10) / 2));
    assert!(longest.len() <= EXPRESSION_BYTES_MAX);
    assert!(Cron::parse(&longest).is_ok());
    let too_long = "*".repeat(EXPRESSION_BYTES_MAX + 1);
    let error = Cron::parse(&too_long).unwrap_err();
    assert!(matches!(
        error,
        ScheduleError::TooLong {
            found: 257,
            max: 256,
            ..
        }
    ));
    assert_snapshot!(error, @r#"cron expression is 257 bytes long, at most 256 are allowed: "********************************"…"#);
}

#[test]
fn control_characters_are_not_printed_as_they_are() {
    assert_snapshot!(refused(&["\u{1b}[31m * * * *"]), @r#"cron "\u{1b}[31m * * * *": minutes, at byte 0: found "\u{1b}[31m", allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S"#);
}
