//! Instances: their reports, and what a report brings back.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton_core::lock::{Answer, Execution, InstanceRecord, InstanceReport, Signals};
use sexton_core::name::InstanceId;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::SqliteLockManager;
use super::call::{Errand, begin_read, begin_write};
use super::error::Trouble;
use super::sweep::needs_sweep;
use crate::record_row::{Unreadable, concurrency_index, instance_id, millis, task_name, tick};

/// How long an instance that stopped reporting is still listed.
const GONE_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) struct Heartbeat<'r>(pub(super) &'r InstanceReport);

const REPORT: &str = "\
    INSERT INTO sexton_instances (namespace, instance, started_at_ms, version, clock_offset_ns, \
        running, presence_ms, seen_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
    ON CONFLICT DO UPDATE SET started_at_ms = excluded.started_at_ms, version = excluded.version, \
        clock_offset_ns = excluded.clock_offset_ns, running = excluded.running, \
        presence_ms = excluded.presence_ms, seen_at_ms = excluded.seen_at_ms";

const FORGET: &str =
    "DELETE FROM sexton_instances WHERE namespace = $1 AND seen_at_ms + presence_ms < $2";

pub(super) const TO_CANCEL: &str = "\
    SELECT task, concurrency_index, tick_ms FROM sexton_executions \
    INDEXED BY sexton_executions_to_cancel \
    WHERE namespace = $1 AND instance = $2 AND cancel_requested = 1 AND state = 'running' \
    ORDER BY task, concurrency_index, tick_ms";

const REVISION: &str = "SELECT revision FROM sexton_namespaces WHERE namespace = $1";

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
        sqlx::query(REPORT)
            .bind(namespace.to_owned())
            .bind(instance.to_owned())
            .bind(millis(report.started_at))
            .bind(report.version.clone())
            .bind(report.clock_offset.map(nanos))
            .bind(i64::from(report.running))
            .bind(
                i64::try_from(report.presence.as_millis())
                    .unwrap_or(PRESENCE_MAX_MS)
                    .min(PRESENCE_MAX_MS),
            )
            .bind(millis(now))
            .execute(&mut *transaction)
            .await?;
        let gone_before = now.saturating_sub(GONE_KEPT).unwrap_or(Timestamp::MIN);
        sqlx::query(FORGET)
            .bind(namespace.to_owned())
            .bind(millis(gone_before))
            .execute(&mut *transaction)
            .await?;
        let rows = sqlx::query(TO_CANCEL)
            .bind(namespace.to_owned())
            .bind(instance.to_owned())
            .fetch_all(&mut *transaction)
            .await?;
        let cancel = rows.iter().map(read_execution).collect::<Result<_, _>>()?;
        let revision: Option<i64> = sqlx::query_scalar(REVISION)
            .bind(namespace.to_owned())
            .fetch_optional(&mut *transaction)
            .await?;
        let sweep = needs_sweep(&mut transaction, &manager.inner.namespace, now).await?;
        transaction.commit().await?;
        let value = Signals {
            cancel,
            sweep,
            revision: revision.map_or(0, i64::unsigned_abs),
        };
        Ok(Answer { now, value })
    }
}

/// A presence so long that it never ends, and still adds up with any time.
const PRESENCE_MAX_MS: i64 = i64::MAX / 4;

fn nanos(offset: SignedDuration) -> i64 {
    let limit = if offset.is_negative() {
        i64::MIN
    } else {
        i64::MAX
    };
    i64::try_from(offset.as_nanos()).unwrap_or(limit)
}

fn read_execution(row: &SqliteRow) -> Result<Execution, Trouble> {
    Ok(Execution {
        task: task_name(row.try_get(0)?)?,
        index: concurrency_index(row.try_get(1)?)?,
        tick: tick(row.try_get(2)?)?,
    })
}

pub(super) struct Leave<'i>(pub(super) &'i InstanceId);

impl Errand for Leave<'_> {
    type Found = Answer<()>;

    async fn run(
        &self,
        manager: &SqliteLockManager,
        connection: &mut SqliteConnection,
    ) -> Result<Self::Found, Trouble> {
        let mut transaction = begin_write(connection).await?;
        sqlx::query("DELETE FROM sexton_instances WHERE namespace = $1 AND instance = $2")
            .bind(manager.inner.namespace.as_str().to_owned())
            .bind(self.0.as_str().to_owned())
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
        let rows = sqlx::query(
            "SELECT instance, started_at_ms, version, clock_offset_ns, running, presence_ms, \
             seen_at_ms FROM sexton_instances WHERE namespace = $1 ORDER BY instance",
        )
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
    let clock_offset: Option<i64> = row.try_get(3)?;
    let running: i64 = row.try_get(4)?;
    let presence_ms: i64 = row.try_get(5)?;
    let bad =
        |column: &str, found: i64| Unreadable(format!("{found} as the {column} of an instance"));
    Ok(InstanceRecord {
        report: InstanceReport {
            instance: instance_id(row.try_get(0)?)?,
            started_at: tick(row.try_get(1)?)?.timestamp(),
            version: row.try_get(2)?,
            clock_offset: clock_offset.map(SignedDuration::from_nanos),
            running: u32::try_from(running).map_err(|_| bad("running", running))?,
            presence: u64::try_from(presence_ms)
                .map(Duration::from_millis)
                .map_err(|_| bad("presence_ms", presence_ms))?,
        },
        seen_at: tick(row.try_get(6)?)?.timestamp(),
    })
}

/// Which instances count as present at `now`.
pub(super) async fn present(
    connection: &mut SqliteConnection,
    namespace: &str,
    now: Timestamp,
) -> Result<std::collections::HashSet<InstanceId>, Trouble> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT instance FROM sexton_instances \
         WHERE namespace = $1 AND seen_at_ms + presence_ms > $2",
    )
    .bind(namespace.to_owned())
    .bind(millis(now))
    .fetch_all(connection)
    .await?;
    let ids = ids.iter().map(|id| instance_id(id));
    Ok(ids.collect::<Result<_, _>>()?)
}
