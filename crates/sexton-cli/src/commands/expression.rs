//! The expressions of the command line, read.

use std::sync::Arc;

use jiff::tz::{Offset, TimeZone};
use sexton_core::name::{NameError, Namespace, TaskName};
use sexton_core::schedule::zone::{Database, ZoneRules};
use sexton_core::schedule::{
    ClockChanges, Cron, Every, Kron, Schedule, ScheduleError, Spread, Union,
};

use super::complain::complain;
use crate::args::ExpressionArguments;
use crate::environment::Environment;
use crate::exceptions::{self, Exceptions};
use crate::exit::Exit;
use crate::visible::visible;
use crate::zones;

/// A schedule, and the zone that it is shown in.
pub(super) struct Expression {
    pub(super) schedule: Arc<dyn Schedule>,
    pub(super) zone: TimeZone,
    /// What it was read from.
    parsed: Vec<Parsed>,
    exceptions: Exceptions,
}

/// One expression, in its zone.
enum Parsed {
    Cron(Cron),
    Kron(Kron),
    Every(Every),
}

impl Parsed {
    fn schedule(&self) -> Arc<dyn Schedule> {
        match self {
            Parsed::Cron(cron) => Arc::new(cron.clone()),
            Parsed::Kron(kron) => Arc::new(kron.clone()),
            Parsed::Every(every) => Arc::new(*every),
        }
    }

    fn in_tz(&self, zone: &TimeZone) -> Result<Arc<dyn Schedule>, ScheduleError> {
        let zone = zone.clone();
        Ok(match self {
            Parsed::Cron(cron) => Arc::new(cron.clone().in_tz(zone)?),
            Parsed::Kron(kron) => Arc::new(kron.clone().in_tz(zone)?),
            Parsed::Every(every) => Arc::new(*every),
        })
    }
}

/// What an expression was read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Cron,
    Kron,
    Every,
}

impl Expression {
    /// The zone rules that it goes by.
    pub(super) fn rules(&self) -> Vec<ZoneRules> {
        let mut rules: Vec<ZoneRules> = self.schedule.zones().iter().map(ZoneRules::of).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// Prints on standard error whose zone rules count, if any do: what reads ticks line by line
    /// need not know of it.
    pub(super) fn print_rules(&self, environment: &Environment) {
        let zones = environment.zones();
        let line = zones::line(zones, &self.rules()).map(|line| line + "\n");
        for text in line.into_iter().chain(zones::substituted(zones)) {
            complain(&text, Exit::Done);
        }
    }

    /// Whether it is read by clocks on walls, which may change.
    pub(super) fn is_on_walls(&self) -> bool {
        let is_at_instants = |parsed: &Parsed| matches!(parsed, Parsed::Every(_));
        !self.parsed.iter().all(is_at_instants)
    }

    /// The same by clocks that never change. `None` if it is never due by these.
    pub(super) fn at_offset(&self, offset: Offset) -> Option<Arc<dyn Schedule>> {
        let zone = TimeZone::fixed(offset);
        let schedules = self.parsed.iter().map(|parsed| parsed.in_tz(&zone));
        let schedule = union(schedules.collect::<Result<_, _>>().ok()?).ok()?;
        self.exceptions.clone().out_of(schedule, &zone).ok()
    }
}

/// The schedule that is due whenever one of these is.
fn union(schedules: Vec<Arc<dyn Schedule>>) -> Result<Arc<dyn Schedule>, ScheduleError> {
    match schedules.as_slice() {
        [schedule] => Ok(Arc::clone(schedule)),
        _ => Ok(Arc::new(Union::new(schedules)?)),
    }
}

/// Why there is no schedule to show.
#[derive(Debug, thiserror::Error)]
enum ExpressionError {
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("--except {text:?}: {why}; allowed is {}", exceptions::FORM)]
    Except { text: String, why: String },
    #[error("--except-file: {0}")]
    ExceptFile(String),
}

pub(super) fn read(
    arguments: &ExpressionArguments,
    zones: &Database,
) -> Result<Expression, String> {
    parse(arguments, zones).map_err(|error| {
        let text = error.to_string();
        let lines: Vec<_> = text.lines().map(visible).collect();
        format!("error: {}\n", lines.join("\n"))
    })
}

fn parse(arguments: &ExpressionArguments, zones: &Database) -> Result<Expression, ExpressionError> {
    let named = arguments.tz.as_deref().map(|name| zones.zone(name));
    let named = named.transpose()?;
    let language = match (arguments.every, arguments.kron) {
        (true, _) => Language::Every,
        (_, true) => Language::Kron,
        _ => Language::Cron,
    };
    let texts = std::iter::once(&arguments.expression).chain(&arguments.more);
    let parsed = texts.map(|text| parse_one(text, language, named.as_ref(), arguments));
    let parsed: Vec<Parsed> = parsed.collect::<Result<_, _>>()?;
    let zone = match (named, parsed.first()) {
        (Some(zone), _) => zone,
        // The string may name an offset of its own.
        (None, Some(Parsed::Kron(kron))) => kron.tz().clone(),
        (None, _) => TimeZone::UTC,
    };
    let schedule = union(parsed.iter().map(Parsed::schedule).collect())?;
    let exceptions = exceptions(arguments)?;
    Ok(Expression {
        schedule: exceptions.clone().out_of(schedule, &zone)?,
        zone,
        parsed,
        exceptions,
    })
}

fn parse_one(
    text: &str,
    language: Language,
    named: Option<&TimeZone>,
    arguments: &ExpressionArguments,
) -> Result<Parsed, ExpressionError> {
    Ok(match language {
        Language::Every => Parsed::Every(Every::parse(text)?),
        Language::Kron => {
            let kron = Kron::parse(text)?;
            let kron = match named {
                Some(zone) => kron.in_tz(zone.clone())?,
                None => kron,
            };
            let changes = clock_changes(arguments, kron.clock_changes());
            Parsed::Kron(kron.on_clock_changes(changes)?)
        }
        Language::Cron => {
            let zone = named.cloned().unwrap_or(TimeZone::UTC);
            let cron = parse_cron(text, arguments)?.in_tz(zone)?;
            let changes = clock_changes(arguments, cron.clock_changes());
            Parsed::Cron(cron.on_clock_changes(changes)?)
        }
    })
}

fn parse_cron(text: &str, arguments: &ExpressionArguments) -> Result<Cron, ExpressionError> {
    if let Some(task) = &arguments.task {
        let namespace = Namespace::new(&arguments.namespace)?;
        let spread = Spread::of(&namespace, &TaskName::new(task)?);
        return Ok(Cron::parse_spread(text, &spread)?);
    }
    Ok(Cron::parse(text).map_err(with_flag)?)
}

/// An error of the core, which knows no flags, with the flag by which `H` and `~` can be read.
fn with_flag(mut error: ScheduleError) -> ScheduleError {
    if let ScheduleError::Part { found, allowed, .. } = &mut error
        && (found.starts_with(['H', 'h']) || found.contains('~'))
    {
        *allowed =
            "a value written out; with --task NAME also H and ~, which that name picks".into();
    }
    error
}

/// What the flags choose; what they do not name stays as the expression has it.
fn clock_changes(arguments: &ExpressionArguments, own: ClockChanges) -> ClockChanges {
    ClockChanges {
        gap: arguments.gap.unwrap_or(own.gap),
        fold: arguments.fold.unwrap_or(own.fold),
    }
}

fn exceptions(arguments: &ExpressionArguments) -> Result<Exceptions, ExpressionError> {
    let mut exceptions = Exceptions::default();
    for text in &arguments.except {
        let refused = |why| ExpressionError::Except {
            text: text.clone(),
            why,
        };
        exceptions.add(text).map_err(refused)?;
    }
    for path in &arguments.except_file {
        let refused = |wrong: Vec<String>| ExpressionError::ExceptFile(wrong.join("\n"));
        let name = path.display().to_string();
        exceptions.add_file(path, &name).map_err(refused)?;
    }
    Ok(exceptions)
}
