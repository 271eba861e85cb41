//! Which days of a month a cron expression means.

use crate::schedule::calendar::DayRule;
use crate::schedule::canonical::set;
use crate::schedule::gregorian::Month;

/// The day-of-month and day-of-week fields.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct CronDays {
    pub(super) of_month: MonthDays,
    pub(super) of_week: WeekDays,
    pub(super) joined: Joined,
}

/// How the two fields are joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Joined {
    /// One of them begins with `*` or is `?`: a day must match both.
    And,
    /// Both are restricted: a day must match one of them.
    Or,
}

/// The day-of-month field.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct MonthDays {
    /// Bits 1..=31.
    pub(super) days: u32,
    /// `L`, `L-3`: bit n for the day n days before the month's last.
    pub(super) before_last: u32,
    /// `15W`: bits 1..=31 for the weekday nearest to a day.
    pub(super) nearest: u32,
    /// `LW`: the month's last weekday.
    pub(super) last_weekday: bool,
}

/// The day-of-week field. Bit 0 of each set is Sunday.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct WeekDays {
    pub(super) weekdays: u8,
    /// `5L`: the month's last such weekday.
    pub(super) last: u8,
    /// `5#2`: the month's second such weekday, in the second of these sets.
    pub(super) nth: [u8; 5],
}

pub(super) const ALL_DAYS: u32 = !1;
pub(super) const ALL_WEEKDAYS: u8 = 0x7f;

const SATURDAY: u32 = 6;
const SUNDAY: u32 = 0;

impl CronDays {
    /// `d=* w=1-5`, with what no plain set can say behind it.
    pub(super) fn canonical(&self) -> String {
        let CronDays {
            of_month,
            of_week,
            joined: either,
        } = self;
        let mut text = format!(
            "d={} w={}",
            set(of_month.days.into(), ALL_DAYS.into()),
            set(of_week.weekdays.into(), ALL_WEEKDAYS.into())
        );
        let mut also = |name: &str, bits: u64| {
            if bits != 0 {
                text.push_str(&format!(" {name}={}", set(bits, 0)));
            }
        };
        also("before-last", of_month.before_last.into());
        also("nearest", of_month.nearest.into());
        also("last-w", of_week.last.into());
        for (nth, weekdays) in (1..).zip(of_week.nth) {
            also(&format!("w#{nth}"), weekdays.into());
        }
        if of_month.last_weekday {
            text.push_str(" last-weekday");
        }
        if *either == Joined::Or {
            text.push_str(" either");
        }
        text
    }
}

impl MonthDays {
    pub(super) fn is_every(&self) -> bool {
        self.days == ALL_DAYS
    }

    fn days_in(&self, month: Month) -> u32 {
        let mut days = self.days;
        let mut rest = self.before_last;
        while rest != 0 {
            let before = rest.trailing_zeros();
            rest &= rest - 1;
            if before < month.len {
                days |= 1 << (month.len - before);
            }
        }
        let mut rest = self.nearest & month.all_days();
        while rest != 0 {
            let day = rest.trailing_zeros();
            rest &= rest - 1;
            days |= 1 << nearest_weekday(month, day);
        }
        if self.last_weekday {
            days |= 1 << nearest_weekday_before_end(month);
        }
        days & month.all_days()
    }
}

/// Monday to Friday, within the month.
fn nearest_weekday(month: Month, day: u32) -> u32 {
    match month.weekday(day) {
        SATURDAY if day > 1 => day - 1,
        SATURDAY => day + 2,
        SUNDAY if day < month.len => day + 1,
        SUNDAY => day - 2,
        _ => day,
    }
}

fn nearest_weekday_before_end(month: Month) -> u32 {
    match month.weekday(month.len) {
        SATURDAY => month.len - 1,
        SUNDAY => month.len - 2,
        _ => month.len,
    }
}

impl WeekDays {
    pub(super) fn is_every(&self) -> bool {
        self.weekdays == ALL_WEEKDAYS
    }

    fn days_in(&self, month: Month) -> u32 {
        let mut days = month.days_on(self.weekdays);
        if self.last != 0 {
            days |= month.days_on(self.last) & (0x7f << (month.len - 6));
        }
        for (week, weekdays) in (0..).zip(self.nth) {
            if weekdays != 0 {
                days |= month.days_on(weekdays) & (0x7f_u64 << (1 + 7 * week)) as u32;
            }
        }
        days
    }
}

impl DayRule for CronDays {
    #[inline]
    fn days_in(&self, month: Month) -> u32 {
        let (of_month, of_week) = (self.of_month.days_in(month), self.of_week.days_in(month));
        match self.joined {
            Joined::And => of_month & of_week,
            Joined::Or => of_month | of_week,
        }
    }

    #[inline]
    fn is_every_day(&self) -> bool {
        match self.joined {
            Joined::And => self.of_month.is_every() && self.of_week.is_every(),
            Joined::Or => self.of_month.is_every() || self.of_week.is_every(),
        }
    }
}
