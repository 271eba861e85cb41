//! Schedules made of schedules.

use std::collections::HashMap;
use std::sync::Arc;

use insta::assert_snapshot;
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use sexton_core::schedule::{Bounded, Every, Except, Once, Schedule, Union};
use sexton_core::tick::Tick;

use super::{assert_ticks, cron, cron_in, tick, ticks_between, tz};

fn shared(schedule: impl Schedule) -> Arc<dyn Schedule> {
    Arc::new(schedule)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn every(text: &str) -> Arc<dyn Schedule> {
    shared(Every::parse(text).unwrap())
}

#[test]
fn a_union_is_due_when_any_is_and_once_when_several_are() {
    let union = Union::new([every("2s"), every("3s")]).unwrap();
    let found = ticks_between(
        &union,
        tick("2026-01-01T00:00:00Z"),
        tick("2026-01-01T00:00:07Z"),
    );
    let seconds: Vec<_> = found
        .iter()
        .map(|tick| tick.as_millis() / 1000 % 60)
        .collect();
    assert_eq!(seconds, [0, 2, 3, 4, 6]);

    let ends = Union::new([
        shared(Once::at(at("2026-01-01T00:00:00Z"))),
        shared(Once::at(at("2025-01-01T00:00:00Z"))),
    ])
    .unwrap();
    assert_ticks(
        &ends,
        "2020-01-01T00:00:00Z",
        &["2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"],
    );
    assert_eq!(ends.next_after(tick("2026-01-01T00:00:00Z")), None);
}

#[test]
fn a_union_has_one_to_a_hundred_schedules() {
    assert_snapshot!(Union::new([]).unwrap_err(), @"schedules of a union: found none, allowed is 1 to 100");
    assert_snapshot!(Union::new(vec![every("1s"); 101]).unwrap_err(), @"schedules of a union: found more than 100, allowed is 1 to 100");
    assert!(Union::new(vec![every("1s"); 100]).is_ok());
}

#[test]
fn a_start_is_included_and_an_end_is_not() {
    let bounded = Bounded::new(
        every("1h"),
        Some(at("2026-01-01T01:00:00Z")),
        Some(at("2026-01-01T03:00:00Z")),
    )
    .unwrap();
    let all = ticks_between(
        &bounded,
        tick("2000-01-01T00:00:00Z"),
        tick("2100-01-01T00:00:00Z"),
    );
    assert_eq!(
        all,
        [tick("2026-01-01T01:00:00Z"), tick("2026-01-01T02:00:00Z")]
    );
    // Half a millisecond after a tick is after it.
    let start = Some(at("2026-01-01T01:00:00.0005Z"));
    let end = Some(at("2026-01-01T02:00:00.0005Z"));
    let bounded = Bounded::new(every("1h"), start, end).unwrap();
    let all = ticks_between(
        &bounded,
        tick("2000-01-01T00:00:00Z"),
        tick("2100-01-01T00:00:00Z"),
    );
    assert_eq!(all, [tick("2026-01-01T02:00:00Z")]);
}

#[test]
fn bounds_that_leave_nothing_are_refused() {
    let (early, late) = (at("2026-01-01T00:10:00Z"), at("2026-01-01T00:50:00Z"));
    assert_snapshot!(Bounded::new(every("1h"), Some(late), Some(early)).unwrap_err(), @"start and end: found 2026-01-01T00:50:00Z to 2026-01-01T00:10:00Z, allowed is a start before the end");
    assert_snapshot!(Bounded::new(every("1h"), Some(early), Some(early)).unwrap_err(), @"start and end: found 2026-01-01T00:10:00Z to 2026-01-01T00:10:00Z, allowed is a start before the end");
    assert_snapshot!(Bounded::new(every("1h"), Some(early), Some(late)).unwrap_err(), @"every hour, from 2026-01-01T00:10:00.000Z, before 2026-01-01T00:50:00.000Z is never due: it has no tick between its start and its end");
    let once = || shared(Once::at(early));
    assert!(Bounded::new(once(), Some(late), None).is_err());
    assert!(Bounded::new(once(), None, Some(early)).is_err());
    assert!(Bounded::new(once(), Some(early), None).is_ok());
}

#[test]
fn excepted_dates_are_dates_of_the_zone() {
    let hourly = || every("1h");
    let in_utc = Except::new(hourly()).on([date(2026, 5, 1)]).unwrap();
    assert_ticks(
        &in_utc,
        "2026-04-30T23:00:00Z",
        &["2026-04-30T23:00:00Z", "2026-05-02T00:00:00Z"],
    );
    let in_paris = Except::new(hourly())
        .in_tz(tz("Europe/Paris"))
        .on([date(2026, 5, 1)])
        .unwrap();
    assert_ticks(
        &in_paris,
        "2026-04-30T21:00:00Z",
        &["2026-04-30T21:00:00Z", "2026-05-01T22:00:00Z"],
    );
    let days = Except::new(hourly())
        .on([date(2026, 5, 2), date(2026, 5, 1), date(2026, 5, 2)])
        .unwrap();
    assert_ticks(&days, "2026-04-30T23:00:01Z", &["2026-05-03T00:00:00Z"]);
}

#[test]
fn excepted_dates_hold_to_the_last_minute_where_clocks_change_at_midnight() {
    // Havana's 1 November 2026 has a fold from 01:00 to 00:00; Azores-like folds over midnight: Santiago's
    // 4 April 2026 ends twice, at 24:00 clocks show 23:00 again. Cairo's 24 April 2026 begins at 01:00.
    for (zone, day) in [
        ("America/Havana", date(2026, 11, 1)),
        ("America/Santiago", date(2026, 4, 4)),
        ("Africa/Cairo", date(2026, 4, 23)),
        ("Africa/Cairo", date(2026, 4, 24)),
    ] {
        let zone = tz(zone);
        let except = Except::new(every("10m"))
            .in_tz(zone.clone())
            .on([day])
            .unwrap();
        let from = tick(&format!("{}T00:00:00Z", day.yesterday().unwrap()));
        let end = from.saturating_add_millis(4 * 86_400_000);
        let mut expected = ticks_between(&every("10m"), from, end);
        expected.retain(|tick| zone.to_datetime(tick.timestamp()).date() != day);
        assert_eq!(ticks_between(&except, from, end), expected);
    }
}

#[test]
fn an_excepted_date_leaves_the_second_pass_of_the_date_before() {
    // At 00:01 on 7 November clocks go back to 23:01 on the 6th.
    let except = Except::new(shared(cron_in("*/30 * * * *", "America/St_Johns")))
        .in_tz(tz("America/St_Johns"))
        .on([date(2010, 11, 7)])
        .unwrap();
    assert_ticks(
        &except,
        "2010-11-07T01:31:00Z",
        &[
            "2010-11-07T02:00:00Z",
            "2010-11-07T03:00:00Z",
            "2010-11-08T03:30:00Z",
        ],
    );
    assert_eq!(
        except.next_after(tick("2010-11-07T02:30:00Z")),
        Some(tick("2010-11-07T03:00:00Z"))
    );
}

/// A change of a zone's clocks that brings back a date, once for all zones that share it.
fn folds_over_midnight() -> HashMap<(Tick, i32, i32), TimeZone> {
    let mut folds = HashMap::new();
    let (from, end) = (at("1900-01-01T00:00:00Z"), at("2050-01-01T00:00:00Z"));
    for name in jiff::tz::db().available() {
        // What the machine keeps beside the zones is none.
        let Ok(zone) = TimeZone::get(name.as_str()) else {
            continue;
        };
        let mut before = zone.to_offset(from);
        for change in zone.following(from) {
            let (at, after) = (change.timestamp(), change.offset());
            if at > end {
                break;
            }
            if after.to_datetime(at).date() < before.to_datetime(at).date() {
                let offsets = (before.seconds(), after.seconds());
                let key = (Tick::at_or_before(at), offsets.0, offsets.1);
                folds.insert(key, zone.clone());
            }
            before = after;
        }
    }
    folds
}

#[test]
fn excepted_dates_agree_with_brute_force_in_every_fold_over_midnight() {
    const MINUTE_MS: i64 = 60_000;
    let folds = folds_over_midnight();
    assert!(folds.len() > 100, "{}", folds.len());
    for ((change, _, _), zone) in folds {
        let start = change.saturating_add_millis(-180 * MINUTE_MS);
        let minutes = (0..360).map(|minute| start.saturating_add_millis(minute * MINUTE_MS));
        let ticks: Vec<Tick> = minutes.collect();
        let date_of = |tick: Tick| zone.to_datetime(tick.timestamp()).date();
        for excepted in [date_of(change), date_of(change.saturating_add_millis(-1))] {
            let except = Except::new(every("1m"))
                .in_tz(zone.clone())
                .on([excepted])
                .unwrap();
            let from_whole_minute = start.as_millis().div_euclid(MINUTE_MS) * MINUTE_MS;
            let due = |minute: i64| Tick::from_millis(from_whole_minute + minute * MINUTE_MS);
            let due: Vec<Tick> = (0..362)
                .filter_map(due)
                .filter(|tick| date_of(*tick) != excepted)
                .collect();
            for after in &ticks {
                let Some(expected) = due.iter().find(|tick| *tick > after) else {
                    continue;
                };
                assert_eq!(
                    except.next_after(*after),
                    Some(*expected),
                    "after {after} but {excepted} in {zone:?}"
                );
            }
        }
    }
}

#[test]
fn excepted_ranges_are_stepped_over_at_once_however_many_ticks_lie_in_them() {
    let except = Except::new(every("1ms"))
        .between(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"))
        .and_then(|except| except.between(at("2026-06-01T00:00:00Z"), at("2028-01-01T00:00:00Z")))
        .and_then(|except| {
            except.between(at("2029-01-01T00:00:00Z"), at("2029-01-01T00:00:00.001Z"))
        })
        .unwrap();
    assert_ticks(
        &except,
        "2025-12-31T23:59:59.999Z",
        &["2025-12-31T23:59:59.999Z", "2028-01-01T00:00:00Z"],
    );
    assert_ticks(
        &except,
        "2028-12-31T23:59:59.999Z",
        &["2028-12-31T23:59:59.999Z", "2029-01-01T00:00:00.001Z"],
    );
    let backwards =
        Except::new(every("1s")).between(at("2027-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
    assert_snapshot!(backwards.unwrap_err(), @"exception: found 2027-01-01T00:00:00Z to 2026-01-01T00:00:00Z, allowed is a start before the end");
}

#[test]
fn another_schedule_excepts_the_instants_at_which_it_is_due() {
    let working_hours = Except::new(shared(cron_in("0 * * * *", "Europe/Paris")))
        .when(shared(cron_in("* 0-8,18-23 * * *", "Europe/Paris")))
        .unwrap();
    let found = ticks_between(
        &working_hours,
        tick("2026-01-01T00:00:00Z"),
        tick("2026-01-02T00:00:00Z"),
    );
    assert_eq!(found.len(), 9);
    assert_eq!(found[0], tick("2026-01-01T08:00:00Z"));
}

#[test]
fn exceptions_that_leave_nothing_are_refused() {
    assert_snapshot!(Except::new(every("1h")).when(every("30m")).unwrap_err(), @"every hour, except when due every 30 minutes is never due: its exceptions leave nothing");
    let once = Except::new(shared(Once::at(at("2026-05-01T12:00:00Z")))).on([date(2026, 5, 1)]);
    assert_snapshot!(once.unwrap_err(), @"once at 2026-05-01T12:00:00.000Z, except on 2026-05-01 (UTC) is never due: its exceptions leave nothing");
    for end in [Timestamp::MAX, at("9999-12-30T22:00:00.001Z")] {
        assert!(
            Except::new(every("1h"))
                .between(Timestamp::MIN, end)
                .is_err()
        );
        assert!(Bounded::new(every("1h"), Some(Tick::MAX.timestamp()), Some(end)).is_ok());
    }
    let last = Except::new(every("1h")).between(Timestamp::MIN, Tick::MAX.timestamp());
    assert_eq!(last.unwrap().next_after(Tick::MIN), Some(Tick::MAX));
}

#[test]
fn schedules_of_schedules_describe_themselves() {
    let union = Union::new([shared(cron("@daily")), every("7m")]).unwrap();
    let except = Except::new(shared(union))
        .in_tz(tz("Europe/Paris"))
        .on([date(2026, 5, 1), date(2026, 12, 25)])
        .and_then(|except| except.between(at("2026-07-01T00:00:00Z"), at("2026-08-01T00:00:00Z")))
        .and_then(|except| except.when(every("49m")))
        .unwrap();
    let bounded = Bounded::new(
        shared(except),
        Some(at("2026-01-01T00:00:00Z")),
        Some(at("2027-01-01T00:00:00Z")),
    )
    .unwrap();
    assert_snapshot!(bounded.describe(), @"at 00:00 every day, UTC; and every 7 minutes; all of them except on 2026-05-01 and 2026-12-25 (Europe/Paris time); nor from 2026-07-01T00:00:00.000Z before 2026-08-01T00:00:00.000Z; nor when due every 49 minutes, from 2026-01-01T00:00:00.000Z, before 2027-01-01T00:00:00.000Z");
    let boxed: Box<dyn Schedule> = Box::new(bounded);
    assert_eq!(
        boxed.next_after(tick("2020-01-01T00:00:00Z")),
        Some(tick("2026-01-01T00:00:00Z"))
    );
    assert!(Schedule::describe(&boxed).starts_with("at 00:00"));
    assert_eq!(Except::new(every("1h")).describe(), "every hour");
}

#[test]
fn a_range_of_dates_is_as_all_of_its_dates() {
    let hourly = || shared(cron_in("0 * * * *", "Europe/Paris"));
    let except = || Except::new(hourly()).in_tz(tz("Europe/Paris"));
    let ranges = [
        date(2026, 3, 28)..=date(2026, 3, 30),
        date(2026, 10, 25)..=date(2026, 10, 25),
    ];
    let dates = [
        date(2026, 3, 28),
        date(2026, 3, 29),
        date(2026, 3, 30),
        date(2026, 10, 25),
    ];
    let (from, until) = (tick("2026-01-01T00:00:00Z"), tick("2027-01-01T00:00:00Z"));
    let by_range = ticks_between(&except().on_ranges(ranges).unwrap(), from, until);
    let by_date = ticks_between(&except().on(dates).unwrap(), from, until);
    assert_eq!(by_range, by_date);
    assert_eq!(by_range.len(), 365 * 24 - (24 + 23 + 24 + 25));
}

#[test]
fn ranges_of_all_lengths_are_as_their_dates_where_clocks_go_back_over_midnight() {
    // At 00:01 on 7 November 2010 clocks in St. John's went back to 23:01 on the 6th.
    let zone = "America/St_Johns";
    let (from, until) = (tick("2010-10-25T00:00:00Z"), tick("2010-11-20T00:00:00Z"));
    let except = || Except::new(shared(cron_in("*/20 * * * *", zone))).in_tz(tz(zone));
    for first in 1..=8 {
        for last in first..=14 {
            let range = date(2010, 11, first)..=date(2010, 11, last);
            let dates = (first..=last).map(|day| date(2010, 11, day));
            let by_range = ticks_between(&except().on_ranges([range]).unwrap(), from, until);
            let by_date = ticks_between(&except().on(dates).unwrap(), from, until);
            assert_eq!(by_range, by_date, "{first} to {last}");
        }
    }
}

#[test]
fn a_range_of_centuries_is_stepped_over_at_once() {
    for (schedule, after, next) in [
        (every("1ms"), "2026-06-01T12:00:00Z", "2901-01-01T00:00:00Z"),
        (
            shared(cron("0 9 * * *")),
            "2025-12-31T09:00:00Z",
            "2901-01-01T09:00:00Z",
        ),
    ] {
        let except = Except::new(schedule).on_ranges([date(2026, 1, 1)..=date(2900, 12, 31)]);
        // Day by day this would be more than are dropped before the search is given up.
        assert_eq!(except.unwrap().next_after(tick(after)), Some(tick(next)));
    }
}

#[test]
fn ranges_that_touch_are_one_and_tell_themselves_apart_from_dates() {
    let except = || Except::new(every("1h"));
    let touching = except().on_ranges([
        date(2026, 12, 28)..=date(2027, 1, 2),
        date(2026, 12, 24)..=date(2026, 12, 27),
        date(2026, 12, 25)..=date(2026, 12, 25),
    ]);
    let one = except().on_ranges([date(2026, 12, 24)..=date(2027, 1, 2)]);
    let (touching, one) = (touching.unwrap(), one.unwrap());
    assert_eq!(touching.canonical(), one.canonical());
    let both = one.on([date(2026, 5, 1)]).unwrap();
    assert_snapshot!(both.canonical(), @"except [every 3600000ms phase 0ms] on 2026-05-01 UTC; on 2026-12-24..2027-01-02 UTC");
    assert_snapshot!(both.describe(), @"every hour, except on 2026-05-01 and 2026-12-24 to 2027-01-02 (UTC)");
    let error = except()
        .on_ranges([date(2026, 2, 2)..=date(2026, 2, 1)])
        .unwrap_err();
    assert_snapshot!(error, @"exception: found 2026-02-02 to 2026-02-01, allowed is a first date that is not after the last");
    let nothing = Except::new(shared(Once::at(at("2026-05-01T00:00:00Z"))));
    assert!(
        nothing
            .on_ranges([date(2026, 4, 1)..=date(2026, 5, 1)])
            .is_err()
    );
    let to_the_end = except()
        .on_ranges([date(2026, 1, 1)..=jiff::civil::Date::MAX])
        .unwrap();
    assert_eq!(to_the_end.next_after(tick("2026-01-01T00:00:00Z")), None);
}
