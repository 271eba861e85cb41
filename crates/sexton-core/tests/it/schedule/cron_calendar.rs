//! Cron fields in UTC: examples, and brute force over whole months.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use sexton_core::schedule::Schedule;
use sexton_core::tick::Tick;

use super::{assert_ticks, cron, tick, ticks_between};

#[test]
fn six_fields_have_seconds_first_and_seven_years_last() {
    assert_ticks(
        &cron("30 9 * * *"),
        "2026-01-01T00:00:00Z",
        &["2026-01-01T09:30:00Z", "2026-01-02T09:30:00Z"],
    );
    assert_ticks(
        &cron("15 30 9 * * *"),
        "2026-01-01T00:00:00Z",
        &["2026-01-01T09:30:15Z"],
    );
    let twice = cron("0 0 0 1 1 * 2030,2028");
    assert_ticks(
        &twice,
        "2026-01-01T00:00:00Z",
        &["2028-01-01T00:00:00Z", "2030-01-01T00:00:00Z"],
    );
    assert_eq!(twice.next_after(tick("2030-01-01T00:00:00Z")), None);
    assert_eq!(cron("0 0 0 1 1 * *"), cron("0 0 1 1 *"));
}

#[test]
fn a_tick_is_strictly_after_a_start_within_its_second() {
    let every_second = cron("* * * * * *");
    assert_eq!(
        every_second.next_after(tick("2026-01-01T00:00:00.001Z")),
        Some(tick("2026-01-01T00:00:01Z"))
    );
    assert_eq!(
        every_second.next_after(tick("2026-01-01T00:00:00Z")),
        Some(tick("2026-01-01T00:00:01Z"))
    );
    assert_eq!(
        every_second.next_after(tick("2025-12-31T23:59:59.999Z")),
        Some(tick("2026-01-01T00:00:00Z"))
    );
}

#[test]
fn day_of_month_and_day_of_week_are_either_or_if_both_are_restricted() {
    // 2026-01-01 is a Thursday.
    assert_ticks(
        &cron("0 0 13 * FRI"),
        "2026-01-01T00:00:00Z",
        &[
            "2026-01-02T00:00:00Z",
            "2026-01-09T00:00:00Z",
            "2026-01-13T00:00:00Z",
            "2026-01-16T00:00:00Z",
        ],
    );
    assert_ticks(
        &cron("0 0 13 * *"),
        "2026-01-01T00:00:00Z",
        &["2026-01-13T00:00:00Z", "2026-02-13T00:00:00Z"],
    );
    assert_eq!(cron("0 0 13 * ?"), cron("0 0 13 * *"));
    assert_eq!(cron("0 0 ? * 5"), cron("0 0 * * 5"));
    assert_ticks(
        &cron("0 0 */2 * MON"),
        "2026-01-01T00:00:00Z",
        &[
            "2026-01-05T00:00:00Z",
            "2026-01-19T00:00:00Z",
            "2026-02-09T00:00:00Z",
        ],
    );
}

#[test]
fn last_nearest_and_nth_days() {
    let from = "2026-01-01T00:00:00Z";
    assert_ticks(
        &cron("0 0 L * *"),
        from,
        &[
            "2026-01-31T00:00:00Z",
            "2026-02-28T00:00:00Z",
            "2026-03-31T00:00:00Z",
        ],
    );
    assert_ticks(
        &cron("0 0 L-30 * *"),
        from,
        &["2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z"],
    );
    // 31 January, 28 February 2026 are Saturdays; 31 May is a Sunday.
    assert_ticks(
        &cron("0 0 LW * *"),
        from,
        &[
            "2026-01-30T00:00:00Z",
            "2026-02-27T00:00:00Z",
            "2026-03-31T00:00:00Z",
        ],
    );
    assert_ticks(&cron("0 0 LW 5 *"), from, &["2026-05-29T00:00:00Z"]);
    // The nearest weekday never leaves the month: 1 August 2026 is a Saturday, 31 May a Sunday, 1 February a Sunday.
    assert_ticks(&cron("0 0 1W 8 *"), from, &["2026-08-03T00:00:00Z"]);
    assert_ticks(&cron("0 0 31W 5 *"), from, &["2026-05-29T00:00:00Z"]);
    assert_ticks(&cron("0 0 1W 2 *"), from, &["2026-02-02T00:00:00Z"]);
    assert_ticks(&cron("0 0 10W 1 *"), from, &["2026-01-09T00:00:00Z"]);
    assert_ticks(
        &cron("0 0 30W * *"),
        from,
        &["2026-01-30T00:00:00Z", "2026-03-30T00:00:00Z"],
    );
    assert_ticks(
        &cron("0 0 * * 1#2"),
        from,
        &["2026-01-12T00:00:00Z", "2026-02-09T00:00:00Z"],
    );
    assert_ticks(
        &cron("0 0 * * FRI#5"),
        from,
        &["2026-01-30T00:00:00Z", "2026-05-29T00:00:00Z"],
    );
    assert_ticks(
        &cron("0 0 * * 5L"),
        from,
        &["2026-01-30T00:00:00Z", "2026-02-27T00:00:00Z"],
    );
    assert_eq!(cron("0 0 * * 5#L"), cron("0 0 * * fril"));
    assert_ticks(
        &cron("0 0 1,L * *"),
        from,
        &[
            "2026-01-01T00:00:00Z",
            "2026-01-31T00:00:00Z",
            "2026-02-01T00:00:00Z",
        ],
    );
}

#[test]
fn ranges_of_hours_months_and_weekdays_run_past_the_end() {
    assert_eq!(cron("0 22-2 * * *"), cron("0 22,23,0,1,2 * * *"));
    assert_eq!(cron("0 22-6/2 * * *"), cron("0 22,0,2,4,6 * * *"));
    assert_eq!(cron("0 0 * NOV-FEB *"), cron("0 0 * 11,12,1,2 *"));
    assert_eq!(cron("0 0 * * FRI-MON"), cron("0 0 * * 5,6,0,1"));
    assert_eq!(cron("0 0 * * MON-SUN"), cron("0 0 * * 1,2,3,4,5,6,0"));
    assert_eq!(cron("0 0 * * 5-7"), cron("0 0 * * 0,5,6"));
    assert_eq!(cron("0 0 * * 7-2"), cron("0 0 * * 0-2"));
    assert_eq!(cron("0 0 * * 7-7"), cron("0 0 * * 0"));
    assert_eq!(cron("0 0 * * 5-7/2"), cron("0 0 * * 5,0"));
    assert_eq!(cron("0/20 * * * *"), cron("0,20,40 * * * *"));
    assert_eq!(cron("10-50/20 * * * *"), cron("10,30,50 * * * *"));
    assert_eq!(cron("0 0 * * 3/2"), cron("0 0 * * 3,5"));
}

#[test]
fn nicknames_mean_what_they_always_did() {
    for (nickname, meaning) in [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        (" @MIDNIGHT ", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ] {
        assert_eq!(cron(nickname), cron(meaning), "{nickname}");
    }
}

#[test]
fn the_leap_day_is_found_across_a_century_without_one() {
    assert_ticks(
        &cron("0 0 29 2 *"),
        "2096-03-01T00:00:00Z",
        &["2104-02-29T00:00:00Z"],
    );
    // A leap day that is a Monday as well: 28 or 40 years apart.
    assert_ticks(
        &cron("0 0 29/3 2 1"),
        "2025-01-01T00:00:00Z",
        &["2025-02-03T00:00:00Z"],
    );
}

/// A field as text, and the values it holds.
fn field(min: u32, max: u32) -> impl Strategy<Value = (String, Vec<u32>)> {
    let value = min..=max;
    prop_oneof![
        3 => Just(("*".to_owned(), (min..=max).collect())),
        2 => value.clone().prop_map(|value| (value.to_string(), vec![value])),
        2 => (value.clone(), value.clone()).prop_map(|(a, b)| {
            let (low, high) = (a.min(b), a.max(b));
            (format!("{low}-{high}"), (low..=high).collect())
        }),
        1 => (1..=max - min).prop_map(move |step| {
            (format!("*/{step}"), (min..=max).step_by(step as usize).collect())
        }),
        1 => (value.clone(), 1..=max - min).prop_map(move |(first, step)| {
            (format!("{first}/{step}"), (first..=max).step_by(step as usize).collect())
        }),
        1 => proptest::collection::vec(value, 1..4).prop_map(|values| {
            let text: Vec<_> = values.iter().map(u32::to_string).collect();
            (text.join(","), values)
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every minute of a fortnight: due exactly if all its fields match.
    #[test]
    fn agrees_with_brute_force_minute_by_minute(
        minutes in field(0, 59), hours in field(0, 23), days in field(1, 31),
        months in field(1, 12), weekdays in field(0, 6), start in 946_684_800_i64..4_102_444_800,
    ) {
        let text = format!("{} {} {} {} {}", minutes.0, hours.0, days.0, months.0, weekdays.0);
        let Ok(schedule) = sexton_core::schedule::Cron::parse(&text) else {
            // Only a date that does not exist is refused; brute force over all dates agrees.
            let restricted = |text: &str| !text.starts_with('*');
            prop_assert!(restricted(&days.0) && months.1.iter().all(|month| {
                let longest = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][*month as usize - 1];
                days.1.iter().all(|day| *day > longest)
            }) , "{} was refused", text);
            return Ok(());
        };
        let start = start.div_euclid(60) * 60;
        let mut expected = Vec::new();
        for minute in 0..14 * 24 * 60 {
            let at = jiff::Timestamp::from_second(start + minute * 60).unwrap();
            let local = TimeZone::UTC.to_datetime(at);
            let has = |values: &[u32], value: i8| values.contains(&u32::try_from(value).unwrap());
            let (by_day, by_weekday) = (
                has(&days.1, local.day()),
                has(&weekdays.1, local.weekday().to_sunday_zero_offset()),
            );
            let day = if days.0.starts_with('*') || weekdays.0.starts_with('*') {
                by_day && by_weekday
            } else {
                by_day || by_weekday
            };
            if day && has(&minutes.1, local.minute()) && has(&hours.1, local.hour()) && has(&months.1, local.month()) {
                expected.push(Tick::at_or_before(at));
            }
        }
        let from = Tick::from_millis(start * 1000).unwrap();
        let end = from.saturating_add_millis(14 * 24 * 60 * 60_000);
        prop_assert_eq!(ticks_between(&schedule, from, end), expected, "{}", text);
    }

    /// Every second of two hours, seconds included.
    #[test]
    fn agrees_with_brute_force_second_by_second(
        seconds in field(0, 59), minutes in field(0, 59), start in -2_000_000_000_i64..4_102_444_800,
    ) {
        let text = format!("{} {} * * * *", seconds.0, minutes.0);
        let expected: Vec<_> = (start..start + 7200)
            .filter(|at| {
                let of_hour = u32::try_from(at.rem_euclid(3600)).unwrap();
                seconds.1.contains(&(of_hour % 60)) && minutes.1.contains(&(of_hour / 60))
            })
            .map(|at| Tick::from_millis(at * 1000).unwrap())
            .collect();
        let from = Tick::from_millis(start * 1000).unwrap();
        let found = ticks_between(&cron(&text), from, from.saturating_add_millis(7_200_000));
        prop_assert_eq!(found, expected, "{}", text);
    }

    /// `L`, `W` and `#` day by day over two years.
    #[test]
    fn special_days_agree_with_brute_force(day in 1_i8..=31, weekday in 0_i8..=6, nth in 1_i8..=5, year in 1970_i16..2400) {
        let from = jiff::civil::date(year, 1, 1);
        let dates: Vec<_> = from.series(jiff::Span::new().days(1)).take(730).collect();
        let weekday_of = |date: &jiff::civil::Date| date.weekday();
        let is_weekend = |date: &jiff::civil::Date| matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        let wanted = Weekday::from_sunday_zero_offset(weekday).unwrap();
        let nearest = |date: &jiff::civil::Date| {
            // The weekday of the month with the least distance from the day; the earlier one for a Saturday.
            let Ok(target) = jiff::civil::Date::new(date.year(), date.month(), day) else { return false };
            let month = target.first_of_month().series(jiff::Span::new().days(1)).take(target.days_in_month().try_into().unwrap());
            let best = month.filter(|date| !is_weekend(date)).min_by_key(|date| (date.day() - day).abs());
            best == Some(*date)
        };
        type Rule<'a> = (String, Box<dyn Fn(&jiff::civil::Date) -> bool + 'a>);
        let rules: [Rule<'_>; 5] = [
            (format!("0 0 {day}W * *"), Box::new(nearest)),
            ("0 0 LW * *".to_owned(), Box::new(|date| {
                !is_weekend(date) && (1..=3).all(|later| {
                    let later = *date + jiff::Span::new().days(later);
                    later.month() != date.month() || is_weekend(&later)
                })
            })),
            (format!("0 0 L-{} * *", day.min(30)), Box::new(|date| date.days_in_month() - date.day() == day.min(30))),
            (format!("0 0 * * {weekday}#{nth}"), Box::new(|date| weekday_of(date) == wanted && (date.day() - 1) / 7 + 1 == nth)),
            (format!("0 0 * * {weekday}L"), Box::new(|date| weekday_of(date) == wanted && date.day() + 7 > date.days_in_month())),
        ];
        for (text, rule) in rules {
            let midnight = |date: &jiff::civil::Date| {
                Tick::at_or_before(date.to_zoned(TimeZone::UTC).unwrap().timestamp())
            };
            let expected: Vec<_> = dates.iter().filter(|date| rule(date)).map(midnight).collect();
            let end = midnight(dates.last().unwrap()).saturating_add_millis(1);
            prop_assert_eq!(ticks_between(&cron(&text), midnight(&from), end), expected, "{}", text);
        }
    }
}
