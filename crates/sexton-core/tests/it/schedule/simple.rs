//! Every, once, and schedules at the ends of time.

use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;
use jiff::Timestamp;
use sexton_core::schedule::{
    Bounded, Cron, Every, Except, Kron, Once, Schedule, ScheduleError, Union, first_after, zone,
};
use sexton_core::tick::Tick;

use super::{assert_ticks, cron, kron, tick, tz};

fn every(text: &str) -> Every {
    Every::parse(text).unwrap()
}

#[test]
fn every_is_aligned_to_the_epoch_whoever_asks_and_when() {
    assert_ticks(
        &every("15m"),
        "2026-01-01T10:00:00.001Z",
        &["2026-01-01T10:15:00Z", "2026-01-01T10:30:00Z"],
    );
    assert_ticks(
        &every("200ms"),
        "2026-01-01T10:00:00.001Z",
        &["2026-01-01T10:00:00.200Z"],
    );
    // 7 hours do not divide a day, and so the hours shift.
    assert_ticks(
        &every("7h"),
        "1970-01-01T00:00:00Z",
        &["1970-01-01T00:00:00Z", "1970-01-01T07:00:00Z"],
    );
    assert_ticks(
        &every("7h"),
        "1969-12-31T00:00:00Z",
        &["1969-12-31T03:00:00Z", "1969-12-31T10:00:00Z"],
    );
    let shifted = every("1h").phase(Duration::from_secs(300)).unwrap();
    assert_ticks(
        &shifted,
        "2026-01-01T10:05:00.001Z",
        &["2026-01-01T11:05:00Z"],
    );
    assert_ticks(&shifted, "1969-12-31T22:00:00Z", &["1969-12-31T22:05:00Z"]);
}

#[test]
fn lengths_add_up() {
    for (text, millis) in [
        ("1ms", 1),
        ("90s", 90_000),
        ("1h30m", 5_400_000),
        ("1d2h3m4s5ms", 93_784_005),
        (" 2m ", 120_000),
        ("007s", 7_000),
        ("1w", 604_800_000),
        ("1h 30m", 5_400_000),
        ("2 days", 172_800_000),
        ("2592000000ms", 2_592_000_000),
    ] {
        assert_eq!(
            every(text).period(),
            Duration::from_millis(millis),
            "{text}"
        );
    }
    assert_eq!(every("3650d").period(), Every::PERIOD_MAX);
}

#[test]
fn periods_and_phases_out_of_range_are_refused() {
    let texts = [
        "",
        "5",
        "h",
        "1.5h",
        "1h1h",
        "1m1h",
        "1H",
        "-1s",
        "0s",
        "3651d",
        "9999999999s",
        "1y",
        "1hh",
        "1h;",
        "*/5 * * * *",
        "@hourly",
    ];
    let mut errors: Vec<_> = texts
        .map(|text| Every::parse(text).unwrap_err().to_string())
        .into();
    errors.push(
        Every::new(Duration::from_nanos(1_500_000))
            .unwrap_err()
            .to_string(),
    );
    errors.push(Every::new(Duration::MAX).unwrap_err().to_string());
    errors.push(
        every("1m")
            .phase(Duration::from_secs(60))
            .unwrap_err()
            .to_string(),
    );
    errors.push(
        every("1m")
            .phase(Duration::from_nanos(1))
            .unwrap_err()
            .to_string(),
    );
    assert_snapshot!(errors.join("\n"), @r#"
    every "": length, at byte 0: found nothing, allowed is whole numbers with the units w, d, h, m, s, ms, the largest first, such as 1h30m
    every "5": length, at byte 1: found nothing, allowed is a unit: w, d, h, m, s or ms, or its English name
    every "h": length, at byte 0: found "h", allowed is whole numbers with the units w, d, h, m, s, ms, the largest first, such as 1h30m
    every "1.5h": length, at byte 0: found "1.5h", allowed is whole numbers with the units w, d, h, m, s, ms, the largest first, such as 1h30m
    every "1h1h": length, at byte 3: found "h", allowed is a smaller unit than the one before: the largest comes first, each at most once
    every "1m1h": length, at byte 3: found "h", allowed is a smaller unit than the one before: the largest comes first, each at most once
    every "1H": length, at byte 1: found "H", allowed is a unit: w, d, h, m, s or ms, or its English name
    every "-1s": length, at byte 0: found "-1s", allowed is whole numbers with the units w, d, h, m, s, ms, the largest first, such as 1h30m
    period: found 0ns, allowed is 1ms to 3650 days in whole milliseconds
    period: found 315446400s, allowed is 1ms to 3650 days in whole milliseconds
    period: found 9999999999s, allowed is 1ms to 3650 days in whole milliseconds
    every "1y": length, at byte 1: found "y", allowed is units of a fixed length: w, d, h, m, s, ms; months and years have none
    every "1hh": length, at byte 1: found "hh", allowed is a unit: w, d, h, m, s or ms, or its English name
    every "1h;": length, at byte 2: found ";", allowed is whole numbers with the units w, d, h, m, s, ms, the largest first, such as 1h30m
    every "*/5 * * * *": "*/5 * * * *" does not belong here; write cron = "*/5 * * * *" in a task file, no --every on the command line, `Cron` in code
    every "@hourly": "@hourly" does not belong here; write cron = "@hourly" in a task file, no --every on the command line, `Cron` in code
    period: found 1.5ms, allowed is 1ms to 3650 days in whole milliseconds
    period: found 18446744073709551615.999999999s, allowed is 1ms to 3650 days in whole milliseconds
    phase: found 60s, allowed is less than the period, 1 minute, in whole milliseconds
    phase: found 1ns, allowed is less than the period, 1 minute, in whole milliseconds
    "#);
}

#[test]
fn once_is_due_once() {
    let once = Once::parse(" 2026-01-01T01:00:00+01:00 ").unwrap();
    assert_eq!(
        once.next_after(Tick::MIN),
        Some(tick("2026-01-01T00:00:00Z"))
    );
    assert_eq!(
        once.next_after(tick("2025-12-31T23:59:59.999Z")),
        Some(tick("2026-01-01T00:00:00Z"))
    );
    assert_eq!(once.next_after(tick("2026-01-01T00:00:00Z")), None);
    assert_eq!(Once::at("2026-01-01T00:00:00.0009Z".parse().unwrap()), once);
    let errors = [
        "",
        "tomorrow",
        "2026-01-01",
        "2026-01-01T00:00",
        "2026-02-30T00:00Z",
        "2016-12-31T23:59:60Z",
        "2026-11-01T09:00+05:00[Europe/Paris]",
        "2026-11-01T09:00+01:00[Europe/Paris]",
        "2026-11-01T09:00+25:00",
        "2026-11-01T09:00:00.0001Z",
    ]
    .map(|text| Once::parse(text).unwrap_err().to_string());
    assert_snapshot!(errors.join("\n"), @r#"
    once "": instant, at byte 0: found nothing, allowed is an instant with Z or an offset, such as 2026-11-01T09:00:00Z or 2026-11-01T09:00:00+01:00
    once "tomorrow": instant, at byte 0: found "tomorrow", allowed is an instant with Z or an offset, such as 2026-11-01T09:00:00Z or 2026-11-01T09:00:00+01:00
    once "2026-01-01": instant, at byte 0: found "2026-01-01", allowed is an instant with Z or an offset, such as 2026-11-01T09:00:00Z or 2026-11-01T09:00:00+01:00
    once "2026-01-01T00:00": instant, at byte 0: found "2026-01-01T00:00", allowed is an instant with Z or an offset, such as 2026-11-01T09:00:00Z or 2026-11-01T09:00:00+01:00
    once "2026-02-30T00:00Z": instant, at byte 0: found "2026-02-30T00:00Z", allowed is an instant with Z or an offset, such as 2026-11-01T09:00:00Z or 2026-11-01T09:00:00+01:00 (there is no such date or time, or it is past the year 9999)
    once "2016-12-31T23:59:60Z": instant, at byte 0: found "2016-12-31T23:59:60Z", allowed is an instant with Z or an offset, such as 2026-11-01T09:00:00Z or 2026-11-01T09:00:00+01:00 (seconds are 00-59: a leap second, :60, is no instant here)
    once "2026-11-01T09:00+05:00[Europe/Paris]": instant, at byte 0: found "2026-11-01T09:00+05:00[Europe/Paris]", allowed is an instant with Z or an offset, such as 2026-11-01T09:00:00Z or 2026-11-01T09:00:00+01:00 (an instant has an offset, not a zone in brackets, which could contradict it)
    once "2026-11-01T09:00+01:00[Europe/Paris]": instant, at byte 0: found "2026-11-01T09:00+01:00[Europe/Paris]", allowed is an instant with Z or an offset, such as 2026-11-01T09:00:00Z or 2026-11-01T09:00:00+01:00 (an instant has an offset, not a zone in brackets, which could contradict it)
    once "2026-11-01T09:00+25:00": instant, at byte 0: found "2026-11-01T09:00+25:00", allowed is an instant with Z or an offset, such as 2026-11-01T09:00:00Z or 2026-11-01T09:00:00+01:00 (an offset from UTC is less than a day: -23:59 to +23:59)
    once "2026-11-01T09:00:00.0001Z": instant, at byte 0: found "2026-11-01T09:00:00.0001Z", allowed is an instant with Z or an offset, such as 2026-11-01T09:00:00Z or 2026-11-01T09:00:00+01:00 (an instant is in whole milliseconds)
    "#);
}

#[test]
fn who_knows_the_time_is_told_that_a_schedule_is_over() {
    let now = tick("2026-01-01T00:00:00Z");
    assert_eq!(
        first_after(&cron("@daily"), now),
        Ok(tick("2026-01-02T00:00:00Z"))
    );
    let over: [Arc<dyn Schedule>; 3] = [
        Arc::new(cron("0 0 0 1 1 * 2021-2025")),
        Arc::new(kron("1 2 3 F,4,L 5 2021")),
        Arc::new(Once::at(now.timestamp())),
    ];
    let errors = over.map(|schedule| first_after(&schedule, now).unwrap_err().to_string());
    assert_snapshot!(errors.join("\n"), @r#"
    at 00:00 on the 1st of January, in the years 2021 to 2025, UTC has ended: it is never due after 2026-01-01T00:00:00Z: its last year, 2025, is over
    at 03:02:01 on the 1st, the 5th and the last day of June, in 2021, UTC has ended: it is never due after 2026-01-01T00:00:00Z: its last year, 2021, is over
    once at 2026-01-01T00:00:00.000Z has ended: it is never due after 2026-01-01T00:00:00Z: its time has passed
    "#);
}

#[test]
fn at_the_ends_of_time_schedules_end_and_nothing_panics() {
    let mut schedules: Vec<Arc<dyn Schedule>> = vec![
        Arc::new(every("1ms")),
        Arc::new(every("3650d")),
        Arc::new(every("3650d").phase(Duration::from_secs(1)).unwrap()),
        Arc::new(Once::at(Timestamp::MIN)),
        Arc::new(Once::at(Timestamp::MAX)),
    ];
    for zone in [
        "UTC",
        "Europe/Paris",
        "Pacific/Kiritimati",
        "Pacific/Niue",
        "Africa/Cairo",
    ] {
        for expression in [
            "* * * * *",
            "0 0 * * *",
            "30 2 29 2 *",
            "* * 29 2 1",
            "59 59 11 30 12 * 9999",
            "* * * * * * 9999",
            "* * * * * * 1970",
        ] {
            // The last hours of 9999 lie beyond the last instant west of Greenwich.
            if let Ok(cron) = cron(expression).in_tz(tz(zone)) {
                schedules.push(Arc::new(cron));
            }
        }
        for expression in [
            "* * * * * *ms",
            "0 0 0 30 1 6w",
            "L L 11 29 L 9999",
            "F F F F F 0",
        ] {
            if let Ok(kron) = kron(expression).in_tz(tz(zone)) {
                schedules.push(Arc::new(kron));
            }
        }
    }
    for schedule in &schedules {
        assert_eq!(schedule.next_after(Tick::MAX), None, "{schedule:?}");
        for distance in (0..17).map(|power| 10_i64.pow(power)) {
            for after in [
                Tick::MIN.saturating_add_millis(distance - 1),
                Tick::MAX.saturating_add_millis(1 - distance),
            ] {
                let next = schedule.next_after(after);
                assert!(
                    next.is_none_or(|next| next > after),
                    "{schedule:?} gave {next:?} after {after}"
                );
            }
        }
    }
    assert_eq!(
        every("1ms").next_after(Tick::MAX.saturating_add_millis(-1)),
        Some(Tick::MAX)
    );
    let second = Kron::parse("* * * * *").unwrap();
    assert_eq!(
        second.next_after(Tick::MIN),
        Some(Tick::MIN.saturating_add_millis(1000))
    );
}

#[test]
fn ticks_are_told_apart_up_to_the_last() {
    assert_eq!(Tick::MAX.to_string(), "9999-12-30T22:00:00.000Z");
    assert_eq!(Tick::MAX.to_string().parse(), Ok(Tick::MAX));
    let millis: [Box<dyn Schedule>; 3] = [
        Box::new(every("1ms")),
        Box::new(kron("* * * * * *ms")),
        Box::new(kron("* * * * * *ms").in_tz(tz("Europe/Paris")).unwrap()),
    ];
    for schedule in millis {
        let start = Tick::MAX.saturating_add_millis(-3);
        let last = std::iter::successors(Some(start), |tick| schedule.next_after(*tick));
        let last: Vec<String> = last.map(|tick| tick.to_string()).collect();
        assert_eq!(
            last,
            [
                "9999-12-30T21:59:59.997Z",
                "9999-12-30T21:59:59.998Z",
                "9999-12-30T21:59:59.999Z",
                "9999-12-30T22:00:00.000Z",
            ]
        );
    }
}

#[test]
fn the_last_days_there_are_have_ticks_in_the_east_only() {
    let last = Some(tick("9999-12-30T09:59:59Z"));
    let cron = cron("59 59 23 30 12 * 9999");
    let in_kiritimati = cron.clone().in_tz(tz("Pacific/Kiritimati")).unwrap();
    assert_eq!(in_kiritimati.next_after(Tick::MIN), last);
    let kron = kron("59 59 23 29 11 9999");
    let in_kiritimati = kron.clone().in_tz(tz("Pacific/Kiritimati")).unwrap();
    assert_eq!(in_kiritimati.next_after(Tick::MIN), last);
    let errors = [
        cron.in_tz(tz("UTC")).unwrap_err().to_string(),
        kron.in_tz(tz("UTC")).unwrap_err().to_string(),
        Kron::parse("59 59 23 29 11 9999 0o")
            .unwrap_err()
            .to_string(),
    ];
    assert_snapshot!(errors.join("\n"), @r#"
    cron at 23:59:59 on the 30th of December, in 9999, UTC is never due: it lies past the last tick, 9999-12-30T22:00:00Z
    kron at 23:59:59 on the 30th of December, in 9999, UTC is never due: no date up to 9999-12-30 matches, or clocks skip its times
    kron "59 59 23 29 11 9999 0o" is never due: no date up to 9999-12-30 matches, or clocks skip its times
    "#);
    assert!(Kron::parse("59 59 23 29 11 9999 840o").is_ok());
}

#[test]
fn zones_have_iana_names() {
    assert_eq!(zone::parse("utc").unwrap().iana_name(), Some("UTC"));
    assert_eq!(
        zone::parse("america/new_york").unwrap().iana_name(),
        Some("America/New_York")
    );
    let long = "x".repeat(300);
    let errors = [
        "",
        "Paris",
        "Europe/Parid",
        "Europe/Pariss",
        "Erope/Berlin",
        "America/New-York",
        "Pariss",
        "Europe/Xyz",
        "+02:00",
        "CEST6",
        "../../etc/passwd",
        "local",
        &long,
    ]
    .map(|name| {
        let error = zone::parse(name).unwrap_err();
        assert!(matches!(error, ScheduleError::Zone { .. }));
        error.to_string()
    });
    assert_snapshot!(errors.join("\n"), @r#"
    no time zone is called ""; write an IANA name such as Europe/Paris, America/New_York or UTC
    no time zone is called "Paris"; did you mean Europe/Paris?
    no time zone is called "Europe/Parid"; did you mean Europe/Paris?
    no time zone is called "Europe/Pariss"; did you mean Europe/Paris?
    no time zone is called "Erope/Berlin"; did you mean Europe/Berlin?
    no time zone is called "America/New-York"; did you mean America/New_York?
    no time zone is called "Pariss"; did you mean Europe/Paris?
    no time zone is called "Europe/Xyz"; write an IANA name such as Europe/Paris, America/New_York or UTC
    no time zone is called "+02:00"; write an IANA name such as Europe/Paris, America/New_York or UTC
    no time zone is called "CEST6"; write an IANA name such as Europe/Paris, America/New_York or UTC
    no time zone is called "../../etc/passwd"; write an IANA name such as Europe/Paris, America/New_York or UTC
    no time zone is called "local"; write an IANA name such as Europe/Paris, America/New_York or UTC
    no time zone is called "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"; write an IANA name such as Europe/Paris, America/New_York or UTC
    "#);
}

#[test]
fn schedules_are_small() {
    assert!(size_of::<Cron>() <= 120, "{}", size_of::<Cron>());
    assert!(size_of::<Kron>() <= 120, "{}", size_of::<Kron>());
    assert!(
        size_of::<ScheduleError>() <= 120,
        "{}",
        size_of::<ScheduleError>()
    );
}

#[test]
fn a_schedule_that_is_over_says_what_was_probably_meant() {
    let advice = |schedule: &dyn Schedule| schedule.advice_when_over().unwrap_or_default();
    let daily = || Arc::new(cron("@daily")) as Arc<dyn Schedule>;
    let end = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    let over_anyhow: Arc<dyn Schedule> = Arc::new(cron("0 0 0 1 1 * 2020"));
    let told = [
        advice(&kron("0 0 9 * * 1")),
        advice(&kron("0 0 9 * * 1-5")),
        advice(&kron("0 0 9 * * 7")),
        advice(&kron("0 0 9 * * 1 1w")),
        advice(&kron("0 0 9 * * 2020-2025")),
        advice(&cron("0 0 0 1 1 * 2020,2019")),
        advice(&Once::at(Timestamp::UNIX_EPOCH)),
        advice(&Bounded::new(daily(), None, end("2020-01-01T00:00:00Z")).unwrap()),
        advice(&Bounded::new(over_anyhow, None, end("2024-01-01T00:00:00Z")).unwrap()),
        advice(
            &Union::new([
                Arc::new(kron("0 0 9 * * 1")) as Arc<dyn Schedule>,
                Arc::new(Once::at(Timestamp::UNIX_EPOCH)),
            ])
            .unwrap(),
        ),
        advice(&Except::new(Arc::new(kron("0 0 9 * * 1")))),
    ];
    assert_snapshot!(told.join("\n"), @r#"
    its last year is the year 1: a part without a letter is a year; Monday is written 1w
    its last year is the year 5: a part without a letter is a year; Friday is written 5w
    its last year is the year 7: a part without a letter is a year
    its last year is the year 1: a part without a letter is a year
    its last year, 2025, is over
    its last year, 2020, is over
    its time has passed
    its end, 2020-01-01T00:00:00.000Z, has passed
    its last year, 2020, is over
    its last year is the year 1: a part without a letter is a year; Monday is written 1w; its time has passed
    its last year is the year 1: a part without a letter is a year; Monday is written 1w
    "#);
    assert_eq!(cron("@daily").advice_when_over(), None);
}
