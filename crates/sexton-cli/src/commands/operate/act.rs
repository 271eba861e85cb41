//! The commands that change something: trigger, pause, resume, cancel.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};
use sexton::lock::{
    CancelRequested, Execution, ExecutionRecord, ExecutionState, HistoryQuery, Outcome, PAGE_MAX,
};
use sexton::name::TaskName;
use sexton::{Operator, SchedulerBuilder, Tick};

use super::refused::Refused;
use super::tasks::known_task;
use crate::args::{CancelArguments, PauseArguments, TaskArguments, TriggerArguments};
use crate::visible::{visible, visible_json};

const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How long after its deadline an instance, if there is one, has recorded what it did not start:
/// two heartbeats.
const RECORDED_WITHIN: Duration = SchedulerBuilder::HEARTBEAT_DEFAULT.saturating_mul(2);

/// Says what was done, to people or as JSON.
fn say(as_json: bool, text: &str, value: &Value) -> Result<(), Refused> {
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{}", visible_json(value))?;
    } else {
        writeln!(out, "{}", visible(text))?;
    }
    Ok(())
}

pub(super) async fn trigger(
    arguments: &TriggerArguments,
    operator: &Operator,
) -> Result<(), Refused> {
    if arguments.within.is_zero() {
        let why = "--within 0s leaves no time to start it: give it a second or more".to_owned();
        return Err(Refused::Argument(why));
    }
    let task = known_task(operator, &arguments.task).await?;
    let Some(tick) = operator.trigger_within(&task, arguments.within).await? else {
        let name = arguments.task.clone();
        return Err(Refused::NeverDefined { name });
    };
    let instances = present(operator).await?;
    let is_paused = is_paused(operator, &task).await?;
    let within = crate::duration::display(arguments.within);
    let waits_for = match (is_paused, instances) {
        (true, _) => format!("the task is paused: it waits up to {within} to be resumed"),
        (false, 0) => format!("no instance is up: it waits up to {within} for one"),
        (false, 1) => "1 instance is up".to_owned(),
        (false, count) => format!("{count} instances are up"),
    };
    let text = format!("{task}: triggered, as tick {tick}; {waits_for}");
    let value = json!({
        "task": task.as_str(), "tick": tick.to_string(), "instances": instances, "paused": is_paused,
    });
    say(arguments.store.json, &text, &value)?;
    if arguments.wait {
        wait(operator, &task, tick, arguments).await?;
    }
    Ok(())
}

async fn is_paused(operator: &Operator, task: &TaskName) -> Result<bool, Refused> {
    let task = operator.task(task).await?;
    Ok(task.is_some_and(|task| task.pause.is_some()))
}

/// How many instances are up.
async fn present(operator: &Operator) -> Result<usize, Refused> {
    let answer = operator.instances().await?;
    let instances = answer.value.iter();
    let present = instances.filter(|instance| instance.is_present_at(answer.now));
    Ok(present.count())
}

/// Waits until each execution of a tick is over, and says how it ended. One that still waits when
/// its deadline is well over has nobody to run it.
async fn wait(
    operator: &Operator,
    task: &TaskName,
    tick: Tick,
    arguments: &TriggerArguments,
) -> Result<(), Refused> {
    let query = HistoryQuery {
        task: Some(task.clone()),
        since: Some(tick),
        until: Some(tick.saturating_add_millis(1)),
        limit: PAGE_MAX,
        ..HistoryQuery::default()
    };
    let overdue = tokio::time::sleep(arguments.within.saturating_add(RECORDED_WITHIN));
    let mut overdue = std::pin::pin!(overdue);
    let mut deadline = None;
    let mut is_overdue = false;
    let over = loop {
        let records = operator.history(&query).await?;
        let is_open = |record: &ExecutionRecord| match record.state {
            ExecutionState::Waiting => !is_overdue,
            state => !state.is_over(),
        };
        if !records.iter().any(is_open) {
            break records;
        }
        // Behind a run of its task, its time counts from the end of that one.
        let latest = records.iter().filter_map(|record| record.deadline).max();
        if let (Some(latest), Some(known)) = (latest, deadline.or(latest)) {
            let longer = Duration::try_from(latest.duration_since(known)).unwrap_or_default();
            if !longer.is_zero() {
                let until = overdue.deadline() + longer;
                overdue.as_mut().reset(until);
                is_overdue = false;
            }
            deadline = Some(latest);
        }
        // A store tells nobody what happens in it.
        tokio::select! {
            () = &mut overdue, if !is_overdue => is_overdue = true,
            () = tokio::time::sleep(LOOK_AGAIN_AFTER) => {}
        }
    };
    let as_json = arguments.store.json;
    let mut failed = 0;
    let is_paused = is_paused(operator, task).await?;
    for record in &over {
        let (index, state) = (record.execution.index, record.state);
        failed += usize::from(state != ExecutionState::Ended(Outcome::Succeeded));
        let why = match &record.error {
            Some(error) => format!(": {error}"),
            None if state == ExecutionState::Waiting && is_paused => {
                ": past its deadline, which is recorded once the task is resumed".to_owned()
            }
            None if state == ExecutionState::Waiting => {
                ": past its deadline, and no instance that runs the task is up".to_owned()
            }
            None => String::new(),
        };
        let text = format!("{task} #{index} of {tick}: {state}{why}");
        let value = json!({
            "task": task.as_str(), "index": index.get(), "tick": tick.to_string(),
            "state": state.as_str(), "error": record.error,
        });
        say(as_json, &text, &value)?;
    }
    if failed == 0 {
        return Ok(());
    }
    let of = over.len();
    Err(Refused::NotSucceeded(format!(
        "{failed} of {of} executions did not succeed"
    )))
}

pub(super) async fn pause(arguments: &PauseArguments, operator: &Operator) -> Result<(), Refused> {
    let task = known_task(operator, &arguments.task).await?;
    operator.pause(&task, &arguments.note).await?;
    let value = json!({"task": task.as_str(), "paused": true, "note": arguments.note});
    say(arguments.store.json, &format!("{task}: paused"), &value)
}

pub(super) async fn resume(arguments: &TaskArguments, operator: &Operator) -> Result<(), Refused> {
    let task = known_task(operator, &arguments.task).await?;
    let was_paused = is_paused(operator, &task).await?;
    operator.resume(&task).await?;
    let text = if was_paused {
        "resumed"
    } else {
        "was not paused"
    };
    let value = json!({"task": task.as_str(), "paused": false, "was_paused": was_paused});
    say(arguments.store.json, &format!("{task}: {text}"), &value)
}

/// Asks for each execution that runs or waits and is meant to be cancelled.
pub(super) async fn cancel(
    arguments: &CancelArguments,
    operator: &Operator,
) -> Result<(), Refused> {
    let task = known_task(operator, &arguments.task).await?;
    let next = arguments.tick.map(|tick| tick.saturating_add_millis(1));
    let query = HistoryQuery {
        task: Some(task.clone()),
        states: vec![ExecutionState::Running, ExecutionState::Waiting],
        since: arguments.tick,
        until: next,
        limit: PAGE_MAX,
        ..HistoryQuery::default()
    };
    let open = operator.history(&query).await?;
    let meant = open
        .into_iter()
        .map(|record| record.execution)
        .filter(|execution| {
            arguments
                .index
                .is_none_or(|index| execution.index.get() == index)
        });
    let mut told = 0;
    for execution in meant {
        let (word, text) = match operator.cancel(&execution).await? {
            CancelRequested::Told => ("told", "its holder is told"),
            CancelRequested::Withdrawn => ("withdrawn", "it waited, and will not run"),
            // It ended meanwhile.
            CancelRequested::NotRunning => continue,
        };
        told += 1;
        let Execution { index, tick, .. } = &execution;
        let text = format!("{task} #{index} of {tick}: {text}");
        let value = json!({"task": task.as_str(), "index": index.get(), "tick": tick.to_string(), "cancel": word});
        say(arguments.store.json, &text, &value)?;
    }
    if told == 0 {
        let of = arguments
            .tick
            .map_or_else(String::new, |tick: Tick| format!(" of {tick}"));
        let what = format!("nothing{of} of the task {:?} runs or waits", arguments.task);
        return Err(Refused::NothingToDo(what));
    }
    Ok(())
}
