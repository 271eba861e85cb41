//! `[groups]`: tasks that have a limit together.

use super::fields::{Field, Fields};
use crate::tasks::{Groups, RUNNING_MAX};
use sexton_core::name::TaskName;
use sexton_core::similar;

const GROUPS_MAX: usize = 1_000;
/// As long as a task's: a crontab's group may be called like its task.
const NAME_BYTES_MAX: usize = TaskName::BYTES_MAX;

pub(super) const FORM: &str = "tables [groups.NAME], each with its `running_max`";

pub(super) fn read(fields: Fields<'_>) -> Groups {
    let mut groups = Groups::new();
    for (name, span, field) in fields.into_entries() {
        if groups.len() >= GROUPS_MAX {
            field.reject("these are too many groups", format!("at most {GROUPS_MAX}"));
            break;
        }
        if !is_name(name) {
            let mut problem = field.problem("this cannot be a group's name");
            problem.span = span;
            field.scope.push(problem.allowed(format!(
                "1 to {NAME_BYTES_MAX} bytes without control characters, and not `none`"
            )));
            continue;
        }
        // A group with a bad limit is reported once, and not again by each task that names it.
        let limit = read_group(&field).unwrap_or(RUNNING_MAX);
        groups.insert(name.to_owned(), limit);
    }
    groups
}

fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains(char::is_control) && name != "none"
}

fn read_group(field: &Field<'_>) -> Option<u32> {
    let mut fields = field.table(FORM)?;
    let limit = match fields.get("running_max") {
        Some(field) => running_max(&field),
        None => {
            field.reject("`running_max` is missing", FORM);
            None
        }
    };
    fields.finish();
    limit
}

pub(super) fn running_max(field: &Field<'_>) -> Option<u32> {
    let limit = field.integer(1..=i64::from(RUNNING_MAX))?;
    u32::try_from(limit).ok()
}

/// The group that a task names, which must be one of the file's.
pub(super) fn named(field: &Field<'_>) -> Option<String> {
    let groups = &field.scope.groups;
    let text = field.text("the name of a table [groups.NAME]")?;
    if groups.contains_key(text.expose()) {
        return Some(text.expose().to_owned());
    }
    let known = || groups.keys().map(String::as_str);
    let mut problem = field.problem("the file has no such group");
    problem = match groups.is_empty() {
        true => problem.allowed("the name of a table [groups.NAME], of which the file has none"),
        false => problem.allowed(super::fields::quoted(known())),
    };
    if let Some(meant) = similar::closest(text.expose(), known()) {
        problem = problem.help(format!("did you mean `{meant}`?"));
    }
    field.scope.push(problem);
    None
}
