//! Cron where clocks change: the rule, told again as brute force over instants, hour by hour.

use std::collections::HashSet;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sexton_core::schedule::Schedule;
use sexton_core::tick::Tick;

use super::{assert_ticks, cron, cron_in, tick, ticks_between, tz};

/// Zones with shifts of an hour, of half an hour, at midnight, and of a whole day.
const ZONES: [&str; 9] = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Asia/Beirut",
    "America/Havana",
    "Pacific/Apia",
    "Africa/Casablanca",
];

/// Minutes, hours and weekdays, and whether the expression means intervals.
const EXPRESSIONS: [(&str, bool); 24] = [
    ("* * * * *", true),
    ("*/5 * * * *", true),
    ("*/15 * * * *", true),
    ("0 * * * *", true),
    ("30 * * * *", true),
    ("*/20 2 * * *", true),
    ("*/10 0-3 * * *", true),
    ("0 */2 * * *", true),
    ("15 */3 * * *", true),
    ("* 1-2 * * 0", true),
    ("0 0 * * *", false),
    ("5 0 * * *", false),
    ("30 0 * * *", false),
    ("0 1 * * *", false),
    ("30 1 * * *", false),
    ("45 1 * * *", false),
    ("0 2 * * *", false),
    ("30 2 * * *", false),
    ("0,30 2 * * *", false),
    ("30 1-3 * * *", false),
    ("0-59 2 * * *", false),
    ("0/7 0-23 * * *", false),
    ("0 0-23 * * *", false),
    ("30 2 * * SUN", false),
];

/// A minute of elapsed time, and what the clock on the wall shows as it begins. Local times are told as the
/// ticks that they would be in UTC.
struct Minute {
    tick: Tick,
    local: Tick,
    is_first_time: bool,
    skipped: Vec<Tick>,
}

fn minutes_from(start: Timestamp, minutes: i32, zone: &TimeZone) -> Vec<Minute> {
    let as_utc = |local: DateTime| Tick::at_or_before(TimeZone::UTC.to_timestamp(local).unwrap());
    let mut shown = HashSet::new();
    let mut before: Option<DateTime> = None;
    let mut found = Vec::new();
    // Begin early enough to have seen the first pass through a fold.
    for minute in -26 * 60..minutes {
        let at = start + minute.minutes();
        let local = zone.to_datetime(at);
        let mut skipped = Vec::new();
        if let Some(mut missing) = before {
            missing += 1.minute();
            while missing < local {
                skipped.push(as_utc(missing));
                missing += 1.minute();
            }
        }
        before = Some(local);
        let is_first_time = shown.insert(local);
        if minute >= 0 {
            let tick = Tick::at_or_before(at);
            found.push(Minute {
                tick,
                local: as_utc(local),
                is_first_time,
                skipped,
            });
        }
    }
    found
}

/// The rule as a reader would check it, with a calendar and a pencil: minute by minute, look at the
/// clock on the wall.
fn brute_force(expression: &str, intervals: bool, minutes: &[Minute]) -> Vec<Tick> {
    let calendar = cron(expression);
    let matches = |local: Tick| calendar.next_after(local.saturating_add_millis(-1)) == Some(local);
    let is_due = |minute: &&Minute| {
        if intervals {
            return matches(minute.local);
        }
        (minute.is_first_time && matches(minute.local))
            || minute.skipped.iter().any(|local| matches(*local))
    };
    minutes
        .iter()
        .filter(is_due)
        .map(|minute| minute.tick)
        .collect()
}

#[test]
fn agrees_with_brute_force_around_every_change_of_clocks() {
    for name in ZONES {
        let zone = tz(name);
        let since: Timestamp = "2010-01-01T00:00:00Z".parse().unwrap();
        let until: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        let changes = zone.following(since).map(|change| change.timestamp());
        let mut changes: Vec<_> = changes.take_while(|change| *change < until).collect();
        // All changes alike would take long and tell nothing new: the first and the last few.
        let recent = changes.split_off(changes.len().min(4));
        changes.extend(recent.iter().rev().take(6));
        if name == "UTC" {
            assert!(changes.is_empty());
            changes.push("2026-03-29T01:00:00Z".parse().unwrap());
        }
        for change in changes {
            let start = change - 8.hours();
            let minutes = 28 * 60;
            let wall = minutes_from(start, minutes, &zone);
            for (expression, intervals) in EXPRESSIONS {
                let expected = brute_force(expression, intervals, &wall);
                let from = Tick::at_or_before(start);
                let end = from.saturating_add_millis(i64::from(minutes) * 60_000);
                let found = ticks_between(&cron_in(expression, name), from, end);
                assert_eq!(found, expected, "{expression} in {name} around {change}");
            }
        }
    }
}

#[test]
fn times_of_day_in_a_gap_are_due_once_after_it() {
    let from = "2026-03-29T00:00:00Z";
    let after_gap = "2026-03-29T01:00:00Z";
    assert_ticks(
        &cron_in("30 2 * * *", "Europe/Paris"),
        from,
        &[after_gap, "2026-03-30T00:30:00Z"],
    );
    assert_ticks(
        &cron_in("0,30 2 * * *", "Europe/Paris"),
        from,
        &[after_gap, "2026-03-30T00:00:00Z"],
    );
    assert_ticks(
        &cron_in("30 1-3 * * *", "Europe/Paris"),
        from,
        &[
            "2026-03-29T00:30:00Z",
            after_gap,
            "2026-03-29T01:30:00Z",
            "2026-03-29T23:30:00Z",
        ],
    );
    // Cairo skips midnight: 24 April 2026 begins at 01:00.
    let midnight = cron_in("0 0 * * *", "Africa/Cairo");
    assert_ticks(
        &midnight,
        "2026-04-23T12:00:00Z",
        &["2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"],
    );
    // Lord Howe skips half an hour: 4 October 2026, 02:00 becomes 02:30.
    let quarter_past = cron_in("15 2 * * *", "Australia/Lord_Howe");
    assert_ticks(
        &quarter_past,
        "2026-10-03T12:00:00Z",
        &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"],
    );
    // Samoa skipped 30 December 2011 as a whole.
    let nine = cron_in("0 9 * * *", "Pacific/Apia");
    assert_ticks(
        &nine,
        "2011-12-29T12:00:00Z",
        &[
            "2011-12-29T19:00:00Z",
            "2011-12-30T10:00:00Z",
            "2011-12-30T19:00:00Z",
            "2011-12-31T19:00:00Z",
        ],
    );
}

#[test]
fn times_of_day_in_a_fold_are_due_the_first_time_only() {
    let half_past_two = cron_in("30 2 * * *", "Europe/Paris");
    assert_ticks(
        &half_past_two,
        "2026-10-24T12:00:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
    );
    assert_eq!(
        half_past_two.next_after(tick("2026-10-25T01:29:59.999Z")),
        Some(tick("2026-10-26T01:30:00Z"))
    );
}

#[test]
fn intervals_follow_elapsed_time() {
    let half_hourly = cron_in("*/30 * * * *", "America/New_York");
    assert_ticks(
        &half_hourly,
        "2026-11-01T05:00:00Z",
        &[
            "2026-11-01T05:00:00Z",
            "2026-11-01T05:30:00Z",
            "2026-11-01T06:00:00Z",
            "2026-11-01T06:30:00Z",
            "2026-11-01T07:00:00Z",
        ],
    );
    assert_ticks(
        &cron_in("*/30 2 * * *", "Europe/Paris"),
        "2026-03-28T12:00:00Z",
        &["2026-03-30T00:00:00Z"],
    );
}

#[test]
fn the_seconds_have_no_part_in_the_rule() {
    let a_minute = cron_in("* 30 2 * * *", "Europe/Paris");
    let from = tick("2026-03-28T12:00:00Z");
    let gap = ticks_between(&a_minute, from, tick("2026-03-29T12:00:00Z"));
    assert_eq!(gap, [tick("2026-03-29T01:00:00Z")]);
    let fold = ticks_between(
        &a_minute,
        tick("2026-10-24T12:00:00Z"),
        tick("2026-10-25T12:00:00Z"),
    );
    assert_eq!(fold.len(), 60);
    assert_eq!(fold[0], tick("2026-10-25T00:30:00Z"));
}

#[test]
fn an_interval_years_away_is_found_beyond_many_changes() {
    let far = cron_in("0 * * 29 2 * 2096", "Europe/Paris");
    assert_eq!(
        far.next_after(tick("2026-01-01T00:00:00Z")),
        Some(tick("2096-02-28T23:00:00Z"))
    );
    // Its last day's fold comes again, though nothing else does.
    let fold = cron_in("0 */30 2 25 10 * 2026", "Europe/Paris");
    assert_ticks(
        &fold,
        "2000-01-01T00:00:00Z",
        &[
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
        ],
    );
    assert_eq!(fold.next_after(tick("2026-10-25T01:30:00Z")), None);
}

#[test]
fn intervals_that_lie_in_a_gap_only_are_refused() {
    let lost = cron("0 */30 2 29 3 * 2026");
    let error = lost.in_tz(tz("Europe/Paris")).unwrap_err().to_string();
    assert_eq!(
        error,
        "cron at 02:00 and 02:30 on the 29th of March, in 2026, Europe/Paris time, whenever clocks \
         show them is never due: the zone's clocks skip it"
    );
}

#[test]
fn zones_whose_clocks_never_change_are_told_from_those_whose_do() {
    assert_eq!(
        cron_in("0-59 2 * * *", "Etc/UTC").describe(),
        cron("0-59 2 * * *").describe()
    );
    assert_eq!(
        cron_in("0-59 2 * * *", "Etc/GMT+5").describe(),
        "every minute from 02:00 to 02:59, Etc/GMT+5 time"
    );
    assert_ticks(
        &cron_in("0 2 * * *", "Etc/GMT+5"),
        "2026-01-01T00:00:00Z",
        &["2026-01-01T07:00:00Z"],
    );
    // Tokyo's have not changed since 1951, but they did.
    assert_ticks(
        &cron_in("0 2 * * *", "Asia/Tokyo"),
        "2026-01-01T00:00:00Z",
        &["2026-01-01T17:00:00Z"],
    );
}

/// The table in the documentation of `schedule`.
#[test]
fn the_documented_table_holds() {
    let rows: [(&str, &[&str], &[&str]); 5] = [
        ("30 2 * * *", &["03:00+02"], &["02:30+02"]),
        ("0,30 2 * * *", &["03:00+02"], &["02:00+02", "02:30+02"]),
        (
            "30 1-3 * * *",
            &["01:30+01", "03:00+02", "03:30+02"],
            &["01:30+02", "02:30+02", "03:30+01"],
        ),
        (
            "30 * * * *",
            &["01:30+01", "03:30+02"],
            &["01:30+02", "02:30+02", "02:30+01", "03:30+01"],
        ),
        (
            "*/30 2 * * *",
            &[],
            &["02:00+02", "02:30+02", "02:00+01", "02:30+01"],
        ),
    ];
    let shown = |expression: &str, date: &str| -> Vec<String> {
        let night = |time: &str| -> Tick {
            let zoned: jiff::Zoned = format!("{date}T{time}[Europe/Paris]").parse().unwrap();
            Tick::at_or_before(zoned.timestamp())
        };
        let ticks = ticks_between(
            &cron_in(expression, "Europe/Paris"),
            night("01:00"),
            night("04:00"),
        );
        let show = |tick: &Tick| {
            let local = tick.timestamp().to_zoned(tz("Europe/Paris"));
            let offset = local.offset().seconds() / 3600;
            format!("{:02}:{:02}+{offset:02}", local.hour(), local.minute())
        };
        ticks.iter().map(show).collect()
    };
    for (expression, gap, fold) in rows {
        assert_eq!(shown(expression, "2026-03-29"), gap, "{expression}");
        assert_eq!(shown(expression, "2026-10-25"), fold, "{expression}");
    }
}
