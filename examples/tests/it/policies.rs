//! The examples that end by themselves.

use std::collections::HashSet;
use std::process::Command;

fn lines_of(program: &str) -> Vec<String> {
    let output = Command::new(program).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout.lines().map(str::to_owned).collect()
}

/// Where the line stands that begins so.
fn place(lines: &[String], start: &str) -> usize {
    let found = lines.iter().position(|line| line.starts_with(start));
    found.unwrap_or_else(|| panic!("no line begins with {start:?}: {lines:#?}"))
}

#[test]
fn delivery() {
    assert_eq!(
        lines_of(env!("CARGO_BIN_EXE_delivery")),
        [
            "backup: attempt 1, fence 1",
            "its holder crashes",
            "backup: attempt 2, fence 2",
        ]
    );
}

#[test]
fn schedules() {
    assert_eq!(
        lines_of(env!("CARGO_BIN_EXE_schedules")),
        [
            "at 09:00 on weekdays, Europe/Paris time; and at 11:00 on Saturdays, Europe/Paris time; \
             all of them except on 2026-12-24 to 2026-12-26 (Europe/Paris time)",
            "  2026-12-23T08:00:00.000Z",
            "  2026-12-28T08:00:00.000Z",
            "  2026-12-29T08:00:00.000Z",
            "at 00:20 every day, UTC",
            "  2026-12-23T00:20:00.000Z",
            "  2026-12-24T00:20:00.000Z",
            "  2026-12-25T00:20:00.000Z",
            "at 02:30 every day, Europe/Paris time, where clocks change skipped times are left out and \
             repeated times are due the first time only",
            "  2026-03-28T01:30:00.000Z",
            "  2026-03-30T00:30:00.000Z",
            "  2026-03-31T00:30:00.000Z",
        ]
    );
}

#[test]
fn overlap() {
    let lines = lines_of(env!("CARGO_BIN_EXE_overlap"));
    let has = |start: &str, end: &str| {
        let mut lines = lines.iter();
        lines.any(|line| line.starts_with(start) && line.ends_with(end))
    };
    assert!(has("skip ", "is not run now: overlap"), "{lines:#?}");
    assert!(has("queue one ", "is not run now: overlap"), "{lines:#?}");
    assert!(
        has("cancel earlier ", "stops, as it was asked to"),
        "{lines:#?}"
    );
    assert!(!has("allow ", "is not run now: overlap"), "{lines:#?}");
    let of_skip: Vec<&str> = lines
        .iter()
        .filter(|line| line.starts_with("skip ") && !line.contains("not run"))
        .map(|line| line.rsplit(' ').next().unwrap())
        .collect();
    for pair in of_skip.chunks_exact(2) {
        assert_eq!(pair, ["begins", "ends"], "{lines:#?}");
    }
}

#[test]
fn missed() {
    let lines = lines_of(env!("CARGO_BIN_EXE_missed"));
    let again = place(&lines, "up again");
    let ticks = |task: &str, lines: &[String]| -> Vec<jiff::Timestamp> {
        let of_task = lines
            .iter()
            .filter_map(|line| line.trim().strip_prefix(task));
        of_task.map(|tick| tick.trim().parse().unwrap()).collect()
    };
    let (_, after) = lines.split_at(again);
    let all = ticks("all", &lines);
    let second = jiff::SignedDuration::from_secs(1);
    for pair in all.windows(2) {
        assert_eq!(
            pair[1] - second,
            pair[0],
            "one a second, in order: {lines:#?}"
        );
    }
    assert!(
        ticks("all", after).len() >= ticks("skip", after).len() + 2,
        "{lines:#?}"
    );
}

#[test]
fn placement() {
    let lines = lines_of(env!("CARGO_BIN_EXE_placement"));
    let mut took = HashSet::new();
    for line in &lines {
        let (what, replica) = line.rsplit_once(" on ").unwrap();
        let (tick, _) = what.split_once(": ").unwrap();
        assert!(
            took.insert((tick, replica)),
            "{replica} took two: {lines:#?}"
        );
        assert!(
            replica == "anna" || !what.starts_with("report"),
            "{lines:#?}"
        );
    }
    assert!(
        took.iter().any(|(_, replica)| *replica == "bert"),
        "{lines:#?}"
    );
}

#[test]
fn retry() {
    let lines = lines_of(env!("CARGO_BIN_EXE_retry"));
    let of_fetch: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with("fetch"))
        .collect();
    assert_eq!(
        of_fetch,
        [
            "fetch: connection refused; retry 1",
            "fetch: connection refused; retry 2",
            "fetch: succeeded",
        ]
    );
    assert!(
        lines.contains(&"crunch: timed_out".to_owned()),
        "{lines:#?}"
    );
}

#[test]
fn limits() {
    let lines = lines_of(env!("CARGO_BIN_EXE_limits"));
    assert!(
        place(&lines, "invoices ends") < place(&lines, "vacuum begins"),
        "{lines:#?}"
    );
    assert!(
        place(&lines, "thumbnails begins") < place(&lines, "invoices ends"),
        "{lines:#?}"
    );
}

#[test]
fn operations() {
    assert_eq!(
        lines_of(env!("CARGO_BIN_EXE_operations")),
        [
            "rebuild is paused: until the release is out",
            "rebuild begins",
            "rebuild cancelled",
        ]
    );
}
