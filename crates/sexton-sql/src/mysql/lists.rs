//! Lists, as the one JSON parameter that `JSON_TABLE` reads. What is missing in an object is NULL.

use std::fmt;

use serde::{Serialize, Serializer};
use sexton_core::lock::engine::{Snapshot, Versions};
use sexton_core::lock::stored::{Defining, delivery_word, overlap_word};
use sexton_core::lock::{Execution, ExecutionRecord, LockKey, Origin, Reason};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::{Attempt, Tick};

use crate::record_row::{fence_column, former_holders_column, millis};
use crate::server::ktor::database::Row;

/// What stands in a list: as much of it as the list is about.
#[derive(Debug, Default, Serialize)]
struct Item<'i> {
    task: &'i str,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency_index: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tick_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watermark_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fence: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<&'i str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    definition: Option<&'i str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known_since_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canonical: Option<&'i str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule_since_ms: Option<i64>,
}

/// A record as its columns.
#[derive(Debug, Serialize)]
struct RecordItem<'r> {
    task: &'r str,
    concurrency_index: u16,
    tick_ms: i64,
    concurrency: u16,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hex")]
    claim_id: Option<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    fence: i64,
    delivery: &'static str,
    attempts_max: u32,
    overlap: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_until_ms: Option<i64>,
    cancel_requested: u8,
    granted_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    former_holders: Option<String>,
}

/// A number of 128 bits in hexadecimal digits, which JSON can carry.
fn hex<S: Serializer>(bits: &Option<u128>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&fmt::from_fn(|f| match bits {
        Some(bits) => write!(f, "{bits:032x}"),
        None => Ok(()),
    }))
}

fn list<T: Serialize>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<T> = items.collect();
    // Text and numbers: there is nothing that JSON could not say.
    serde_json::to_string(&items).unwrap_or_default()
}

pub(super) fn of_keys<'k>(keys: impl IntoIterator<Item = &'k LockKey>) -> String {
    list(keys.into_iter().map(|key| Item {
        task: key.task.as_str(),
        concurrency_index: Some(key.index.get()),
        ..Item::default()
    }))
}

pub(super) fn of_executions<'e>(executions: impl IntoIterator<Item = &'e Execution>) -> String {
    list(executions.into_iter().map(|execution| Item {
        task: execution.task.as_str(),
        concurrency_index: Some(execution.index.get()),
        tick_ms: Some(execution.tick.as_millis()),
        ..Item::default()
    }))
}

pub(super) fn of_ticks<'t>(ticks: impl IntoIterator<Item = (&'t TaskName, Tick)>) -> String {
    list(ticks.into_iter().map(|(task, tick)| Item {
        task: task.as_str(),
        tick_ms: Some(tick.as_millis()),
        ..Item::default()
    }))
}

pub(super) fn of_tasks<'t>(tasks: impl IntoIterator<Item = &'t TaskName>) -> String {
    list(tasks.into_iter().map(|task| Item {
        task: task.as_str(),
        ..Item::default()
    }))
}

pub(super) fn of_definitions(definitions: &[Defining]) -> String {
    list(definitions.iter().map(|new| Item {
        task: new.definition.task.as_str(),
        schedule: Some(&new.definition.schedule),
        concurrency: Some(new.definition.concurrency.get()),
        definition: Some(&new.definition.definition),
        known_since_ms: new.known_since.map(millis),
        canonical: Some(&new.definition.canonical),
        schedule_since_ms: new.schedule_since.map(millis),
        ..Item::default()
    }))
}

/// Registers as the rules have left them, with the version that they had.
pub(super) fn of_registers<'k>(
    snapshot: &Snapshot<Versions>,
    keys: impl IntoIterator<Item = &'k LockKey>,
) -> String {
    list(keys.into_iter().map(|key| {
        let register = snapshot.state.register(key);
        Item {
            task: key.task.as_str(),
            concurrency_index: Some(key.index.get()),
            version: Some(snapshot.rows.of(key)),
            watermark_ms: register
                .and_then(|register| register.watermark)
                .map(Tick::as_millis),
            fence: Some(register.map_or(0, |register| fence_column(register.fence))),
            ..Item::default()
        }
    }))
}

/// Rows of the Kotlin system's table, each with an instant in ms.
pub(super) fn of_rows<'r>(rows: impl IntoIterator<Item = (&'r Row<'r>, i64)>) -> String {
    list(rows.into_iter().map(|(row, tick_ms)| Item {
        task: row.task.as_str(),
        concurrency_index: Some(row.index.get()),
        tick_ms: Some(tick_ms),
        ..Item::default()
    }))
}

/// A record as a list's item.
pub(super) fn record_item(record: &ExecutionRecord) -> String {
    let item = RecordItem {
        task: record.execution.task.as_str(),
        concurrency_index: record.execution.index.get(),
        tick_ms: record.execution.tick.as_millis(),
        concurrency: record.concurrency.get(),
        state: record.state.as_str(),
        reason: record.reason.map(Reason::as_str),
        claim_id: record.claim_id.map(|id| id.as_u128()),
        instance: record.instance.as_ref().map(InstanceId::as_str),
        attempt: record.attempt.map(Attempt::get),
        fence: fence_column(record.fence),
        delivery: delivery_word(record.delivery),
        attempts_max: record.delivery.attempts_max(),
        overlap: overlap_word(record.overlap),
        lease_until_ms: record.lease_until.map(millis),
        cancel_requested: record.cancel_requested.into(),
        granted_at_ms: millis(record.granted_at),
        started_at_ms: record.started_at.map(millis),
        finished_at_ms: record.finished_at.map(millis),
        error: record.error.as_deref(),
        output: record.output.as_deref(),
        origin: (record.origin != Origin::Scheduled).then(|| record.origin.as_str()),
        deadline_ms: record.deadline.map(millis),
        former_holders: former_holders_column(record),
    };
    serde_json::to_string(&item).unwrap_or_default()
}
