//! Instances: reports, signals, who is there.

use futures::stream::BoxStream;
use sexton_core::lock::engine::{Beat, Fleet, Unavailable};
use sexton_core::lock::{Execution, InstanceRecord, InstanceReport};
use sexton_core::name::{Incarnation, InstanceId};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::load::text;
use super::settings::patience_ms;
use super::{Port, notifications};
use crate::instance_row::{GONE_KEPT_MS, InstanceRow, offset_column, presence_column};
use crate::record_row::{concurrency_index, millis, task_name, tick};
use crate::server::error::StoreError;

impl Fleet for Port {
    async fn beat(
        &self,
        connection: &mut PgConnection,
        report: &InstanceReport,
    ) -> Result<Beat, StoreError> {
        let (sql, namespace) = (self.sql(), self.namespace_word());
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
            .bind(patience_ms(self))
            .bind(report.incarnation.to_string());
        let rows = query.fetch_all(&mut *connection).await?;
        let (seen, cancel) = rows.split_first().ok_or(sqlx::Error::RowNotFound)?;
        let seen_at_ms: Option<i64> = seen.try_get(3)?;
        let held_by = if seen_at_ms.is_some() {
            None
        } else {
            let query = sql.instance.query().bind(namespace);
            let query = query.bind(Some(report.instance.as_str()));
            let row = query.fetch_optional(connection).await?;
            // It may have left since then.
            Some(read_instance(&row.ok_or(Unavailable::Conflict)?)?)
        };
        Ok(Beat {
            now: tick(seen.try_get(0)?)?.timestamp(),
            cancel: cancel
                .iter()
                .map(read_execution)
                .collect::<Result<_, _>>()?,
            held_by,
        })
    }

    async fn leave(
        &self,
        connection: &mut PgConnection,
        instance: &InstanceId,
        incarnation: Incarnation,
    ) -> Result<(), StoreError> {
        let leave = self.sql().leave.query();
        leave
            .bind(self.namespace_word())
            .bind(instance.as_str())
            .bind(incarnation.to_string())
            .execute(connection)
            .await?;
        Ok(())
    }

    async fn instances(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<InstanceRecord>, StoreError> {
        let instances = self.sql().instances.query();
        let rows = instances
            .bind(self.namespace_word())
            .bind(None::<&str>)
            .fetch_all(connection)
            .await?;
        rows.iter().map(read_instance).collect()
    }

    /// Notifies all who listen.
    async fn notify(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let sql = self.sql();
        let notify = sql.notify.query().bind(sql.channel.as_str());
        notify
            .bind(self.namespace_word())
            .execute(connection)
            .await?;
        Ok(())
    }

    fn notifications(&self) -> Option<BoxStream<'static, ()>> {
        notifications::of(self)
    }
}

fn read_execution(row: &PgRow) -> Result<Execution, StoreError> {
    let index: i32 = row.try_get(2)?;
    Ok(Execution {
        task: task_name(row.try_get(1)?)?,
        index: concurrency_index(index.into())?,
        tick: tick(row.try_get(3)?)?,
    })
}

fn read_instance(row: &PgRow) -> Result<InstanceRecord, StoreError> {
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
