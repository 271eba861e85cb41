//! When a task is due: exactly one of `cron`, `kron`, `every` and `at`, and `timezone`.

use std::sync::Arc;

use sexton_core::schedule::{Cron, Every, Kron, Once, Schedule, ScheduleError};

use super::field::Field;
use super::fields::Fields;
use super::instant;
use crate::tasks::{Zone, ZoneChosen};

const ONE_OF: &str = "exactly one of `cron`, `kron`, `every`, `at`";
const ZONE_FORM: &str = "an IANA time zone like \"Europe/Paris\" or \"UTC\"";

/// A schedule, and how the file writes it.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) schedule: Arc<dyn Schedule>,
    pub(super) written: String,
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
pub(super) fn read(fields: &mut Fields<'_>, zone: &Zone) -> Option<Due> {
    let given: Vec<(&str, Field<'_>)> = ["cron", "kron", "every", "at"]
        .into_iter()
        .filter_map(|key| Some((key, fields.get(key)?)))
        .collect();
    let [(key, field), others @ ..] = given.as_slice() else {
        let problem = fields.problem("the task is never due").allowed(ONE_OF);
        fields.scope.push(problem);
        return None;
    };
    for (_, other) in others {
        other.reject(format!("the task already has `{key}`"), ONE_OF);
    }
    let written = field.scope.report.source().slice(field.span.clone());
    let written = format!("{key} = {written}");
    let schedule = read_one(key, field, zone)?;
    Some(Due { schedule, written })
}

fn read_one(key: &str, field: &Field<'_>, zone: &Zone) -> Option<Arc<dyn Schedule>> {
    if key == "at" {
        let tick = instant::read(field, &zone.zone)?;
        return Some(Arc::new(Once::at(tick.timestamp())));
    }
    let form = match key {
        "cron" => "a string with a cron expression, like \"30 9 * * MON-FRI\" or \"@daily\"",
        "kron" => "a string of the krontab language, like \"0/15 * * * *\" (seconds first)",
        _ => crate::duration::FORM,
    };
    let text = field.text(form)?;
    let in_zone = |chosen: ZoneChosen| chosen == ZoneChosen::ByFile;
    let parsed: Result<Arc<dyn Schedule>, ScheduleError> = match key {
        "cron" => Cron::parse(text.expose())
            .and_then(|cron| cron.in_tz(zone.zone.clone()))
            .map(|cron| Arc::new(cron) as _),
        "kron" => Kron::parse(text.expose())
            .and_then(|kron| {
                if in_zone(zone.chosen) {
                    kron.in_tz(zone.zone.clone())
                } else {
                    Ok(kron)
                }
            })
            .map(|kron| Arc::new(kron) as _),
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
