//! Reading a cron expression.

use super::days::{ALL_DAYS, ALL_WEEKDAYS, CronDays, Joined, MonthDays, WeekDays};
use super::field::{self, Field};
use super::spread::{list, span};
use crate::schedule::calendar::{Calendar, Millis, Times};
use crate::schedule::error::ScheduleError;
use crate::schedule::part::Part;
use crate::schedule::spread::Spread;
use crate::schedule::years::{YearSpan, Years};
use crate::schedule::zone_clock::ClockChange;

pub(super) const LANGUAGE: &str = "cron";

const FIELDS_ALLOWED: &str = "5 fields (minutes hours day-of-month month day-of-week), 6 (seconds first), 7 (years last), or a nickname";
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

pub(super) struct Parsed {
    pub(super) calendar: Calendar<CronDays>,
    pub(super) change: ClockChange,
}

/// Reads an expression that is not longer than allowed.
pub(super) fn parse(whole: Part<'_>, spread: Option<&Spread>) -> Result<Parsed, ScheduleError> {
    let mut words = whole.words();
    if let (Some(word), None) = (words.next(), words.next())
        && word.text.starts_with('@')
    {
        let known = NICKNAMES.iter().find(|(nickname, _)| word.is(nickname));
        let Some((_, meaning)) = known else {
            let names: Vec<_> = NICKNAMES.iter().map(|(nickname, _)| *nickname).collect();
            return Err(word.named("nickname").error(names.join(", ")));
        };
        return parse(Part::whole(LANGUAGE, meaning)?, spread);
    }

    let fields: Vec<Part<'_>> = whole.words().take(8).collect();
    let (seconds, rest, years) = match *fields {
        [_, _, _, _, _] => (None, &fields[..], None),
        [seconds, _, _, _, _, _] => (Some(seconds), &fields[1..], None),
        [seconds, _, _, _, _, _, years] => (Some(seconds), &fields[1..6], Some(years)),
        [_, _, _, _, _, _, _, eighth, ..] => {
            return Err(eighth.named("field count").error(FIELDS_ALLOWED));
        }
        _ => return Err(whole.named("field count").missing(FIELDS_ALLOWED)),
    };
    let [minutes, hours, month_days, months, week_days] = *rest else {
        return Err(whole.named("field count").missing(FIELDS_ALLOWED));
    };

    let times = Times {
        seconds: seconds.map_or(Ok(1), |part| list(&field::SECONDS, part, spread))?,
        minutes: list(&field::MINUTES, minutes, spread)?,
        hours: narrow(list(&field::HOURS, hours, spread)?),
        millis: Millis::default(),
    };
    let days = CronDays {
        of_month: parse_month_days(month_days.named(field::MONTH_DAYS.name), spread)?,
        of_week: parse_week_days(week_days.named(field::WEEK_DAYS.name), spread)?,
        joined: if begins_with_star(month_days) || begins_with_star(week_days) {
            Joined::And
        } else {
            Joined::Or
        },
    };
    let months = u16::try_from(list(&field::MONTHS, months, spread)?).unwrap_or(u16::MAX);
    let years = years.map_or(Ok(Years::EVERY), |part| {
        parse_years(part.named(field::YEARS.name))
    })?;
    let change = if begins_with_star(minutes) || begins_with_star(hours) {
        ClockChange::Elapsed
    } else {
        ClockChange::TimesOfDay
    };
    Ok(Parsed {
        calendar: Calendar {
            times,
            days,
            months,
            years,
        },
        change,
    })
}

/// Bits that all lie below 32.
fn narrow(bits: u64) -> u32 {
    u32::try_from(bits).unwrap_or(u32::MAX)
}

fn begins_with_star(part: Part<'_>) -> bool {
    part.text.starts_with(['*', '?'])
}

fn parse_month_days(part: Part<'_>, spread: Option<&Spread>) -> Result<MonthDays, ScheduleError> {
    const DAYS: &Field = &field::MONTH_DAYS;
    const SPECIAL: &str =
        "a number 1-31, a range, a step, L, L-N (N days before the last), LW, NW, or ? alone";
    if part.text == "?" {
        return Ok(MonthDays {
            days: ALL_DAYS,
            ..MonthDays::default()
        });
    }
    let mut days = MonthDays::default();
    for item in part.items() {
        if item.is("L") {
            days.before_last |= 1;
        } else if item.is("LW") || item.is("WL") {
            days.last_weekday = true;
        } else if let Some((last, before)) = item.split_once('-').filter(|(last, _)| last.is("L")) {
            let _ = last;
            let before = before
                .number()
                .filter(|before| (1..=30).contains(before))
                .ok_or_else(|| before.error("a number of days 1-30 before the month's last"))?;
            days.before_last |= 1 << before;
        } else if let Some(day) = item.strip_end("W") {
            let day = DAYS.value(day).map_err(|_| item.error(SPECIAL))?;
            days.nearest |= 1 << day;
        } else if item.text.starts_with(['L', 'l', '?']) {
            return Err(item.error(SPECIAL));
        } else {
            days.days |= narrow(DAYS.bits(span(DAYS, item, spread)?));
        }
    }
    Ok(days)
}

fn parse_week_days(part: Part<'_>, spread: Option<&Spread>) -> Result<WeekDays, ScheduleError> {
    const DAYS: &Field = &field::WEEK_DAYS;
    const SPECIAL: &str = "a number 0-7 or a name SUN-SAT, a range, a step, NL (the month's last), N#1 to N#5, N#L, or ? alone";
    if part.text == "?" {
        return Ok(WeekDays {
            weekdays: ALL_WEEKDAYS,
            ..WeekDays::default()
        });
    }
    let mut days = WeekDays::default();
    let bit = |weekday: u32| 1_u8 << (weekday % 7);
    for item in part.items() {
        if let Some((weekday, nth)) = item.split_once('#') {
            let weekday = bit(DAYS.value(weekday)?);
            if nth.is("L") {
                days.last |= weekday;
                continue;
            }
            let week = nth
                .number()
                .and_then(|nth| days.nth.get_mut(nth.checked_sub(1)? as usize))
                .ok_or_else(|| {
                    nth.error("a number 1-5 (first to fifth of the month), or L (last)")
                })?;
            *week |= weekday;
        } else if let Some(weekday) = item.strip_end("L") {
            let weekday = DAYS.value(weekday).map_err(|_| item.error(SPECIAL))?;
            days.last |= bit(weekday);
        } else if item.text.starts_with('?') {
            return Err(item.error(SPECIAL));
        } else {
            let bits = DAYS.bits(span(DAYS, item, spread)?);
            days.weekdays |= u8::try_from(bits).unwrap_or(ALL_WEEKDAYS);
        }
    }
    Ok(days)
}

fn parse_years(part: Part<'_>) -> Result<Years, ScheduleError> {
    if part.text == "*" {
        return Ok(Years::EVERY);
    }
    let year = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
    let spans = part.items().map(|item| {
        let span = span(&field::YEARS, item, None)?;
        Ok(YearSpan {
            first: year(span.first),
            last: year(span.last),
            step: year(span.step),
        })
    });
    Ok(Years::new(spans.collect::<Result<_, ScheduleError>>()?))
}
