//! Instances: reports, signals, who is there.

use sexton_core::lock::engine::{Beat, Fleet, Unavailable};
use sexton_core::lock::{Execution, InstanceRecord, InstanceReport};
use sexton_core::name::{Incarnation, InstanceId};
use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use super::Port;
use super::sql::Bound;
use crate::instance_row::{GONE_KEPT_MS, InstanceRow, offset_column, presence_column};
use crate::record_row::{concurrency_index, millis, task_name, tick};
use crate::server::error::StoreError;

impl Fleet for Port {
    async fn beat(
        &self,
        connection: &mut MySqlConnection,
        report: &InstanceReport,
    ) -> Result<Beat, StoreError> {
        let (sql, namespace) = (self.sql(), Bound::Text(self.namespace_word()));
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
                    reported = Some(tick(now_ms)?.timestamp());
                    gone = row.try_get_unchecked(1)?;
                    holder = row.try_get_unchecked(2)?;
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
            Some(read_instance(&row.ok_or(Unavailable::Conflict)?)?)
        };
        let now = reported.ok_or(sqlx::Error::RowNotFound)?;
        cancel.sort_unstable();
        Ok(Beat {
            now,
            cancel,
            held_by,
        })
    }

    async fn leave(
        &self,
        connection: &mut MySqlConnection,
        instance: &InstanceId,
        incarnation: Incarnation,
    ) -> Result<(), StoreError> {
        let incarnation = incarnation.to_string();
        let leave = self.sql().leave.query(&[
            Bound::Text(self.namespace_word()),
            Bound::Text(instance.as_str()),
            Bound::Text(&incarnation),
        ]);
        leave.execute(connection).await?;
        Ok(())
    }

    async fn instances(
        &self,
        connection: &mut MySqlConnection,
    ) -> Result<Vec<InstanceRecord>, StoreError> {
        let bound = [Bound::Text(self.namespace_word()), Bound::MaybeText(None)];
        let instances = self.sql().instances.query(&bound);
        let rows = instances.fetch_all(connection).await?;
        rows.iter().map(read_instance).collect()
    }
}

fn read_execution(row: &MySqlRow) -> Result<Execution, StoreError> {
    Ok(Execution {
        task: task_name(row.try_get_unchecked(2)?)?,
        index: concurrency_index(row.try_get_unchecked(3)?)?,
        tick: tick(row.try_get_unchecked(4)?)?,
    })
}

fn read_instance(row: &MySqlRow) -> Result<InstanceRecord, StoreError> {
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
