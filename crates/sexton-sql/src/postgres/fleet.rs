//! Instances: reports, signals, who is there.

use std::time::Duration;

use jiff::SignedDuration;
use sexton_core::lock::{Answer, Execution, InstanceRecord, InstanceReport, Signals};
use sexton_core::name::InstanceId;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::PostgresLockManager;
use super::call::Errand;
use super::error::Trouble;
use super::load::{text, unreadable_count};
use super::sweep::has_claimable;
use crate::record_row::{concurrency_index, instance_id, millis, task_name, tick};

/// How long an instance that stopped reporting is still listed.
const GONE_KEPT_MS: i64 = 24 * 60 * 60 * 1_000;
/// A presence so long that it never ends, and still adds up with any time.
const PRESENCE_MAX_MS: i64 = i64::MAX / 4;

pub(super) struct Heartbeat<'r>(pub(super) &'r InstanceReport);

impl Errand for Heartbeat<'_> {
    type Found = Answer<Signals>;

    async fn run(
        &mut self,
        manager: &PostgresLockManager,
        connection: &mut PgConnection,
    ) -> Result<Self::Found, Trouble> {
        let report = self.0;
        let presence_ms = i64::try_from(report.presence.as_millis()).unwrap_or(PRESENCE_MAX_MS);
        let rows = manager
            .inner
            .sql
            .report
            .query()
            .bind(manager.inner.namespace.as_str())
            .bind(report.instance.as_str())
            .bind(millis(report.started_at))
            .bind(text(&report.version))
            .bind(report.clock_offset.map(nanos))
            .bind(i64::from(report.running))
            .bind(presence_ms.min(PRESENCE_MAX_MS))
            .bind(GONE_KEPT_MS)
            .bind(manager.patience_ms())
            .fetch_all(&mut *connection)
            .await?;
        let (seen, cancel) = rows.split_first().ok_or(sqlx::Error::RowNotFound)?;
        let now = tick(seen.try_get(0)?)?.timestamp();
        let revision: Option<i64> = seen.try_get(1)?;
        let cancel = cancel
            .iter()
            .map(read_execution)
            .collect::<Result<_, _>>()?;
        let value = Signals {
            cancel,
            sweep: has_claimable(manager, connection).await?,
            revision: revision.map_or(0, i64::unsigned_abs),
        };
        Ok(Answer { now, value })
    }
}

fn nanos(offset: SignedDuration) -> i64 {
    let limit = if offset.is_negative() {
        i64::MIN
    } else {
        i64::MAX
    };
    i64::try_from(offset.as_nanos()).unwrap_or(limit)
}

fn read_execution(row: &PgRow) -> Result<Execution, Trouble> {
    let index: i32 = row.try_get(3)?;
    Ok(Execution {
        task: task_name(row.try_get(2)?)?,
        index: concurrency_index(index.into())?,
        tick: tick(row.try_get(4)?)?,
    })
}

pub(super) struct Leave<'i>(pub(super) &'i InstanceId);

impl Errand for Leave<'_> {
    type Found = Answer<()>;

    async fn run(
        &mut self,
        manager: &PostgresLockManager,
        connection: &mut PgConnection,
    ) -> Result<Self::Found, Trouble> {
        manager
            .inner
            .sql
            .leave
            .query()
            .bind(manager.inner.namespace.as_str())
            .bind(self.0.as_str())
            .execute(&mut *connection)
            .await?;
        let now = manager.clock_now(connection).await?;
        Ok(Answer { now, value: () })
    }
}

pub(super) struct Instances;

impl Errand for Instances {
    type Found = Answer<Vec<InstanceRecord>>;

    async fn run(
        &mut self,
        manager: &PostgresLockManager,
        connection: &mut PgConnection,
    ) -> Result<Self::Found, Trouble> {
        let rows = manager
            .inner
            .sql
            .instances
            .query()
            .bind(manager.inner.namespace.as_str())
            .fetch_all(&mut *connection)
            .await?;
        let value = rows.iter().map(read_instance).collect::<Result<_, _>>()?;
        let now = manager.clock_now(connection).await?;
        Ok(Answer { now, value })
    }
}

fn read_instance(row: &PgRow) -> Result<InstanceRecord, Trouble> {
    let clock_offset: Option<i64> = row.try_get(3)?;
    let running: i64 = row.try_get(4)?;
    let presence_ms: i64 = row.try_get(5)?;
    Ok(InstanceRecord {
        report: InstanceReport {
            instance: instance_id(row.try_get(0)?)?,
            started_at: tick(row.try_get(1)?)?.timestamp(),
            version: row.try_get(2)?,
            clock_offset: clock_offset.map(SignedDuration::from_nanos),
            running: u32::try_from(running).map_err(|_| unreadable_count("running", running))?,
            presence: u64::try_from(presence_ms)
                .map(Duration::from_millis)
                .map_err(|_| unreadable_count("presence_ms", presence_ms))?,
        },
        seen_at: tick(row.try_get(6)?)?.timestamp(),
    })
}
