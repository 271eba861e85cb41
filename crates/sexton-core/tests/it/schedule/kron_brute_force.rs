//! Krontab schedules against the definition: the least instant whose fields all match.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use proptest::prelude::*;
use sexton_core::schedule::{Kron, Schedule};
use sexton_core::tick::Tick;

use super::tick;

/// A field as text, and the values it holds.
fn field(max: u32) -> impl Strategy<Value = (String, Vec<u32>)> {
    let value = 0..=max;
    prop_oneof![
        3 => Just(("*".to_owned(), (0..=max).collect())),
        1 => Just(("F,l".to_owned(), vec![0, max])),
        2 => value.clone().prop_map(|value| (value.to_string(), vec![value])),
        1 => (value.clone(), value.clone()).prop_map(|(a, b)| {
            (format!("{}-{}", a.min(b), a.max(b)), (a.min(b)..=a.max(b)).collect())
        }),
        1 => value.clone().prop_map(move |first| (format!("{first}-L"), (first..=max).collect())),
        1 => (value.clone(), 1..=max).prop_map(move |(first, step)| {
            (format!("{first}/{step}"), (first..=max).step_by(step as usize).collect())
        }),
        1 => (1..=max).prop_map(move |step| (format!("/{step}"), (0..=max).step_by(step as usize).collect())),
        1 => proptest::collection::vec(value, 1..4).prop_map(|values| {
            (values.iter().map(u32::to_string).collect::<Vec<_>>().join(","), values)
        }),
    ]
}

#[derive(Debug)]
struct Fields {
    times: [Vec<u32>; 3],
    days: Vec<u32>,
    months: Vec<u32>,
    weekdays: Vec<u32>,
    offset: i32,
}

impl Fields {
    /// The definition, word by word, for an instant at a whole second.
    fn match_at(&self, at: Timestamp) -> bool {
        let zone = TimeZone::fixed(Offset::from_seconds(self.offset * 60).unwrap());
        let local = zone.to_datetime(at);
        let has = |values: &[u32], value: i8| values.contains(&u32::try_from(value).unwrap());
        let last = local.date().days_in_month();
        let [seconds, minutes, hours] = &self.times;
        has(seconds, local.second())
            && has(minutes, local.minute())
            && has(hours, local.hour())
            && self
                .days
                .iter()
                .any(|day| last.min(i8::try_from(*day).unwrap() + 1) == local.day())
            && has(&self.months, local.month() - 1)
            && has(&self.weekdays, local.weekday().to_sunday_zero_offset())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Seconds: the least match within an hour, or none within it.
    #[test]
    fn agrees_with_brute_force_second_by_second(
        seconds in field(59), minutes in field(59), start in 0_i64..4_102_444_800,
        offset in prop_oneof![Just(0), -1559..=1559], millis in field(999),
    ) {
        let text = format!("{} {} * * * {offset}o {}ms", seconds.0, minutes.0, millis.0);
        let kron = Kron::parse(&text).unwrap();
        let fields = Fields {
            times: [seconds.1, minutes.1, (0..24).collect()],
            days: (0..31).collect(), months: (0..12).collect(), weekdays: (0..7).collect(), offset,
        };
        let first_milli = i64::from(*millis.1.iter().min().unwrap());
        let from = Tick::from_millis(start * 1000).unwrap();
        let expected = (start..start + 3600)
            .find(|second| fields.match_at(Timestamp::from_second(*second).unwrap()))
            .map(|second| Tick::from_millis(second * 1000 + first_milli).unwrap());
        let found = kron.next_after(from.saturating_add_millis(-1));
        let limit = from.saturating_add_millis(3_600_000);
        prop_assert_eq!(found.filter(|found| *found < limit), expected, "{}", text);

        // Within the second the milliseconds follow in order, then the next second comes.
        let Some(found) = found else { return Ok(()) };
        let second = found.as_millis() - first_milli;
        let mut sorted = millis.1;
        sorted.sort_unstable();
        sorted.dedup();
        let mut after = found;
        for milli in &sorted[1..] {
            after = kron.next_after(after).unwrap();
            prop_assert_eq!(after.as_millis(), second + i64::from(*milli), "{}", text);
        }
        prop_assert!(kron.next_after(after).unwrap().as_millis() >= second + 1000 + first_milli);
    }

    /// Hours and dates: every match of two months, minute 7 of each hour.
    #[test]
    fn agrees_with_brute_force_hour_by_hour(
        hours in field(23), days in field(30), months in field(11), weekdays in field(6),
        start in 0_i64..4_102_444_800, offset in prop_oneof![Just(0), -1559..=1559],
    ) {
        let text = format!("0 7 {} {} {} {}w {offset}o", hours.0, days.0, months.0, weekdays.0);
        let Ok(kron) = Kron::parse(&text) else {
            return Err(TestCaseError::fail(format!("without years something is always due: {text}")));
        };
        let fields = Fields {
            times: [vec![0], vec![7], hours.1], days: days.1, months: months.1, weekdays: weekdays.1, offset,
        };
        let first = (start.div_euclid(3600) * 60 + i64::from((7 - offset).rem_euclid(60))) * 60;
        let expected: Vec<_> = (0..61 * 24)
            .map(|hour| first + hour * 3600)
            .filter(|second| fields.match_at(Timestamp::from_second(*second).unwrap()))
            .map(|second| Tick::from_millis(second * 1000).unwrap())
            .collect();
        let from = Tick::from_millis(first * 1000).unwrap();
        let found = super::ticks_between(&kron, from, from.saturating_add_millis(61 * 24 * 3_600_000));
        prop_assert_eq!(found, expected, "{}", text);
    }
}

#[test]
fn a_day_past_the_month_end_means_its_last_day_in_every_month_of_a_leap_cycle() {
    for day in 0..31 {
        let kron = Kron::parse(&format!("0 0 0 {day} *")).unwrap();
        let mut after = tick("2023-12-31T23:59:59.999Z");
        for month in jiff::civil::date(2024, 1, 1)
            .series(jiff::Span::new().months(1))
            .take(48)
        {
            let expected = month
                .with()
                .day(month.days_in_month().min(day + 1))
                .build()
                .unwrap();
            after = kron.next_after(after).unwrap();
            assert_eq!(after.to_string(), format!("{expected}T00:00:00.000Z"));
        }
    }
}
