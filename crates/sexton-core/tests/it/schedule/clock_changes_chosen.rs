//! What a user chose to happen where clocks change, against a count of every local time.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use sexton_core::schedule::{ClockChanges, Cron, Fold, Gap, Kron, Schedule, ScheduleError, zone};
use sexton_core::tick::Tick;

use super::{cron, cron_in, kron, tick, ticks_between, tz};

const ALL: [ClockChanges; 6] = [
    choice(Gap::Run, Fold::First),
    choice(Gap::Run, Fold::Last),
    choice(Gap::Run, Fold::Both),
    choice(Gap::Skip, Fold::First),
    choice(Gap::Skip, Fold::Last),
    choice(Gap::Skip, Fold::Both),
];

const fn choice(gap: Gap, fold: Fold) -> ClockChanges {
    ClockChanges { gap, fold }
}

/// Zones with gaps and folds of every kind, and the days around them.
const CHANGES: [(&str, &str, Date, Date); 12] = [
    ("1 h", "Europe/Paris", date(2026, 3, 27), date(2026, 3, 31)),
    (
        "1 h",
        "Europe/Paris",
        date(2026, 10, 23),
        date(2026, 10, 27),
    ),
    (
        "30 min",
        "Australia/Lord_Howe",
        date(2026, 4, 3),
        date(2026, 4, 7),
    ),
    (
        "30 min",
        "Australia/Lord_Howe",
        date(2026, 10, 2),
        date(2026, 10, 6),
    ),
    (
        "2 h",
        "Antarctica/Troll",
        date(2026, 3, 27),
        date(2026, 3, 31),
    ),
    (
        "2 h",
        "Antarctica/Troll",
        date(2026, 10, 23),
        date(2026, 10, 27),
    ),
    (
        "3 h",
        "Antarctica/Casey",
        date(2009, 10, 16),
        date(2009, 10, 20),
    ),
    (
        "3 h",
        "Antarctica/Casey",
        date(2010, 3, 3),
        date(2010, 3, 7),
    ),
    (
        "over midnight",
        "America/St_Johns",
        date(2010, 11, 5),
        date(2010, 11, 9),
    ),
    (
        "at midnight",
        "America/Sao_Paulo",
        date(2018, 11, 2),
        date(2018, 11, 6),
    ),
    (
        "over midnight",
        "America/Sao_Paulo",
        date(2018, 2, 16),
        date(2018, 2, 20),
    ),
    ("24 h", "Pacific/Apia", date(2011, 12, 28), date(2012, 1, 2)),
];

/// The second from which on the zone has the later offset of a gap, looked for by halves: a gap is
/// shorter than two days.
fn end_of_gap(zone: &TimeZone, before_it: Timestamp, offset: Offset) -> Timestamp {
    let (mut without, mut with) = (before_it.as_second(), before_it.as_second() + 2 * 86_400);
    while with - without > 1 {
        let middle = without.midpoint(with);
        if zone.to_offset(Timestamp::from_second(middle).unwrap()) == offset {
            with = middle;
        } else {
            without = middle;
        }
    }
    Timestamp::from_second(with).unwrap()
}

/// The instants that `times`, on each of the days, stand for by a choice.
fn counted(
    zone: &TimeZone,
    times: &[(i8, i8)],
    (first, end): (Date, Date),
    changes: ClockChanges,
) -> Vec<Tick> {
    let mut instants = Vec::new();
    let days = first.series(jiff::Span::new().days(1));
    for day in days.take_while(|day| *day < end) {
        for (hour, minute) in times {
            let local = day.at(*hour, *minute, 0, 0);
            let at = |offset: Offset| offset.to_timestamp(local).unwrap();
            match (zone.to_ambiguous_timestamp(local).offset(), changes) {
                (AmbiguousOffset::Unambiguous { offset }, _) => instants.push(at(offset)),
                (AmbiguousOffset::Gap { after, .. }, ClockChanges { gap: Gap::Run, .. }) => {
                    instants.push(end_of_gap(zone, at(after), after));
                }
                (AmbiguousOffset::Gap { .. }, _) => {}
                (AmbiguousOffset::Fold { before, after }, ClockChanges { fold, .. }) => {
                    if fold != Fold::Last {
                        instants.push(at(before));
                    }
                    if fold != Fold::First {
                        instants.push(at(after));
                    }
                }
            }
        }
    }
    instants.sort_unstable();
    instants.dedup();
    instants.into_iter().map(Tick::at_or_before).collect()
}

/// Expressions of both forms, and the times of day that they name.
fn expressions() -> Vec<(&'static str, Vec<(i8, i8)>)> {
    let all = |hours: &[i8], minutes: &[i8]| -> Vec<(i8, i8)> {
        let times = hours.iter();
        let times = times.flat_map(|hour| minutes.iter().map(|minute| (*hour, *minute)));
        times.collect()
    };
    let hours: Vec<i8> = (0..24).collect();
    vec![
        ("30 2 * * *", all(&[2], &[30])),
        ("0,30 0-4 * * *", all(&[0, 1, 2, 3, 4], &[0, 30])),
        ("*/20 * * * *", all(&hours, &[0, 20, 40])),
        (
            "15 */2 * * *",
            all(&hours, &[15]).into_iter().step_by(2).collect(),
        ),
        ("1,59 23,0 * * *", all(&[23, 0], &[1, 59])),
    ]
}

#[test]
fn every_choice_in_every_kind_of_change_is_what_a_count_says() {
    for (kind, name, first, end) in CHANGES {
        let zone = tz(name);
        for (expression, times) in expressions() {
            for changes in ALL {
                let chosen = cron_in(expression, name).on_clock_changes(changes).unwrap();
                let what = format!("{kind}, {name}, {expression}, {changes:?}");
                let expected = counted(&zone, &times, (first, end), changes);
                let (from, until) = inner(&zone, first, end);
                let expected: Vec<Tick> = expected
                    .into_iter()
                    .filter(|tick| (from..until).contains(tick))
                    .collect();
                assert_eq!(ticks_between(&chosen, from, until), expected, "{what}");
                // From whatever instant it is asked, in the middle of a pass as well.
                let mut after = from;
                while after < until {
                    let next = expected.iter().find(|tick| **tick > after);
                    let found = chosen.next_after(after).filter(|tick| *tick < until);
                    assert_eq!(found.as_ref(), next, "{what} after {after}");
                    after = after.saturating_add_millis(17 * 60_000);
                }
            }
        }
    }
}

/// A few changes of each zone that has any, drawn from a seed, and never two within a week.
#[test]
fn every_choice_in_changes_of_all_zones_is_what_a_count_says() {
    let (mut seed, mut compared) = (15_u64, 0);
    let mut names: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.to_string())
        .collect();
    names.sort();
    for name in names {
        let Ok(zone) = zone::parse(&name) else {
            continue;
        };
        let from: Timestamp = "1900-01-01T00:00:00Z".parse().unwrap();
        let until: Timestamp = "2040-01-01T00:00:00Z".parse().unwrap();
        let following = zone.following(from).map(|change| change.timestamp());
        let changes: Vec<Timestamp> = following.take_while(|change| *change < until).collect();
        let week = jiff::SignedDuration::from_hours(7 * 24);
        let alone = |at: usize| {
            let apart =
                |one: usize, other: usize| changes[other].duration_since(changes[one]) > week;
            (at == 0 || apart(at - 1, at)) && (at + 1 == changes.len() || apart(at, at + 1))
        };
        let alone: Vec<usize> = (0..changes.len()).filter(|at| alone(*at)).collect();
        for _ in 0..DRAWN.min(alone.len()) {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let drawn = usize::try_from(seed >> 33).unwrap() % alone.len();
            let day = zone.to_datetime(changes[alone[drawn]]).date();
            let (first, end) = (day - days(3), day + days(4));
            compare(&zone, first, end, &format!("{name}, {day}"));
            compared += 1;
        }
    }
    assert!(compared > 1_000, "{compared}");
}

fn days(count: i64) -> jiff::Span {
    jiff::Span::new().days(count)
}

/// Compares all choices for one expression of each form with the count.
fn compare(zone: &TimeZone, first: Date, end: Date, what: &str) {
    for (expression, times) in expressions().into_iter().skip(1).take(2) {
        for changes in ALL {
            let chosen = cron(expression).in_tz(zone.clone()).unwrap();
            let chosen = chosen.on_clock_changes(changes).unwrap();
            let (from, until) = inner(zone, first, end);
            let mut expected = counted(zone, &times, (first, end), changes);
            expected.retain(|tick| (from..until).contains(tick));
            let found = ticks_between(&chosen, from, until);
            assert_eq!(found, expected, "{what}: {expression}, {changes:?}");
        }
    }
}

/// The days without the first and the last, whose times may stand for instants of their neighbours.
fn inner(zone: &TimeZone, first: Date, end: Date) -> (Tick, Tick) {
    let begin = |date: Date| Tick::at_or_before(date.to_zoned(zone.clone()).unwrap().timestamp());
    (
        begin(first.tomorrow().unwrap()),
        begin(end.yesterday().unwrap()),
    )
}

const DRAWN: usize = 3;

#[test]
fn a_day_that_came_twice_is_told_apart_by_its_passes() {
    // Alaska was sold, and had 18 October 1867 (Gregorian) twice.
    let zone = "America/Sitka";
    let (from, until) = (tick("1867-10-15T00:00:00Z"), tick("1867-10-23T00:00:00Z"));
    let count = |fold: Fold| {
        let noon = cron_in("0 12 * * *", zone);
        let noon = noon.on_clock_changes(choice(Gap::Run, fold)).unwrap();
        let ticks = ticks_between(&noon, from, until);
        assert!(ticks.is_sorted());
        ticks
    };
    let (first, last, both) = (count(Fold::First), count(Fold::Last), count(Fold::Both));
    assert_eq!(both.len(), first.len() + 1);
    assert_eq!(both.len(), last.len() + 1);
    let differ: Vec<&Tick> = both.iter().filter(|tick| !first.contains(tick)).collect();
    assert_eq!(differ.len(), 1);
    assert!(last.contains(differ[0]) && !first.contains(differ[0]));
}

#[test]
fn kron_takes_the_same_choice() {
    let zone = || tz("Europe/Paris");
    let (from, until) = (tick("2026-01-01T00:00:00Z"), tick("2027-01-01T00:00:00Z"));
    for changes in ALL {
        let one = cron_in("0,30 1-3 * * *", "Europe/Paris").on_clock_changes(changes);
        let other = kron("0 0,30 1-3 * *")
            .in_tz(zone())
            .unwrap()
            .on_clock_changes(changes);
        assert_eq!(
            ticks_between(&one.unwrap(), from, until),
            ticks_between(&other.unwrap(), from, until),
            "{changes:?}"
        );
    }
}

#[test]
fn what_is_chosen_in_milliseconds_steps_over_a_pass_at_once() {
    let kron = kron("* * * * * 0-999ms").in_tz(tz("Europe/Paris")).unwrap();
    let kron = kron
        .on_clock_changes(choice(Gap::Skip, Fold::First))
        .unwrap();
    let end_of_first_pass = tick("2026-10-25T00:59:59.999Z");
    assert_eq!(
        kron.next_after(end_of_first_pass),
        Some(tick("2026-10-25T02:00:00Z"))
    );
}

#[test]
fn the_choice_of_what_is_so_anyhow_changes_nothing() {
    let daily = || cron_in("30 2 * * *", "Europe/Paris");
    let rule = ClockChanges::default();
    assert_eq!(daily().clock_changes(), rule);
    assert_eq!(daily().on_clock_changes(rule).unwrap(), daily());
    assert_eq!(
        daily().canonical(),
        "cron s=0 m=30 h=2 d=* w=* mon=* y=* times-of-day Europe/Paris"
    );
    let steady = || cron_in("*/15 * * * *", "Europe/Paris");
    let of_intervals = choice(Gap::Skip, Fold::Both);
    assert_eq!(steady().clock_changes(), of_intervals);
    assert_eq!(steady().on_clock_changes(of_intervals).unwrap(), steady());
    // Chosen and taken back.
    let chosen = daily()
        .on_clock_changes(choice(Gap::Skip, Fold::Last))
        .unwrap();
    assert_eq!(chosen.clone().on_clock_changes(rule).unwrap(), daily());
    // The zone may be named before or after.
    let other_way = cron("30 2 * * *").on_clock_changes(choice(Gap::Skip, Fold::Last));
    assert_eq!(
        other_way.unwrap().in_tz(tz("Europe/Paris")).unwrap(),
        chosen
    );
}

#[test]
fn each_choice_describes_itself_differently() {
    let mut texts: Vec<(String, String)> = Vec::new();
    for changes in ALL {
        let chosen = cron_in("30 2 * * *", "Europe/Paris")
            .on_clock_changes(changes)
            .unwrap();
        texts.push((chosen.describe(), chosen.canonical()));
    }
    insta::assert_snapshot!(
        texts.iter().map(|(words, text)| format!("{words}\n  {text}")).collect::<Vec<_>>().join("\n"),
        @r#"
    at 02:30 every day, Europe/Paris time
      cron s=0 m=30 h=2 d=* w=* mon=* y=* times-of-day Europe/Paris
    at 02:30 every day, Europe/Paris time, where clocks change skipped times are due right after the gap and repeated times the second time only
      cron s=0 m=30 h=2 d=* w=* mon=* y=* gap=run fold=last Europe/Paris
    at 02:30 every day, Europe/Paris time, where clocks change skipped times are due right after the gap and repeated times both times
      cron s=0 m=30 h=2 d=* w=* mon=* y=* gap=run fold=both Europe/Paris
    at 02:30 every day, Europe/Paris time, where clocks change skipped times are left out and repeated times are due the first time only
      cron s=0 m=30 h=2 d=* w=* mon=* y=* gap=skip fold=first Europe/Paris
    at 02:30 every day, Europe/Paris time, where clocks change skipped times are left out and repeated times are due the second time only
      cron s=0 m=30 h=2 d=* w=* mon=* y=* gap=skip fold=last Europe/Paris
    at 02:30 every day, Europe/Paris time, where clocks change skipped times are left out and repeated times are due both times
      cron s=0 m=30 h=2 d=* w=* mon=* y=* elapsed Europe/Paris
    "#
    );
    // A choice does not show where clocks never change.
    let utc = cron("30 2 * * *")
        .on_clock_changes(choice(Gap::Skip, Fold::Last))
        .unwrap();
    assert_eq!(utc.describe(), "at 02:30 every day, UTC");
}

#[test]
fn a_choice_that_leaves_nothing_is_refused() {
    let only_in_the_gap = "0 30 2 29 3 * 2026";
    let skip = choice(Gap::Skip, Fold::First);
    let error = cron_in(only_in_the_gap, "Europe/Paris").on_clock_changes(skip);
    assert!(
        matches!(error, Err(ScheduleError::NeverDue { .. })),
        "{error:?}"
    );
    let error = Cron::parse(only_in_the_gap)
        .unwrap()
        .on_clock_changes(skip)
        .unwrap()
        .in_tz(tz("Europe/Paris"));
    assert!(
        matches!(error, Err(ScheduleError::NeverDue { .. })),
        "{error:?}"
    );
    let kron = Kron::parse("0 30 2 28 2 2026")
        .unwrap()
        .in_tz(tz("Europe/Paris"))
        .unwrap();
    let error = kron.on_clock_changes(skip);
    assert!(
        matches!(error, Err(ScheduleError::NeverDue { .. })),
        "{error:?}"
    );
}
