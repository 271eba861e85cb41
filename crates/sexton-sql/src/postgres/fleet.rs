//! Instances: reports, signals, who is there.

use sexton_core::lock::{Execution, InstanceRecord, InstanceReport};
use sexton_core::name::{Incarnation, InstanceId};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::PostgresLockManager as Manager;
use super::dialect::patience_ms;
use super::load::text;
use crate::instance_row::{GONE_KEPT_MS, InstanceRow, offset_column, presence_column};
use crate::record_row::{concurrency_index, millis, task_name, tick};
use crate::server::dialect::Reported;
use crate::server::error::{Outage, Trouble};

pub(super) async fn report(
    manager: &Manager,
    connection: &mut PgConnection,
    report: &InstanceReport,
) -> Result<Reported, Trouble> {
    let (sql, namespace) = (manager.sql(), manager.namespace_word());
    let query = sql.report.query();
    let query = query
        .bind(namespace)
        .bind(report.instance.as_str())
        .bind(millis(report.started_at))
        .bind(text(&report.version))
        .bind(report.clock_offset.map(offset_column))
        .bind(i64::from(report.running))
        .bind(presence_column(report.presence))
        .bind(GONE_KEPT_MS)
        .bind(patience_ms(manager))
        .bind(report.incarnation.to_string());
    let rows = query.fetch_all(&mut *connection).await?;
    let (seen, cancel) = rows.split_first().ok_or(sqlx::Error::RowNotFound)?;
    let revision: Option<i64> = seen.try_get(1)?;
    let seen_at_ms: Option<i64> = seen.try_get(4)?;
    let held_by = if seen_at_ms.is_some() {
        None
    } else {
        let query = sql.instance.query().bind(namespace);
        let query = query.bind(Some(report.instance.as_str()));
        let row = query.fetch_optional(connection).await?;
        // It may have left since then.
        Some(read_instance(&row.ok_or(Outage::Overtaken)?)?)
    };
    Ok(Reported {
        now: tick(seen.try_get(0)?)?.timestamp(),
        revision: revision.map_or(0, i64::unsigned_abs),
        cancel: cancel
            .iter()
            .map(read_execution)
            .collect::<Result<_, _>>()?,
        held_by,
    })
}

fn read_execution(row: &PgRow) -> Result<Execution, Trouble> {
    let index: i32 = row.try_get(3)?;
    Ok(Execution {
        task: task_name(row.try_get(2)?)?,
        index: concurrency_index(index.into())?,
        tick: tick(row.try_get(4)?)?,
    })
}

pub(super) async fn leave(
    manager: &Manager,
    connection: &mut PgConnection,
    instance: &InstanceId,
    incarnation: Incarnation,
) -> Result<(), Trouble> {
    let leave = manager.sql().leave.query();
    leave
        .bind(manager.namespace_word())
        .bind(instance.as_str())
        .bind(incarnation.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn instances(
    manager: &Manager,
    connection: &mut PgConnection,
) -> Result<Vec<InstanceRecord>, Trouble> {
    let instances = manager.sql().instances.query();
    let rows = instances
        .bind(manager.namespace_word())
        .bind(None::<&str>)
        .fetch_all(connection)
        .await?;
    rows.iter().map(read_instance).collect()
}

fn read_instance(row: &PgRow) -> Result<InstanceRecord, Trouble> {
    let columns = InstanceRow {
        instance: row.try_get(0)?,
        started_at_ms: row.try_get(1)?,
        version: row.try_get(2)?,
        clock_offset_ns: row.try_get(3)?,
        running: row.try_get(4)?,
        presence_ms: row.try_get(5)?,
        seen_at_ms: row.try_get(6)?,
        incarnation: row.try_get(7)?,
        since_ms: row.try_get(8)?,
    };
    Ok(columns.to_record()?)
}
