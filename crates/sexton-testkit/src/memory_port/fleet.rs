//! Instances.

use std::time::Duration;

use jiff::Timestamp;
use sexton_core::lock::engine::{Beat, Fleet};
use sexton_core::lock::stored::{Reported, report as decide_report};
use sexton_core::lock::{ExecutionState, InstanceRecord, InstanceReport};
use sexton_core::name::{Incarnation, InstanceId};

use super::rows::Rows;
use super::{Call, Connection, MemoryError, MemoryPort};

/// How long after its presence an instance is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Fleet for MemoryPort {
    async fn beat(
        &self,
        connection: &mut Connection,
        report: &InstanceReport,
    ) -> Result<Beat, MemoryError> {
        self.check_writable()?;
        self.step(connection, Call::Beat, |rows, now| {
            Ok(rows.beat(report, now))
        })
        .await
    }

    async fn leave(
        &self,
        connection: &mut Connection,
        instance: &InstanceId,
        incarnation: Incarnation,
    ) -> Result<(), MemoryError> {
        self.step(connection, Call::Leave, |rows, _| {
            let known = rows.instances.get(instance);
            if known.is_some_and(|record| record.report.incarnation == incarnation) {
                rows.instances.remove(instance);
            }
            Ok(())
        })
        .await
    }

    async fn instances(
        &self,
        connection: &mut Connection,
    ) -> Result<Vec<InstanceRecord>, MemoryError> {
        self.step(connection, Call::Instances, |rows, _| {
            Ok(rows.instances.values().cloned().collect())
        })
        .await
    }

    async fn notify(&self, connection: &mut Connection) -> Result<(), MemoryError> {
        self.step(connection, Call::Notify, |_, _| Ok(())).await
    }
}

impl Rows {
    fn beat(&mut self, report: &InstanceReport, now: Timestamp) -> Beat {
        let before = self.instances.get(&report.instance).cloned();
        let held_by = match decide_report(before, report, now) {
            Reported::Recorded(record) => {
                self.instances.insert(report.instance.clone(), record);
                None
            }
            Reported::Held(holder) => Some(holder),
        };
        self.instances.retain(|_, record| {
            let known_for = record.report.presence.saturating_add(FORGOTTEN_AFTER);
            let until = record.seen_at.saturating_add(known_for);
            until.is_ok_and(|until| until > now)
        });
        let cancelled = self.records.values().filter(|record| {
            record.cancel_requested
                && record.state == ExecutionState::Running
                && record.instance.as_ref() == Some(&report.instance)
        });
        Beat {
            now,
            cancel: cancelled.map(|record| record.execution.clone()).collect(),
            held_by,
        }
    }
}
