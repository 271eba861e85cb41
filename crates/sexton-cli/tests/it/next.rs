//! `sexton next`.

use std::process::Stdio;

use insta::assert_snapshot;
use jiff::Timestamp;
use serde_json::json;

use crate::ran::{Folder, Ran, sexton};

const NEW_YEAR: &str = "2026-01-01T00:00:00Z";

fn next(arguments: &[&str]) -> Ran {
    sexton(&[&["next"], arguments].concat())
}

/// Three ticks from the beginning of 2026.
fn three(arguments: &[&str]) -> Ran {
    next(&[arguments, &["--from", NEW_YEAR, "--count", "3"]].concat())
}

#[test]
fn a_cron_expression_is_listed_as_clocks_show_it_and_in_utc() {
    assert_snapshot!(three(&["30 9 * * MON-FRI", "--tz", "Europe/Paris"]), @r#"
    exit 0
    --- stdout
    Thu 2026-01-01 09:30:00 +01:00  2026-01-01T08:30:00.000Z
    Fri 2026-01-02 09:30:00 +01:00  2026-01-02T08:30:00.000Z
    Mon 2026-01-05 09:30:00 +01:00  2026-01-05T08:30:00.000Z
    "#);
}

#[test]
fn in_utc_the_instant_is_not_told_twice() {
    assert_snapshot!(three(&["@daily"]), @r#"
    exit 0
    --- stdout
    Fri 2026-01-02 00:00:00 +00:00
    Sat 2026-01-03 00:00:00 +00:00
    Sun 2026-01-04 00:00:00 +00:00
    "#);
}

#[test]
fn milliseconds_are_shown_in_each_line_if_any_has_them() {
    assert_snapshot!(three(&["--kron", "* * * * * 0,500ms"]), @r#"
    exit 0
    --- stdout
    Thu 2026-01-01 00:00:00.500 +00:00
    Thu 2026-01-01 00:00:01.000 +00:00
    Thu 2026-01-01 00:00:01.500 +00:00
    "#);
}

#[test]
fn a_kron_string_is_shown_at_its_own_offset() {
    assert_snapshot!(three(&["--kron", "0 0 9 * * 330o"]), @r#"
    exit 0
    --- stdout
    Thu 2026-01-01 09:00:00 +05:30  2026-01-01T03:30:00.000Z
    Fri 2026-01-02 09:00:00 +05:30  2026-01-02T03:30:00.000Z
    Sat 2026-01-03 09:00:00 +05:30  2026-01-03T03:30:00.000Z
    "#);
}

#[test]
fn a_period_counts_from_the_epoch_whatever_the_zone() {
    assert_snapshot!(three(&["--every", "1d", "--tz", "Asia/Tokyo"]), @r#"
    exit 0
    --- stdout
    Fri 2026-01-02 09:00:00 +09:00  2026-01-02T00:00:00.000Z
    Sat 2026-01-03 09:00:00 +09:00  2026-01-03T00:00:00.000Z
    Sun 2026-01-04 09:00:00 +09:00  2026-01-04T00:00:00.000Z
    "#);
}

#[test]
fn json_is_an_array_of_instants_to_the_millisecond() {
    for (arguments, expected) in [
        (
            &["30 9 * * MON-FRI", "--tz", "Europe/Paris"] as &[&str],
            [
                "2026-01-01T08:30:00.000Z",
                "2026-01-02T08:30:00.000Z",
                "2026-01-05T08:30:00.000Z",
            ],
        ),
        (
            &["--kron", "0 0 9 * *", "--tz", "America/New_York"],
            [
                "2026-01-01T14:00:00.000Z",
                "2026-01-02T14:00:00.000Z",
                "2026-01-03T14:00:00.000Z",
            ],
        ),
        (
            &["--kron", "* * * * * 0,500ms"],
            [
                "2026-01-01T00:00:00.500Z",
                "2026-01-01T00:00:01.000Z",
                "2026-01-01T00:00:01.500Z",
            ],
        ),
        (
            &["--every", "90s"],
            [
                "2026-01-01T00:01:30.000Z",
                "2026-01-01T00:03:00.000Z",
                "2026-01-01T00:04:30.000Z",
            ],
        ),
        (
            &["59 59 23 31 12 * 2026-2028"],
            [
                "2026-12-31T23:59:59.000Z",
                "2027-12-31T23:59:59.000Z",
                "2028-12-31T23:59:59.000Z",
            ],
        ),
    ] {
        assert_eq!(
            three(&[arguments, &["--json"]].concat()).json(),
            json!(expected),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_tick_at_the_very_beginning_is_not_after_it() {
    let ran = next(&["0 0 1 1 *", "--from", NEW_YEAR, "--count", "1", "--json"]);
    assert_eq!(ran.json(), json!(["2027-01-01T00:00:00.000Z"]));
    let ran = next(&[
        "0 0 1 1 *",
        "--from",
        "2025-12-31T23:59:59.999Z",
        "--count",
        "1",
        "--json",
    ]);
    assert_eq!(ran.json(), json!(["2026-01-01T00:00:00.000Z"]));
}

#[test]
fn the_beginning_may_be_a_local_time_of_the_zone() {
    for from in [
        "2026-07-01",
        "2026-07-01T00:00",
        "2026-06-30T22:00Z",
        "2026-07-01T00:00:00+02:00",
    ] {
        let ran = next(&[
            "0 * * * *",
            "--tz",
            "Europe/Paris",
            "--from",
            from,
            "--count",
            "1",
            "--json",
        ]);
        assert_eq!(ran.json(), json!(["2026-06-30T23:00:00.000Z"]), "{from}");
    }
}

#[test]
fn without_a_beginning_ticks_are_after_now() {
    let before = now();
    let ran = next(&["* * * * * *", "--json"]);
    let after = now();
    let ticks = timestamps(&ran);
    assert_eq!(ticks.len(), 5);
    assert!(
        ticks[0] > before && ticks[0] <= after + jiff::SignedDuration::from_secs(1),
        "{ticks:?}"
    );
    assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]), "{ticks:?}");
}

fn timestamps(ran: &Ran) -> Vec<Timestamp> {
    let texts: Vec<String> = serde_json::from_value(ran.json()).unwrap();
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn now() -> Timestamp {
    use sexton_core::clock::{Clock, SystemClock};
    SystemClock.now()
}

#[test]
fn times_that_clocks_skip_and_repeat() {
    let around = |expression, from| {
        let ran = next(&[
            expression,
            "--tz",
            "Europe/Paris",
            "--from",
            from,
            "--count",
            "3",
        ]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran}");
        ran.stdout
    };
    let days = ["30 2 * * *", "*/30 2 * * *"].map(|expression| {
        format!(
            "{expression}\n{}{}",
            around(expression, "2026-03-28T12:00"),
            around(expression, "2026-10-25T01:59")
        )
    });
    assert_snapshot!(days.join("\n"), @r#"
    30 2 * * *
    Sun 2026-03-29 03:00:00 +02:00  2026-03-29T01:00:00.000Z
    Mon 2026-03-30 02:30:00 +02:00  2026-03-30T00:30:00.000Z
    Tue 2026-03-31 02:30:00 +02:00  2026-03-31T00:30:00.000Z
    Sun 2026-10-25 02:30:00 +02:00  2026-10-25T00:30:00.000Z
    Mon 2026-10-26 02:30:00 +01:00  2026-10-26T01:30:00.000Z
    Tue 2026-10-27 02:30:00 +01:00  2026-10-27T01:30:00.000Z

    */30 2 * * *
    Mon 2026-03-30 02:00:00 +02:00  2026-03-30T00:00:00.000Z
    Mon 2026-03-30 02:30:00 +02:00  2026-03-30T00:30:00.000Z
    Tue 2026-03-31 02:00:00 +02:00  2026-03-31T00:00:00.000Z
    Sun 2026-10-25 02:00:00 +02:00  2026-10-25T00:00:00.000Z
    Sun 2026-10-25 02:30:00 +02:00  2026-10-25T00:30:00.000Z
    Sun 2026-10-25 02:00:00 +01:00  2026-10-25T01:00:00.000Z
    "#);
}

#[test]
fn a_schedule_that_ends_prints_what_there_is() {
    assert_snapshot!(three(&["0 0 0 1 1 * 2026,2027"]), @r#"
    exit 0
    --- stdout
    Fri 2027-01-01 00:00:00 +00:00

    --- stderr
    It is never due after 2027-01-01T00:00:00.000Z.
    "#);
    assert_eq!(
        three(&["0 0 0 1 1 * 2026,2027", "--json"]).json(),
        json!(["2027-01-01T00:00:00.000Z"])
    );
}

#[test]
fn a_schedule_that_has_ended_prints_nothing() {
    assert_snapshot!(three(&["0 0 0 1 1 * 2021"]), @r#"
    exit 0
    --- stderr
    It is never due after 2026-01-01T00:00:00.000Z: its last year, 2021, is over.
    "#);
    assert_eq!(three(&["0 0 0 1 1 * 2021", "--json"]).json(), json!([]));
}

#[test]
fn the_last_instant_there_is() {
    assert_snapshot!(next(&["* * * * *", "--from", "9999-12-30T21:58:00Z"]), @r#"
    exit 0
    --- stdout
    Thu 9999-12-30 21:59:00 +00:00
    Thu 9999-12-30 22:00:00 +00:00

    --- stderr
    It is never due after 9999-12-30T22:00:00.000Z.
    "#);
}

#[test]
fn a_hundred_thousand_ticks_are_each_a_second_after_the_last() {
    let ran = next(&[
        "* * * * * *",
        "--from",
        NEW_YEAR,
        "--count",
        "100000",
        "--json",
    ]);
    let ticks = timestamps(&ran);
    assert_eq!(ticks.len(), 100_000);
    let start: Timestamp = NEW_YEAR.parse().unwrap();
    let misplaced = ticks
        .iter()
        .zip(1..)
        .find(|(tick, second)| **tick != start + jiff::SignedDuration::from_secs(*second));
    assert_eq!(misplaced, None);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_trouble() {
    let folder = Folder::new();
    let mut command = folder.command(&["next", "* * * * * *", "--count", "100000"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap()
        ),
        (Some(0), String::new())
    );
}

#[test]
fn output_that_cannot_be_written_is_trouble() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = Folder::new()
        .command(&["next", "* * * * *"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"error: cannot write: No space left on device (os error 28)");
}
