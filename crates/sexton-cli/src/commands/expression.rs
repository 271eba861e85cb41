//! An expression of the command line, read.

use std::sync::Arc;

use jiff::tz::{Offset, TimeZone};
use sexton_core::schedule::{Cron, Every, Kron, Schedule, ScheduleError, zone};

use crate::args::ExpressionArguments;
use crate::visible::visible;

/// A schedule, and the zone that it is shown in.
pub(super) struct Expression {
    pub(super) schedule: Arc<dyn Schedule>,
    pub(super) zone: TimeZone,
    /// What is read by clocks on walls, which change; `None` if it is due at instants.
    on_walls: Option<OnWalls>,
}

/// An expression that is not bound to its zone.
enum OnWalls {
    Cron(Cron),
    Kron(Kron),
}

/// What an expression was read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Cron,
    Kron,
    Every,
}

impl Expression {
    /// Whether it is read by clocks on walls, which may change.
    pub(super) fn is_on_walls(&self) -> bool {
        self.on_walls.is_some()
    }

    /// The same expression by clocks that never change. `None` if it is not read by clocks, or is
    /// never due by these.
    pub(super) fn at_offset(&self, offset: Offset) -> Option<Arc<dyn Schedule>> {
        let zone = TimeZone::fixed(offset);
        match self.on_walls.as_ref()? {
            OnWalls::Cron(cron) => Some(Arc::new(cron.clone().in_tz(zone).ok()?)),
            OnWalls::Kron(kron) => Some(Arc::new(kron.clone().in_tz(zone).ok()?)),
        }
    }
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
    let (schedule, zone, on_walls): (Arc<dyn Schedule>, TimeZone, _) = match language {
        Language::Every => (
            Arc::new(Every::parse(text)?),
            named.unwrap_or(TimeZone::UTC),
            None,
        ),
        Language::Kron => {
            let kron = Kron::parse(text)?;
            let kron = match named {
                Some(zone) => kron.in_tz(zone)?,
                // The string may name an offset of its own.
                None => kron,
            };
            let zone = kron.tz().clone();
            (Arc::new(kron.clone()), zone, Some(OnWalls::Kron(kron)))
        }
        Language::Cron => {
            let zone = named.unwrap_or(TimeZone::UTC);
            let cron = Cron::parse(text)?.in_tz(zone.clone())?;
            (Arc::new(cron.clone()), zone, Some(OnWalls::Cron(cron)))
        }
    };
    Ok(Expression {
        schedule,
        zone,
        on_walls,
    })
}
