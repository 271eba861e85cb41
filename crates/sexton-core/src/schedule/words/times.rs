//! Times of day in words.

use super::phrases::{count_of, list, members, with_runs};
use crate::schedule::calendar::Times;

/// More times a day than this are told by their pattern.
const LISTED_MAX: usize = 6;
/// More spans of hours than this are told by their numbers.
const HOUR_SPANS_MAX: usize = 3;

pub(super) struct TimeWords {
    pub(super) text: String,
    /// Whether the text is a list of times of day, which asks for `every day` to follow.
    pub(super) lists_times: bool,
}

/// One field of a time of day.
struct Level {
    unit: &'static str,
    values: Vec<u32>,
    /// How many values there can be.
    len: u32,
}

impl Level {
    fn is_zero(&self) -> bool {
        self.values == [0]
    }

    /// `n` if the values are every nth from 0 on, all round the clock.
    fn step(&self) -> Option<u32> {
        let len = u32::try_from(self.values.len()).ok()?;
        let step = self.len / len.max(1);
        let round = self.len.is_multiple_of(step);
        let all = self
            .values
            .iter()
            .copied()
            .eq((0..self.len).step_by(step as usize));
        (len > 1 && round && all).then_some(step)
    }

    /// The first and the last value of each run without a gap.
    fn runs(&self) -> Vec<(u32, u32)> {
        let runs = self.values.chunk_by(|one, next| one + 1 == *next);
        runs.filter_map(|run| Some((*run.first()?, *run.last()?)))
            .collect()
    }

    /// `minute 5`, `minutes 5, 10 to 12 and 30`.
    fn named(&self) -> String {
        let plural = if self.values.len() > 1 { "s" } else { "" };
        format!(
            "{}{plural} {}",
            self.unit,
            list(&with_runs(&self.values, |value| value))
        )
    }
}

pub(super) fn in_words(times: &Times) -> TimeWords {
    let level = |unit, values: Vec<u32>, len| Level { unit, values, len };
    let levels = [
        level("millisecond", times.millis.iter().collect(), 1000),
        level("second", members(times.seconds), 60),
        level("minute", members(times.minutes), 60),
        level("hour", members(u64::from(times.hours)), 24),
    ];
    let lead = levels
        .iter()
        .position(|level| !level.is_zero())
        .unwrap_or(3);
    if lists_times(&levels, lead) {
        return TimeWords {
            text: format!("at {}", list(&times_of_day(&levels))),
            lists_times: true,
        };
    }
    let (mut text, mut specific) = lead_in_words(&levels[lead]);
    for level in levels.iter().skip(lead + 1) {
        specific = push_level(&mut text, level, specific);
    }
    TimeWords {
        text,
        lists_times: false,
    }
}

/// Whether there are so few times a day, or hours with such gaps, that a list says it best.
fn lists_times(levels: &[Level; 4], lead: usize) -> bool {
    let a_day: usize = levels.iter().map(|level| level.values.len()).product();
    a_day <= LISTED_MAX || (lead == 3 && levels[3].runs().len() != 1)
}

/// The finest level that matters, and whether it named values, so that `of every …` must follow.
fn lead_in_words(level: &Level) -> (String, bool) {
    match (level.step(), level.runs().as_slice()) {
        (Some(step), _) => (format!("every {}", count_of(step, level.unit)), false),
        (None, [(first, last)]) if level.unit == "hour" => (
            format!("every hour from {first:02}:00 to {last:02}:00"),
            false,
        ),
        _ => (format!("at {}", level.named()), true),
    }
}

fn push_level(text: &mut String, level: &Level, specific: bool) -> bool {
    let (words, specific) = match level.step() {
        Some(1) if specific => (format!(" of every {}", level.unit), false),
        Some(1) => (String::new(), false),
        _ if level.unit == "hour" => (hours_in_words(level, specific), false),
        Some(step) if level.values.len() > LISTED_MAX => {
            (format!(" in {}s divisible by {step}", level.unit), true)
        }
        _ => (format!(" in {}", level.named()), true),
    };
    text.push_str(&words);
    specific
}

/// `from 09:00 to 17:59`, `of every hour from 09:00 to 17:59`, `in hours 0, 2, 4 and 6`.
fn hours_in_words(level: &Level, specific: bool) -> String {
    let runs = level.runs();
    if runs.len() > HOUR_SPANS_MAX {
        let join = if specific { "of" } else { "in" };
        return format!(" {join} {}", level.named());
    }
    let of = match (specific, level.values.len()) {
        (false, _) => "",
        (true, 1) => " of the hour",
        (true, _) => " of every hour",
    };
    let spans: Vec<_> = runs
        .iter()
        .map(|(first, last)| format!("from {first:02}:00 to {last:02}:59"))
        .collect();
    format!("{of} {}", list(&spans))
}

fn times_of_day([millis, seconds, minutes, hours]: &[Level; 4]) -> Vec<String> {
    let mut times = Vec::new();
    for hour in &hours.values {
        for minute in &minutes.values {
            for second in &seconds.values {
                for milli in &millis.values {
                    times.push(match (second, milli) {
                        (0, 0) => format!("{hour:02}:{minute:02}"),
                        (_, 0) => format!("{hour:02}:{minute:02}:{second:02}"),
                        _ => format!("{hour:02}:{minute:02}:{second:02}.{milli:03}"),
                    });
                }
            }
        }
    }
    times
}
