//! `sexton tasks`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write};

use serde_json::{Value, json};
use sexton::lock::{ExecutionRecord, ExecutionState, HistoryQuery, PAGE_MAX, TaskQuery, TaskState};
use sexton::name::TaskName;
use sexton::schedule::zone::{Database, ZoneRules};
use sexton::{Operator, Tick};

use super::refused::Refused;
use super::store::Opened;
use super::table::{Table, wall, zone};
use crate::args::TasksArguments;
use crate::commands::complain::complain;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::tasks::TaskFile;
use crate::visible::{visible, visible_json};
use crate::zones;
use sexton_core::similar;

/// A task, with what became of it lately.
struct Shown {
    task: TaskState,
    /// Its latest execution that is over.
    last: Option<ExecutionRecord>,
    running: usize,
    /// When it is due next, if the task file is at hand: a store knows no schedules.
    next: Option<Tick>,
}

pub(super) async fn show(
    arguments: &TasksArguments,
    opened: &Opened,
    environment: &Environment,
) -> Result<(), Refused> {
    let zone = zone(arguments.tz.as_deref(), environment)?;
    let operator = &opened.operator;
    let running = running(operator).await?;
    let now = Tick::at_or_before(operator.manager().now().await?);
    let next = opened.file.as_ref().map(|file| next_ticks(file, now));
    let mut shown = Vec::new();
    let names_crontabs = !arguments.store.file.crontab.is_empty();
    let of_crontabs = opened.file.as_ref().filter(|_| names_crontabs).map(lines);
    let is_meant = |task: &TaskState| match task.task.is_own() {
        true => arguments.all,
        false => of_crontabs
            .as_ref()
            .is_none_or(|lines| lines.contains(&task.task)),
    };
    for task in all(operator).await?.into_iter().filter(is_meant) {
        let running = running.get(&task.task).copied().unwrap_or(0);
        let next = next.as_ref().and_then(|next| next.get(&task.task).copied());
        let last = last(operator, &task.task).await?;
        shown.push(Shown {
            task,
            last,
            running,
            next,
        });
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    if arguments.store.json {
        let values: Vec<Value> = shown.iter().map(value).collect();
        writeln!(out, "{}", visible_json(&Value::from(values)))?;
    } else {
        let mut table = Table::new(&[
            "TASK",
            "SCHEDULE",
            "OF",
            "LAST TICK",
            "LAST",
            "RUNS",
            "NEXT TICK",
            "PAUSED",
        ]);
        for Shown {
            task,
            last,
            running,
            next,
        } in &shown
        {
            let definition = task.definition.as_ref();
            let wall = |tick: Tick| wall(tick.timestamp(), &zone);
            table.row([
                task.task.to_string(),
                definition.map_or_else(|| "?".to_owned(), |definition| definition.schedule.clone()),
                definition
                    .map_or_else(String::new, |definition| definition.concurrency.to_string()),
                last.as_ref()
                    .map_or_else(String::new, |last| wall(last.execution.tick)),
                last.as_ref()
                    .map_or_else(String::new, |last| last.state.to_string()),
                running.to_string(),
                next.map_or_else(String::new, wall),
                task.pause
                    .as_ref()
                    .map_or_else(String::new, |pause| match pause.note.as_str() {
                        "" => format!("by {}", pause.by),
                        note => format!("by {}: {note}", pause.by),
                    }),
            ]);
        }
        table.write(&mut out)?;
    }
    out.flush()?;
    if !arguments.store.json {
        print_rules(&shown, environment.zones());
    }
    Ok(())
}

/// Prints on standard error whose zone rules count here, and of tasks that others define by other
/// rules: what reads the table need not know of it.
fn print_rules(shown: &[Shown], zones: &Database) {
    let mut here = BTreeMap::new();
    let mut text = String::new();
    for Shown { task, .. } in shown {
        for theirs in rules(task) {
            let ours = here.entry(theirs.zone.clone()).or_insert_with(|| {
                let zone = zones.zone(&theirs.zone).ok()?;
                Some(ZoneRules::of(&zone))
            });
            let Some(ours) = ours.as_ref().filter(|ours| **ours != theirs) else {
                continue;
            };
            text += &format!(
                "warning: {} is defined by other rules of {} ({}) than those here ({})\n",
                visible(task.task.as_str()),
                visible(&theirs.zone),
                theirs.fingerprint,
                ours.fingerprint,
            );
        }
    }
    let ours: Vec<ZoneRules> = here.into_values().flatten().collect();
    let line = zones::line(zones, &ours).map(|line| line + "\n");
    complain(&(line.unwrap_or_default() + &text), Exit::Done);
}

/// The zone rules that a task is defined by.
fn rules(task: &TaskState) -> Vec<ZoneRules> {
    let definition = task.definition.as_ref();
    definition.map_or_else(Vec::new, |definition| {
        ZoneRules::split_off(&definition.definition).1
    })
}

/// All tasks that the store has heard of, by name.
pub(super) async fn all(operator: &Operator) -> Result<Vec<TaskState>, Refused> {
    let mut tasks: Vec<TaskState> = Vec::new();
    loop {
        let after = tasks.last().map(|task| task.task.clone());
        let limit = PAGE_MAX;
        let page = operator.tasks(&TaskQuery::Page { after, limit }).await?;
        let is_last = page.len() < limit;
        tasks.extend(page);
        if is_last {
            return Ok(tasks);
        }
    }
}

async fn running(operator: &Operator) -> Result<HashMap<TaskName, usize>, Refused> {
    let mut counts = HashMap::new();
    let mut query = HistoryQuery {
        states: vec![ExecutionState::Running],
        limit: PAGE_MAX,
        ..HistoryQuery::default()
    };
    loop {
        let page = operator.history(&query).await?;
        for record in &page {
            *counts.entry(record.execution.task.clone()).or_insert(0) += 1;
        }
        if page.len() < PAGE_MAX {
            return Ok(counts);
        }
        query.after = page.last().map(|record| record.execution.clone());
    }
}

async fn last(operator: &Operator, task: &TaskName) -> Result<Option<ExecutionRecord>, Refused> {
    let states = ExecutionState::ALL
        .into_iter()
        .filter(|state| state.is_over());
    let query = HistoryQuery {
        task: Some(task.clone()),
        states: states.collect(),
        limit: 1,
        ..HistoryQuery::default()
    };
    Ok(operator.history(&query).await?.into_iter().next())
}

fn next_ticks(file: &TaskFile, now: Tick) -> HashMap<TaskName, Tick> {
    let next =
        |task: &crate::tasks::TaskSpec| Some((task.name.clone(), task.schedule.next_after(now)?));
    file.tasks.iter().filter_map(next).collect()
}

/// The tasks of the crontabs that were named: what else is in their store, which many files may
/// share, is not shown.
fn lines(file: &TaskFile) -> HashSet<&TaskName> {
    let crontabs = file.crontabs.iter();
    crontabs.flat_map(|lines| &lines.tasks).collect()
}

/// A task as an object. Its field names are part of the program's interface.
fn value(shown: &Shown) -> Value {
    let Shown {
        task,
        last,
        running,
        next,
    } = shown;
    let definition = task.definition.as_ref();
    json!({
        "task": task.task.as_str(),
        "schedule": definition.map(|definition| &definition.schedule),
        "concurrency": definition.map(|definition| definition.concurrency.get()),
        "definition": definition.map(|definition| &definition.definition),
        "zone_rules": rules(task).iter().map(zones::one_to_json).collect::<Vec<_>>(),
        "running": running,
        "last": last.as_ref().map(|last| json!({
            "tick": last.execution.tick.to_string(),
            "index": last.execution.index.get(),
            "state": last.state.as_str(),
        })),
        "next": next.map(|next| next.to_string()),
        "known_since": task.known_since.map(|since| format!("{since:.3}")),
        "paused": task.pause.as_ref().map(|pause| json!({
            "by": pause.by,
            "note": pause.note,
            "since": format!("{:.3}", pause.since),
        })),
    })
}

/// The task of this name, if the store has heard of it; else with what its name was meant to be,
/// perhaps.
pub(super) async fn known_task(operator: &Operator, name: &str) -> Result<TaskName, Refused> {
    let unknown = |similar: Option<&str>| Refused::UnknownTask {
        name: name.to_owned(),
        similar: similar.map_or_else(String::new, |similar| {
            format!("; did you mean {similar:?}?")
        }),
    };
    let Ok(task) = TaskName::new(name) else {
        return Err(unknown(None));
    };
    if operator.task(&task).await?.is_some() {
        return Ok(task);
    }
    let all = all(operator).await?;
    let names = all.iter().map(|task| task.task.as_str());
    Err(unknown(similar::closest(name, names)))
}
