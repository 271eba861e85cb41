//! The ticks of an expression, as `next` and `explain` print them.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use sexton_core::clock::{Clock, SystemClock};
use sexton_core::schedule::zone::Database;
use sexton_core::tick::Tick;

use super::expression::{self, Expression};
use crate::args::ExpressionArguments;
use sexton_core::instant;

const INSTANT_FORM: &str = "an instant like 2026-12-24T18:00:00Z, or a local time of the zone like 2026-12-24T18:00 or 2026-12-24";

/// The next ticks after an instant.
pub(super) struct Ticks {
    pub(super) from: Tick,
    pub(super) next: Vec<Tick>,
    /// Whether the schedule has ended with these.
    pub(super) ended: bool,
    /// Why it is over, and what was probably meant, if it is.
    advice: Option<String>,
}

/// Reads an expression, and computes the ticks that are to be shown.
pub(super) fn read(
    arguments: &ExpressionArguments,
    zones: &Database,
) -> Result<(Expression, Ticks), String> {
    let expression = expression::read(arguments, zones)?;
    let ticks = Ticks::read(&expression, arguments)?;
    Ok((expression, ticks))
}

impl Ticks {
    fn read(expression: &Expression, arguments: &ExpressionArguments) -> Result<Ticks, String> {
        let from = match &arguments.from {
            None => Tick::at_or_before(SystemClock.now()),
            Some(text) => instant::parse_in(text, &expression.zone).map_err(|why| {
                format!("error: --from {text:?}: {why}; allowed is {INSTANT_FORM}\n")
            })?,
        };
        let count = arguments.count as usize;
        let after = |tick: &Tick| expression.schedule.next_after(*tick);
        let ticks = std::iter::successors(Some(from), after).skip(1);
        let next: Vec<Tick> = ticks.take(count).collect();
        let ended = next.len() < count;
        // Of a schedule that is over already, not of one whose last ticks are shown.
        let is_over = next.is_empty();
        let advice = is_over.then(|| expression.schedule.advice_when_over());
        Ok(Ticks {
            from,
            next,
            ended,
            advice: advice.flatten(),
        })
    }

    /// As instants in UTC, to the millisecond.
    pub(super) fn texts(&self) -> Vec<String> {
        self.next.iter().map(Tick::to_string).collect()
    }

    /// A tick a line: as the clock on the wall shows it and, where that is another, in UTC.
    pub(super) fn write_for_people(
        &self,
        out: &mut impl Write,
        expression: &Expression,
    ) -> io::Result<()> {
        let is_whole_seconds = self.next.iter().all(|tick| tick.as_millis() % 1000 == 0);
        let form = if is_whole_seconds {
            "%a %Y-%m-%d %H:%M:%S %:z"
        } else {
            "%a %Y-%m-%d %H:%M:%S%.3f %:z"
        };
        for tick in &self.next {
            let wall = tick.timestamp().to_zoned(expression.zone.clone());
            let wall = wall.strftime(form);
            if is_utc(&expression.zone) {
                writeln!(out, "{wall}")?;
            } else {
                writeln!(out, "{wall}  {tick}")?;
            }
        }
        Ok(())
    }

    /// What is to be said of a schedule that has ended, if this one has.
    pub(super) fn end(&self) -> Option<String> {
        let after = match self.next.last() {
            _ if !self.ended => return None,
            Some(last) => *last,
            None => self.from,
        };
        let advice = self.advice.iter().map(|advice| format!(": {advice}"));
        let advice: String = advice.collect();
        Some(format!("It is never due after {after}{advice}."))
    }
}

fn is_utc(zone: &TimeZone) -> bool {
    zone.to_fixed_offset().is_ok_and(|offset| offset.is_zero())
}
