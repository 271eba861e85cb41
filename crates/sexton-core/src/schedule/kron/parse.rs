//! Reading a krontab string.

use super::draft::{Draft, OFFSET_MINUTES_MAX};
use super::field::{self, Values};
use crate::schedule::error::ScheduleError;
use crate::schedule::part::Part;

pub(super) const LANGUAGE: &str = "kron";

const PARTS_ALLOWED: &str = "seconds minutes hours day-of-month month, then in any order: years, <minutes>o, <weekdays>w, <milliseconds>ms";

pub(super) fn parse(whole: Part<'_>) -> Result<Draft, ScheduleError> {
    let mut draft = Draft::default();
    let mut parts = whole.words();
    let fields = [
        (&mut draft.seconds, &field::SECONDS),
        (&mut draft.minutes, &field::MINUTES),
        (&mut draft.hours, &field::HOURS),
        (&mut draft.month_days, &field::MONTH_DAYS),
        (&mut draft.months, &field::MONTHS),
    ];
    for (values, field) in fields {
        let part = parts
            .next()
            .ok_or_else(|| whole.named(field.name).missing(PARTS_ALLOWED))?;
        *values = field::parse(part, field)?;
    }
    // Any of the four may come once, so there are never more parts to read than four and a fifth to refuse.
    let mut years = None;
    let (mut week_days, mut millis) = (None, None);
    for part in parts {
        if let Some(list) = part.strip_end("ms") {
            once(&mut millis, part, field::parse(list, &field::MILLISECONDS)?)?;
        } else if let Some(list) = part.strip_end("w") {
            once(&mut week_days, part, field::parse(list, &field::WEEK_DAYS)?)?;
        } else if let Some(minutes) = part.strip_end("o") {
            once(&mut draft.offset_minutes, part, parse_offset(minutes)?)?;
        } else {
            once(&mut years, part, parse_years(part)?)?;
        }
    }
    draft.years = years.unwrap_or_default();
    draft.week_days = week_days.unwrap_or_default();
    draft.millis = millis;
    Ok(draft)
}

fn once<T>(slot: &mut Option<T>, part: Part<'_>, value: T) -> Result<(), ScheduleError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(part
            .named("repeated part")
            .error("at most one part of each kind")),
    }
}

fn parse_offset(part: Part<'_>) -> Result<i32, ScheduleError> {
    let part = part.named("offset");
    let (digits, sign) = match part.split_once('-') {
        Some((before, digits)) if before.text.is_empty() => (digits, -1),
        _ => (part, 1),
    };
    digits
        .number()
        .and_then(|minutes| i32::try_from(minutes).ok())
        .filter(|minutes| *minutes <= OFFSET_MINUTES_MAX)
        .map(|minutes| sign * minutes)
        .ok_or_else(|| {
            part.error(format!(
                "minutes -{OFFSET_MINUTES_MAX} to {OFFSET_MINUTES_MAX}"
            ))
        })
}

fn parse_years(part: Part<'_>) -> Result<Values, ScheduleError> {
    let part = part.named(field::YEARS.name);
    let of_no_kind = part
        .text
        .contains(|c: char| !"0123456789,-/*fFlL".contains(c));
    if of_no_kind {
        return Err(part.error("a list of years 0-9999, or a part that ends in o, w or ms"));
    }
    field::parse(part, &field::YEARS)
}
