//! `sexton explain`.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use serde_json::json;

use super::clock_change::{ClockChanges, offset_text};
use super::complain::complain;
use super::expression::Expression;
use super::ticks::{self, Ticks};
use crate::args::ExpressionArguments;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::zones;

/// Says in plain English when an expression is due, and what that means where clocks change.
///
/// # Errors
/// If standard output cannot be written.
pub fn explain(arguments: &ExpressionArguments, environment: &Environment) -> io::Result<Exit> {
    let (expression, ticks) = match ticks::read(arguments, environment.zones()) {
        Ok(read) => read,
        Err(error) => return Ok(complain(&error, Exit::BadInput)),
    };
    let changes = ClockChanges::next(&expression, ticks.from);
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
    changes: &ClockChanges,
) -> io::Result<()> {
    writeln!(out, "{}", capitalised(&expression.schedule.describe()))?;
    changes.write_for_people(out)?;
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
    changes: &ClockChanges,
    environment: &Environment,
) -> io::Result<()> {
    let explained = json!({
        "description": expression.schedule.describe(),
        "time_zone": zone_name(&expression.zone),
        "tz_data": zones::to_json(environment.zones(), &expression.rules()),
        "clock_changes": changes.to_json(),
        "next": ticks.texts(),
    });
    writeln!(out, "{explained}")
}

/// The zone's IANA name, or its offset.
fn zone_name(zone: &TimeZone) -> Option<String> {
    let offset = || zone.to_fixed_offset().ok().map(offset_text);
    zone.iana_name().map(str::to_owned).or_else(offset)
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters
        .next()
        .map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + characters.as_str()
}
