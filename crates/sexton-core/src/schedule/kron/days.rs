//! Which days of a month a krontab schedule means, and how it says so.

use crate::schedule::calendar::DayRule;
use crate::schedule::canonical::set;
use crate::schedule::gregorian::Month;
use crate::schedule::words::{DateWords, list, members, ordinal, weekdays_in_words};

/// Days of the month and days of the week; a day must match both.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct KronDays {
    /// Bits 0..=30, bit 0 for the 1st. A day past the month's end means its last day.
    pub(super) of_month: u32,
    /// Bit 0 for Sunday.
    pub(super) of_week: u8,
}

pub(super) const ALL_DAYS: u32 = 0x7fff_ffff;
pub(super) const ALL_WEEKDAYS: u8 = 0x7f;

impl DayRule for KronDays {
    #[inline]
    fn days_in(&self, month: Month) -> u32 {
        let mut days = self.of_month << 1 & month.all_days();
        if self.of_month >> month.len != 0 {
            days |= 1 << month.len;
        }
        days & month.days_on(self.of_week)
    }

    #[inline]
    fn is_every_day(&self) -> bool {
        self.of_month == ALL_DAYS && self.of_week == ALL_WEEKDAYS
    }
}

impl KronDays {
    /// `d=0-30 w=*`: days counted from 0.
    pub(super) fn canonical(self) -> String {
        format!(
            "d={} w={}",
            set(self.of_month.into(), ALL_DAYS.into()),
            set(self.of_week.into(), ALL_WEEKDAYS.into())
        )
    }

    pub(super) fn in_words(self) -> DateWords {
        let (of_month, of_month_note) = self.month_days_in_words();
        DateWords {
            of_month,
            of_month_note,
            nth_weekdays: String::new(),
            weekdays: weekdays_in_words(self.of_week),
            both: true,
        }
    }

    fn month_days_in_words(self) -> (String, &'static str) {
        const LAST: u32 = 30;
        if self.of_month == ALL_DAYS {
            return (String::new(), "");
        }
        let mut days = members(u64::from(self.of_month));
        let has_last = days.pop_if(|day| *day == LAST).is_some();
        let may_be_past_end = days.last().is_some_and(|day| *day >= 28);
        let mut items: Vec<_> = days.into_iter().map(|day| ordinal(day + 1)).collect();
        if has_last {
            items.push("last day".to_owned());
        }
        let note = if may_be_past_end && !has_last {
            ", or its last day if it is shorter"
        } else {
            ""
        };
        (format!("the {}", list(&items)), note)
    }
}
