//! Whose time zone rules count, for people and programs to read.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sexton_core::schedule::zone::{Database, Source, ZoneRules};

use crate::environment::Environment;
use crate::tasks::{TaskFile, ZoneChosen};
use crate::visible::visible;

/// How many zones are named with their fingerprints in a line for people.
const NAMED_MAX: usize = 4;

/// The zone that this machine is in; UTC where it cannot be read, which [`warnings`] tell.
pub(crate) fn machine_zone(environment: &Environment) -> TimeZone {
    environment.zones().machine_zone().unwrap_or(TimeZone::UTC)
}

/// What is not as somebody may believe: a machine's zone that tasks count in and that cannot be
/// read, data that are not those that were named, zones that come from other data.
pub(crate) fn warnings(environment: &Environment, file: &TaskFile) -> Vec<String> {
    let zones = environment.zones();
    let mut warnings = Vec::new();
    let mut tasks = file.tasks.iter();
    if tasks.any(|task| task.timezone.chosen == ZoneChosen::ByMachine)
        && let Err(error) = zones.machine_zone()
    {
        warnings.push(warning(
            &format!("{error}; this machine counts as in UTC"),
            "set TZ to an IANA name such as Europe/Paris, or link /etc/localtime to a file of /usr/share/zoneinfo",
        ));
    }
    warnings.extend(substituted(zones));
    warnings
}

/// Warnings of data that are not those that were named, and of zones that come from other data.
pub(crate) fn substituted(zones: &Database) -> Vec<String> {
    let problem = zones.problem().map(|problem| {
        let help = "TZDIR names a folder of zone rules, such as /usr/share/zoneinfo";
        warning(problem, help)
    });
    let help = |source: Source| match source {
        Source::Machine => {
            "replicas whose machines do not have it refuse it: name a zone that all have"
        }
        Source::Newest | Source::Bundled => {
            "replicas with other rules compute other ticks: install the system's time zone data, \
             on Debian tzdata and, for old names, tzdata-legacy"
        }
    };
    let substitutes = zones.substitutes();
    let substitutes = substitutes.iter();
    let substitutes = substitutes.map(|one| warning(&one.to_string(), help(one.source)));
    problem.into_iter().chain(substitutes).collect()
}

/// A warning if tasks count in a zone of this machine that has no name: another machine's may be
/// another one.
pub(crate) fn unnamed(file: &TaskFile) -> Option<String> {
    let of_machine = |chosen: ZoneChosen| chosen == ZoneChosen::ByMachine;
    let mut tasks = file.tasks.iter();
    let task = tasks.find(|task| of_machine(task.timezone.chosen))?;
    let rules = task.schedule.zones();
    let rules = rules
        .iter()
        .map(ZoneRules::of)
        .find(ZoneRules::is_unnamed)?;
    let message = format!(
        "this machine's time zone has no name: the crontab counts by the zone rules {}",
        rules.fingerprint
    );
    let help = "set TZ or CRON_TZ to an IANA name such as Europe/Paris, or link /etc/localtime to a file of /usr/share/zoneinfo";
    Some(warning(&message, help))
}

fn warning(message: &str, help: &str) -> String {
    format!("warning: {}\n  help: {help}\n", visible(message))
}

/// The rules that a file's tasks go by, each once, by name.
pub(crate) fn of_file(file: &TaskFile) -> Vec<ZoneRules> {
    let zones = file.tasks.iter().flat_map(|task| task.schedule.zones());
    let mut rules: Vec<ZoneRules> = zones.map(|zone| ZoneRules::of(&zone)).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

/// Whose rules count, and those of these zones: `time zone rules: this machine's, 2025b; Europe/Paris
/// 1f0c…`; `None` if nothing goes by any.
pub(crate) fn line(database: &Database, rules: &[ZoneRules]) -> Option<String> {
    if rules.is_empty() {
        return None;
    }
    let named = rules.iter().take(NAMED_MAX).map(ZoneRules::to_string);
    let mut named: Vec<String> = named.collect();
    if rules.len() > NAMED_MAX {
        named.push(format!("and {} more", rules.len() - NAMED_MAX));
    }
    let text = format!("time zone rules: {database}; {}", named.join(", "));
    Some(visible(&text).into_owned())
}

/// What differs in two definitions that differ in their zone rules alone: `Europe/Paris there 1f0c…,
/// here 2a3b…`.
pub(crate) fn other_rules(theirs: &str, ours: &str) -> Option<String> {
    let (their_text, theirs) = ZoneRules::split_off(theirs);
    let (our_text, ours) = ZoneRules::split_off(ours);
    if their_text != our_text {
        return None;
    }
    let fingerprint = |rules: &[ZoneRules], zone: &str| {
        let found = rules.iter().find(|one| one.zone == zone);
        found.map_or_else(|| "not named".to_owned(), |one| one.fingerprint.to_string())
    };
    let all: BTreeSet<&str> = theirs.iter().chain(&ours).map(|one| &*one.zone).collect();
    let both = |zone: &str| (fingerprint(&theirs, zone), fingerprint(&ours, zone));
    let differing: Vec<String> = all
        .into_iter()
        .map(|zone| (zone, both(zone)))
        .filter(|(_, (theirs, ours))| theirs != ours)
        .map(|(zone, (theirs, ours))| format!("{zone} there {theirs}, here {ours}"))
        .collect();
    (!differing.is_empty()).then(|| visible(&differing.join("; ")).into_owned())
}

/// The same for programs. Its field names are part of the program's interface.
pub(crate) fn to_json(database: &Database, rules: &[ZoneRules]) -> Value {
    let zones: Vec<Value> = rules.iter().map(one_to_json).collect();
    json!({
        "source": database.source().as_str(),
        "version": database.version(),
        "machine_version": database.machine_version(),
        "bundled_version": Database::bundled_version(),
        "zones": zones,
    })
}

/// A zone's rules as an object.
pub(crate) fn one_to_json(rules: &ZoneRules) -> Value {
    json!({"zone": rules.zone, "fingerprint": rules.fingerprint.to_string()})
}
