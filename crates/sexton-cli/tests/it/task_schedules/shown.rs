//! What `next` and `explain` take and show.

use insta::assert_snapshot;

use crate::ran::{Folder, sexton};

const NEW_YEAR: &[&str] = &["--from", "2026-01-01T00:00:00Z", "--count", "4"];

#[test]
fn next_and_explain_take_several_expressions_and_exceptions() {
    let of =
        |command: &str, arguments: &[&str]| sexton(&[&[command], arguments, NEW_YEAR].concat());
    let arguments = [
        "0 9 * * MON-FRI",
        "0 11 * * SAT",
        "--except",
        "2026-01-02..2026-01-04",
    ];
    assert_snapshot!(of("next", &arguments), @r#"
    exit 0
    --- stdout
    Thu 2026-01-01 09:00:00 +00:00
    Mon 2026-01-05 09:00:00 +00:00
    Tue 2026-01-06 09:00:00 +00:00
    Wed 2026-01-07 09:00:00 +00:00
    "#);
    assert_snapshot!(of("explain", &arguments), @r#"
    exit 0
    --- stdout
    At 09:00 on weekdays, UTC; and at 11:00 on Saturdays, UTC; all of them except on 2026-01-02 to 2026-01-04 (UTC)

    Next:
    Thu 2026-01-01 09:00:00 +00:00
    Mon 2026-01-05 09:00:00 +00:00
    Tue 2026-01-06 09:00:00 +00:00
    Wed 2026-01-07 09:00:00 +00:00
    "#);
    let folder = Folder::new().file("holidays.txt", "2026-01-02\n2026-01-04 # Sunday\n");
    let arguments = ["next", "@daily", "--except-file", "holidays.txt"];
    assert_snapshot!(folder.run(&[&arguments[..], NEW_YEAR].concat()), @r#"
    exit 0
    --- stdout
    Sat 2026-01-03 00:00:00 +00:00
    Mon 2026-01-05 00:00:00 +00:00
    Tue 2026-01-06 00:00:00 +00:00
    Wed 2026-01-07 00:00:00 +00:00
    "#);
    assert_snapshot!(of("next", &["@daily", "--except", "christmas"]), @r#"
    exit 2
    --- stderr
    error: --except "christmas": this is not a date; allowed is a date like 2026-12-25, or a range like 2026-12-24..2027-01-02 (its last date included)
    "#);
    let ran = of("next", &["--every", "5h", "7h", "--except", "2026-01-01"]);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn next_and_explain_pick_h_for_a_task() {
    let of = |arguments: &[&str]| sexton(&[&["explain"], arguments, NEW_YEAR].concat());
    assert_snapshot!(of(&["H H(0-5) * * *", "--task", "backup"]), @r#"
    exit 0
    --- stdout
    At 00:20 every day, UTC

    Next:
    Thu 2026-01-01 00:20:00 +00:00
    Fri 2026-01-02 00:20:00 +00:00
    Sat 2026-01-03 00:20:00 +00:00
    Sun 2026-01-04 00:20:00 +00:00
    "#);
    assert_snapshot!(of(&["H H(0-5) * * *"]), @r#"
    exit 2
    --- stderr
    error: cron "H H(0-5) * * *": minutes, at byte 0: found "H", allowed is a value written out; with --task NAME also H and ~, which that name picks
    "#);
    let elsewhere = of(&["H H * * *", "--task", "backup", "--namespace", "prod"]);
    let here = of(&["H H * * *", "--task", "backup"]);
    assert_ne!(elsewhere.stdout, here.stdout);
    assert_eq!(of(&["@daily", "--namespace", "prod"]).code, Some(2));
}

#[test]
fn next_and_explain_take_a_choice_for_clock_changes() {
    let of = |command: &str, arguments: &[&str], from: &str| {
        let zone = ["--tz", "Europe/Paris", "--count", "2", "--from", from];
        sexton(&[&[command, "30 2 * * *"], arguments, &zone].concat())
    };
    assert_snapshot!(of("next", &["--gap", "skip"], "2026-03-28T12:00:00Z"), @r#"
    exit 0
    --- stdout
    Mon 2026-03-30 02:30:00 +02:00  2026-03-30T00:30:00.000Z
    Tue 2026-03-31 02:30:00 +02:00  2026-03-31T00:30:00.000Z
    "#);
    assert_snapshot!(of("next", &["--fold", "both"], "2026-10-24T12:00:00Z"), @r#"
    exit 0
    --- stdout
    Sun 2026-10-25 02:30:00 +02:00  2026-10-25T00:30:00.000Z
    Sun 2026-10-25 02:30:00 +01:00  2026-10-25T01:30:00.000Z
    "#);
    let explained = of(
        "explain",
        &["--fold", "last", "--gap", "run"],
        "2026-10-24T12:00:00Z",
    );
    let first = explained.stdout.lines().next().unwrap_or_default();
    assert_snapshot!(first, @"At 02:30 every day, Europe/Paris time, where clocks change skipped times are due right after the gap and repeated times the second time only");
    // A schedule that is over says why.
    let over = sexton(&[
        "next",
        "--kron",
        "0 0 9 * * 1",
        "--from",
        "2026-01-01T00:00:00Z",
    ]);
    assert_snapshot!(over, @r#"
    exit 0
    --- stderr
    It is never due after 2026-01-01T00:00:00.000Z: its last year is the year 1: a part without a letter is a year; Monday is written 1w.
    "#);
}
