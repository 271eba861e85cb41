//! Krontab strings that are refused, and what is said about them.

use insta::assert_snapshot;
use sexton_core::schedule::Kron;

use super::{kron, tz};

fn refused(expressions: &[&str]) -> String {
    let errors = expressions
        .iter()
        .map(|expression| Kron::parse(expression).unwrap_err().to_string());
    errors.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_krontab_drops_or_clamps_is_told_with_its_part_its_place_and_its_range() {
    assert_snapshot!(refused(&[
        "75 * * * *", "* * * * * 7w", "sdf * * * *", "5, * * * *", "5- * * * *", "/ * * * *", "5/* * * * *",
        "5m * * * *", "* * * * * 5m", "50-10 * * * *", "*/0 * * * *", "*/60 * * * *",
    ]), @r#"
    kron "75 * * * *": seconds, at byte 0: found "75", allowed is a number 0-59
    kron "* * * * * 7w": days of the week, at byte 10: found "7", allowed is a number 0-6
    kron "sdf * * * *": seconds, at byte 0: found "sdf", allowed is a number 0-59, N-M, N-L, N/S, /S, */S, *, F or L
    kron "5, * * * *": seconds, at byte 2: found nothing, allowed is a number 0-59, N-M, N-L, N/S, /S, */S, *, F or L
    kron "5- * * * *": seconds, at byte 2: found nothing, allowed is a number 0-59
    kron "/ * * * *": seconds, at byte 1: found nothing, allowed is a step 1-59
    kron "5/* * * * *": seconds, at byte 2: found "*", allowed is a step 1-59
    kron "5m * * * *": seconds, at byte 0: found "5m", allowed is a number 0-59, N-M, N-L, N/S, /S, */S, *, F or L
    kron "* * * * * 5m": years, at byte 10: found "5m", allowed is a list of years 0-9999, or a part that ends in o, w or ms
    kron "50-10 * * * *": seconds, at byte 0: found "50-10", allowed is a range N-M in which N is not above M
    kron "*/0 * * * *": seconds, at byte 2: found "0", allowed is a step 1-59
    kron "*/60 * * * *": seconds, at byte 2: found "60", allowed is a step 1-59
    "#);
}

#[test]
fn each_field_has_its_range() {
    assert_snapshot!(refused(&[
        "* 60 * * *", "* * 24 * *", "* * * 31 *", "* * * * 12", "* * * * * 10000", "* * * * * 1000ms",
        "* * * * * 1560o", "* * * * * -1560o", "* * * * * 5-7w", "* */60 * * *", "* * */24 * *", "* * * */31 *",
        "* * * * */12", "* * * * * */7w", "* * * * * */1000ms",
    ]), @r#"
    kron "* 60 * * *": minutes, at byte 2: found "60", allowed is a number 0-59
    kron "* * 24 * *": hours, at byte 4: found "24", allowed is a number 0-23
    kron "* * * 31 *": days of the month, at byte 6: found "31", allowed is a number 0-30
    kron "* * * * 12": months, at byte 8: found "12", allowed is a number 0-11
    kron "* * * * * 10000": years, at byte 10: found "10000", allowed is a number 0-9999
    kron "* * * * * 1000ms": milliseconds, at byte 10: found "1000", allowed is a number 0-999
    kron "* * * * * 1560o": offset, at byte 10: found "1560", allowed is minutes -1559 to 1559
    kron "* * * * * -1560o": offset, at byte 10: found "-1560", allowed is minutes -1559 to 1559
    kron "* * * * * 5-7w": days of the week, at byte 12: found "7", allowed is a number 0-6
    kron "* */60 * * *": minutes, at byte 4: found "60", allowed is a step 1-59
    kron "* * */24 * *": hours, at byte 6: found "24", allowed is a step 1-23
    kron "* * * */31 *": days of the month, at byte 8: found "31", allowed is a step 1-30
    kron "* * * * */12": months, at byte 10: found "12", allowed is a step 1-11
    kron "* * * * * */7w": days of the week, at byte 12: found "7", allowed is a step 1-6
    kron "* * * * * */1000ms": milliseconds, at byte 12: found "1000", allowed is a step 1-999
    "#);
}

#[test]
fn what_is_no_part_is_told_with_what_is_allowed() {
    assert_snapshot!(refused(&[
        "", "* * * *", "* * * * * x", "* * * * * w", "* * * * * ms", "* * * * * o", "* * * * * --5o", "* * * * * 5-o",
        "* * * * * 2024 2025", "* * * * * 1w 2w", "* * * * * 1o 1o", "* * * * * 1ms 1ms", "F-5 * * * *", "F/5 * * * *",
        "1-5/2 * * * *", "5-F * * * *", "*,, * * * *", "-5 * * * *", "٣ * * * *", "\u{1b} * * * *",
    ]), @r#"
    kron "": seconds, at byte 0: found nothing, allowed is seconds minutes hours day-of-month month, then in any order: years, <minutes>o, <weekdays>w, <milliseconds>ms
    kron "* * * *": months, at byte 7: found nothing, allowed is seconds minutes hours day-of-month month, then in any order: years, <minutes>o, <weekdays>w, <milliseconds>ms
    kron "* * * * * x": years, at byte 10: found "x", allowed is a list of years 0-9999, or a part that ends in o, w or ms
    kron "* * * * * w": days of the week, at byte 10: found nothing, allowed is a number 0-6, N-M, N-L, N/S, /S, */S, *, F or L
    kron "* * * * * ms": milliseconds, at byte 10: found nothing, allowed is a number 0-999, N-M, N-L, N/S, /S, */S, *, F or L
    kron "* * * * * o": offset, at byte 10: found nothing, allowed is minutes -1559 to 1559
    kron "* * * * * --5o": offset, at byte 10: found "--5", allowed is minutes -1559 to 1559
    kron "* * * * * 5-o": offset, at byte 10: found "5-", allowed is minutes -1559 to 1559
    kron "* * * * * 2024 2025": repeated part, at byte 15: found "2025", allowed is at most one part of each kind
    kron "* * * * * 1w 2w": repeated part, at byte 13: found "2w", allowed is at most one part of each kind
    kron "* * * * * 1o 1o": repeated part, at byte 13: found "1o", allowed is at most one part of each kind
    kron "* * * * * 1ms 1ms": repeated part, at byte 14: found "1ms", allowed is at most one part of each kind
    kron "F-5 * * * *": seconds, at byte 0: found "F", allowed is a number 0-59
    kron "F/5 * * * *": seconds, at byte 0: found "F", allowed is a number 0-59
    kron "1-5/2 * * * *": seconds, at byte 0: found "1-5", allowed is a number 0-59
    kron "5-F * * * *": seconds, at byte 2: found "F", allowed is a number 0-59
    kron "*,, * * * *": seconds, at byte 2: found nothing, allowed is a number 0-59, N-M, N-L, N/S, /S, */S, *, F or L
    kron "-5 * * * *": seconds, at byte 0: found nothing, allowed is a number 0-59
    kron "٣ * * * *": seconds, at byte 0: found "٣", allowed is a number 0-59, N-M, N-L, N/S, /S, */S, *, F or L
    kron "\u{1b} * * * *": seconds, at byte 0: found "\u{1b}", allowed is a number 0-59, N-M, N-L, N/S, /S, */S, *, F or L
    "#);
}

#[test]
fn what_belongs_beside_a_string_is_told_with_its_place() {
    assert_snapshot!(refused(&["TZ=Europe/Paris 0 0 9 * *", "@every 90s"]), @r#"
    kron "TZ=Europe/Paris 0 0 9 * *": "TZ=Europe/Paris" does not belong here; write timezone = "Europe/Paris" in a task file, --tz "Europe/Paris" on the command line, `in_tz` in code
    kron "@every 90s": "@every 90s" does not belong here; write every = "90s" in a task file, --every "90s" on the command line, `Every` in code
    "#);
}

#[test]
fn what_is_never_due_is_refused() {
    assert_snapshot!(refused(&["0 0 0 0 0 2024 2w", "0 0 0 28 1 2023,2025 0,1,3,4,6w"]), @r#"
    kron "0 0 0 0 0 2024 2w" is never due: no date up to 9999-12-30 matches, or clocks skip its times
    kron "0 0 0 28 1 2023,2025 0,1,3,4,6w" is never due: no date up to 9999-12-30 matches, or clocks skip its times
    "#);
}

#[test]
fn long_strings_are_refused_unread() {
    assert_snapshot!(refused(&[&"5,".repeat(200)]), @r#"kron expression is 400 bytes long, at most 256 are allowed: "5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,"…"#);
}

#[test]
fn a_string_with_an_offset_takes_no_zone() {
    let error = kron("0 0 9 * * 60o").in_tz(tz("Europe/Paris")).unwrap_err();
    assert_snapshot!(error, @"kron in Europe/Paris time: the string has an offset of its own, 60o; name the zone or the offset, not both");
    let error = kron("0 0 9 * * 0o").in_tz(tz("UTC")).unwrap_err();
    assert_snapshot!(error, @"kron in UTC: the string has an offset of its own, 0o; name the zone or the offset, not both");
}
