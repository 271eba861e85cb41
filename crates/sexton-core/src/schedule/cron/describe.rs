//! The days of a cron expression in words.

use super::days::{CronDays, Joined, MonthDays, WeekDays};
use crate::schedule::words::{DateWords, WEEKDAYS, members, ordinal, weekdays_in_words};

const NTH: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

/// Each odd day of the month, and each even one: `*/2` and `2/2`.
const ODD_DAYS: u32 = 0xaaaa_aaaa;
const EVEN_DAYS: u32 = 0x5555_5554;
/// Every month has as many days.
const MONTH_LEN_MIN: u32 = 28;

pub(super) fn days_in_words(days: &CronDays) -> DateWords {
    use crate::schedule::calendar::DayRule as _;

    if days.is_every_day() {
        return DateWords::default();
    }
    let mut words = DateWords {
        both: days.joined == Joined::And,
        ..DateWords::default()
    };
    weekdays(&mut words, &days.of_week);
    month_days(&mut words, &days.of_month);
    words
}

fn month_days(words: &mut DateWords, days: &MonthDays) {
    if days.is_every() {
        return;
    }
    let has_others = days.nearest != 0 || days.before_last != 0 || days.last_weekday;
    let parity = match days.days {
        ODD_DAYS if !has_others => Some("odd"),
        EVEN_DAYS if !has_others => Some("even"),
        _ => None,
    };
    if let Some(parity) = parity {
        // `Mondays that are odd days`, `the first Monday, but only if that is an odd day`.
        let has_nth = !words.nth_weekdays.is_empty();
        words.other.push(match words.both {
            true if has_nth => format!("an {parity} day"),
            true if !words.weekdays.is_empty() => format!("{parity} days"),
            _ => format!("every {parity} day"),
        });
        return;
    }
    let numbered = members(u64::from(days.days));
    let nearest = members(u64::from(days.nearest));
    let before_last = members(u64::from(days.before_last));
    words.month_len = (numbered.iter().chain(&nearest).copied())
        .chain(before_last.iter().map(|before| before + 1))
        .filter(|len| *len > MONTH_LEN_MIN)
        .max()
        .unwrap_or(0);
    words.numbered = numbered;
    for day in nearest {
        let day = ordinal(day);
        words
            .other
            .push(format!("the weekday (Monday to Friday) nearest the {day}"));
    }
    for before in before_last.into_iter().rev() {
        words.other.push(match before {
            0 => "the last day".to_owned(),
            1 => "the day before the last day".to_owned(),
            _ => format!("the {} day before the last day", ordinal(before)),
        });
    }
    if days.last_weekday {
        words
            .other
            .push("the last weekday (Monday to Friday)".to_owned());
    }
}

fn weekdays(words: &mut DateWords, days: &WeekDays) {
    if days.is_every() {
        return;
    }
    let name = |day: u32| WEEKDAYS[day as usize % 7];
    for (nth, set) in NTH.iter().zip(days.nth) {
        let named = members(u64::from(set)).into_iter();
        words
            .nth_weekdays
            .extend(named.map(|day| format!("the {nth} {}", name(day))));
    }
    let last = members(u64::from(days.last)).into_iter();
    words
        .nth_weekdays
        .extend(last.map(|day| format!("the last {}", name(day))));
    words.nth_may_lack = days.nth[4] != 0;
    words.weekdays = weekdays_in_words(days.weekdays);
}
