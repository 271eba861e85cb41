//! Dates in words.

use super::phrases::{list, list_or, members, ordinal, with_runs};
use crate::schedule::calendar::{Calendar, DayRule, EVERY_MONTH, YEAR_MAX};
use crate::schedule::years::{YearSpan, Years};

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
/// The days that each month has in every year.
const DAYS_ALWAYS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// The days a schedule means, in the words of its own language.
#[derive(Default)]
pub(in crate::schedule) struct DateWords {
    /// Days counted in the month, from 1, in order.
    pub(in crate::schedule) numbered: Vec<u32>,
    /// Other days of the month, with their article: `the last day`.
    pub(in crate::schedule) other: Vec<String>,
    /// How many days a month must have so that it has all of these.
    pub(in crate::schedule) month_len: u32,
    /// What a month does that is shorter than that.
    pub(in crate::schedule) if_shorter: IfShorter,
    /// Weekdays of the month: `the second Monday`.
    pub(in crate::schedule) nth_weekdays: Vec<String>,
    /// Whether a month may lack one of them.
    pub(in crate::schedule) nth_may_lack: bool,
    /// Weekdays: `Mondays and Fridays`.
    pub(in crate::schedule) weekdays: String,
    /// Whether a day must match both the month's days and the weekdays.
    pub(in crate::schedule) both: bool,
}

/// What becomes of a day that a month does not have.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::schedule) enum IfShorter {
    /// It is not due in that month.
    #[default]
    NotDue,
    /// The last day stands for it.
    LastDay,
}

impl DateWords {
    /// What follows the times of day.
    pub(super) fn after_times<D: DayRule>(
        &self,
        calendar: &Calendar<D>,
        lists_times: bool,
    ) -> String {
        let Months { of, within } = Months::in_words(calendar.months);
        let mut weekdays = Vec::new();
        if !self.weekdays.is_empty() {
            weekdays.push(format!("on {}{within}", self.weekdays));
        }
        if !self.nth_weekdays.is_empty() {
            let note = match (self.nth_may_lack, self.nth_weekdays.len()) {
                (false, _) => "",
                (true, 1) => THAT_HAS_ONE,
                (true, _) => EACH_WHERE_THERE_IS_ONE,
            };
            weekdays.push(format!("on {}{of}{note}", list(&self.nth_weekdays)));
        }
        let weekdays = weekdays.join(" and ");
        let names_month_days = !(self.numbered.is_empty() && self.other.is_empty());
        let note = self.note(calendar.months);
        let days = match (names_month_days, weekdays.is_empty()) {
            (false, true) if lists_times => format!(" every day{within}"),
            (false, true) => within,
            (false, false) => format!(" {weekdays}"),
            (true, true) => format!(" on {}{of}{note}", self.of_month(list)),
            (true, false) if self.both && self.nth_weekdays.is_empty() => {
                let of_month = self.of_month(list_or);
                format!(" {weekdays} that are {of_month} of a month{note}")
            }
            (true, false) if self.both => {
                let of_month = self.of_month(list_or);
                format!(" {weekdays}, but only if that is {of_month} of the month{note}")
            }
            (true, false) => {
                format!(" on {}{of}{note}, and also {weekdays}", self.of_month(list))
            }
        };
        format!("{days}{}", years_in_words(&calendar.years))
    }

    /// `the 1st, 5th and 9th to 12th`; with an article each where other days stand among them, so that
    /// none is taken for the same day as another.
    fn of_month(&self, list: impl Fn(&[String]) -> String) -> String {
        let numbered = with_runs(&self.numbered, ordinal);
        if self.other.is_empty() {
            return format!("the {}", list(&numbered));
        }
        let numbered = numbered.iter().map(|day| format!("the {day}"));
        let days: Vec<String> = numbered.chain(self.other.iter().cloned()).collect();
        list(&days)
    }

    /// What happens in those of the months that are too short.
    fn note(&self, months: u16) -> &'static str {
        let months = members(u64::from(months));
        let is_short = |month: &u32| DAYS_ALWAYS[(*month as usize + 11) % 12] < self.month_len;
        let is_one = self.numbered.len() + self.other.len() == 1;
        let has_weekdays = !(self.weekdays.is_empty() && self.nth_weekdays.is_empty());
        match self.if_shorter {
            _ if !months.iter().any(is_short) => "",
            IfShorter::LastDay if is_one => ", or its last day if it is shorter",
            IfShorter::LastDay => ", its last day in place of one that it lacks",
            // Only those days are spoken of that a month has.
            IfShorter::NotDue if self.both && has_weekdays => "",
            IfShorter::NotDue if is_one && months == [2] => " in leap years",
            IfShorter::NotDue if is_one => THAT_HAS_ONE,
            IfShorter::NotDue => EACH_WHERE_THERE_IS_ONE,
        }
    }
}

const THAT_HAS_ONE: &str = " that has one";
const EACH_WHERE_THERE_IS_ONE: &str = ", each where there is one";

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

struct Months {
    /// What follows a day of a month: `of March`, `of each of March and June`.
    of: String,
    /// What follows other days: `in March`.
    within: String,
}

impl Months {
    fn in_words(months: u16) -> Months {
        if months == EVERY_MONTH {
            return Months {
                of: " of every month".to_owned(),
                within: String::new(),
            };
        }
        let numbers = members(u64::from(months));
        let names: Vec<&str> = numbers
            .iter()
            .map(|month| MONTHS[(*month as usize + 11) % 12])
            .collect();
        let is_run = numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        let (of, within) = match names.as_slice() {
            [name] => (format!("of {name}"), format!("in {name}")),
            [first, _, .., last] if is_run => {
                let run = format!("{first} to {last}");
                (
                    format!("of each month from {run}"),
                    format!("in the months {run}"),
                )
            }
            names => (
                format!("of each of {}", list(names)),
                format!("in {}", list(names)),
            ),
        };
        Months {
            of: format!(" {of}"),
            within: format!(" {within}"),
        }
    }
}

fn years_in_words(years: &Years) -> String {
    let spans: Vec<_> = years.spans().iter().map(span_in_words).collect();
    match spans.is_empty() {
        true => String::new(),
        false => format!(", {}", list(&spans)),
    }
}

fn span_in_words(span: &YearSpan) -> String {
    let (first, step) = (span.first, span.step.max(1));
    // The last year that is one of the steps.
    let last = first + span.last.saturating_sub(first) / step * step;
    // Nothing comes after it, so that it is only where the span was left open.
    let is_open = span.last == YEAR_MAX;
    match step {
        _ if last == first => format!("in {first}"),
        1 if is_open => format!("from {first} on"),
        1 => format!("in the years {first} to {last}"),
        _ if is_open => format!("every {step} years from {first} on"),
        _ => format!("every {step} years from {first} to {last}"),
    }
}
