//! What can be wrong with a schedule.

use jiff::Timestamp;
use thiserror::Error;

/// A schedule that cannot be used: what was found, where, and what is allowed.
///
/// ```
/// use sexton_core::schedule::Cron;
///
/// let error = Cron::parse("*/5 24 * * *").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"cron "*/5 24 * * *": hours, at byte 4: found "24", allowed is a number 0-23"#
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// A part of an expression cannot be read.
    #[error(
        "{language} {expression:?}: {part}, at byte {position}: found {}, allowed is {allowed}",
        quoted(found)
    )]
    Part {
        /// The language of the expression: `cron`, `kron`, …
        language: &'static str,
        /// The whole expression.
        expression: Box<str>,
        /// The part that is wrong: `minutes`, `weekdays`, …
        part: &'static str,
        /// Where the wrong text begins, in bytes from the expression's start.
        position: usize,
        /// The wrong text; empty where something is missing.
        found: Box<str>,
        /// What may stand there.
        allowed: Box<str>,
    },
    /// An expression holds a time zone, or is an interval, an instant or an expression of another
    /// language: what is written beside it, or elsewhere.
    #[error("{language} {expression:?}: {found:?} does not belong here; write {advice}")]
    Beside {
        /// The language that the expression is read as: `cron`, `kron` or `every`.
        language: &'static str,
        /// The whole expression.
        expression: Box<str>,
        /// What does not belong there.
        found: Box<str>,
        /// What to write instead, in a task file, on the command line and in code.
        advice: Box<str>,
    },
    /// An expression is longer than [`EXPRESSION_BYTES_MAX`](super::EXPRESSION_BYTES_MAX).
    #[error("{language} expression is {found} bytes long, at most {max} are allowed: {start:?}…")]
    TooLong {
        /// The language of the expression.
        language: &'static str,
        /// Its length in bytes.
        found: usize,
        /// The longest allowed, in bytes.
        max: usize,
        /// How it begins.
        start: Box<str>,
    },
    /// A value given in code, not in an expression, is out of range.
    #[error("{what}: found {found}, allowed is {allowed}")]
    Value {
        /// What the value is for.
        what: &'static str,
        /// The value.
        found: Box<str>,
        /// What it may be.
        allowed: Box<str>,
    },
    /// There is no instant at which the schedule is due.
    #[error("{schedule} is never due: {reason}")]
    NeverDue {
        /// The schedule, as it was written or in words.
        schedule: Box<str>,
        /// Why not.
        reason: &'static str,
    },
    /// The schedule has no tick after the instant asked about; see [`first_after`](super::first_after).
    #[error("{schedule} has ended: it is never due after {after}{}", because(advice.as_deref()))]
    Ended {
        /// The schedule, in words.
        schedule: Box<str>,
        /// The instant.
        after: Timestamp,
        /// Why, and what was probably meant, if there is anything to say of that.
        advice: Option<Box<str>>,
    },
    /// There is no such time zone.
    #[error("no time zone is called {name:?}; {advice}")]
    Zone {
        /// The name that was given.
        name: Box<str>,
        /// What to write instead.
        advice: Box<str>,
    },
    /// The time zone of this machine cannot be read.
    #[error(
        "{found} cannot be read as a time zone: no IANA name, no POSIX rule, no file of rules that can be used"
    )]
    MachineZone {
        /// Where it is named, and what stands there: `TZ="Europe/Pariss"`, `/etc/localtime`.
        found: Box<str>,
    },
    /// A time zone was given to an expression that names an offset of its own.
    #[error(
        "kron in {zone}: the string has an offset of its own, {offset_minutes}o; name the zone or the offset, not both"
    )]
    ZoneAndOffset {
        /// The time zone.
        zone: Box<str>,
        /// The string's own offset, in minutes east of UTC.
        offset_minutes: i32,
    },
}

fn because(advice: Option<&str>) -> String {
    advice.map_or_else(String::new, |advice| format!(": {advice}"))
}

fn quoted(found: &str) -> String {
    if found.is_empty() {
        "nothing".to_owned()
    } else {
        format!("{found:?}")
    }
}
