//! The krontab words in code.

use super::Kron;
use super::draft::{Draft, OFFSET_MINUTES_MAX};
use super::field::{self, Field, Span, Values};
use crate::schedule::error::ScheduleError;

/// Builds a [`Kron`] of the krontab words, one method a field. A field that is not named is
/// unconstrained, but for the milliseconds, which are then 0.
///
/// ```
/// use sexton_core::schedule::{Kron, Schedule};
///
/// let kron = Kron::builder()
///     .seconds(|seconds| seconds.from(0).every(5).last())
///     .minutes(|minutes| minutes.include([0, 30]))
///     .build()?;
/// assert_eq!(kron, Kron::parse("0/5,L 0,30 * * *")?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct KronBuilder {
    draft: Draft,
    error: Option<ScheduleError>,
}

/// Says which values a field has. What is said adds up.
#[derive(Debug)]
#[must_use = "give it back from the closure"]
pub struct FieldBuilder {
    field: &'static Field,
    spans: Vec<Span>,
    is_fixed: Option<bool>,
    error: Option<ScheduleError>,
}

/// A value that [`every`](StepBuilder::every) or [`up_to`](StepBuilder::up_to) follows.
#[derive(Debug)]
#[must_use = "say `every` or `up_to`"]
pub struct StepBuilder {
    values: FieldBuilder,
    first: u32,
}

impl Kron {
    /// Builds a schedule of the same words in code.
    pub fn builder() -> KronBuilder {
        KronBuilder::default()
    }
}

impl KronBuilder {
    /// Milliseconds 0-999.
    pub fn milliseconds(mut self, say: impl FnOnce(FieldBuilder) -> FieldBuilder) -> KronBuilder {
        self.draft.millis = Some(self.said(&field::MILLISECONDS, say));
        self
    }

    /// Seconds 0-59.
    pub fn seconds(mut self, say: impl FnOnce(FieldBuilder) -> FieldBuilder) -> KronBuilder {
        self.draft.seconds = self.said(&field::SECONDS, say);
        self
    }

    /// Minutes 0-59.
    pub fn minutes(mut self, say: impl FnOnce(FieldBuilder) -> FieldBuilder) -> KronBuilder {
        self.draft.minutes = self.said(&field::MINUTES, say);
        self
    }

    /// Hours 0-23.
    pub fn hours(mut self, say: impl FnOnce(FieldBuilder) -> FieldBuilder) -> KronBuilder {
        self.draft.hours = self.said(&field::HOURS, say);
        self
    }

    /// Days of the month 0-30, where 0 is the 1st. A day past the month's end means its last day.
    pub fn day_of_month(mut self, say: impl FnOnce(FieldBuilder) -> FieldBuilder) -> KronBuilder {
        self.draft.month_days = self.said(&field::MONTH_DAYS, say);
        self
    }

    /// Days of the week 0-6, where 0 is Sunday. A day must match these and the days of the month.
    pub fn day_of_week(mut self, say: impl FnOnce(FieldBuilder) -> FieldBuilder) -> KronBuilder {
        self.draft.week_days = self.said(&field::WEEK_DAYS, say);
        self
    }

    /// Months 0-11, where 0 is January.
    pub fn months(mut self, say: impl FnOnce(FieldBuilder) -> FieldBuilder) -> KronBuilder {
        self.draft.months = self.said(&field::MONTHS, say);
        self
    }

    /// Years 0-9999.
    pub fn years(mut self, say: impl FnOnce(FieldBuilder) -> FieldBuilder) -> KronBuilder {
        self.draft.years = self.said(&field::YEARS, say);
        self
    }

    /// The offset from UTC in which the fields are read, in minutes east of it: -1559 to 1559.
    pub fn offset_minutes(mut self, minutes: i32) -> KronBuilder {
        if minutes.unsigned_abs() > OFFSET_MINUTES_MAX.unsigned_abs() {
            let allowed = format!("minutes -{OFFSET_MINUTES_MAX} to {OFFSET_MINUTES_MAX}");
            self.error
                .get_or_insert(value_error("offset", &minutes.to_string(), allowed));
        }
        self.draft.offset_minutes = Some(minutes);
        self
    }

    /// The schedule, in UTC unless an offset was given; for a zone see [`Kron::in_tz`].
    ///
    /// # Errors
    /// [`ScheduleError::Value`] for the first value out of range, [`ScheduleError::NeverDue`] if the
    /// schedule is never due.
    pub fn build(self) -> Result<Kron, ScheduleError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let kron = Kron::from_draft(&self.draft);
        kron.checked_somewhere(|kron| format!("kron {}", super::Schedule::describe(kron)))
    }

    fn said(
        &mut self,
        field: &'static Field,
        say: impl FnOnce(FieldBuilder) -> FieldBuilder,
    ) -> Values {
        let said = say(FieldBuilder {
            field,
            spans: Vec::new(),
            is_fixed: None,
            error: None,
        });
        let error = said.error.or_else(|| {
            said.spans
                .is_empty()
                .then(|| value_error(field.name, "none", "at least one value".to_owned()))
        });
        if let Some(error) = error {
            self.error.get_or_insert(error);
        }
        Values {
            spans: Some(said.spans),
            is_fixed: said.is_fixed.unwrap_or(true),
        }
    }
}

impl FieldBuilder {
    /// At this value.
    pub fn at(self, value: u32) -> FieldBuilder {
        self.push(value, value, 1, true)
    }

    /// Another word for [`FieldBuilder::at`].
    pub fn each(self, value: u32) -> FieldBuilder {
        self.at(value)
    }

    /// Begins `from(v).every(d)` and `from(a).up_to(b)`.
    pub fn from(self, first: u32) -> StepBuilder {
        StepBuilder {
            values: self,
            first,
        }
    }

    /// Every so many, from the field's first value on.
    pub fn every(self, step: u32) -> FieldBuilder {
        let Field { min, max, .. } = *self.field;
        self.push(min, max, step, false)
    }

    /// At the field's first value.
    pub fn first(self) -> FieldBuilder {
        let first = self.field.min;
        self.at(first)
    }

    /// At the field's last value.
    pub fn last(self) -> FieldBuilder {
        let last = self.field.max;
        self.at(last)
    }

    /// At all these values.
    pub fn include(self, values: impl IntoIterator<Item = u32>) -> FieldBuilder {
        // A field has at most ten thousand values; more than that are repeats, or out of range.
        values.into_iter().take(10_000).fold(self, FieldBuilder::at)
    }

    fn push(mut self, first: u32, last: u32, step: u32, is_fixed: bool) -> FieldBuilder {
        let Field { name, min, max } = *self.field;
        let step_max = self.field.step_max();
        let range = min..=max;
        let bad = [first, last]
            .into_iter()
            .find(|value| !range.contains(value));
        let error = if let Some(bad) = bad {
            Some(value_error(name, &bad.to_string(), self.field.range()))
        } else if first > last {
            let allowed = "a range that does not end before it begins".to_owned();
            Some(value_error(name, &format!("{first} up to {last}"), allowed))
        } else if !(1..=step_max).contains(&step) {
            Some(value_error(
                name,
                &format!("a step of {step}"),
                format!("1-{step_max}"),
            ))
        } else {
            None
        };
        match error {
            Some(error) => {
                self.error.get_or_insert(error);
            }
            None => self.spans.push(Span { first, last, step }),
        }
        // As in a string, where the first item tells.
        self.is_fixed.get_or_insert(is_fixed);
        self
    }
}

impl StepBuilder {
    /// From the value on, every so many, up to the field's last.
    pub fn every(self, step: u32) -> FieldBuilder {
        let last = self.values.field.max;
        self.values.push(self.first, last, step, true)
    }

    /// From the value up to another, which is included.
    pub fn up_to(self, last: u32) -> FieldBuilder {
        self.values.push(self.first, last, 1, true)
    }
}

fn value_error(what: &'static str, found: &str, allowed: String) -> ScheduleError {
    ScheduleError::Value {
        what,
        found: found.into(),
        allowed: allowed.into(),
    }
}
