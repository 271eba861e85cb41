//! `[[task]]`, and `[defaults]` for all of them.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use sexton_core::name::{Namespace, TaskName};
use sexton_core::schedule::{Bounded, Spread};
use sexton_core::tick::Concurrency;

use super::fields::{Field, Fields, Scope};
use super::setting::Setting;
use super::{policies, schedule, work};
use crate::tasks::{Policies, TaskSpec, Zone};
use crate::visible::brief;

/// How much of a name is repeated in every message, in characters.
const NAME_CHARS_MAX: usize = 60;

/// What every task has, unless it says otherwise.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    zone: Option<Zone>,
    policies: Policies,
    setting: Setting,
}

impl Defaults {
    /// Those of a file that has no `[defaults]`.
    pub(super) fn of(setting: Setting) -> Defaults {
        Defaults {
            setting,
            ..Defaults::default()
        }
    }

    pub(super) fn read(mut fields: Fields<'_>, setting: &Setting) -> Defaults {
        let zone = schedule::read_zone(&mut fields);
        let of_instants = zone.clone().unwrap_or_else(Zone::utc);
        let policies = policies::read(&mut fields, &Policies::default(), &of_instants.zone);
        let setting = Setting::read(&mut fields, setting);
        fields.finish();
        Defaults {
            zone,
            policies,
            setting,
        }
    }
}

/// What all tasks of a file share.
pub(super) struct Whole<'f> {
    /// The folder in which the paths of the file begin.
    pub(super) folder: &'f Path,
    pub(super) namespace: &'f Namespace,
}

/// The names that were given, and the lines they were given in.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, usize>);

/// Reads the task at `place`, counted from 0. `None` if there is anything wrong with it; that was
/// reported.
pub(super) fn read(
    item: &Field<'_>,
    place: usize,
    defaults: &Defaults,
    whole: &Whole<'_>,
    names: &mut Names,
) -> Option<TaskSpec> {
    let table = item.table("a table [[task]]")?;
    let line = item.scope.report.source().line(item.span.start);
    let errors_before = item.scope.report.errors();
    let (scope, known_as) = named(&item.scope, &table, place);
    let mut fields = table.in_scope(scope, known_as);
    let name = read_name(&mut fields, line, names);
    let zone = schedule::read_zone(&mut fields).or_else(|| defaults.zone.clone());
    let zone = zone.unwrap_or_else(Zone::utc);
    let context = schedule::Context {
        zone: &zone,
        spread: spread(whole.namespace, name.as_ref()),
        folder: whole.folder,
    };
    let due = schedule::read(&mut fields, &context);
    let concurrency = read_concurrency(&mut fields);
    let policies = policies::read(&mut fields, &defaults.policies, &zone.zone);
    let setting = Setting::read(&mut fields, &defaults.setting);
    let work = work::read(&mut fields, &setting, &policies, whole.folder);
    if let Some(due) = &due {
        check_bounds(&fields, due, &policies);
    }
    let scope = fields.scope.clone();
    fields.finish();
    if scope.report.errors() > errors_before {
        return None;
    }
    let schedule::Due { schedule, written } = due?;
    Some(TaskSpec {
        name: name?,
        schedule,
        schedule_written: written,
        timezone: zone,
        concurrency,
        work: work?,
        policies,
        line,
    })
}

/// The scope of what is said of a task, and how its fields are called: by its name where it has
/// one.
fn named<'f>(scope: &Scope<'f>, table: &Fields<'f>, place: usize) -> (Scope<'f>, String) {
    let name = table.peek_text("name");
    let task: Rc<str> = match name {
        Some(name) => format!("task {:?}", brief(name, NAME_CHARS_MAX)).into(),
        None => format!("task {}", place + 1).into(),
    };
    (
        Scope {
            task: Some(task),
            ..scope.clone()
        },
        String::new(),
    )
}

/// What picks `H` in the expressions of a task. One whose name cannot be used is refused for its
/// name alone: here it has any.
fn spread(namespace: &Namespace, name: Option<&TaskName>) -> Option<Spread> {
    let any = || TaskName::new("task").ok();
    let name = name.cloned().or_else(any)?;
    Some(Spread::of(namespace, &name))
}

fn name_form() -> String {
    let max = TaskName::BYTES_MAX;
    format!("a name of 1 to {max} bytes, unique in the file, without control characters")
}

fn read_name(fields: &mut Fields<'_>, line: usize, names: &mut Names) -> Option<TaskName> {
    let form = &name_form();
    let Some(field) = fields.get("name") else {
        let problem = fields.problem("the task has no `name`").allowed(form);
        fields.scope.push(problem);
        return None;
    };
    let text = field.text(form)?;
    let name = match TaskName::new(text.expose()) {
        Ok(name) => name,
        Err(error) => {
            field.reject_text(&text, &error.to_string(), form);
            return None;
        }
    };
    if name.is_own() {
        field.reject_text(
            &text,
            "names that begin with `sexton:` are Sexton's own",
            form,
        );
        return None;
    }
    if let Some(other) = names.0.insert(name.to_string(), line) {
        let detail = format!("the task in line {other} has the same name");
        field.reject_text(&text, &detail, form);
    }
    Some(name)
}

fn read_concurrency(fields: &mut Fields<'_>) -> Concurrency {
    let range = 1..=i64::from(Concurrency::MAX);
    let count = fields
        .get("concurrency")
        .and_then(|field| field.integer(range));
    count
        .and_then(|count| u64::try_from(count).ok())
        .and_then(|count| Concurrency::new(count).ok())
        .unwrap_or(Concurrency::ONE)
}

/// A schedule that has no tick between its start and its end is an error here, not when the program
/// starts.
fn check_bounds(fields: &Fields<'_>, due: &schedule::Due, policies: &Policies) {
    let (start, end) = (policies.start, policies.end);
    let is_in_order = !matches!((start, end), (Some(start), Some(end)) if start >= end);
    if (start.is_none() && end.is_none()) || !is_in_order {
        return;
    }
    let timestamp = |tick: sexton_core::tick::Tick| tick.timestamp();
    let bounded = Bounded::new(
        due.schedule.clone(),
        start.map(timestamp),
        end.map(timestamp),
    );
    if let Err(error) = bounded {
        fields.scope.push(fields.problem(error.to_string()));
    }
}
