//! The items of a field, with those that a task's name picks: `H` and `~`.

use super::field::{Field, Span};
use crate::schedule::error::ScheduleError;
use crate::schedule::part::Part;
use crate::schedule::spread::Spread;

const HASHED: &str = "H, H/S, H(N-M) or H(N-M)/S";
const RANDOM: &str = "N~M, N~, ~M or ~, or one of them with a step, N~M/S";

/// `H(first-last)/step` or `first~last/step`, as they are written.
struct Written<'a> {
    first: Option<Part<'a>>,
    last: Option<Part<'a>>,
    step: Option<Part<'a>>,
}

/// Reads a list of items as bits.
pub(super) fn list(
    field: &Field,
    part: Part<'_>,
    spread: Option<&Spread>,
) -> Result<u64, ScheduleError> {
    part.named(field.name).items().try_fold(0, |bits, item| {
        Ok(bits | field.bits(span(field, item, spread)?))
    })
}

/// Reads an item: `H`, `H/S`, `H(N-M)`, `H(N-M)/S` as Jenkins writes them, `N~M`, `N~`, `~M`, `~`
/// as cronie does, `N~M/S` as OpenBSD's cron does, or one of those that need no name.
pub(super) fn span(
    field: &Field,
    item: Part<'_>,
    spread: Option<&Spread>,
) -> Result<Span, ScheduleError> {
    let written = if let Some(rest) = item.strip_start("H") {
        hashed(item, rest)?
    } else if let Some((first, last)) = item.split_once('~') {
        random(item, first, last)?
    } else {
        return field.span(item);
    };
    picked(field, item, &written, spread)
}

fn hashed<'a>(item: Part<'a>, rest: Part<'a>) -> Result<Written<'a>, ScheduleError> {
    let (range, step) = match rest.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (rest, None),
    };
    if range.text.is_empty() {
        let (first, last) = (None, None);
        return Ok(Written { first, last, step });
    }
    let range = range
        .strip_start("(")
        .and_then(|range| range.strip_end(")"))
        .and_then(|range| range.split_once('-'));
    let (first, last) = range.ok_or_else(|| item.error(HASHED))?;
    Ok(Written {
        first: Some(first),
        last: Some(last),
        step,
    })
}

fn random<'a>(
    item: Part<'a>,
    first: Part<'a>,
    rest: Part<'a>,
) -> Result<Written<'a>, ScheduleError> {
    if rest.text.contains('~') {
        return Err(item.error(RANDOM));
    }
    let (last, step) = match rest.split_once('/') {
        Some((last, step)) => (last, Some(step)),
        None => (rest, None),
    };
    let given = |part: Part<'a>| (!part.text.is_empty()).then_some(part);
    Ok(Written {
        first: given(first),
        last: given(last),
        step,
    })
}

/// The values that a task has of those that are written.
fn picked(
    field: &Field,
    item: Part<'_>,
    written: &Written<'_>,
    spread: Option<&Spread>,
) -> Result<Span, ScheduleError> {
    let Some((over, limit)) = field.spread else {
        return Err(item.error("years that are written out: H and ~ pick none"));
    };
    let value =
        |part: Option<Part<'_>>, default| part.map_or(Ok(default), |part| field.value(part));
    let first = value(written.first, field.min)?;
    let mut last = value(written.last, limit)?;
    if limit < field.last() {
        if first > limit {
            return Err(item.error(format!(
                "a range that begins at {limit} or before, since not every month has the days behind it"
            )));
        }
        last = last.min(limit);
    }
    if first > last && !field.wraps {
        return Err(item.error("a range in which the first value is not above the last"));
    }
    let length = if first > last {
        last + field.len() - first + 1
    } else {
        last - first + 1
    };
    let length = length.min(field.len());
    let step = written.step.map(|step| {
        let number = step.number().filter(|step| (1..=length).contains(step));
        number.ok_or_else(|| step.error(format!("a step 1-{length}")))
    });
    let step = step.transpose()?;
    let spread = spread.ok_or_else(|| {
        item.error(
            "values written out: H and ~ are picked by a task's name, which Cron::parse_spread is given",
        )
    })?;
    let begin = first + spread.place(over, step.unwrap_or(length));
    let end = match step {
        Some(_) => first + length - 1,
        None => begin,
    };
    Ok(Span {
        first: field.around(begin),
        last: field.around(end),
        step: step.unwrap_or(1),
    })
}
