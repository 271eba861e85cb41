//! What a krontab string or builder says, before it is made into a schedule.

use jiff::tz::{Offset, TimeZone};

use super::days::{ALL_DAYS, ALL_WEEKDAYS, KronDays};
use super::field::Values;
use crate::schedule::calendar::{Calendar, EVERY_MONTH, Millis, Times};
use crate::schedule::years::{YearSpan, Years};
use crate::schedule::zone_clock::{ClockChange, ZoneClock};

/// 25 hours and 59 minutes, the most whole minutes that jiff makes an offset of.
pub(super) const OFFSET_MINUTES_MAX: i32 = 25 * 60 + 59;

#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    /// {0} unless named.
    pub(super) millis: Option<Values>,
    pub(super) seconds: Values,
    pub(super) minutes: Values,
    pub(super) hours: Values,
    pub(super) month_days: Values,
    pub(super) months: Values,
    pub(super) week_days: Values,
    pub(super) years: Values,
    pub(super) offset_minutes: Option<i32>,
}

const SIXTY: u64 = (1 << 60) - 1;

impl Draft {
    pub(super) fn calendar(&self) -> Calendar<KronDays> {
        Calendar {
            times: Times {
                seconds: self.seconds.bits(SIXTY),
                minutes: self.minutes.bits(SIXTY),
                hours: narrow(self.hours.bits(0xff_ffff)),
                millis: self.millis.as_ref().map_or_else(Millis::default, millis),
            },
            days: KronDays {
                of_month: narrow(self.month_days.bits(u64::from(ALL_DAYS))),
                of_week: u8::try_from(self.week_days.bits(u64::from(ALL_WEEKDAYS)))
                    .unwrap_or(ALL_WEEKDAYS),
            },
            months: u16::try_from(self.months.bits(0xfff) << 1).unwrap_or(EVERY_MONTH),
            years: years(&self.years),
        }
    }

    pub(super) fn clock_change(&self) -> ClockChange {
        if self.minutes.is_fixed && self.hours.is_fixed {
            ClockChange::TimesOfDay
        } else {
            ClockChange::Elapsed
        }
    }

    pub(super) fn zone_clock(&self) -> ZoneClock {
        let seconds = self.offset_minutes.unwrap_or(0) * 60;
        let offset = Offset::from_seconds(seconds).unwrap_or(Offset::UTC);
        ZoneClock::new(TimeZone::fixed(offset))
    }
}

fn narrow(bits: u64) -> u32 {
    u32::try_from(bits).unwrap_or(u32::MAX)
}

fn millis(values: &Values) -> Millis {
    match &values.spans {
        None => Millis::new(0..1000),
        Some(spans) => Millis::new(spans.iter().flat_map(|span| span.values())),
    }
}

fn years(values: &Values) -> Years {
    let Some(spans) = &values.spans else {
        return Years::EVERY;
    };
    let year = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
    let spans = spans.iter().map(|span| YearSpan {
        first: year(span.first),
        last: year(span.last),
        step: year(span.step),
    });
    Years::new(spans.collect())
}
