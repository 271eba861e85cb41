//! The days of a cron expression in words.

use super::days::{CronDays, Joined, MonthDays, WeekDays};
use crate::schedule::words::{DateWords, WEEKDAYS, list, members, ordinal, weekdays_in_words};

const NTH: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

pub(super) fn days_in_words(days: &CronDays) -> DateWords {
    use crate::schedule::calendar::DayRule as _;

    if days.is_every_day() {
        return DateWords::default();
    }
    let (nth_weekdays, weekdays) = weekdays_of(&days.of_week);
    DateWords {
        of_month: month_days(&days.of_month),
        of_month_note: "",
        nth_weekdays,
        weekdays,
        both: days.joined == Joined::And,
    }
}

fn month_days(days: &MonthDays) -> String {
    if days.is_every() {
        return String::new();
    }
    let mut items = Vec::new();
    let listed: Vec<_> = members(u64::from(days.days))
        .into_iter()
        .map(ordinal)
        .collect();
    if !listed.is_empty() {
        items.push(format!("the {}", list(&listed)));
    }
    for day in members(u64::from(days.nearest)) {
        items.push(format!("the weekday nearest the {}", ordinal(day)));
    }
    for before in members(u64::from(days.before_last)).into_iter().rev() {
        items.push(match before {
            0 => "the last day".to_owned(),
            1 => "the day before the last day".to_owned(),
            _ => format!("the {} day before the last day", ordinal(before)),
        });
    }
    if days.last_weekday {
        items.push("the last weekday".to_owned());
    }
    list(&items)
}

fn weekdays_of(days: &WeekDays) -> (String, String) {
    if days.is_every() {
        return (String::new(), String::new());
    }
    let mut items = Vec::new();
    let name = |day: u32| WEEKDAYS[day as usize % 7];
    for (nth, set) in NTH.iter().zip(days.nth) {
        items.extend(
            members(u64::from(set))
                .into_iter()
                .map(|day| format!("the {nth} {}", name(day))),
        );
    }
    items.extend(
        members(u64::from(days.last))
            .into_iter()
            .map(|day| format!("the last {}", name(day))),
    );
    (list(&items), weekdays_in_words(days.weekdays))
}
