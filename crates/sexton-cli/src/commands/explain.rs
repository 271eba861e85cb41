//! `sexton explain`.

use std::io::{self, Write};

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use serde_json::json;
use sexton_core::tick::Tick;

use super::complain;
use super::expression::{Expression, Language};
use super::ticks::{self, Ticks};
use crate::args::ExpressionArguments;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::zones;

/// How many changes of a zone's clocks are looked at for the next that skips and the next that
/// repeats times. Most zones have two a year; a few have four.
const CHANGES_MAX: usize = 8;

/// Says in plain English when an expression is due, and what that means where clocks change.
///
/// # Errors
/// If standard output cannot be written.
pub fn explain(arguments: &ExpressionArguments, environment: &Environment) -> io::Result<Exit> {
    let (expression, ticks) = match ticks::read(arguments, environment.zones()) {
        Ok(read) => read,
        Err(error) => return Ok(complain(&error, Exit::BadInput)),
    };
    let changes = match expression.language {
        // Due at instants, whatever clocks show.
        Language::Every => Vec::new(),
        Language::Cron | Language::Kron => next_changes(&expression.zone, ticks.from),
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    if arguments.json {
        write_json(&mut out, &expression, &ticks, &changes, environment)?;
    } else {
        write_for_people(&mut out, &expression, &ticks, &changes)?;
    }
    out.flush()?;
    if !arguments.json {
        expression.print_rules(environment);
    }
    Ok(Exit::Done)
}

fn write_for_people(
    out: &mut impl Write,
    expression: &Expression,
    ticks: &Ticks,
    changes: &[Change],
) -> io::Result<()> {
    writeln!(out, "{}", capitalised(&expression.schedule.describe()))?;
    if !changes.is_empty() {
        writeln!(out)?;
    }
    for change in changes {
        change.write(out, expression.language)?;
    }
    if !ticks.next.is_empty() {
        writeln!(out, "\nNext:")?;
        ticks.write_for_people(out, expression)?;
    }
    if let Some(end) = ticks.end() {
        writeln!(out, "\n{end}")?;
    }
    Ok(())
}

fn write_json(
    out: &mut impl Write,
    expression: &Expression,
    ticks: &Ticks,
    changes: &[Change],
    environment: &Environment,
) -> io::Result<()> {
    let changes: Vec<_> = changes.iter().map(Change::to_json).collect();
    let explained = json!({
        "description": expression.schedule.describe(),
        "time_zone": zone_name(&expression.zone),
        "tz_data": zones::to_json(environment.zones(), &expression.rules()),
        "clock_changes": changes,
        "next": ticks.texts(),
    });
    writeln!(out, "{explained}")
}

/// The zone's IANA name, or its offset.
fn zone_name(zone: &TimeZone) -> Option<String> {
    let offset = || zone.to_fixed_offset().ok().map(offset_text);
    zone.iana_name().map(str::to_owned).or_else(offset)
}

/// `+01:00`, as in RFC 3339.
fn offset_text(offset: Offset) -> String {
    let any = Timestamp::UNIX_EPOCH.to_zoned(offset.to_time_zone());
    any.strftime("%:z").to_string()
}

/// One change of a zone's clocks.
struct Change {
    at: Timestamp,
    before: Offset,
    after: Offset,
}

/// The zone's next change that skips times and its next that repeats times, in the order in which
/// they come.
fn next_changes(zone: &TimeZone, from: Tick) -> Vec<Change> {
    let mut before = zone.to_offset(from.timestamp());
    let mut found: Vec<Change> = Vec::new();
    for transition in zone.following(from.timestamp()).take(CHANGES_MAX) {
        let change = Change {
            at: transition.timestamp(),
            before,
            after: transition.offset(),
        };
        before = change.after;
        // Some change the zone's name alone.
        let is_change = change.before != change.after;
        if is_change && found.iter().all(|other| other.skips() != change.skips()) {
            found.push(change);
        }
    }
    found
}

impl Change {
    /// Whether local times are skipped, rather than repeated.
    fn skips(&self) -> bool {
        self.after > self.before
    }

    /// What clocks show at the change, by the offset before it and by the one after it.
    fn walls(&self) -> (Zoned, Zoned) {
        let wall = |offset: Offset| self.at.to_zoned(offset.to_time_zone());
        (wall(self.before), wall(self.after))
    }

    fn write(&self, out: &mut impl Write, language: Language) -> io::Result<()> {
        let (before, after) = self.walls();
        let after = if before.date() == after.date() {
            after.strftime("%H:%M")
        } else {
            after.strftime("%H:%M on %Y-%m-%d")
        };
        let (day, before) = (before.strftime("%a %Y-%m-%d"), before.strftime("%H:%M"));
        let stars = match language {
            Language::Kron => "* or /",
            Language::Cron | Language::Every => "*",
        };
        if self.skips() {
            writeln!(
                out,
                "{day}: clocks there skip from {before} to {after}. Where minutes and hours are named, what would be \
                 due in between is due once, at {after}; where either begins with {stars}, it is not due."
            )
        } else {
            writeln!(
                out,
                "{day}: clocks there go back from {before} to {after}. Where minutes and hours are named, what is \
                 due in between is due the first time only; where either begins with {stars}, both times."
            )
        }
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "at": Tick::at_or_before(self.at).to_string(),
            "from_offset": offset_text(self.before),
            "to_offset": offset_text(self.after),
            "local_times": if self.skips() { "skipped" } else { "repeated" },
        })
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters
        .next()
        .map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + characters.as_str()
}
