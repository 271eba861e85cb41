//! Expressions that cannot be used: `sexton next` and `sexton explain` refuse them in the same words.

use insta::assert_snapshot;

use crate::ran::sexton;

/// The errors of these expressions, all of which must be refused with exit code 2 and nothing on standard output.
fn refused(runs: &[&[&str]]) -> String {
    let errors = runs.iter().map(|arguments| {
        let [listed, explained] =
            ["next", "explain"].map(|command| sexton(&[&[command], *arguments].concat()));
        for ran in [&listed, &explained] {
            assert_eq!(
                (ran.code, ran.stdout.as_str()),
                (Some(2), ""),
                "{arguments:?}: {ran}"
            );
        }
        assert_eq!(explained.stderr, listed.stderr);
        listed.stderr
    });
    errors.collect()
}

#[test]
fn bad_cron_expressions_say_where_and_what_is_allowed() {
    let long = "*".repeat(300);
    assert_snapshot!(refused(&[
        &[""],
        &["1"],
        &["61 * * * *"],
        &["-1 * * * *"],
        &[", * * * *"],
        &["5-1 * * * *"],
        &["*/0 * * * *"],
        &["*/61 * * * *"],
        &["MON * * * *"],
        &["0 0 31 2 *"],
        &["0 0 1 1 * 2021"],
        &["* * * * * * * *"],
        &["@reboot"],
        &["\u{1b}[31m * * * *"],
        &[&long],
    ]), @r#"
    error: cron "": field count, at byte 0: found nothing, allowed is 5 fields (minutes hours day-of-month month day-of-week), 6 (seconds first), 7 (years last), or a nickname
    error: cron "1": field count, at byte 1: found nothing, allowed is 5 fields (minutes hours day-of-month month day-of-week), 6 (seconds first), 7 (years last), or a nickname
    error: cron "61 * * * *": minutes, at byte 0: found "61", allowed is a number 0-59
    error: cron "-1 * * * *": minutes, at byte 0: found nothing, allowed is a number 0-59
    error: cron ", * * * *": minutes, at byte 0: found nothing, allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
    error: cron "5-1 * * * *": minutes, at byte 0: found "5-1", allowed is a range N-M in which N is not above M
    error: cron "*/0 * * * *": minutes, at byte 2: found "0", allowed is a step 1-60
    error: cron "*/61 * * * *": minutes, at byte 2: found "61", allowed is a step 1-60
    error: cron "MON * * * *": minutes, at byte 0: found "MON", allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
    error: cron "0 0 31 2 *" is never due: no date up to 9999-12-30 matches
    error: cron "0 0 1 1 * 2021": days of the week, at byte 10: found "2021", allowed is a number 0-7 or a name SUN-SAT
    error: cron "* * * * * * * *": field count, at byte 14: found "*", allowed is 5 fields (minutes hours day-of-month month day-of-week), 6 (seconds first), 7 (years last), or a nickname
    error: cron "@reboot": nickname, at byte 0: found "@reboot", allowed is @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly
    error: cron "\u{1b}[31m * * * *": minutes, at byte 0: found "\u{1b}[31m", allowed is *, a number 0-59, a range N-M, or a step */S, N/S or N-M/S
    error: cron expression is 300 bytes long, at most 256 are allowed: "********************************"…
    "#);
}

#[test]
fn bad_kron_strings_say_where_and_what_is_allowed() {
    assert_snapshot!(refused(&[
        &["--kron", "75 * * * *"],
        &["--kron", "sdf * * * *"],
        &["--kron", "0 0 9 * * 7w"],
        &["--kron", "0 0 9 * * 120o", "--tz", "Europe/Paris"],
        &["--kron", "@daily"],
    ]), @r#"
    error: kron "75 * * * *": seconds, at byte 0: found "75", allowed is a number 0-59
    error: kron "sdf * * * *": seconds, at byte 0: found "sdf", allowed is a number 0-59, N-M, N-L, N/S, /S, */S, *, F or L
    error: kron "0 0 9 * * 7w": days of the week, at byte 10: found "7", allowed is a number 0-6
    error: kron in Europe/Paris time: the string has an offset of its own, 120o; name the zone or the offset, not both
    error: kron "@daily": seconds, at byte 0: found "@daily", allowed is a number 0-59, N-M, N-L, N/S, /S, */S, *, F or L
    "#);
}

#[test]
fn bad_periods_say_what_is_allowed() {
    assert_snapshot!(refused(&[
        &["--every", ""],
        &["--every", "0s"],
        &["--every", "5x"],
        &["--every", "1.5h"],
        &["--every", "-5s"],
        &["--every", "4000d"],
    ]), @r#"
    error: every "": length, at byte 0: found nothing, allowed is whole numbers with the units w, d, h, m, s, ms, the largest first, such as 1h30m
    error: period: found 0ns, allowed is 1ms to 3650 days in whole milliseconds
    error: every "5x": length, at byte 1: found "x", allowed is a unit: w, d, h, m, s or ms, or its English name
    error: every "1.5h": length, at byte 0: found "1.5h", allowed is whole numbers with the units w, d, h, m, s, ms, the largest first, such as 1h30m
    error: every "-5s": length, at byte 0: found "-5s", allowed is whole numbers with the units w, d, h, m, s, ms, the largest first, such as 1h30m
    error: period: found 345600000s, allowed is 1ms to 3650 days in whole milliseconds
    "#);
}

#[test]
fn what_belongs_beside_an_expression_is_told_with_its_place() {
    assert_snapshot!(refused(&[
        &["TZ=Europe/Paris 0 0 * * *"],
        &["@every 5m"],
        &["--kron", "CRON_TZ=Europe/Paris 0 0 9 * *"],
    ]), @r#"
    error: cron "TZ=Europe/Paris 0 0 * * *": "TZ=Europe/Paris" does not belong here; write timezone = "Europe/Paris" in a task file, --tz "Europe/Paris" on the command line, `in_tz` in code
    error: cron "@every 5m": "@every 5m" does not belong here; write every = "5m" in a task file, --every "5m" on the command line, `Every` in code
    error: kron "CRON_TZ=Europe/Paris 0 0 9 * *": "CRON_TZ=Europe/Paris" does not belong here; write timezone = "Europe/Paris" in a task file, --tz "Europe/Paris" on the command line, `in_tz` in code
    "#);
}

#[test]
fn bad_zones_say_what_is_allowed() {
    assert_snapshot!(refused(&[
        &["* * * * *", "--tz", "Mars/Olympus"],
        &["* * * * *", "--tz", "Paris"],
        &["* * * * *", "--tz", "Europe/Pariss"],
        &["* * * * *", "--tz", ""],
        &["* * * * *", "--tz", "../../etc/passwd"],
        &["--every", "5s", "--tz", "\u{1b}[31m"],
    ]), @r#"
    error: no time zone is called "Mars/Olympus"; write an IANA name such as Europe/Paris, America/New_York or UTC
    error: no time zone is called "Paris"; did you mean Europe/Paris?
    error: no time zone is called "Europe/Pariss"; did you mean Europe/Paris?
    error: no time zone is called ""; write an IANA name such as Europe/Paris, America/New_York or UTC
    error: no time zone is called "../../etc/passwd"; write an IANA name such as Europe/Paris, America/New_York or UTC
    error: no time zone is called "\u{1b}[31m"; write an IANA name such as Europe/Paris, America/New_York or UTC
    "#);
}

#[test]
fn bad_beginnings_say_what_is_allowed() {
    let paris = ["* * * * *", "--tz", "Europe/Paris", "--from"];
    let from = |from| [&paris as &[&str], &[from]].concat();
    assert_snapshot!(refused(&[
        &from("yesterday"),
        &from(""),
        &from("2026-02-30"),
        &from("9999-12-31T00:00:00Z"),
        &from("9999-12-31"),
        &from("2026-01-01T00:00:00.0001Z"),
        &from("2026-01-01T00:00[America/New_York]"),
        &from("2016-12-31T23:59:60Z"),
        &from("2026-01-01T00:00:60"),
        &from("2026-01-01T00:00+25:00"),
        &from("2026-03-29T02:30"),
        &from("2026-10-25T02:30"),
        &from("\u{1b}[31m"),
    ]), @r#"
    error: --from "yesterday": this is not an instant; allowed is an instant like 2026-12-24T18:00:00Z, or a local time of the zone like 2026-12-24T18:00 or 2026-12-24
    error: --from "": this is not an instant; allowed is an instant like 2026-12-24T18:00:00Z, or a local time of the zone like 2026-12-24T18:00 or 2026-12-24
    error: --from "2026-02-30": there is no such date or time, or it is past the year 9999; allowed is an instant like 2026-12-24T18:00:00Z, or a local time of the zone like 2026-12-24T18:00 or 2026-12-24
    error: --from "9999-12-31T00:00:00Z": there is no such date or time, or it is past the year 9999; allowed is an instant like 2026-12-24T18:00:00Z, or a local time of the zone like 2026-12-24T18:00 or 2026-12-24
    error: --from "9999-12-31": there is no such date or time, or it is past the year 9999; allowed is an instant like 2026-12-24T18:00:00Z, or a local time of the zone like 2026-12-24T18:00 or 2026-12-24
    error: --from "2026-01-01T00:00:00.0001Z": an instant is in whole milliseconds; allowed is an instant like 2026-12-24T18:00:00Z, or a local time of the zone like 2026-12-24T18:00 or 2026-12-24
    error: --from "2026-01-01T00:00[America/New_York]": an instant has an offset, not a zone in brackets, which could contradict it; allowed is an instant like 2026-12-24T18:00:00Z, or a local time of the zone like 2026-12-24T18:00 or 2026-12-24
    error: --from "2016-12-31T23:59:60Z": seconds are 00-59: a leap second, :60, is no instant here; allowed is an instant like 2026-12-24T18:00:00Z, or a local time of the zone like 2026-12-24T18:00 or 2026-12-24
    error: --from "2026-01-01T00:00:60": seconds are 00-59: a leap second, :60, is no instant here; allowed is an instant like 2026-12-24T18:00:00Z, or a local time of the zone like 2026-12-24T18:00 or 2026-12-24
    error: --from "2026-01-01T00:00+25:00": an offset from UTC is less than a day: -23:59 to +23:59; allowed is an instant like 2026-12-24T18:00:00Z, or a local time of the zone like 2026-12-24T18:00 or 2026-12-24
    error: --from "2026-03-29T02:30": this local time is skipped or repeated where the clocks change: give an offset; allowed is an instant like 2026-12-24T18:00:00Z, or a local time of the zone like 2026-12-24T18:00 or 2026-12-24
    error: --from "2026-10-25T02:30": this local time is skipped or repeated where the clocks change: give an offset; allowed is an instant like 2026-12-24T18:00:00Z, or a local time of the zone like 2026-12-24T18:00 or 2026-12-24
    error: --from "\u{1b}[31m": this is not an instant; allowed is an instant like 2026-12-24T18:00:00Z, or a local time of the zone like 2026-12-24T18:00 or 2026-12-24
    "#);
}
