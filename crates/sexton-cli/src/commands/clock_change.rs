//! What the coming changes of a zone's clocks do to one expression.
//!
//! Nothing here knows the rule by which schedules take such changes: the ticks around a change are
//! compared with those that the same expression has by clocks that do not change, by the offset
//! before the change and by the one after it. Where all three agree, the change does not touch it.

use std::io::{self, Write};
use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::Offset;
use jiff::{Timestamp, Zoned};
use serde_json::json;
use sexton_core::length::in_words;
use sexton_core::schedule::Schedule;
use sexton_core::tick::Tick;

use super::expression::Expression;

/// How far ahead changes are looked for that touch the expression: ten years.
const AHEAD_MS: i64 = 3_653 * 24 * 60 * 60 * 1_000;
/// How many changes are looked at. Most zones have two a year, a few have four.
const CHANGES_MAX: usize = 40;
/// How many ticks are compared from each side of a change on. One that touches an expression shows
/// in the first of them.
const COMPARED_MAX: usize = 100_000;
/// How far before and after a change, and in which steps, a pattern that does not end is looked at.
const PATTERN_MS: i64 = 24 * 60 * 60 * 1_000;
const PATTERN_STEP_MS: usize = 15 * 60 * 1_000;
/// How many local times are listed one by one.
const LISTED_MAX: usize = 4;

/// The next change that skips times in which the expression would be due, and the next that repeats
/// such times, in the order in which they come.
pub(super) struct ClockChanges(Vec<Touching>);

/// A change that touches the expression.
struct Touching {
    change: Change,
    /// The local times that are skipped or repeated and at which the expression is due.
    times: Vec<Zoned>,
    effect: Effect,
    /// Where it is due often, and the first time only: how long it is not due, and until when.
    pause: Option<(Duration, Zoned)>,
}

/// One change of a zone's clocks.
struct Change {
    at: Tick,
    before: Offset,
    after: Offset,
}

/// What becomes of times that are skipped or repeated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Skipped, and due at the end of the gap instead.
    Shifted,
    /// Skipped, and the end of the gap is a time at which it is due by itself.
    Coincides,
    /// Skipped, and not due.
    Dropped,
    /// Repeated, and due the first time only.
    First,
    /// Repeated, and due the second time only.
    Second,
    /// Repeated, and due both times.
    Both,
    /// Repeated, some due once and some twice.
    Mixed,
}

impl ClockChanges {
    /// The changes after an instant.
    pub(super) fn next(expression: &Expression, from: Tick) -> ClockChanges {
        let mut found: Vec<Touching> = Vec::new();
        if !expression.is_on_walls() {
            return ClockChanges(found);
        }
        let zone = &expression.zone;
        let end = from.saturating_add_millis(AHEAD_MS).timestamp();
        let mut before = zone.to_offset(from.timestamp());
        for transition in zone.following(from.timestamp()).take(CHANGES_MAX) {
            if transition.timestamp() > end || found.len() == 2 {
                break;
            }
            let change = Change {
                at: Tick::at_or_before(transition.timestamp()),
                before,
                after: transition.offset(),
            };
            before = change.after;
            let is_known = |other: &Touching| other.change.skips() == change.skips();
            // Some change the zone's name alone.
            if change.before != change.after && !found.iter().any(is_known) {
                found.extend(change.touching(expression));
            }
        }
        ClockChanges(found)
    }

    /// A paragraph with a line for each change; nothing if none touches the expression.
    pub(super) fn write_for_people(&self, out: &mut impl Write) -> io::Result<()> {
        if !self.0.is_empty() {
            writeln!(out)?;
        }
        for touching in &self.0 {
            writeln!(out, "{}", touching.in_words())?;
        }
        Ok(())
    }

    /// The same facts.
    pub(super) fn to_json(&self) -> serde_json::Value {
        self.0.iter().map(Touching::to_json).collect()
    }
}

impl Change {
    /// Whether local times are skipped, rather than repeated.
    fn skips(&self) -> bool {
        self.after > self.before
    }

    /// By how much the clocks are set, in milliseconds.
    fn size_ms(&self) -> i64 {
        i64::from(self.after.seconds() - self.before.seconds()).abs() * 1_000
    }

    /// The instants that the change may touch: its own size before it, and as much after it.
    fn around(&self) -> (Tick, Tick) {
        let size_ms = self.size_ms();
        let start = self.at.saturating_add_millis(-size_ms);
        (start, self.at.saturating_add_millis(size_ms))
    }

    /// What clocks show at the change, by the offset before it and by the one after it.
    fn walls(&self) -> (Zoned, Zoned) {
        (wall(self.at, self.before), wall(self.at, self.after))
    }

    /// What the change does to the expression, if it does anything.
    fn touching(self, expression: &Expression) -> Option<Touching> {
        let (start, end) = self.around();
        let actual = Some(expression.schedule.as_ref());
        let by_before = expression.at_offset(self.before);
        let by_after = expression.at_offset(self.after);
        let (by_before, by_after) = (by_before.as_deref(), by_after.as_deref());
        let agree = |from: Tick, end: Tick| {
            ticks(actual, from, end).eq(ticks(by_before, from, end))
                && ticks(actual, from, end).eq(ticks(by_after, from, end))
        };
        let schedules = [actual, by_before, by_after];
        if agree(start, self.at) && agree(self.at, end) && self.goes_on(schedules) {
            return None;
        }
        // By the offset before the change, times that it skips come after it, and times that it
        // repeats before it.
        let unchanged = match self.skips() {
            true => ticks(by_before, self.at, end),
            false => ticks(by_before, start, self.at),
        };
        let times: Vec<Zoned> = unchanged.map(|tick| wall(tick, self.before)).collect();
        if times.is_empty() {
            return None;
        }
        let is_due_at_once = |schedule| ticks(schedule, self.at, end).next() == Some(self.at);
        let effect = match self.skips() {
            true if !is_due_at_once(actual) => Effect::Dropped,
            true if is_due_at_once(by_after) => Effect::Coincides,
            true => Effect::Shifted,
            false => {
                let first = ticks(actual, start, self.at).count();
                let second = ticks(actual, self.at, end).count();
                match (first == times.len(), second == times.len()) {
                    (true, true) => Effect::Both,
                    (true, false) if second == 0 => Effect::First,
                    (false, true) if first == 0 => Effect::Second,
                    _ => Effect::Mixed,
                }
            }
        };
        let pause = (effect == Effect::First).then(|| self.pause(actual));
        Some(Touching {
            change: self,
            times,
            effect,
            pause: pause.flatten(),
        })
    }
}

impl Change {
    /// Whether schedules have the same next tick from a day before the change to a day after it:
    /// a steady pace is the same by all clocks, one that is bound to hours is not.
    fn goes_on(&self, schedules: [Option<&dyn Schedule>; 3]) -> bool {
        (-PATTERN_MS..PATTERN_MS)
            .step_by(PATTERN_STEP_MS)
            .all(|from_ms| {
                let from = self.at.saturating_add_millis(from_ms);
                let [actual, by_before, by_after] =
                    schedules.map(|schedule| schedule.and_then(|one| one.next_after(from)));
                actual == by_before && actual == by_after
            })
    }

    /// How long a schedule is not due that is due before, during and after the first pass through
    /// what is repeated, but not during the second.
    fn pause(&self, schedule: Option<&dyn Schedule>) -> Option<(Duration, Zoned)> {
        let (start, end) = self.around();
        let size_ms = self.size_ms();
        let is_due_before = ticks(schedule, start.saturating_add_millis(-size_ms), start).next();
        let last = ticks(schedule, is_due_before?, self.at).last()?;
        let next = ticks(schedule, end, end.saturating_add_millis(size_ms)).next()?;
        let pause_ms = next.as_millis() - last.as_millis();
        let pause = Duration::from_millis(pause_ms.unsigned_abs());
        Some((pause, wall(next, self.after)))
    }
}

/// The ticks from one instant to before another, as many as are compared.
fn ticks(schedule: Option<&dyn Schedule>, from: Tick, end: Tick) -> impl Iterator<Item = Tick> {
    let next = move |after: Tick| schedule?.next_after(after).filter(|next| *next < end);
    let first = next(from.saturating_add_millis(-1));
    std::iter::successors(first, move |last| next(*last)).take(COMPARED_MAX)
}

impl Touching {
    fn in_words(&self) -> String {
        let (before, after) = self.change.walls();
        let (day, from) = (before.strftime("%a %Y-%m-%d"), hour(&before));
        let to = match before.date() == after.date() {
            true => hour(&after),
            false => format!("{} on {}", hour(&after), after.date()),
        };
        let times = listed(&self.times);
        let is_one = self.times.len() == 1;
        let (come, do_not_come, are) = match is_one {
            true => ("comes", "does not come", "is"),
            false => ("come", "do not come", "are"),
        };
        let said = match self.effect {
            Effect::Shifted if is_one => {
                format!("{times} {do_not_come}; it is due at {to} instead")
            }
            Effect::Shifted => {
                format!("{times} {do_not_come}; it is due once in their place, at {to}")
            }
            Effect::Coincides => {
                format!(
                    "{times} {do_not_come}; nothing takes their place, for it is due at {to} anyway"
                )
            }
            Effect::Dropped => format!("{times} {do_not_come}, and nothing takes their place"),
            Effect::First => {
                let pause = self
                    .pause
                    .as_ref()
                    .map_or_else(String::new, |(pause, until)| {
                        let (pause, until) = (in_words(*pause), hour(until));
                        format!(", so that it pauses for {pause}, until {until}")
                    });
                format!("{times} {come} twice; it is due the first time only{pause}")
            }
            Effect::Second => format!("{times} {come} twice; it is due the second time only"),
            Effect::Both => format!("{times} {come} twice; it is due both times"),
            Effect::Mixed => format!("{times} {come} twice; some {are} due once"),
        };
        let said = match is_one {
            true => said.replace("their place", "its place"),
            false => said,
        };
        let verb = if self.change.skips() {
            "skip"
        } else {
            "go back"
        };
        format!("{day}: clocks there {verb} from {from} to {to}. {said}.")
    }

    fn to_json(&self) -> serde_json::Value {
        let change = &self.change;
        let effect = match self.effect {
            Effect::Shifted => "shifted",
            Effect::Coincides => "coincides",
            Effect::Dropped => "dropped",
            Effect::First => "first time",
            Effect::Second => "second time",
            Effect::Both => "both times",
            Effect::Mixed => "mixed",
        };
        json!({
            "at": change.at.to_string(),
            "from_offset": offset_text(change.before),
            "to_offset": offset_text(change.after),
            "local_times": if change.skips() { "skipped" } else { "repeated" },
            "effect": effect,
        })
    }
}

/// `02:00 and 02:30`, `60 times from 02:00 to 02:59`.
fn listed(times: &[Zoned]) -> String {
    let hours: Vec<String> = times.iter().take(LISTED_MAX).map(hour).collect();
    match (times, hours.as_slice()) {
        ([first, .., last], _) if times.len() > LISTED_MAX => {
            let first = hour(first);
            match times.len() {
                COMPARED_MAX => format!("More than {COMPARED_MAX} times from {first} on"),
                many => format!("{many} times from {first} to {}", hour(last)),
            }
        }
        (_, [start @ .., last]) if !start.is_empty() => format!("{} and {last}", start.join(", ")),
        (_, hours) => hours.join(", "),
    }
}

/// `02:30`, with seconds where there are any.
fn hour(wall: &Zoned) -> String {
    let time: Time = wall.time();
    let form = match (time.second(), time.subsec_nanosecond()) {
        (0, 0) => "%H:%M",
        (_, 0) => "%H:%M:%S",
        _ => "%H:%M:%S%.3f",
    };
    time.strftime(form).to_string()
}

fn wall(tick: Tick, offset: Offset) -> Zoned {
    tick.timestamp().to_zoned(offset.to_time_zone())
}

/// `+01:00`, as in RFC 3339.
pub(super) fn offset_text(offset: Offset) -> String {
    let any = Timestamp::UNIX_EPOCH.to_zoned(offset.to_time_zone());
    any.strftime("%:z").to_string()
}
