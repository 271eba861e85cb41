//! Times that a line leaves open, as cronie has them: `~` in a field, and `RANDOM_DELAY`.
//!
//! Cronie draws a number when it starts. Replicas must agree without talking, so here the number is
//! a hash of namespace and task: it stays the same for as long as the task has its name.

use std::fmt;

use jiff::tz::TimeZone;
use sexton_core::name::{Namespace, TaskName};
use sexton_core::schedule::{Cron, Schedule, ScheduleError, Spread};
use sexton_core::tick::Tick;
use sha2::{Digest, Sha256};

const MINUTE_MS: i64 = 60_000;

/// Whether a time may go by the name of the task.
pub(super) fn leaves_open(expression: &str) -> bool {
    expression.contains(['~', 'H', 'h'])
}

/// Reads a time, with a number in place of each `~` and `H`: the same for every replica that calls
/// the task so.
///
/// # Errors
/// [`ScheduleError`] if it is no cron expression.
pub(super) fn parse(expression: &str, task: &TaskName) -> Result<Cron, ScheduleError> {
    Cron::parse_spread(expression, &Spread::of(&Namespace::default(), task))
}

/// How long the lines below `RANDOM_DELAY=minutes` are put off: a number of minutes below that.
pub(super) fn delay_minutes(below: u32, task: &TaskName) -> u32 {
    u32::try_from(number(task, "RANDOM_DELAY", u64::from(below))).unwrap_or(0)
}

/// A number below `count` that is always the same for the task; 0 if `count` is.
fn number(task: &TaskName, what: &str, count: u64) -> u64 {
    let mut hash = Sha256::new();
    for part in [Namespace::default().as_str(), task.as_str(), what] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    let eight = hash.iter().take(8);
    let drawn = eight.fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    drawn.checked_rem(count).unwrap_or(0)
}

/// A schedule whose ticks all come later by the same time.
#[derive(Debug)]
pub(super) struct Delayed {
    schedule: Cron,
    minutes: u32,
}

impl Delayed {
    pub(super) fn new(schedule: Cron, minutes: u32) -> Delayed {
        Delayed { schedule, minutes }
    }

    fn millis(&self) -> i64 {
        i64::from(self.minutes) * MINUTE_MS
    }
}

impl Schedule for Delayed {
    fn next_after(&self, after: Tick) -> Option<Tick> {
        let delay = self.millis();
        let tick = self
            .schedule
            .next_after(after.saturating_add_millis(-delay))?;
        Tick::from_millis(tick.as_millis() + delay)
    }

    fn describe(&self) -> String {
        let plural = if self.minutes == 1 { "" } else { "s" };
        format!(
            "{}, put off by {} minute{plural}",
            self.schedule.describe(),
            self.minutes
        )
    }

    fn zones(&self) -> Vec<TimeZone> {
        self.schedule.zones()
    }

    fn advice_when_over(&self) -> Option<String> {
        self.schedule.advice_when_over()
    }

    fn canonical(&self) -> String {
        format!("later by {}m [{}]", self.minutes, self.schedule.canonical())
    }
}

/// How much `RANDOM_DELAY` may say, in minutes: a day, as with cronie.
const DELAY_MINUTES_MAX: u32 = 24 * 60;

/// A value of `RANDOM_DELAY` that is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoDelay;

impl fmt::Display for NoDelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number of minutes, 0 to {DELAY_MINUTES_MAX}")
    }
}

/// Reads a value of `RANDOM_DELAY`, in minutes.
pub(super) fn read_delay(value: &[u8]) -> Result<u32, NoDelay> {
    let text = str::from_utf8(value).map_err(|_| NoDelay)?;
    let minutes: u32 = text.parse().map_err(|_| NoDelay)?;
    (minutes <= DELAY_MINUTES_MAX)
        .then_some(minutes)
        .ok_or(NoDelay)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(number: u32) -> TaskName {
        TaskName::new(format!("bell {number}")).unwrap()
    }

    #[test]
    fn a_tilde_is_the_same_for_the_same_name() {
        let parse = |number| parse("0~59 ~ * * *", &task(number)).unwrap().canonical();
        assert_eq!(parse(0), parse(0));
        assert!((1..20).any(|number| parse(number) != parse(0)));
    }

    #[test]
    fn a_delay_moves_all_ticks_alike() {
        let daily = Cron::parse("0 3 * * *").unwrap();
        let delayed = Delayed::new(daily, 7);
        let at = |text: &str| text.parse::<Tick>().unwrap();
        let first = at("2026-01-01T03:07:00Z");
        assert_eq!(
            delayed.next_after(at("2026-01-01T03:06:59.999Z")),
            Some(first)
        );
        assert_eq!(delayed.next_after(first), Some(at("2026-01-02T03:07:00Z")));
        assert!(delayed.next_after(Tick::MIN).is_some());
        assert_eq!(delayed.next_after(Tick::MAX), None);
        assert!(delayed.describe().ends_with(", put off by 7 minutes"));
    }

    #[test]
    fn a_delay_is_below_what_the_crontab_says() {
        for number in 0..200 {
            let task = task(number);
            assert!(delay_minutes(15, &task) < 15);
            assert_eq!(delay_minutes(0, &task), 0);
            assert_eq!(delay_minutes(1, &task), 0);
        }
        assert_eq!(read_delay(b"45"), Ok(45));
        for bad in [&b""[..], b"-1", b"1441", b"5m", b"\xe9"] {
            assert_eq!(read_delay(bad), Err(NoDelay));
        }
    }
}
