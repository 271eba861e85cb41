//! Krontab schedules where clocks change follow cron's rule.

use super::{assert_ticks, cron_in, kron, tick, ticks_between, tz};

fn same_as_cron(kron_text: &str, cron_text: &str) {
    for zone in [
        "Europe/Paris",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Cairo",
    ] {
        let (ours, cron) = (
            kron(kron_text).in_tz(tz(zone)).unwrap(),
            cron_in(cron_text, zone),
        );
        for year in [2024, 2025, 2026] {
            let (from, end) = (
                format!("{year}-01-01T00:00:00Z"),
                format!("{year}-12-31T00:00:00Z"),
            );
            let found = ticks_between(&ours, tick(&from), tick(&end));
            assert!(!found.is_empty());
            assert_eq!(
                found,
                ticks_between(&cron, tick(&from), tick(&end)),
                "{kron_text} in {zone}"
            );
        }
    }
}

#[test]
fn times_of_day_are_due_once_a_day() {
    same_as_cron("0 30 2 * *", "30 2 * * *");
    same_as_cron("0 0,30 1-3 * *", "0,30 1-3 * * *");
    same_as_cron("0 F F * *", "0 0 * * *");
    same_as_cron("0 0/15 2 * * 0w", "0/15 2 * * 0");
}

#[test]
fn intervals_follow_elapsed_time() {
    same_as_cron("0 */30 * * *", "*/30 * * * *");
    same_as_cron("0 /30 2 * *", "*/30 2 * * *");
    same_as_cron("0 0 * * *", "0 * * * *");
    same_as_cron("0 0 /2 * *", "0 */2 * * *");
}

#[test]
fn milliseconds_in_a_gap_fall_together_after_it() {
    let halves = kron("0 30 2 * * 0,500ms")
        .in_tz(tz("Europe/Paris"))
        .unwrap();
    assert_ticks(
        &halves,
        "2026-03-28T12:00:00Z",
        &[
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:30:00Z",
            "2026-03-30T00:30:00.500Z",
        ],
    );
}
