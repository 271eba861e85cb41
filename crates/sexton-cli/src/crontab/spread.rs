//! Times that a line leaves open, as cronie has them: `~` in a field, and `RANDOM_DELAY`.
//!
//! Cronie draws a number when it starts. Replicas must agree without talking, so here the number is
//! a hash of namespace and task: it stays the same for as long as the task has its name.

use std::fmt;

use sexton_core::name::{Namespace, TaskName};
use sexton_core::schedule::{Cron, Schedule, ScheduleError};
use sexton_core::tick::Tick;
use sha2::{Digest, Sha256};

/// The least and the greatest value of each field that `~` may stand for. Of the days those that
/// every month has.
const FIELDS: [(u32, u32); 5] = [(0, 59), (0, 23), (1, 28), (1, 12), (0, 6)];
/// The greatest values that a field may name.
const GREATEST: [u32; 5] = [59, 23, 31, 12, 7];

const MINUTE_MS: i64 = 60_000;

/// Whether a time goes by the name of the task.
pub(super) fn leaves_open(expression: &str) -> bool {
    expression.contains('~')
}

/// Reads a time, with a number in place of each `~`: the same for every replica that calls the task
/// so.
///
/// # Errors
/// [`ScheduleError`] if it is no cron expression.
pub(super) fn parse(expression: &str, task: &TaskName) -> Result<Cron, ScheduleError> {
    if !leaves_open(expression) {
        return Cron::parse(expression);
    }
    let fields: Vec<&str> = expression.split(' ').collect();
    let fields = fields.iter().enumerate().map(|(place, field)| {
        let items: Vec<String> = field
            .split(',')
            .map(|item| chosen(item, place, task).map_or(item.to_owned(), |n| n.to_string()))
            .collect();
        items.join(",")
    });
    let whole: Vec<String> = fields.collect();
    Cron::parse(&whole.join(" "))
}

/// The number that `A~B`, `A~`, `~B` or `~` stands for; `None` for everything else.
fn chosen(item: &str, place: usize, task: &TaskName) -> Option<u32> {
    let (first, last) = item.split_once('~')?;
    let (least, open_end) = *FIELDS.get(place)?;
    let bound = |text: &str, open| match text {
        "" => Some(open),
        text => text.parse().ok(),
    };
    let first: u32 = bound(first, least)?;
    let last = bound(last, open_end.max(first))?;
    if first < least || last < first || last > *GREATEST.get(place)? {
        return None;
    }
    let count = u64::from(last - first) + 1;
    let drawn = number(task, &format!("~ {place}"), count);
    Some(first + u32::try_from(drawn).unwrap_or(0))
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
    fn a_tilde_is_a_number_within_its_bounds_and_always_the_same() {
        let parse = |text: &str| parse(text, &task(0)).unwrap().canonical();
        assert_eq!(parse("0~59 ~ * * *"), parse("0~59 ~ * * *"));
        for number in 0..500 {
            let task = task(number);
            for (item, place, range) in [
                ("~", 0, 0..=59),
                ("5~9", 0, 5..=9),
                ("50~", 0, 50..=59),
                ("~3", 1, 0..=3),
                ("~", 2, 1..=28),
                ("30~31", 2, 30..=31),
                ("29~", 2, 29..=29),
                ("7~7", 4, 7..=7),
            ] {
                let chosen = chosen(item, place, &task).unwrap();
                assert!(range.contains(&chosen), "{item}: {chosen}");
            }
        }
    }

    #[test]
    fn every_number_of_a_range_is_chosen_by_some_task() {
        let mut count = [0; 60];
        for number in 0..6_000 {
            let minute = chosen("~", 0, &task(number)).unwrap();
            count[usize::try_from(minute).unwrap()] += 1;
        }
        assert!(
            count.iter().all(|count| (50..=170).contains(count)),
            "{count:?}"
        );
    }

    #[test]
    fn what_is_no_range_is_refused_as_it_is_written() {
        for text in [
            "9~5 * * * *",
            "0~60 * * * *",
            "a~b * * * *",
            "* * 0~3 * *",
            "~/5 * * * *",
            "1~2~3 * * * *",
        ] {
            let error = parse(text, &task(0)).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
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
