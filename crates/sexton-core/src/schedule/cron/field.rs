//! The items that all fields of a cron expression share: numbers, names, ranges, steps.

use crate::schedule::error::ScheduleError;
use crate::schedule::part::Part;
use crate::schedule::spread::SpreadOver;

/// What a field's numbers are.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) min: u32,
    max: u32,
    /// Names for numbers from `min` on.
    names: &'static [&'static str],
    /// Whether a range may run past the end, as in `22-2`.
    pub(super) wraps: bool,
    /// What `H` is spread over, and the last value that it picks; `None` where it picks nothing.
    pub(super) spread: Option<(SpreadOver, u32)>,
}

pub(super) const SECONDS: Field = Field {
    name: "seconds",
    min: 0,
    max: 59,
    names: &[],
    wraps: false,
    spread: Some((SpreadOver::Seconds, 59)),
};
pub(super) const MINUTES: Field = Field {
    name: "minutes",
    min: 0,
    max: 59,
    names: &[],
    wraps: false,
    spread: Some((SpreadOver::Minutes, 59)),
};
pub(super) const HOURS: Field = Field {
    name: "hours",
    min: 0,
    max: 23,
    names: &[],
    wraps: true,
    spread: Some((SpreadOver::Hours, 23)),
};
pub(super) const MONTH_DAYS: Field = Field {
    name: "days of the month",
    min: 1,
    max: 31,
    names: &[],
    wraps: false,
    // Every month has these.
    spread: Some((SpreadOver::MonthDays, 28)),
};
pub(super) const MONTHS: Field = Field {
    name: "months",
    min: 1,
    max: 12,
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
    wraps: true,
    spread: Some((SpreadOver::Months, 12)),
};
/// Sunday is 0, and 7 when it ends a range or stands alone.
pub(super) const WEEK_DAYS: Field = Field {
    name: "days of the week",
    min: 0,
    max: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    wraps: true,
    spread: Some((SpreadOver::WeekDays, 6)),
};
pub(super) const YEARS: Field = Field {
    name: "years",
    min: 1970,
    max: 9999,
    names: &[],
    wraps: false,
    spread: None,
};

/// `first`, `first + step`, … up to `last`, which wraps past the field's end if it is less than `first`.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) step: u32,
}

impl Field {
    /// How many values there are. Both 0 and 7 are Sunday.
    pub(super) fn len(&self) -> u32 {
        if self.max == 7 {
            7
        } else {
            self.max - self.min + 1
        }
    }

    /// The field's last value.
    pub(super) fn last(&self) -> u32 {
        self.min + self.len() - 1
    }

    fn number_or_name(&self) -> String {
        let numbers = format!("a number {}-{}", self.min, self.max);
        match self.names {
            [first, .., last] => format!("{numbers} or a name {first}-{last}"),
            _ => numbers,
        }
    }

    fn items_allowed(&self) -> String {
        let number = self.number_or_name();
        format!("*, {number}, a range N-M, or a step */S, N/S or N-M/S")
    }

    pub(super) fn value(&self, part: Part<'_>) -> Result<u32, ScheduleError> {
        let named = || {
            let at = self.names.iter().position(|name| part.is(name))?;
            u32::try_from(at).ok().map(|at| at + self.min)
        };
        part.number()
            .filter(|number| (self.min..=self.max).contains(number))
            .or_else(named)
            .ok_or_else(|| part.error(self.number_or_name()))
    }

    fn step(&self, part: Part<'_>) -> Result<u32, ScheduleError> {
        let max = self.len();
        part.number()
            .filter(|step| (1..=max).contains(step))
            .ok_or_else(|| part.error(format!("a step 1-{max}")))
    }

    /// Reads `*`, `N`, `N-M`, each with `/S` or without.
    pub(super) fn span(&self, item: Part<'_>) -> Result<Span, ScheduleError> {
        if item.text.is_empty() {
            return Err(item.error(self.items_allowed()));
        }
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (item, None),
        };
        if range.text == "*" {
            return Ok(Span {
                first: self.min,
                last: self.last(),
                step: step.unwrap_or(1),
            });
        }
        let Some((first, last)) = range.split_once('-') else {
            let first = match self.value(range) {
                Ok(value) => self.wrapped(value),
                // What is not even a number may have been meant as anything.
                Err(_) if range.number().is_none() => {
                    return Err(item.error(self.items_allowed()));
                }
                Err(error) => return Err(error),
            };
            let last = if step.is_some() { self.last() } else { first };
            return Ok(Span {
                first,
                last,
                step: step.unwrap_or(1),
            });
        };
        let (mut first, mut last) = (self.value(first)?, self.value(last)?);
        if first > self.last() {
            (first, last) = (self.wrapped(first), self.wrapped(last));
        }
        if first > last && !self.wraps {
            return Err(range.error("a range N-M in which N is not above M"));
        }
        Ok(Span {
            first,
            last,
            step: step.unwrap_or(1),
        })
    }

    /// A value counted on past the field's end, as the value that it comes round to.
    pub(super) fn around(&self, value: u32) -> u32 {
        if value > self.last() {
            value - self.len()
        } else {
            value
        }
    }

    /// 0 for a Sunday written as 7.
    fn wrapped(&self, value: u32) -> u32 {
        if value > self.last() { self.min } else { value }
    }

    /// The span's values as bits.
    pub(super) fn bits(&self, span: Span) -> u64 {
        let Span { first, last, step } = span;
        let last = if last < first {
            last + self.len()
        } else {
            last
        };
        (first..=last)
            .step_by(step.max(1) as usize)
            .map(|value| 1_u64 << (self.min + (value - self.min) % self.len()))
            .fold(0, |bits, bit| bits | bit)
    }
}
