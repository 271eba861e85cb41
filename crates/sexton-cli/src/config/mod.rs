//! The task file: TOML, read whole, with every error in it told at once.
//!
//! ```toml
//! [store]
//! url = "sqlite:sexton.db"          # the default, beside this file
//!
//! [defaults]                        # what every task below has, unless it says otherwise
//! timezone = "Europe/Paris"
//! timeout = "10m"
//!
//! [[task]]
//! name = "digest"
//! cron = "30 9 * * MON-FRI"
//! command = ["/usr/local/bin/send-digest", "--all"]
//! ```

mod clock_change;
mod exceptions;
mod field;
mod fields;
mod groups;
mod http;
mod http_connection;
mod http_url;
mod instant;
mod interpolate;
mod limits;
mod policies;
mod schedule;
mod setting;
mod store;
mod task;
mod withheld;
mod work;

pub(crate) use interpolate::interpolate;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Problem, Rejected, Report, Source};
use crate::environment::Environment;
use crate::masks::Masks;
use crate::tasks::{Groups, StoreSpec, TASKS_MAX, TaskFile};
use fields::{Fields, Scope};
use setting::Setting;
use task::{Defaults, Names};

const TASK_FORM: &str = "one or more tables [[task]]";

/// Reads a task file, which must be UTF-8 and at most
/// [`FILE_BYTES_MAX`](crate::diagnostic::FILE_BYTES_MAX) long. `-` is standard input.
///
/// # Errors
/// [`Rejected`], with everything that is wrong with it.
pub fn load(path: &Path, environment: &Environment) -> Result<TaskFile, Rejected> {
    let source = Source::read(path).map_err(Rejected::whole)?;
    read(&source, &folder_of(path), environment)
}

/// The folder in which the relative paths of a file begin.
#[must_use]
pub fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Reads the text of a task file.
///
/// # Errors
/// [`Rejected`], with everything that is wrong with it.
pub fn read(
    source: &Source,
    folder: &Path,
    environment: &Environment,
) -> Result<TaskFile, Rejected> {
    let report = Report::new(source.clone());
    let (table, errors) = DeTable::parse_recoverable(source.text());
    // A text that ends too early can end too early for each of a hundred brackets.
    let mut told = HashSet::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let message = format!("this is not TOML: {}", error.message());
        if told.insert((span.clone(), message.clone())) {
            report.push(Problem::error(span, message));
        }
    }
    let mut file = TaskFile {
        tasks: Vec::new(),
        store: StoreSpec {
            url: None,
            namespace: None,
        },
        groups: Groups::new(),
        folder: folder.to_owned(),
        masks: Masks::default(),
        warnings: Vec::new(),
        crontabs: Vec::new(),
    };
    // What is read from a text that was mended to be TOML would be reported wrongly.
    if report.errors() == 0 {
        let scope = Scope {
            report: &report,
            environment,
            task: None,
            secrets: Rc::default(),
            groups: Rc::default(),
        };
        let span = 0..source.text().len();
        read_top(
            Fields::new(scope, "", span, table.get_ref()),
            folder,
            &mut file,
        );
    }
    let (mut file, warnings) = report.finish(file)?;
    file.warnings = warnings;
    Ok(file)
}

fn read_top(mut top: Fields<'_>, folder: &Path, file: &mut TaskFile) {
    if let Some(fields) = top
        .get("store")
        .and_then(|store| store.table("a table [store]"))
    {
        file.store = store::read(fields);
    }
    if let Some(fields) = top
        .get("groups")
        .and_then(|groups| groups.table(groups::FORM))
    {
        file.groups = groups::read(fields);
        top.scope.groups = Rc::new(file.groups.clone());
    }
    let defaults = top
        .get("defaults")
        .and_then(|defaults| defaults.table("a table [defaults]"));
    let setting = Setting::withholding(withheld::of_store_alone(top.table()));
    let defaults = match defaults {
        Some(fields) => Defaults::read(fields, &setting),
        None => Defaults::of(setting),
    };
    let tasks = top.get("task");
    let namespace = file.store.namespace.clone().unwrap_or_default();
    let mut names = Names::default();
    match &tasks {
        None => {
            let mut problem = top.problem("the file has no task").allowed(TASK_FORM);
            problem.span = 0..0;
            top.scope.push(problem);
        }
        Some(tasks) if !matches!(tasks.value, DeValue::Array(_)) => tasks.reject_kind(TASK_FORM),
        Some(tasks) => {
            let items = tasks.one_or_many();
            if items.is_empty() {
                tasks.reject("the file has no task", TASK_FORM);
            }
            if items.len() > TASKS_MAX {
                tasks.reject("these are too many tasks", format!("at most {TASKS_MAX}"));
            }
            let whole = task::Whole {
                folder,
                namespace: &namespace,
            };
            for (place, item) in items.iter().take(TASKS_MAX).enumerate() {
                if top.scope.report.is_full() {
                    break;
                }
                file.tasks
                    .extend(task::read(item, place, &defaults, &whole, &mut names));
            }
        }
    }
    let secrets = top.scope.secrets.take();
    file.masks = Masks::of(secrets.iter().map(String::as_str));
    top.finish();
}
