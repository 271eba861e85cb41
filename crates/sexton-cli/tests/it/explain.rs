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
    At 00:00 on the 1st and 15th of every month, and also on Fridays, UTC

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

    Sun 2026-03-29: clocks there skip from 02:00 to 03:00. 02:30 does not come; it is due at 03:00 instead.
    Sun 2026-10-25: clocks there go back from 03:00 to 02:00. 02:30 comes twice; it is due the first time only.

    Next:
    Thu 2026-01-01 02:30:00 +01:00  2026-01-01T01:30:00.000Z
    Fri 2026-01-02 02:30:00 +01:00  2026-01-02T01:30:00.000Z
    "#);
}

#[test]
fn a_change_that_does_not_touch_the_expression_is_not_told() {
    for expression in [
        "*/15 * * * *",
        "0 * * * *",
        "30 9 * * *",
        "0 3 * * *",
        "30 2 * * MON",
        "0/15 */1 * * *",
    ] {
        let explained = explain(&[expression, "--tz", "Europe/Paris", "--json"]).json();
        assert_eq!(explained["clock_changes"], json!([]), "{expression}");
    }
    assert_snapshot!(explain(&["30 9 * * *", "--tz", "Europe/Paris"]), @r#"
    exit 0
    --- stdout
    At 09:30 every day, Europe/Paris time

    Next:
    Thu 2026-01-01 09:30:00 +01:00  2026-01-01T08:30:00.000Z
    Fri 2026-01-02 09:30:00 +01:00  2026-01-02T08:30:00.000Z
    "#);
}

#[test]
fn what_a_change_does_is_told_of_this_expression() {
    let told = [
        "30 2 * * *",
        "0,30 2 * * *",
        "30 1-3 * * *",
        "0 2,3 * * *",
        "*/30 2 * * *",
        "0/15 0-23 * * *",
        "* 2 * * *",
        "0 */2 * * *",
        "30 2 29 3 *",
        "59 30 2 * * *",
    ]
    .map(|expression| {
        let told = explain(&[expression, "--tz", "Europe/Paris"]).stdout;
        let told = told.lines().filter(|line| line.contains("clocks there"));
        format!("{expression}\n{}", told.collect::<Vec<_>>().join("\n"))
    });
    assert_snapshot!(told.join("\n\n"), @r#"
    30 2 * * *
    Sun 2026-03-29: clocks there skip from 02:00 to 03:00. 02:30 does not come; it is due at 03:00 instead.
    Sun 2026-10-25: clocks there go back from 03:00 to 02:00. 02:30 comes twice; it is due the first time only.

    0,30 2 * * *
    Sun 2026-03-29: clocks there skip from 02:00 to 03:00. 02:00 and 02:30 do not come; it is due once in their place, at 03:00.
    Sun 2026-10-25: clocks there go back from 03:00 to 02:00. 02:00 and 02:30 come twice; it is due the first time only.

    30 1-3 * * *
    Sun 2026-03-29: clocks there skip from 02:00 to 03:00. 02:30 does not come; it is due at 03:00 instead.
    Sun 2026-10-25: clocks there go back from 03:00 to 02:00. 02:30 comes twice; it is due the first time only, so that it pauses for 2 hours, until 03:30.

    0 2,3 * * *
    Sun 2026-03-29: clocks there skip from 02:00 to 03:00. 02:00 does not come; nothing takes its place, for it is due at 03:00 anyway.
    Sun 2026-10-25: clocks there go back from 03:00 to 02:00. 02:00 comes twice; it is due the first time only.

    */30 2 * * *
    Sun 2026-03-29: clocks there skip from 02:00 to 03:00. 02:00 and 02:30 do not come, and nothing takes their place.
    Sun 2026-10-25: clocks there go back from 03:00 to 02:00. 02:00 and 02:30 come twice; it is due both times.

    0/15 0-23 * * *
    Sun 2026-10-25: clocks there go back from 03:00 to 02:00. 02:00, 02:15, 02:30 and 02:45 come twice; it is due the first time only, so that it pauses for 1 hour 15 minutes, until 03:00.

    * 2 * * *
    Sun 2026-03-29: clocks there skip from 02:00 to 03:00. 60 times from 02:00 to 02:59 do not come, and nothing takes their place.
    Sun 2026-10-25: clocks there go back from 03:00 to 02:00. 60 times from 02:00 to 02:59 come twice; it is due both times.

    0 */2 * * *
    Sun 2026-03-29: clocks there skip from 02:00 to 03:00. 02:00 does not come, and nothing takes its place.
    Sun 2026-10-25: clocks there go back from 03:00 to 02:00. 02:00 comes twice; it is due both times.

    30 2 29 3 *
    Sun 2026-03-29: clocks there skip from 02:00 to 03:00. 02:30 does not come; it is due at 03:00 instead.

    59 30 2 * * *
    Sun 2026-03-29: clocks there skip from 02:00 to 03:00. 02:30:59 does not come; it is due at 03:00 instead.
    Sun 2026-10-25: clocks there go back from 03:00 to 02:00. 02:30:59 comes twice; it is due the first time only.
    "#);
    assert_snapshot!(explain(&["--kron", "* * 2 * * *ms", "--tz", "Europe/Paris"]), @r#"
    exit 0
    --- stdout
    Every millisecond from 02:00 to 02:59, Europe/Paris time

    Sun 2026-03-29: clocks there skip from 02:00 to 03:00. More than 100000 times from 02:00 on do not come, and nothing takes their place.
    Sun 2026-10-25: clocks there go back from 03:00 to 02:00. More than 100000 times from 02:00 on come twice; it is due both times.

    Next:
    Thu 2026-01-01 02:00:00.000 +01:00  2026-01-01T01:00:00.000Z
    Thu 2026-01-01 02:00:00.001 +01:00  2026-01-01T01:00:00.001Z
    "#);
    assert_snapshot!(explain(&["--kron", "0 15/30 1 * *", "--tz", "Australia/Lord_Howe"]), @r#"
    exit 0
    --- stdout
    At 01:15 and 01:45 every day, Australia/Lord_Howe time

    Sun 2026-04-05: clocks there go back from 02:00 to 01:30. 01:45 comes twice; it is due the first time only.

    Next:
    Thu 2026-01-01 01:15:00 +11:00  2025-12-31T14:15:00.000Z
    Thu 2026-01-01 01:45:00 +11:00  2025-12-31T14:45:00.000Z
    "#);
}

#[test]
fn the_page_on_schedules_shows_what_is_printed() {
    let page = include_str!("../../../../docs/schedules.md");
    let (_, shown) = page.split_once("$ sexton explain ").unwrap();
    let (line, shown) = shown.split_once('\n').unwrap();
    assert_eq!(
        line,
        "'*/30 2 * * *' --tz Europe/Paris --from 2026-01-01 --count 1"
    );
    let (shown, _) = shown.split_once("```").unwrap();
    let printed = sexton(&[
        "explain",
        "*/30 2 * * *",
        "--tz",
        "Europe/Paris",
        "--from",
        "2026-01-01",
        "--count",
        "1",
    ]);
    assert_eq!(printed.stdout, shown);
}

#[test]
fn changes_stand_in_the_order_in_which_they_come() {
    assert_snapshot!(explain(&["45 1 * * *", "--tz", "Australia/Lord_Howe"]), @r#"
    exit 0
    --- stdout
    At 01:45 every day, Australia/Lord_Howe time

    Sun 2026-04-05: clocks there go back from 02:00 to 01:30. 01:45 comes twice; it is due the first time only.

    Next:
    Thu 2026-01-01 01:45:00 +11:00  2025-12-31T14:45:00.000Z
    Fri 2026-01-02 01:45:00 +11:00  2026-01-01T14:45:00.000Z
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

    Fri 2011-12-30: clocks there skip from 00:00 to 00:00 on 2011-12-31. 12:00 does not come; it is due at 00:00 on 2011-12-31 instead.

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

    It is never due after 2026-01-01T00:00:00.000Z: its last year, 2021, is over.
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
    0 0 15W * *          at 00:00 on the weekday (Monday to Friday) nearest the 15th of every month, UTC
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
                    "effect": "shifted",
                },
                {
                    "at": "2026-10-25T01:00:00.000Z",
                    "from_offset": "+02:00",
                    "to_offset": "+01:00",
                    "local_times": "repeated",
                    "effect": "first time",
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
