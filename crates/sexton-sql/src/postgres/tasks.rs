//! Definitions, pauses, and what is known of tasks.

use std::collections::BTreeSet;

use sexton_core::lock::{Pause, Register, TaskDefinition};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::ConcurrencyIndex;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::PostgresLockManager as Manager;
use super::load::read_pause;
use crate::record_row::{
    concurrency, concurrency_index, instance_id, instant, millis, register, task_name,
};
use crate::said::Said;
use crate::server::error::Trouble;
use sexton_core::lock::stored::{Defining, Definitions};

fn words<'t>(tasks: &BTreeSet<&'t TaskName>) -> Vec<&'t str> {
    tasks.iter().map(|task| task.as_str()).collect()
}

pub(super) async fn lock(
    manager: &Manager,
    connection: &mut PgConnection,
    tasks: &BTreeSet<&TaskName>,
) -> Result<Definitions, Trouble> {
    let lock = manager.sql().lock_tasks.query();
    let lock = lock.bind(manager.namespace_word()).bind(words(tasks));
    let mut known = Definitions::new();
    for row in lock.fetch_all(connection).await? {
        let by: Option<&str> = row.try_get(5)?;
        if let (Some(definition), Some(by)) = (read_definition(&row)?, by) {
            let defining = Defining {
                by: instance_id(by)?,
                known_since: instant(row.try_get(6)?)?,
                schedule_since: instant(row.try_get(7)?)?,
                definition,
            };
            known.insert(defining.definition.task.clone(), defining);
        }
    }
    Ok(known)
}

pub(super) async fn store_definitions(
    manager: &Manager,
    connection: &mut PgConnection,
    definitions: &[&Defining],
    instance: &InstanceId,
) -> Result<(), Trouble> {
    let new = || definitions.iter().map(|new| &new.definition);
    manager
        .sql()
        .store_definitions
        .query()
        .bind(manager.namespace_word())
        .bind(new().map(|new| new.task.as_str()).collect::<Vec<_>>())
        .bind(new().map(|new| new.schedule.as_str()).collect::<Vec<_>>())
        .bind(
            new()
                .map(|new| i32::from(new.concurrency.get()))
                .collect::<Vec<_>>(),
        )
        .bind(new().map(|new| new.definition.as_str()).collect::<Vec<_>>())
        .bind(instance.as_str())
        .bind(
            definitions
                .iter()
                .map(|new| new.known_since.map(millis))
                .collect::<Vec<_>>(),
        )
        .bind(new().map(|new| new.canonical.as_str()).collect::<Vec<_>>())
        .bind(
            definitions
                .iter()
                .map(|new| new.schedule_since.map(millis))
                .collect::<Vec<_>>(),
        )
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn raise_revision(
    manager: &Manager,
    connection: &mut PgConnection,
    by: i64,
) -> Result<(), Trouble> {
    let raise = manager.sql().raise_revision.query();
    raise
        .bind(manager.namespace_word())
        .bind(by)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn set_pause(
    manager: &Manager,
    connection: &mut PgConnection,
    tasks: &BTreeSet<&TaskName>,
    pause: Option<&Pause>,
) -> Result<(), Trouble> {
    let (sql, namespace) = (manager.sql(), manager.namespace_word());
    let change = sql.pause.query().bind(namespace).bind(words(tasks));
    change
        .bind(pause.map(|pause| pause.note.as_str()))
        .bind(pause.map(|pause| pause.by.as_str()))
        .bind(pause.map(|pause| millis(pause.since)))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn raise_versions(
    manager: &Manager,
    connection: &mut PgConnection,
    tasks: &BTreeSet<&TaskName>,
) -> Result<(), Trouble> {
    let raise = manager.sql().raise_versions.query();
    raise
        .bind(manager.namespace_word())
        .bind(words(tasks))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn names(
    manager: &Manager,
    connection: &mut PgConnection,
    after: Option<&TaskName>,
    limit: i64,
) -> Result<Vec<TaskName>, Trouble> {
    let page = manager.sql().task_names.query();
    let rows = page
        .bind(manager.namespace_word())
        .bind(after.map_or("", TaskName::as_str))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    let name = |row: &PgRow| -> Result<TaskName, Trouble> { Ok(task_name(row.try_get(0)?)?) };
    rows.iter().map(name).collect()
}

pub(super) async fn states(
    manager: &Manager,
    connection: &mut PgConnection,
    tasks: &BTreeSet<&TaskName>,
) -> Result<Vec<(TaskName, Said)>, Trouble> {
    let states = manager.sql().task_states.query();
    let states = states.bind(manager.namespace_word()).bind(words(tasks));
    let rows = states.fetch_all(connection).await?;
    let said = |row: &PgRow| Ok((task_name(row.try_get(0)?)?, read_said(row)?));
    rows.iter().map(said).collect()
}

pub(super) async fn registers(
    manager: &Manager,
    connection: &mut PgConnection,
    tasks: &BTreeSet<&TaskName>,
) -> Result<Vec<(TaskName, ConcurrencyIndex, Register)>, Trouble> {
    let registers = manager.sql().task_registers.query();
    let registers = registers.bind(manager.namespace_word()).bind(words(tasks));
    let rows = registers.fetch_all(connection).await?;
    let read = |row: &PgRow| {
        let index: i32 = row.try_get(1)?;
        let register = register(row.try_get(2)?, row.try_get(3)?)?;
        let task = task_name(row.try_get(0)?)?;
        Ok((task, concurrency_index(index.into())?, register))
    };
    rows.iter().map(read).collect()
}

fn read_said(row: &PgRow) -> Result<Said, Trouble> {
    let since: Option<i64> = row.try_get(7)?;
    Ok(Said {
        definition: read_definition(row)?,
        known_since: instant(row.try_get(8)?)?,
        schedule_since: instant(row.try_get(9)?)?,
        pause: since.map(|_| read_pause(row, 7, 5, 6)).transpose()?,
    })
}

/// The columns task, schedule, concurrency, definition, canonical.
fn read_definition(row: &PgRow) -> Result<Option<TaskDefinition>, Trouble> {
    let Some(definition) = row.try_get(3)? else {
        return Ok(None);
    };
    let count: i32 = row.try_get(2)?;
    Ok(Some(TaskDefinition {
        task: task_name(row.try_get(0)?)?,
        schedule: row.try_get(1)?,
        concurrency: concurrency(count.into())?,
        definition,
        canonical: row.try_get(4)?,
    }))
}
