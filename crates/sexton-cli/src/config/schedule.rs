//! When a task is due: exactly one of `cron`, `kron`, `every` and `at`, with `timezone`, `except` and
//! `clock_change`.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sexton_core::schedule::{Cron, Every, Kron, Once, Schedule, ScheduleError, Spread, Union};
use toml::de::DeValue;

use super::clock_change::{self, Chosen};
use super::fields::{Field, Fields};
use super::{exceptions, instant};
use crate::diagnostic::Severity;
use crate::tasks::{Zone, ZoneChosen};

/// How many changes of a zone are looked at for one of its clocks.
const CHANGES_MAX: usize = 8;
const ONE_OF: &str = "exactly one of `cron`, `kron`, `every`, `at`";
const ZONE_FORM: &str = "an IANA time zone like \"Europe/Paris\" or \"UTC\"";
const CRON_FORM: &str =
    "a string with a cron expression, like \"30 9 * * MON-FRI\" or \"@daily\", or an array of them";
const KRON_FORM: &str =
    "a string of the krontab language, like \"0/15 * * * *\" (seconds first), or an array of them";

/// A schedule, and how the file writes it.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) schedule: Arc<dyn Schedule>,
    pub(super) written: String,
}

/// What a schedule is read with.
pub(super) struct Context<'c> {
    pub(super) zone: &'c Zone,
    /// What `H` is picked by.
    pub(super) spread: Option<Spread>,
    /// The folder in which the paths of the file begin.
    pub(super) folder: &'c Path,
}

/// Reads `timezone`.
pub(super) fn read_zone(fields: &mut Fields<'_>) -> Option<Zone> {
    let field = fields.get("timezone")?;
    let text = field.text(ZONE_FORM)?;
    match field.scope.environment.zones().zone(text.expose()) {
        Ok(zone) => Some(Zone {
            zone,
            chosen: ZoneChosen::ByFile,
        }),
        Err(error) => {
            field.reject_text(&text, &error.to_string(), ZONE_FORM);
            None
        }
    }
}

/// Reads the schedule, or reports why it cannot be used.
pub(super) fn read(fields: &mut Fields<'_>, context: &Context<'_>) -> Option<Due> {
    let given: Vec<(&str, Field<'_>)> = ["cron", "kron", "every", "at"]
        .into_iter()
        .filter_map(|key| Some((key, fields.get(key)?)))
        .collect();
    let (except, clock_change) = (fields.get("except"), fields.get("clock_change"));
    let chosen = clock_change.as_ref().map(clock_change::read);
    let excepted = except
        .as_ref()
        .map(|field| exceptions::read(field, context.folder));
    let [(key, field), others @ ..] = given.as_slice() else {
        let problem = fields.problem("the task has no schedule").allowed(ONE_OF);
        fields.scope.push(problem);
        return None;
    };
    for (_, other) in others {
        other.reject(format!("the task already has `{key}`"), ONE_OF);
    }
    if let Some(field) = &clock_change {
        check_clock_change(field, key, &context.zone.zone);
    }
    let source = field.scope.report.source();
    let mut written = format!("{key} = {}", source.slice(field.span.clone()));
    let schedule = read_all(key, field, context, chosen.flatten())?;
    let Some(except) = except else {
        return Some(Due { schedule, written });
    };
    written.push_str(", except = ");
    written.push_str(source.slice(except.span.clone()));
    match excepted.flatten()?.out_of(schedule, &context.zone.zone) {
        Ok(schedule) => Some(Due { schedule, written }),
        Err(error) => {
            except.reject(error.to_string(), "exceptions that leave something");
            None
        }
    }
}

/// Whether a zone's clocks have changed since 2020, or will.
fn clocks_change(zone: &TimeZone) -> bool {
    let since = Timestamp::constant(1_577_836_800, 0);
    let mut before = zone.to_offset(since);
    // Some changes change the zone's name alone.
    zone.following(since).take(CHANGES_MAX).any(|change| {
        let is_change = change.offset() != before;
        before = change.offset();
        is_change
    })
}

/// Reports a choice that has no effect.
fn check_clock_change(field: &Field<'_>, key: &str, zone: &TimeZone) {
    if key == "every" || key == "at" {
        let detail = format!("`{key}` is due at instants, whatever clocks show");
        field.reject(detail, "`clock_change` goes with `cron` and `kron`");
    } else if !clocks_change(zone) {
        let message = "this chooses nothing: the clocks of the task's zone do not change";
        let mut problem = field.problem(message);
        problem.severity = Severity::Warning;
        let help = "name the zone whose clocks are meant: `timezone = \"Europe/Paris\"`";
        field.scope.push(problem.help(help));
    }
}

/// Reads one expression, or an array of them that are one schedule together.
fn read_all(
    key: &str,
    field: &Field<'_>,
    context: &Context<'_>,
    chosen: Option<Chosen>,
) -> Option<Arc<dyn Schedule>> {
    if key == "at" {
        let tick = instant::read(field, &context.zone.zone)?;
        return Some(Arc::new(Once::at(tick.timestamp())));
    }
    let (form, takes_many) = match key {
        "cron" => (CRON_FORM, true),
        "kron" => (KRON_FORM, true),
        _ => (crate::duration::FORM, false),
    };
    if !takes_many || !matches!(field.value, DeValue::Array(_)) {
        return read_one(key, form, field, context, chosen);
    }
    let items = field.many(form)?;
    if items.len() > Union::SCHEDULES_MAX {
        let allowed = format!("at most {}", Union::SCHEDULES_MAX);
        field.reject("these are too many expressions", allowed);
        return None;
    }
    let read = items
        .iter()
        .map(|item| read_one(key, form, item, context, chosen));
    // All of them are read, so that all that is wrong is told.
    let read: Vec<Option<Arc<dyn Schedule>>> = read.collect();
    let schedules: Vec<Arc<dyn Schedule>> = read.into_iter().collect::<Option<_>>()?;
    if let [schedule] = schedules.as_slice() {
        return Some(Arc::clone(schedule));
    }
    let union = Union::new(schedules);
    let union = union.map_err(|error| field.reject(error.to_string(), form));
    union.ok().map(|union| Arc::new(union) as _)
}

fn read_one(
    key: &str,
    form: &str,
    field: &Field<'_>,
    context: &Context<'_>,
    chosen: Option<Chosen>,
) -> Option<Arc<dyn Schedule>> {
    let text = field.text(form)?;
    let parsed: Result<Arc<dyn Schedule>, ScheduleError> = match key {
        "cron" => read_cron(text.expose(), context, chosen).map(|cron| Arc::new(cron) as _),
        "kron" => read_kron(text.expose(), context, chosen).map(|kron| Arc::new(kron) as _),
        _ => Every::parse(text.expose()).map(|every| Arc::new(every) as _),
    };
    match parsed {
        Ok(schedule) => Some(schedule),
        Err(error) => {
            field.reject_text(&text, &error.to_string(), form);
            None
        }
    }
}

fn read_cron(
    text: &str,
    context: &Context<'_>,
    chosen: Option<Chosen>,
) -> Result<Cron, ScheduleError> {
    let cron = match &context.spread {
        Some(spread) => Cron::parse_spread(text, spread)?,
        None => Cron::parse(text)?,
    };
    let cron = cron.in_tz(context.zone.zone.clone())?;
    match chosen {
        None => Ok(cron),
        Some(chosen) => {
            let changes = chosen.over(cron.clock_changes());
            cron.on_clock_changes(changes)
        }
    }
}

fn read_kron(
    text: &str,
    context: &Context<'_>,
    chosen: Option<Chosen>,
) -> Result<Kron, ScheduleError> {
    let kron = Kron::parse(text)?;
    let kron = match context.zone.chosen {
        ZoneChosen::ByFile => kron.in_tz(context.zone.zone.clone())?,
        ZoneChosen::ByDefault | ZoneChosen::ByMachine => kron,
    };
    match chosen {
        None => Ok(kron),
        Some(chosen) => {
            let changes = chosen.over(kron.clock_changes());
            kron.on_clock_changes(changes)
        }
    }
}
