//! The dates on which a schedule is not due, from wherever the user writes them: a task file, a
//! file of holidays, the command line.

use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use sexton_core::schedule::{Except, Schedule, ScheduleError};

use crate::diagnostic::Source;
use crate::visible::brief;

/// The most dates and ranges of one schedule: each is part of what the store keeps of a task.
pub(crate) const EXCEPTIONS_MAX: usize = 1_000;

/// How one exception is written, for messages.
pub(crate) const FORM: &str =
    "a date like 2026-12-25, or a range like 2026-12-24..2027-01-02 (its last date included)";

/// The most lines of a file that are told to be wrong.
const LINES_TOLD_MAX: usize = 10;
/// How much of a line is repeated in a message, in characters.
const LINE_CHARS_MAX: usize = 60;

/// Dates and ranges of dates.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exceptions {
    dates: Vec<Date>,
    ranges: Vec<RangeInclusive<Date>>,
}

impl Exceptions {
    /// Adds a date or a range.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), String> {
        match text.split_once("..") {
            None => self.dates.push(date(text)?),
            Some((first, last)) => {
                let (first, last) = (date(first.trim())?, date(last.trim())?);
                if first > last {
                    return Err("the range ends before it begins".to_owned());
                }
                self.ranges.push(first..=last);
            }
        }
        if self.dates.len() + self.ranges.len() > EXCEPTIONS_MAX {
            return Err(format!(
                "these are too many exceptions: at most {EXCEPTIONS_MAX} dates and ranges"
            ));
        }
        Ok(())
    }

    /// Adds what a file holds: a date or a range a line, where a `#` begins a comment. `name` is what
    /// the file is called in messages.
    ///
    /// # Errors
    /// All that is wrong with the file, each with its line.
    pub(crate) fn add_file(&mut self, path: &Path, name: &str) -> Result<(), Vec<String>> {
        let source = Source::read(path);
        let source = source.map_err(|error| vec![error.of_file(name).to_string()])?;
        let mut wrong = Vec::new();
        for (line, (_, text)) in (1..).zip(source.lines()) {
            let text = text.split('#').next().unwrap_or("").trim();
            if text.is_empty() {
                continue;
            }
            if let Err(why) = self.add(text) {
                // A file that was named by mistake may hold anything.
                let found = match text.starts_with(|first: char| first.is_ascii_digit()) {
                    true => format!(": found {:?}", brief(text, LINE_CHARS_MAX)),
                    false => String::new(),
                };
                wrong.push(format!("{name}:{line}: {why}{found}"));
            }
            if wrong.len() == LINES_TOLD_MAX {
                break;
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// The schedule, but not on these dates of a zone.
    ///
    /// # Errors
    /// [`ScheduleError::NeverDue`] if nothing is left of it.
    pub(crate) fn out_of(
        self,
        schedule: Arc<dyn Schedule>,
        zone: &TimeZone,
    ) -> Result<Arc<dyn Schedule>, ScheduleError> {
        if self.dates.is_empty() && self.ranges.is_empty() {
            return Ok(schedule);
        }
        let except = Except::new(schedule).in_tz(zone.clone());
        Ok(Arc::new(except.on(self.dates)?.on_ranges(self.ranges)?))
    }
}

fn date(text: &str) -> Result<Date, String> {
    // jiff would also read the date off an instant, and drop the rest.
    let is_date = text.len() == "2026-12-25".len();
    let date = is_date.then(|| Date::from_str(text).ok()).flatten();
    date.ok_or_else(|| "this is not a date".to_owned())
}
