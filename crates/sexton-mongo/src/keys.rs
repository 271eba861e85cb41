//! The keys of documents. The order of a key's fields counts: another order is another key.

use mongodb::bson::{Document, doc};
use sexton_core::lock::engine::IndexReservation;
use sexton_core::lock::{Execution, LockKey};
use sexton_core::name::{InstanceId, Namespace, TaskName};

use crate::value::{Fields, Unreadable, date};

/// The key of a register.
pub(crate) fn register_key(namespace: &Namespace, key: &LockKey) -> Document {
    doc! {
        "namespace": namespace.as_str(),
        "task": key.task.as_str(),
        "index": i64::from(key.index.get()),
    }
}

/// The (task, index) in the key of a register, or of an execution in the history.
pub(crate) fn read_lock_key(document: &Document) -> Result<LockKey, Unreadable> {
    let key = Fields(document).document("_id")?;
    Ok(LockKey::new(key.task("task")?, key.index("index")?))
}

/// The key of an execution in the history.
pub(crate) fn history_key(namespace: &Namespace, execution: &Execution) -> Document {
    doc! {
        "namespace": namespace.as_str(),
        "task": execution.task.as_str(),
        "index": i64::from(execution.index.get()),
        "tick": date(execution.tick),
    }
}

/// The key of an index reservation.
pub(crate) fn reservation_key(namespace: &Namespace, reservation: &IndexReservation) -> Document {
    doc! {
        "namespace": namespace.as_str(),
        "task": reservation.task.as_str(),
        "tick": date(reservation.tick),
        "instance": reservation.instance.as_str(),
    }
}

/// The reservation in the key of its document.
pub(crate) fn read_reservation(document: &Document) -> Result<IndexReservation, Unreadable> {
    let key = Fields(document).document("_id")?;
    Ok(IndexReservation {
        task: key.task("task")?,
        tick: key.tick("tick")?,
        instance: key.instance("instance")?,
    })
}

/// The key of a task.
pub(crate) fn task_key(namespace: &Namespace, task: &TaskName) -> Document {
    doc! { "namespace": namespace.as_str(), "task": task.as_str() }
}

/// The task in the key of its document, or of another document of the task.
pub(crate) fn read_task(document: &Document) -> Result<TaskName, Unreadable> {
    Fields(document).document("_id")?.task("task")
}

/// The key of an instance.
pub(crate) fn instance_key(namespace: &Namespace, instance: &InstanceId) -> Document {
    doc! { "namespace": namespace.as_str(), "instance": instance.as_str() }
}
