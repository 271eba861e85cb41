//! Definitions, pauses, and what is known of tasks.

use std::collections::BTreeSet;

use sexton_core::lock::{Pause, Register, TaskDefinition};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::ConcurrencyIndex;
use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use super::MySqlLockManager as Manager;
use super::lists;
use super::load::read_pause;
use super::sql::Bound;
use crate::record_row::{
    concurrency, concurrency_index, instance_id, instant, millis, register, task_name,
};
use crate::said::Said;
use crate::server::error::Trouble;
use sexton_core::lock::stored::{Defining, Definitions};

pub(super) async fn lock(
    manager: &Manager,
    connection: &mut MySqlConnection,
    tasks: &BTreeSet<&TaskName>,
) -> Result<Definitions, Trouble> {
    let sql = manager.sql();
    let list = lists::of_tasks(tasks.iter().copied());
    let bound = [Bound::Text(manager.namespace_word()), Bound::Text(&list)];
    let lock = sql.lock_tasks.query(&bound);
    lock.execute(&mut *connection).await?;
    let mut known = Definitions::new();
    for row in sql.task_states.query(&bound).fetch_all(connection).await? {
        let by: Option<&str> = row.try_get_unchecked(4)?;
        if let (Some(definition), Some(by)) = (read_definition(&row)?, by) {
            let defining = Defining {
                by: instance_id(by)?,
                known_since: instant(row.try_get_unchecked(8)?)?,
                schedule_since: instant(row.try_get_unchecked(10)?)?,
                definition,
            };
            known.insert(defining.definition.task.clone(), defining);
        }
    }
    Ok(known)
}

pub(super) async fn store_definitions(
    manager: &Manager,
    connection: &mut MySqlConnection,
    definitions: &[&Defining],
    instance: &InstanceId,
) -> Result<(), Trouble> {
    let list = lists::of_definitions(definitions);
    let store = manager.sql().store_definitions.query(&[
        Bound::Text(manager.namespace_word()),
        Bound::Text(instance.as_str()),
        Bound::Text(&list),
    ]);
    store.execute(connection).await?;
    Ok(())
}

pub(super) async fn raise_revision(
    manager: &Manager,
    connection: &mut MySqlConnection,
    by: i64,
) -> Result<(), Trouble> {
    let bound = [Bound::Text(manager.namespace_word()), Bound::Number(by)];
    let raise = manager.sql().raise_revision.query(&bound);
    raise.execute(connection).await?;
    Ok(())
}

pub(super) async fn set_pause(
    manager: &Manager,
    connection: &mut MySqlConnection,
    tasks: &BTreeSet<&TaskName>,
    pause: Option<&Pause>,
) -> Result<(), Trouble> {
    let sql = manager.sql();
    let list = lists::of_tasks(tasks.iter().copied());
    let bound = [
        Bound::Text(manager.namespace_word()),
        Bound::Text(&list),
        Bound::MaybeText(pause.map(|pause| pause.note.as_str())),
        Bound::MaybeText(pause.map(|pause| pause.by.as_str())),
        Bound::MaybeNumber(pause.map(|pause| millis(pause.since))),
    ];
    sql.pause.query(&bound).execute(connection).await?;
    Ok(())
}

pub(super) async fn raise_versions(
    manager: &Manager,
    connection: &mut MySqlConnection,
    tasks: &BTreeSet<&TaskName>,
) -> Result<(), Trouble> {
    let list = lists::of_tasks(tasks.iter().copied());
    let bound = [Bound::Text(manager.namespace_word()), Bound::Text(&list)];
    let raise = manager.sql().raise_versions.query(&bound);
    raise.execute(connection).await?;
    Ok(())
}

pub(super) async fn names(
    manager: &Manager,
    connection: &mut MySqlConnection,
    after: Option<&TaskName>,
    limit: i64,
) -> Result<Vec<TaskName>, Trouble> {
    let page = manager.sql().task_names.query(&[
        Bound::Text(manager.namespace_word()),
        Bound::Text(after.map_or("", TaskName::as_str)),
        Bound::Number(limit),
    ]);
    let rows = page.fetch_all(connection).await?;
    let name = |row: &MySqlRow| Ok(task_name(row.try_get_unchecked(0)?)?);
    rows.iter().map(name).collect()
}

pub(super) async fn states(
    manager: &Manager,
    connection: &mut MySqlConnection,
    tasks: &BTreeSet<&TaskName>,
) -> Result<Vec<(TaskName, Said)>, Trouble> {
    let list = lists::of_tasks(tasks.iter().copied());
    let bound = [Bound::Text(manager.namespace_word()), Bound::Text(&list)];
    let states = manager.sql().task_states.query(&bound);
    let rows = states.fetch_all(connection).await?;
    let said = |row: &MySqlRow| Ok((task_name(row.try_get_unchecked(0)?)?, read_said(row)?));
    rows.iter().map(said).collect()
}

pub(super) async fn registers(
    manager: &Manager,
    connection: &mut MySqlConnection,
    tasks: &BTreeSet<&TaskName>,
) -> Result<Vec<(TaskName, ConcurrencyIndex, Register)>, Trouble> {
    let list = lists::of_tasks(tasks.iter().copied());
    let bound = [Bound::Text(manager.namespace_word()), Bound::Text(&list)];
    let registers = manager.sql().task_registers.query(&bound);
    let rows = registers.fetch_all(connection).await?;
    let read = |row: &MySqlRow| {
        let register = register(row.try_get_unchecked(2)?, row.try_get_unchecked(3)?)?;
        let task = task_name(row.try_get_unchecked(0)?)?;
        Ok((
            task,
            concurrency_index(row.try_get_unchecked(1)?)?,
            register,
        ))
    };
    rows.iter().map(read).collect()
}

fn read_said(row: &MySqlRow) -> Result<Said, Trouble> {
    let since: Option<i64> = row.try_get_unchecked(7)?;
    Ok(Said {
        definition: read_definition(row)?,
        known_since: instant(row.try_get_unchecked(8)?)?,
        schedule_since: instant(row.try_get_unchecked(10)?)?,
        pause: since.map(|_| read_pause(row, 7, 5, 6)).transpose()?,
    })
}

/// The columns of a definition, in the order of `sql/task_states.sql`.
fn read_definition(row: &MySqlRow) -> Result<Option<TaskDefinition>, Trouble> {
    let definition: Option<String> = row.try_get_unchecked(3)?;
    let Some(definition) = definition else {
        return Ok(None);
    };
    Ok(Some(TaskDefinition {
        task: task_name(row.try_get_unchecked(0)?)?,
        schedule: row.try_get_unchecked(1)?,
        concurrency: concurrency(row.try_get_unchecked(2)?)?,
        definition,
        canonical: row.try_get_unchecked(9)?,
    }))
}
