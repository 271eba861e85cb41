//! An execution's record as a document, in both directions.
//!
//! Times become dates, in whole milliseconds, rounded down; enums become words, so that a person
//! with `mongosh` can read them; what is not there, or is the default that almost all have, is left
//! out. The same fields stand in a register's `open` and `ended` and in the history.

use mongodb::bson::{Bson, Document, doc};
use sexton_core::lock::stored::{delivery_of, delivery_word, overlap_of, overlap_word};
use sexton_core::lock::{Execution, ExecutionRecord, LockKey, Origin, Reason};
use sexton_core::name::{InstanceId, Namespace};
use sexton_core::tick::Attempt;

use crate::keys::{history_key, read_lock_key};
use crate::value::{Fields, Unreadable, date, date_of, id, number};

/// A record as a document, without task and index, which the document around it has.
pub(crate) fn to_document(record: &ExecutionRecord) -> Document {
    let mut document = doc! { "tick": date(record.execution.tick) };
    let mut put = |field: &str, value: Option<Bson>| {
        if let Some(value) = value {
            document.insert(field, value);
        }
    };
    put(
        "concurrency",
        Some(i64::from(record.concurrency.get()).into()),
    );
    let is_scheduled = record.origin == Origin::default();
    put(
        "origin",
        (!is_scheduled).then(|| record.origin.as_str().into()),
    );
    put("state", Some(record.state.as_str().into()));
    put(
        "reason",
        record.reason.map(|one| Reason::as_str(one).into()),
    );
    put("claim_id", record.claim_id.map(|one| id(one).into()));
    let instance = record.instance.as_ref();
    put("instance", instance.map(|one| one.as_str().into()));
    put("attempt", record.attempt.map(|one| attempt(one).into()));
    put("fence", Some(number(record.fence).into()));
    put("delivery", Some(delivery_word(record.delivery).into()));
    let attempts_max = i64::from(record.delivery.attempts_max());
    put("attempts_max", Some(attempts_max.into()));
    put("overlap", Some(overlap_word(record.overlap).into()));
    put(
        "lease_until",
        record.lease_until.map(|at| date_of(at).into()),
    );
    put("deadline", record.deadline.map(|at| date_of(at).into()));
    let former: Vec<&str> = record
        .former_holders
        .iter()
        .map(InstanceId::as_str)
        .collect();
    put(
        "former_holders",
        (!former.is_empty()).then(|| former.into()),
    );
    put(
        "cancel_requested",
        record.cancel_requested.then_some(true.into()),
    );
    put("granted_at", Some(date_of(record.granted_at).into()));
    put("started_at", record.started_at.map(|at| date_of(at).into()));
    put(
        "finished_at",
        record.finished_at.map(|at| date_of(at).into()),
    );
    put("error", record.error.as_deref().map(Bson::from));
    put("output", record.output.as_deref().map(Bson::from));
    document
}

fn attempt(attempt: Attempt) -> i64 {
    i64::from(attempt.get())
}

/// Reads what [`to_document`] wrote.
pub(crate) fn of_document(
    key: &LockKey,
    fields: Fields<'_>,
) -> Result<ExecutionRecord, Unreadable> {
    let attempt = |found: i64| {
        let number = u32::try_from(found).ok().and_then(Attempt::new);
        number.ok_or_else(|| fields.bad("attempt"))
    };
    let origin = |word: &str| word.parse().map_err(|_| fields.bad("origin"));
    let origin: Option<Origin> = fields.maybe_text("origin")?.map(origin).transpose()?;
    let reason = |word: &str| word.parse().map_err(|_| fields.bad("reason"));
    let delivery = delivery_of(fields.text("delivery")?, fields.number("attempts_max")?);
    Ok(ExecutionRecord {
        execution: Execution {
            task: key.task.clone(),
            index: key.index,
            tick: fields.tick("tick")?,
        },
        concurrency: fields.concurrency("concurrency")?,
        origin: origin.unwrap_or_default(),
        state: (fields.text("state")?.parse()).map_err(|_| fields.bad("state"))?,
        reason: fields.maybe_text("reason")?.map(reason).transpose()?,
        claim_id: fields.maybe_id("claim_id")?,
        instance: fields.maybe_instance("instance")?,
        attempt: fields.maybe_number("attempt")?.map(attempt).transpose()?,
        fence: fields.fence("fence")?,
        delivery: delivery.ok_or_else(|| fields.bad("delivery"))?,
        overlap: overlap_of(fields.text("overlap")?).ok_or_else(|| fields.bad("overlap"))?,
        lease_until: fields.maybe_time("lease_until")?,
        deadline: fields.maybe_time("deadline")?,
        former_holders: fields.instances("former_holders")?,
        cancel_requested: fields.flag("cancel_requested")?,
        granted_at: fields.time("granted_at")?,
        started_at: fields.maybe_time("started_at")?,
        finished_at: fields.maybe_time("finished_at")?,
        error: fields.maybe_text("error")?.map(str::to_owned),
        output: fields.maybe_text("output")?.map(str::to_owned),
    })
}

/// A record of the history as a document, and the version of its register that it is of.
pub(crate) fn to_history(
    namespace: &Namespace,
    version: i64,
    record: &ExecutionRecord,
) -> Document {
    let mut document = doc! {
        "_id": history_key(namespace, &record.execution),
        "version": version,
    };
    document.extend(to_document(record));
    document
}

/// Reads what [`to_history`] wrote.
pub(crate) fn of_history(document: &Document) -> Result<(i64, ExecutionRecord), Unreadable> {
    let fields = Fields(document);
    let record = of_document(&read_lock_key(document)?, fields)?;
    Ok((fields.number("version")?, record))
}
