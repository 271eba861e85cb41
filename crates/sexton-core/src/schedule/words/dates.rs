//! Dates in words.

use super::{list, members, with_runs};
use crate::schedule::calendar::{Calendar, DayRule, EVERY_MONTH};
use crate::schedule::years::Years;

pub(in crate::schedule) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The days a schedule means, in the words of its own language.
#[derive(Default)]
pub(in crate::schedule) struct DateWords {
    /// Days counted in the month, which `of every month` or `of March` follows: `the 1st and 15th`.
    pub(in crate::schedule) of_month: String,
    /// What is still to be said of them: `or its last day if it is shorter`.
    pub(in crate::schedule) of_month_note: &'static str,
    /// Weekdays of the month: `the second Monday`.
    pub(in crate::schedule) nth_weekdays: String,
    /// Weekdays: `Mondays and Fridays`.
    pub(in crate::schedule) weekdays: String,
    /// Whether a day must match both the month's days and the weekdays.
    pub(in crate::schedule) both: bool,
}

impl DateWords {
    /// What follows the times of day.
    pub(super) fn after_times<D: DayRule>(
        &self,
        calendar: &Calendar<D>,
        lists_times: bool,
    ) -> String {
        let (of_months, in_months) = if calendar.months == EVERY_MONTH {
            (" of every month".to_owned(), String::new())
        } else {
            let months = months_in_words(calendar.months);
            (format!(" of {months}"), format!(" in {months}"))
        };
        let mut weekdays = Vec::new();
        if !self.weekdays.is_empty() {
            weekdays.push(format!("on {}{in_months}", self.weekdays));
        }
        if !self.nth_weekdays.is_empty() {
            weekdays.push(format!("on {}{of_months}", self.nth_weekdays));
        }
        let weekdays = weekdays.join(" and ");
        let (of_month, note) = (&self.of_month, self.of_month_note);
        let days = match (of_month.is_empty(), weekdays.is_empty()) {
            (true, true) if lists_times => format!(" every day{in_months}"),
            (true, true) => in_months,
            (true, false) => format!(" {weekdays}"),
            (false, true) => format!(" on {of_month}{of_months}{note}"),
            (false, false) if self.both => {
                format!(" {weekdays} that are {of_month} of a month{note}")
            }
            (false, false) => format!(" on {of_month}{of_months}{note} and {weekdays}"),
        };
        format!("{days}{}", years_in_words(&calendar.years))
    }
}

/// `Mondays, Wednesdays and Fridays`, `weekdays`; nothing for no day and for every day.
pub(in crate::schedule) fn weekdays_in_words(weekdays: u8) -> String {
    match weekdays {
        0 | 0x7f => String::new(),
        0b011_1110 => "weekdays".to_owned(),
        _ => {
            // A week ends with its Sunday here, as weekends are spoken of.
            let monday_first = (u64::from(weekdays) | u64::from(weekdays & 1) << 7) & !1;
            let names = members(monday_first).into_iter();
            let names = names.map(|day| format!("{}s", WEEKDAYS[day as usize % 7]));
            list(&names.collect::<Vec<_>>())
        }
    }
}

fn months_in_words(months: u16) -> String {
    list(&with_runs(&members(u64::from(months)), |month| {
        MONTHS[(month as usize + 11) % 12]
    }))
}

fn years_in_words(years: &Years) -> String {
    let spans = years
        .spans()
        .iter()
        .map(|span| match (span.first, span.last, span.step) {
            (first, last, step) if first + step > last => format!("in {first}"),
            (first, last, 1) => format!("in {first} to {last}"),
            (first, last, step) => format!("every {step} years from {first} to {last}"),
        });
    let spans: Vec<_> = spans.collect();
    if spans.is_empty() {
        String::new()
    } else {
        format!(", {}", list(&spans))
    }
}
