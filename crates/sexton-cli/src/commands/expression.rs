//! An expression of the command line, read.

use std::sync::Arc;

use jiff::tz::TimeZone;
use sexton_core::schedule::zone::{Database, ZoneRules};
use sexton_core::schedule::{Cron, Every, Kron, Schedule, ScheduleError};

use super::complain;
use crate::args::ExpressionArguments;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::visible::visible;
use crate::zones;

/// A schedule, and the zone that it is shown in.
pub(super) struct Expression {
    pub(super) schedule: Arc<dyn Schedule>,
    pub(super) zone: TimeZone,
    pub(super) language: Language,
}

/// What an expression was read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Cron,
    Kron,
    Every,
}

impl Expression {
    /// The zone rules that it goes by.
    pub(super) fn rules(&self) -> Vec<ZoneRules> {
        self.schedule.zones().iter().map(ZoneRules::of).collect()
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
}

pub(super) fn read(
    arguments: &ExpressionArguments,
    zones: &Database,
) -> Result<Expression, String> {
    parse(arguments, zones).map_err(|error| format!("error: {}\n", visible(&error.to_string())))
}

fn parse(arguments: &ExpressionArguments, zones: &Database) -> Result<Expression, ScheduleError> {
    let text = &arguments.expression;
    let named = arguments.tz.as_deref().map(|name| zones.zone(name));
    let named = named.transpose()?;
    let language = match (arguments.every, arguments.kron) {
        (true, _) => Language::Every,
        (_, true) => Language::Kron,
        _ => Language::Cron,
    };
    let (schedule, zone): (Arc<dyn Schedule>, TimeZone) = match language {
        Language::Every => (
            Arc::new(Every::parse(text)?),
            named.unwrap_or(TimeZone::UTC),
        ),
        Language::Kron => {
            let kron = Kron::parse(text)?;
            let kron = match named {
                Some(zone) => kron.in_tz(zone)?,
                // The string may name an offset of its own.
                None => kron,
            };
            let zone = kron.tz().clone();
            (Arc::new(kron), zone)
        }
        Language::Cron => {
            let zone = named.unwrap_or(TimeZone::UTC);
            (Arc::new(Cron::parse(text)?.in_tz(zone.clone())?), zone)
        }
    };
    Ok(Expression {
        schedule,
        zone,
        language,
    })
}
