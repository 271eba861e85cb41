//! Times of day in words.

use super::{count_of, list, members, ordinal, with_runs};
use crate::schedule::calendar::Times;
use crate::schedule::place::ClockChange;

/// More times a day than this are told by their pattern.
const LISTED_MAX: usize = 6;

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

    /// The first and the last value, if none is missing in between.
    fn run(&self) -> Option<(u32, u32)> {
        let (first, last) = (*self.values.first()?, *self.values.last()?);
        (self.values.len() == (last - first + 1) as usize).then_some((first, last))
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

pub(super) fn in_words(times: &Times, change: ClockChange) -> TimeWords {
    let level = |unit, values: Vec<u32>, len| Level { unit, values, len };
    let levels = [
        level("millisecond", times.millis.iter().collect(), 1000),
        level("second", members(times.seconds), 60),
        level("minute", members(times.minutes), 60),
        level("hour", members(u64::from(times.hours)), 24),
    ];
    let a_day: usize = levels.iter().map(|level| level.values.len()).product();
    if change != ClockChange::Elapsed && a_day <= LISTED_MAX {
        return TimeWords {
            text: format!("at {}", list(&times_of_day(&levels))),
            lists_times: true,
        };
    }
    let lead = levels
        .iter()
        .position(|level| !level.is_zero())
        .unwrap_or(3);
    if lead == 3 && levels[3].step().is_none() && levels[3].run().is_none() {
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

/// The finest level that matters, and whether it named values, so that `of every …` must follow.
fn lead_in_words(level: &Level) -> (String, bool) {
    match (level.step(), level.run()) {
        (Some(step), _) => (format!("every {}", count_of(step, level.unit)), false),
        (None, Some((first, last))) if level.unit == "hour" => (
            format!("every hour from {first:02}:00 to {last:02}:00"),
            false,
        ),
        _ => (format!("at {}", level.named()), true),
    }
}

fn push_level(text: &mut String, level: &Level, specific: bool) -> bool {
    let (words, specific) = match (level.step(), level.run()) {
        (Some(1), _) if specific => (format!(" of every {}", level.unit), false),
        (Some(1), _) => (String::new(), false),
        (Some(step), _) => (format!(" of every {} {}", ordinal(step), level.unit), false),
        (None, Some((first, last))) if level.unit == "hour" => {
            let of = match specific {
                true if first == last => " of the hour",
                true => " of every hour",
                false => "",
            };
            (format!("{of} from {first:02}:00 to {last:02}:59"), false)
        }
        _ => (format!(" in {}", level.named()), true),
    };
    text.push_str(&words);
    specific
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
