//! An expression of the command line, read.

use std::sync::Arc;

use jiff::tz::TimeZone;
use sexton_core::schedule::{Cron, Every, Kron, Schedule, ScheduleError, zone};

use crate::args::ExpressionArguments;
use crate::visible::visible;

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

pub(super) fn read(arguments: &ExpressionArguments) -> Result<Expression, String> {
    parse(arguments).map_err(|error| format!("error: {}\n", visible(&error.to_string())))
}

fn parse(arguments: &ExpressionArguments) -> Result<Expression, ScheduleError> {
    let text = &arguments.expression;
    let named = arguments.tz.as_deref().map(zone::parse).transpose()?;
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
