//! Instances: their reports, and what a report brings back.

use jiff::{SignedDuration, Timestamp};
use sexton_core::lock::stored::{self, Reported};
use sexton_core::lock::{Answer, Execution, InstanceRecord, InstanceReport, Signals};
use sexton_core::name::{Incarnation, InstanceId};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::SqliteLockManager;
use super::begin::{begin_read, begin_write};
use super::call::Errand;
use super::error::Trouble;
use super::sweep::needs_sweep;
use crate::instance_row::{GONE_KEPT_MS, InstanceRow, offset_column, presence_column};
use crate::record_row::{concurrency_index, millis, task_name, tick};

pub(super) struct Heartbeat<'r>(pub(super) &'r InstanceReport);

const REPORT: &str = "\
    INSERT INTO sexton_instances (namespace, instance, started_at_ms, version, clock_offset_ns, \
        running, presence_ms, seen_at_ms, incarnation, since_ms) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
    ON CONFLICT DO UPDATE SET started_at_ms = excluded.started_at_ms, version = excluded.version, \
        clock_offset_ns = excluded.clock_offset_ns, running = excluded.running, \
        presence_ms = excluded.presence_ms, seen_at_ms = excluded.seen_at_ms, \
        incarnation = excluded.incarnation, since_ms = excluded.since_ms";

const FORGET: &str =
    "DELETE FROM sexton_instances WHERE namespace = $1 AND seen_at_ms + presence_ms < $2";

const LEAVE: &str =
    "DELETE FROM sexton_instances WHERE namespace = $1 AND instance = $2 AND incarnation = $3";

macro_rules! instance_columns {
    () => {
        "instance, started_at_ms, version, clock_offset_ns, running, presence_ms, seen_at_ms, \
         incarnation, since_ms"
    };
}

pub(super) const TO_CANCEL: &str = "\
    SELECT task, concurrency_index, tick_ms FROM sexton_executions \
    INDEXED BY sexton_executions_to_cancel \
    WHERE namespace = $1 AND instance = $2 AND cancel_requested = 1 AND state = 'running' \
    ORDER BY task, concurrency_index, tick_ms";

impl Errand for Heartbeat<'_> {
    type Found = Answer<Signals>;

    async fn run(
        &self,
        manager: &SqliteLockManager,
        connection: &mut SqliteConnection,
    ) -> Result<Self::Found, Trouble> {
        let report = self.0;
        let namespace = manager.inner.namespace.as_str();
        let instance = report.instance.as_str();
        let mut transaction = begin_write(connection).await?;
        let now = manager.clock_now();
        let before = known(&mut transaction, namespace, &report.instance).await?;
        let held_by = match stored::report(before, report, now) {
            Reported::Recorded(record) => {
                record_instance(&mut transaction, namespace, &record).await?;
                None
            }
            Reported::Held(holder) => Some(holder),
        };
        let gone_before = now
            .saturating_sub(SignedDuration::from_millis(GONE_KEPT_MS))
            .unwrap_or(Timestamp::MIN);
        sqlx::query(FORGET)
            .bind(namespace.to_owned())
            .bind(millis(gone_before))
            .execute(&mut *transaction)
            .await?;
        // What cannot be read takes no presence away.
        transaction.commit().await?;
        let rows = sqlx::query(TO_CANCEL)
            .bind(namespace.to_owned())
            .bind(instance.to_owned())
            .fetch_all(&mut *connection)
            .await?;
        let cancel = rows.iter().map(read_execution).collect::<Result<_, _>>()?;
        let sweep = needs_sweep(connection, &manager.inner.namespace, now).await?;
        let value = Signals {
            cancel,
            sweep,
            held_by,
        };
        Ok(Answer { now, value })
    }
}

async fn record_instance(
    connection: &mut SqliteConnection,
    namespace: &str,
    record: &InstanceRecord,
) -> Result<(), Trouble> {
    let report = &record.report;
    sqlx::query(REPORT)
        .bind(namespace.to_owned())
        .bind(report.instance.as_str().to_owned())
        .bind(millis(report.started_at))
        .bind(report.version.clone())
        .bind(report.clock_offset.map(offset_column))
        .bind(i64::from(report.running))
        .bind(presence_column(report.presence))
        .bind(millis(record.seen_at))
        .bind(report.incarnation.to_string())
        .bind(millis(record.since))
        .execute(connection)
        .await?;
    Ok(())
}

/// What is kept of an instance.
async fn known(
    connection: &mut SqliteConnection,
    namespace: &str,
    instance: &InstanceId,
) -> Result<Option<InstanceRecord>, Trouble> {
    let row = sqlx::query(concat!(
        "SELECT ",
        instance_columns!(),
        " FROM sexton_instances WHERE namespace = $1 AND instance = $2"
    ))
    .bind(namespace.to_owned())
    .bind(instance.as_str().to_owned())
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(read_instance).transpose()
}

fn read_execution(row: &SqliteRow) -> Result<Execution, Trouble> {
    Ok(Execution {
        task: task_name(row.try_get(0)?)?,
        index: concurrency_index(row.try_get(1)?)?,
        tick: tick(row.try_get(2)?)?,
    })
}

pub(super) struct Leave<'i>(pub(super) &'i InstanceId, pub(super) Incarnation);

impl Errand for Leave<'_> {
    type Found = Answer<()>;

    async fn run(
        &self,
        manager: &SqliteLockManager,
        connection: &mut SqliteConnection,
    ) -> Result<Self::Found, Trouble> {
        let mut transaction = begin_write(connection).await?;
        sqlx::query(LEAVE)
            .bind(manager.inner.namespace.as_str().to_owned())
            .bind(self.0.as_str().to_owned())
            .bind(self.1.to_string())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        let now = manager.clock_now();
        Ok(Answer { now, value: () })
    }
}

pub(super) struct Instances;

impl Errand for Instances {
    type Found = Answer<Vec<InstanceRecord>>;

    async fn run(
        &self,
        manager: &SqliteLockManager,
        connection: &mut SqliteConnection,
    ) -> Result<Self::Found, Trouble> {
        let mut snapshot = begin_read(connection).await?;
        let rows = sqlx::query(concat!(
            "SELECT ",
            instance_columns!(),
            " FROM sexton_instances WHERE namespace = $1 ORDER BY instance"
        ))
        .bind(manager.inner.namespace.as_str().to_owned())
        .fetch_all(&mut *snapshot)
        .await?;
        snapshot.commit().await?;
        let value = rows.iter().map(read_instance).collect::<Result<_, _>>()?;
        let now = manager.clock_now();
        Ok(Answer { now, value })
    }
}

fn read_instance(row: &SqliteRow) -> Result<InstanceRecord, Trouble> {
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
