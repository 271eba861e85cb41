//! The fields of a krontab schedule, and the items that a field is made of.

use crate::schedule::error::ScheduleError;
use crate::schedule::part::Part;

/// What a field's numbers are.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) min: u32,
    pub(super) max: u32,
}

impl Field {
    const fn new(name: &'static str, max: u32) -> Field {
        Field { name, min: 0, max }
    }

    pub(super) fn range(&self) -> String {
        format!("{}-{}", self.min, self.max)
    }

    /// The largest step.
    pub(super) fn step_max(&self) -> u32 {
        self.max - self.min
    }
}

pub(super) static MILLISECONDS: Field = Field::new("milliseconds", 999);
pub(super) static SECONDS: Field = Field::new("seconds", 59);
pub(super) static MINUTES: Field = Field::new("minutes", 59);
pub(super) static HOURS: Field = Field::new("hours", 23);
/// 0 is the 1st.
pub(super) static MONTH_DAYS: Field = Field::new("days of the month", 30);
/// 0 is January.
pub(super) static MONTHS: Field = Field::new("months", 11);
/// 0 is Sunday.
pub(super) static WEEK_DAYS: Field = Field::new("days of the week", 6);
pub(super) static YEARS: Field = Field::new("years", 9999);

/// `first`, `first + step`, … up to `last`. Never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) step: u32,
}

impl Span {
    pub(super) fn values(self) -> impl Iterator<Item = u32> {
        (self.first..=self.last).step_by(self.step.max(1) as usize)
    }
}

/// The values a field may have.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    /// `None` if every value will do.
    pub(super) spans: Option<Vec<Span>>,
    /// Whether the field says at which values rather than how often: it neither begins with `*` or `/`
    /// nor was left out.
    pub(super) is_fixed: bool,
}

impl Values {
    /// The values as bits, `all` of them if every value will do.
    pub(super) fn bits(&self, all: u64) -> u64 {
        let Some(spans) = &self.spans else { return all };
        spans
            .iter()
            .flat_map(|span| span.values())
            .fold(0, |bits, value| bits | 1 << (value % 64))
    }
}

/// Reads a list of items.
pub(super) fn parse(part: Part<'_>, field: &'static Field) -> Result<Values, ScheduleError> {
    let is_fixed = !part.text.starts_with(['*', '/']);
    if part.text == "*" {
        return Ok(Values {
            spans: None,
            is_fixed,
        });
    }
    let spans = part
        .named(field.name)
        .items()
        .map(|item| parse_item(item, field));
    Ok(Values {
        spans: Some(spans.collect::<Result<_, _>>()?),
        is_fixed,
    })
}

fn parse_item(item: Part<'_>, field: &'static Field) -> Result<Span, ScheduleError> {
    let Field { min, max, .. } = *field;
    if item.text == "*" {
        return Ok(Span {
            first: min,
            last: max,
            step: 1,
        });
    }
    if let Some((from, step)) = item.split_once('/') {
        let first = match from.text {
            "" | "*" => min,
            _ => number(from, field)?,
        };
        let step_max = field.step_max();
        let step = step
            .number()
            .filter(|step| (1..=step_max).contains(step))
            .ok_or_else(|| step.error(format!("a step 1-{step_max}")))?;
        return Ok(Span {
            first,
            last: max,
            step,
        });
    }
    if let Some((from, to)) = item.split_once('-') {
        let first = number(from, field)?;
        let last = if to.is("L") { max } else { number(to, field)? };
        if first > last {
            return Err(item.error("a range N-M in which N is not above M"));
        }
        return Ok(Span {
            first,
            last,
            step: 1,
        });
    }
    let value = match item {
        first if first.is("F") => min,
        last if last.is("L") => max,
        value if value.number().is_some() => number(value, field)?,
        _ => {
            let range = field.range();
            return Err(item.error(format!(
                "a number {range}, N-M, N-L, N/S, /S, */S, *, F or L"
            )));
        }
    };
    Ok(Span {
        first: value,
        last: value,
        step: 1,
    })
}

fn number(part: Part<'_>, field: &'static Field) -> Result<u32, ScheduleError> {
    part.number()
        .filter(|number| (field.min..=field.max).contains(number))
        .ok_or_else(|| part.error(format!("a number {}", field.range())))
}
