//! Which days of a month a krontab schedule means, and how it says so.

use crate::schedule::calendar::DayRule;
use crate::schedule::canonical::set;
use crate::schedule::gregorian::Month;
use crate::schedule::words::{DateWords, IfShorter, members, weekdays_in_words};

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
        const LAST: u32 = 30;
        let mut words = DateWords {
            if_shorter: IfShorter::LastDay,
            weekdays: weekdays_in_words(self.of_week),
            both: true,
            ..DateWords::default()
        };
        if self.of_month == ALL_DAYS {
            return words;
        }
        let mut days = members(u64::from(self.of_month));
        // Where the last day is due, one past the end adds nothing.
        match days.pop_if(|day| *day == LAST) {
            Some(_) => words.other.push("the last day".to_owned()),
            None => words.month_len = days.last().map_or(0, |day| day + 1),
        }
        words.numbered = days.into_iter().map(|day| day + 1).collect();
        words
    }
}
