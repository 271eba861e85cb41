//! Instances: reports, signals, who is there.

use sexton_core::lock::{Execution, InstanceRecord, InstanceReport};
use sexton_core::name::{Incarnation, InstanceId};
use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use super::MySqlLockManager as Manager;
use super::sql::Bound;
use crate::instance_row::{GONE_KEPT_MS, InstanceRow, offset_column, presence_column};
use crate::record_row::{concurrency_index, millis, task_name, tick};
use crate::server::dialect::Reported;
use crate::server::error::{Outage, Trouble};

pub(super) async fn report(
    manager: &Manager,
    connection: &mut MySqlConnection,
    report: &InstanceReport,
) -> Result<Reported, Trouble> {
    let (sql, namespace) = (manager.sql(), Bound::Text(manager.namespace_word()));
    let instance = Bound::Text(report.instance.as_str());
    let incarnation = report.incarnation.to_string();
    let store = sql.report.query(&[
        namespace,
        instance,
        Bound::Number(millis(report.started_at)),
        Bound::Text(&report.version),
        Bound::MaybeNumber(report.clock_offset.map(offset_column)),
        Bound::Number(report.running.into()),
        Bound::Number(presence_column(report.presence)),
        Bound::Text(&incarnation),
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
    let mut holder: Option<String> = None;
    for row in &rows {
        let now_ms: Option<i64> = row.try_get_unchecked(0)?;
        match now_ms {
            Some(now_ms) => {
                let revision: Option<i64> = row.try_get_unchecked(1)?;
                reported = Some((tick(now_ms)?.timestamp(), revision));
                gone = row.try_get_unchecked(2)?;
                holder = row.try_get_unchecked(3)?;
            }
            None => cancel.push(read_execution(row)?),
        }
    }
    if gone > 0 {
        sql.forget_gone
            .query(&bound)
            .execute(&mut *connection)
            .await?;
    }
    let held_by = if holder.as_deref() == Some(incarnation.as_str()) {
        None
    } else {
        let row = sql.instance.query(&[namespace, instance]);
        let row = row.fetch_optional(connection).await?;
        // It may have left since then.
        Some(read_instance(&row.ok_or(Outage::Overtaken)?)?)
    };
    let (now, revision) = reported.ok_or(sqlx::Error::RowNotFound)?;
    cancel.sort_unstable();
    Ok(Reported {
        now,
        revision: revision.map_or(0, i64::unsigned_abs),
        cancel,
        held_by,
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
    incarnation: Incarnation,
) -> Result<(), Trouble> {
    let incarnation = incarnation.to_string();
    let leave = manager.sql().leave.query(&[
        Bound::Text(manager.namespace_word()),
        Bound::Text(instance.as_str()),
        Bound::Text(&incarnation),
    ]);
    leave.execute(connection).await?;
    Ok(())
}

pub(super) async fn instances(
    manager: &Manager,
    connection: &mut MySqlConnection,
) -> Result<Vec<InstanceRecord>, Trouble> {
    let bound = [
        Bound::Text(manager.namespace_word()),
        Bound::MaybeText(None),
    ];
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
        incarnation: row.try_get_unchecked(7)?,
        since_ms: row.try_get_unchecked(8)?,
    };
    Ok(columns.to_record()?)
}
