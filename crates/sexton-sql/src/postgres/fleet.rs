//! Instances: reports, signals, who is there.

use sexton_core::lock::{Execution, InstanceRecord, InstanceReport};
use sexton_core::name::InstanceId;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::PostgresLockManager as Manager;
use super::dialect::patience_ms;
use super::load::text;
use crate::instance_row::{GONE_KEPT_MS, InstanceRow, offset_column, presence_column};
use crate::record_row::{concurrency_index, millis, task_name, tick};
use crate::server::dialect::Reported;
use crate::server::error::Trouble;

pub(super) async fn report(
    manager: &Manager,
    connection: &mut PgConnection,
    report: &InstanceReport,
) -> Result<Reported, Trouble> {
    let rows = manager
        .sql()
        .report
        .query()
        .bind(manager.namespace_word())
        .bind(report.instance.as_str())
        .bind(millis(report.started_at))
        .bind(text(&report.version))
        .bind(report.clock_offset.map(offset_column))
        .bind(i64::from(report.running))
        .bind(presence_column(report.presence))
        .bind(GONE_KEPT_MS)
        .bind(patience_ms(manager))
        .fetch_all(connection)
        .await?;
    let (seen, cancel) = rows.split_first().ok_or(sqlx::Error::RowNotFound)?;
    let revision: Option<i64> = seen.try_get(1)?;
    Ok(Reported {
        now: tick(seen.try_get(0)?)?.timestamp(),
        revision: revision.map_or(0, i64::unsigned_abs),
        cancel: cancel
            .iter()
            .map(read_execution)
            .collect::<Result<_, _>>()?,
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
) -> Result<(), Trouble> {
    let leave = manager.sql().leave.query();
    leave
        .bind(manager.namespace_word())
        .bind(instance.as_str())
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
    };
    Ok(columns.to_record()?)
}
