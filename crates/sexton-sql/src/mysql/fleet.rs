//! Instances: reports, signals, who is there.

use sexton_core::lock::{Execution, InstanceRecord, InstanceReport};
use sexton_core::name::InstanceId;
use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use super::MySqlLockManager as Manager;
use super::sql::Bound;
use crate::instance_row::{GONE_KEPT_MS, InstanceRow, offset_column, presence_column};
use crate::record_row::{concurrency_index, millis, task_name, tick};
use crate::server::dialect::Reported;
use crate::server::error::Trouble;

pub(super) async fn report(
    manager: &Manager,
    connection: &mut MySqlConnection,
    report: &InstanceReport,
) -> Result<Reported, Trouble> {
    let (sql, namespace) = (manager.sql(), Bound::Text(manager.namespace_word()));
    let instance = Bound::Text(report.instance.as_str());
    let store = sql.report.query(&[
        namespace,
        instance,
        Bound::Number(millis(report.started_at)),
        Bound::Text(&report.version),
        Bound::MaybeNumber(report.clock_offset.map(offset_column)),
        Bound::Number(report.running.into()),
        Bound::Number(presence_column(report.presence)),
    ]);
    store.execute(&mut *connection).await?;
    let bound = [namespace, instance, Bound::Number(GONE_KEPT_MS)];
    let rows = sql
        .signals
        .query(&bound)
        .fetch_all(&mut *connection)
        .await?;
    let mut reported = None;
    let mut cancel = Vec::new();
    let mut gone: i64 = 0;
    for row in &rows {
        let now_ms: Option<i64> = row.try_get_unchecked(0)?;
        match now_ms {
            Some(now_ms) => {
                let revision: Option<i64> = row.try_get_unchecked(1)?;
                reported = Some((tick(now_ms)?.timestamp(), revision));
                gone = row.try_get_unchecked(2)?;
            }
            None => cancel.push(read_execution(row)?),
        }
    }
    if gone > 0 {
        sql.forget_gone.query(&bound).execute(connection).await?;
    }
    let (now, revision) = reported.ok_or(sqlx::Error::RowNotFound)?;
    cancel.sort_unstable();
    Ok(Reported {
        now,
        revision: revision.map_or(0, i64::unsigned_abs),
        cancel,
    })
}

fn read_execution(row: &MySqlRow) -> Result<Execution, Trouble> {
    Ok(Execution {
        task: task_name(row.try_get_unchecked(3)?)?,
        index: concurrency_index(row.try_get_unchecked(4)?)?,
        tick: tick(row.try_get_unchecked(5)?)?,
    })
}

pub(super) async fn leave(
    manager: &Manager,
    connection: &mut MySqlConnection,
    instance: &InstanceId,
) -> Result<(), Trouble> {
    let leave = manager.sql().leave.query(&[
        Bound::Text(manager.namespace_word()),
        Bound::Text(instance.as_str()),
    ]);
    leave.execute(connection).await?;
    Ok(())
}

pub(super) async fn instances(
    manager: &Manager,
    connection: &mut MySqlConnection,
) -> Result<Vec<InstanceRecord>, Trouble> {
    let bound = [Bound::Text(manager.namespace_word())];
    let instances = manager.sql().instances.query(&bound);
    let rows = instances.fetch_all(connection).await?;
    rows.iter().map(read_instance).collect()
}

fn read_instance(row: &MySqlRow) -> Result<InstanceRecord, Trouble> {
    let columns = InstanceRow {
        instance: row.try_get_unchecked(0)?,
        started_at_ms: row.try_get_unchecked(1)?,
        version: row.try_get_unchecked(2)?,
        clock_offset_ns: row.try_get_unchecked(3)?,
        running: row.try_get_unchecked(4)?,
        presence_ms: row.try_get_unchecked(5)?,
        seen_at_ms: row.try_get_unchecked(6)?,
    };
    Ok(columns.to_record()?)
}
