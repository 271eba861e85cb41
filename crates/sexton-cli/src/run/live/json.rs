//! Events as JSON objects, one a line. Field names are part of the program's interface.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sexton::Event;
use sexton::lock::Execution;

use super::super::stopped::Stopped;
use super::line::Line;
use crate::visible::visible_json;
use crate::zones;

/// The line, with its end.
pub(super) fn line(now: Timestamp, line: &Line<'_>) -> String {
    let (name, fields) = named(line);
    let mut object = Map::new();
    object.insert("at".to_owned(), format!("{now:.3}").into());
    object.insert("event".to_owned(), name.into());
    if let Value::Object(fields) = fields {
        object.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
    }
    visible_json(&Value::Object(object)) + "\n"
}

fn named(line: &Line<'_>) -> (&'static str, Value) {
    match line {
        Line::Began {
            instance,
            store,
            tasks,
            zones,
            rules,
            warnings,
        } => (
            "began",
            json!({
                "instance": instance,
                "store": store,
                "tasks": tasks,
                "tz_data": zones::to_json(zones, rules),
                "warnings": warnings,
            }),
        ),
        Line::StoreAwaited { error, at_most } => (
            "store awaited",
            json!({"error": error, "at_most_ms": millis(at_most)}),
        ),
        Line::Dropped(count) => ("events dropped", json!({"count": count})),
        Line::NotWritten(lines) => ("not written", json!({"lines": lines})),
        Line::Reloaded(told) => (
            "reloaded",
            json!({"added": told.added, "replaced": told.replaced, "removed": told.removed, "warnings": told.warnings, "errors": told.errors}),
        ),
        Line::LinesDiffer(differ) => (
            "crontab differs",
            json!({"crontab": differ.crontab, "by": differ.by, "theirs": differ.theirs, "ours": differ.ours}),
        ),
        Line::Stopping => ("stopping", json!({})),
        Line::Ended(Stopped::AtOnce) => ("stopped at once", json!({"all_settled": false})),
        Line::Ended(Stopped::GraceOver) => ("grace over", json!({"all_settled": false})),
        Line::Ended(Stopped::InOrder(report)) => (
            "stopped",
            json!({
                "cut_off": report.cut_off.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "all_settled": report.all_settled,
            }),
        ),
        Line::Event(event) => of_event(event),
    }
}

fn of(execution: &Execution, more: Value) -> Value {
    let mut fields = json!({
        "task": execution.task.as_str(),
        "index": execution.index.get(),
        "tick": execution.tick.to_string(),
    });
    if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
        fields.extend(more);
    }
    fields
}

fn millis(duration: &Duration) -> Value {
    json!((duration.as_secs_f64() * 1e6).round() / 1e3)
}

fn of_event(event: &Event) -> (&'static str, Value) {
    match event {
        Event::Granted {
            execution,
            fence,
            attempt,
        } => (
            "granted",
            of(
                execution,
                json!({"fence": fence.get(), "attempt": attempt.get()}),
            ),
        ),
        Event::Denied { execution, denial } => {
            ("denied", of(execution, json!({"reason": denial.as_str()})))
        }
        Event::Started {
            execution,
            attempt,
            lateness,
        } => (
            "started",
            of(
                execution,
                json!({"attempt": attempt.get(), "lateness_ms": millis(lateness)}),
            ),
        ),
        Event::Retried {
            execution,
            retry,
            error,
            after,
        } => (
            "retried",
            of(
                execution,
                json!({"retry": retry, "error": error, "after_ms": millis(after)}),
            ),
        ),
        Event::Finished {
            execution,
            outcome,
            duration,
            error,
            output,
        } => (
            "finished",
            of(
                execution,
                json!({
                    "outcome": outcome.as_str(),
                    "duration_ms": millis(duration),
                    "error": error,
                    "output": output,
                }),
            ),
        ),
        other => of_what_was_not_run(other),
    }
}

/// What was not run, or not to its end, and what is about no execution.
fn of_what_was_not_run(event: &Event) -> (&'static str, Value) {
    match event {
        Event::LeaseLost { execution } => ("lease lost", of(execution, json!({}))),
        Event::Released { execution } => ("released", of(execution, json!({}))),
        Event::Unrun { execution, reason } => {
            ("unrun", of(execution, json!({"reason": reason.as_str()})))
        }
        Event::TicksPassed {
            task,
            index,
            after,
            until,
            ticks,
            reason,
        } => (
            "ticks passed",
            json!({
                "task": task.as_str(),
                "index": index.get(),
                "after": after.to_string(),
                "until": until.to_string(),
                "ticks": ticks,
                "reason": reason.as_str(),
            }),
        ),
        Event::SettlementDropped { execution, why } => {
            ("settlement dropped", of(execution, json!({"error": why})))
        }
        Event::SettlementRefused { execution, error } => {
            ("settlement refused", of(execution, json!({"error": error})))
        }
        Event::Lost { execution } => ("lost", of(execution, json!({}))),
        Event::StoreLost { error, .. } => ("store lost", json!({"error": error})),
        Event::StoreRefuses { error, .. } => ("store refuses", json!({"error": error})),
        Event::StoreBack { after, .. } => ("store back", json!({"after_ms": millis(after)})),
        Event::StorePartLost { task, error, .. } => (
            "store part lost",
            json!({"task": task.as_str(), "error": error}),
        ),
        Event::StorePartBack { after, .. } => {
            ("store part back", json!({"after_ms": millis(after)}))
        }
        Event::ClockLeapt { by, .. } => ("clock leapt", json!({"by_ms": by.as_millis_f64()})),
        Event::IdAwaited {
            seen_at, at_most, ..
        } => (
            "id awaited",
            json!({"seen_at": seen_at.to_string(), "at_most_ms": millis(at_most)}),
        ),
        Event::IdTaken { since, .. } => ("id taken", json!({"since": since.to_string()})),
        Event::ClockOffset { offset, .. } => {
            ("clock offset", json!({"offset_ms": offset.as_millis_f64()}))
        }
        Event::NeverDue {
            task,
            schedule,
            after,
            advice,
        } => (
            "never due",
            json!({"task": task.as_str(), "schedule": schedule, "after": after.to_string(), "advice": advice}),
        ),
        Event::ScheduleFailed { task, after, error } => (
            "schedule failed",
            json!({"task": task.as_str(), "after": after.to_string(), "error": error}),
        ),
        Event::Stopped { part, error } => {
            ("scheduler stopped", json!({"part": part, "error": error}))
        }
        Event::DefinitionDiffers {
            task,
            by,
            theirs,
            ours,
        } => (
            "definition differs",
            json!({
                "task": task.as_str(),
                "by": by.as_str(),
                "theirs": theirs,
                "ours": ours,
                "zone_rules": zones::other_rules(theirs, ours),
            }),
        ),
        other => ("other", json!({"debug": format!("{other:?}")})),
    }
}
