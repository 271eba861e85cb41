//! `sexton explain`.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::ran::{Ran, sexton};

fn explain(arguments: &[&str]) -> Ran {
    let fixed = ["--from", "2026-01-01", "--count", "2"];
    sexton(&[&["explain"], arguments, &fixed].concat())
}

#[test]
fn in_utc_there_is_nothing_to_say_of_clocks() {
    assert_snapshot!(explain(&["0 0 1,15 * 5"]), @r#"
    exit 0
    --- stdout
    At 00:00 on the 1st and 15th of every month and on Fridays, UTC

    Next:
    Fri 2026-01-02 00:00:00 +00:00
    Fri 2026-01-09 00:00:00 +00:00
    "#);
}

#[test]
fn a_zone_brings_its_changes_and_what_they_do() {
    assert_snapshot!(explain(&["30 2 * * *", "--tz", "Europe/Paris"]), @r#"
    exit 0
    --- stdout
    At 02:30 every day, Europe/Paris time

    Sun 2026-03-29: clocks there skip from 02:00 to 03:00. Where minutes and hours are named, what would be due in between is due once, at 03:00; where either begins with *, it is not due.
    Sun 2026-10-25: clocks there go back from 03:00 to 02:00. Where minutes and hours are named, what is due in between is due the first time only; where either begins with *, both times.

    Next:
    Thu 2026-01-01 02:30:00 +01:00  2026-01-01T01:30:00.000Z
    Fri 2026-01-02 02:30:00 +01:00  2026-01-02T01:30:00.000Z
    "#);
}

#[test]
fn changes_stand_in_the_order_in_which_they_come() {
    assert_snapshot!(explain(&["--kron", "0/15 * * * *", "--tz", "Australia/Lord_Howe"]), @r#"
    exit 0
    --- stdout
    Every 15 seconds, Australia/Lord_Howe time

    Sun 2026-04-05: clocks there go back from 02:00 to 01:30. Where minutes and hours are named, what is due in between is due the first time only; where either begins with * or /, both times.
    Sun 2026-10-04: clocks there skip from 02:00 to 02:30. Where minutes and hours are named, what would be due in between is due once, at 02:30; where either begins with * or /, it is not due.

    Next:
    Thu 2026-01-01 00:00:15 +11:00  2025-12-31T13:00:15.000Z
    Thu 2026-01-01 00:00:30 +11:00  2025-12-31T13:00:30.000Z
    "#);
}

#[test]
fn a_zone_whose_clocks_do_not_change_brings_none() {
    assert_snapshot!(explain(&["0 12 * * *", "--tz", "Asia/Tokyo"]), @r#"
    exit 0
    --- stdout
    At 12:00 every day, Asia/Tokyo time

    Next:
    Thu 2026-01-01 12:00:00 +09:00  2026-01-01T03:00:00.000Z
    Fri 2026-01-02 12:00:00 +09:00  2026-01-02T03:00:00.000Z
    "#);
}

#[test]
fn a_day_that_was_skipped_whole() {
    let arguments = [
        "explain",
        "0 12 * * *",
        "--tz",
        "Pacific/Apia",
        "--count",
        "3",
    ];
    assert_snapshot!(sexton(&[&arguments as &[&str], &["--from", "2011-12-29"]].concat()), @r#"
    exit 0
    --- stdout
    At 12:00 every day, Pacific/Apia time

    Fri 2011-12-30: clocks there skip from 00:00 to 00:00 on 2011-12-31. Where minutes and hours are named, what would be due in between is due once, at 00:00 on 2011-12-31; where either begins with *, it is not due.
    Sun 2012-04-01: clocks there go back from 04:00 to 03:00. Where minutes and hours are named, what is due in between is due the first time only; where either begins with *, both times.

    Next:
    Thu 2011-12-29 12:00:00 -10:00  2011-12-29T22:00:00.000Z
    Sat 2011-12-31 00:00:00 +14:00  2011-12-30T10:00:00.000Z
    Sat 2011-12-31 12:00:00 +14:00  2011-12-30T22:00:00.000Z
    "#);
}

#[test]
fn a_change_that_goes_back_to_the_day_before() {
    let arguments = [
        "explain",
        "0 12 * * *",
        "--tz",
        "America/Sao_Paulo",
        "--count",
        "1",
    ];
    assert_snapshot!(sexton(&[&arguments as &[&str], &["--from", "2018-02-01"]].concat()), @r#"
    exit 0
    --- stdout
    At 12:00 every day, America/Sao_Paulo time

    Sun 2018-02-18: clocks there go back from 00:00 to 23:00 on 2018-02-17. Where minutes and hours are named, what is due in between is due the first time only; where either begins with *, both times.
    Sun 2018-11-04: clocks there skip from 00:00 to 01:00. Where minutes and hours are named, what would be due in between is due once, at 01:00; where either begins with *, it is not due.

    Next:
    Thu 2018-02-01 12:00:00 -02:00  2018-02-01T14:00:00.000Z
    "#);
}

#[test]
fn a_period_does_not_look_at_clocks() {
    assert_snapshot!(explain(&["--every", "90s", "--tz", "Europe/Paris"]), @r#"
    exit 0
    --- stdout
    Every 1 minute 30 seconds

    Next:
    Thu 2026-01-01 00:01:30 +01:00  2025-12-31T23:01:30.000Z
    Thu 2026-01-01 00:03:00 +01:00  2025-12-31T23:03:00.000Z
    "#);
}

#[test]
fn an_offset_of_the_strings_own() {
    assert_snapshot!(explain(&["--kron", "0 0 9 * * 330o"]), @r#"
    exit 0
    --- stdout
    At 09:00 every day, UTC+05:30

    Next:
    Thu 2026-01-01 09:00:00 +05:30  2026-01-01T03:30:00.000Z
    Fri 2026-01-02 09:00:00 +05:30  2026-01-02T03:30:00.000Z
    "#);
}

#[test]
fn a_schedule_that_ends_says_so() {
    assert_snapshot!(explain(&["0 0 0 1 1 * 2026,2027"]), @r#"
    exit 0
    --- stdout
    At 00:00 on the 1st of January, in 2026 and in 2027, UTC

    Next:
    Fri 2027-01-01 00:00:00 +00:00

    It is never due after 2027-01-01T00:00:00.000Z.
    "#);
    assert_snapshot!(explain(&["0 0 0 1 1 * 2021"]), @r#"
    exit 0
    --- stdout
    At 00:00 on the 1st of January, in 2021, UTC

    It is never due after 2026-01-01T00:00:00.000Z.
    "#);
}

#[test]
fn nicknames_and_odd_expressions_in_words() {
    let described = [
        "@hourly",
        "@weekly",
        "@yearly",
        "*/5 * * * *",
        "0 9-17 * * MON-FRI",
        "0 0 L * *",
        "0 0 * * FRI#2",
        "0 0 15W * *",
        "*/10 * * * * *",
    ]
    .map(|expression| {
        let description = explain(&[expression, "--json"]).json()["description"].clone();
        format!("{expression:<20} {}", description.as_str().unwrap())
    });
    assert_snapshot!(described.join("\n"), @r#"
    @hourly              every hour
    @weekly              at 00:00 on Sundays, UTC
    @yearly              at 00:00 on the 1st of January, UTC
    */5 * * * *          every 5 minutes
    0 9-17 * * MON-FRI   every hour from 09:00 to 17:00 on weekdays, UTC
    0 0 L * *            at 00:00 on the last day of every month, UTC
    0 0 * * FRI#2        at 00:00 on the second Friday of every month, UTC
    0 0 15W * *          at 00:00 on the weekday nearest the 15th of every month, UTC
    */10 * * * * *       every 10 seconds
    "#);
}

#[test]
fn json_has_the_same_facts() {
    let mut explained = explain(&["30 2 * * *", "--tz", "Europe/Paris", "--json"]).json();
    // Another on each machine; see `zones`.
    assert!(explained["tz_data"].take().is_object());
    assert_eq!(
        explained,
        json!({
            "description": "at 02:30 every day, Europe/Paris time",
            "time_zone": "Europe/Paris",
            "tz_data": null,
            "clock_changes": [
                {
                    "at": "2026-03-29T01:00:00.000Z",
                    "from_offset": "+01:00",
                    "to_offset": "+02:00",
                    "local_times": "skipped",
                },
                {
                    "at": "2026-10-25T01:00:00.000Z",
                    "from_offset": "+02:00",
                    "to_offset": "+01:00",
                    "local_times": "repeated",
                },
            ],
            "next": ["2026-01-01T01:30:00.000Z", "2026-01-02T01:30:00.000Z"],
        })
    );
}

#[test]
fn the_zone_in_json_is_a_name_or_an_offset() {
    let zone = |arguments: &[&str]| {
        explain(&[arguments, &["--json"]].concat()).json()["time_zone"].clone()
    };
    assert_eq!(zone(&["@daily"]), Value::from("UTC"));
    assert_eq!(
        zone(&["@daily", "--tz", "asia/tokyo"]),
        Value::from("Asia/Tokyo")
    );
    assert_eq!(zone(&["--kron", "0 0 9 * * 330o"]), Value::from("+05:30"));
}
