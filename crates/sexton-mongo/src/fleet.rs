//! Instances: reports, signals, who is there.

use std::collections::HashMap;
use std::time::Duration;

use futures::try_join;
use jiff::{SignedDuration, Timestamp};
use mongodb::bson::{Document, doc};
use sexton_core::lock::stored::{self, Reported};
use sexton_core::lock::{
    Answer, Execution, ExecutionState, InstanceRecord, InstanceReport, Signals,
};
use sexton_core::name::{Incarnation, InstanceId};
use sexton_core::tick::Tick;

use crate::MongoLockManager;
use crate::call::Errand;
use crate::commands::{Find, delete, replace_or_insert};
use crate::register::Kept;
use crate::trouble::{Outage, Trouble};
use crate::value::{Fields, Unreadable, date, date_of};

/// How long an instance that stopped reporting is still listed.
const GONE_KEPT: SignedDuration = SignedDuration::from_hours(24);

pub(crate) struct Heartbeat<'r>(pub(crate) &'r InstanceReport);

impl Errand for Heartbeat<'_> {
    type Found = Answer<Signals>;

    async fn run(&mut self, manager: &MongoLockManager) -> Result<Answer<Signals>, Trouble> {
        let now = manager.clock().await?;
        let held_by = manager.report(self.0, now).await?;
        let (cancel, sweep, revision) = try_join!(
            manager.to_cancel(&self.0.instance),
            manager.needs_sweep(now),
            manager.revision(),
        )?;
        let value = Signals {
            cancel,
            sweep,
            revision,
            held_by,
        };
        Ok(Answer { now, value })
    }
}

pub(crate) struct Leave<'i>(pub(crate) &'i InstanceId, pub(crate) Incarnation);

impl Errand for Leave<'_> {
    type Found = Answer<()>;

    async fn run(&mut self, manager: &MongoLockManager) -> Result<Answer<()>, Trouble> {
        let now = manager.clock().await?;
        let filter = doc! {
            "_id": manager.instance_key(self.0),
            "incarnation": self.1.to_string(),
        };
        let command = delete(
            &manager.inner.names.instances,
            filter,
            manager.inner.wait_max,
        );
        manager.write_command(command).await?;
        Ok(Answer { now, value: () })
    }
}

pub(crate) struct Instances;

impl Errand for Instances {
    type Found = Answer<Vec<InstanceRecord>>;

    async fn run(&mut self, manager: &MongoLockManager) -> Result<Self::Found, Trouble> {
        let (now, value) = try_join!(manager.clock(), manager.all_instances())?;
        Ok(Answer { now, value })
    }
}

impl MongoLockManager {
    fn instance_key(&self, instance: &InstanceId) -> Document {
        doc! {
            "namespace": self.inner.namespace.as_str(),
            "instance": instance.as_str(),
        }
    }

    /// Notes that an instance is there, unless another incarnation has its id, which is answered
    /// then; forgets those that are long gone.
    async fn report(
        &self,
        report: &InstanceReport,
        now: Timestamp,
    ) -> Result<Option<InstanceRecord>, Trouble> {
        let instances = &self.inner.names.instances;
        let mut filter = doc! { "_id": self.instance_key(&report.instance) };
        let found = self.find(Find::new(instances, filter.clone())).await?;
        let before = found.first().map(of_document).transpose()?;
        // Where another report has come in between, the key is taken.
        let (incarnation, seen_at) = before.as_ref().map_or((report.incarnation, now), |before| {
            (before.report.incarnation, before.seen_at)
        });
        let record = match stored::report(before, report, now) {
            Reported::Recorded(record) => record,
            Reported::Held(holder) => return Ok(Some(holder)),
        };
        filter.insert("incarnation", incarnation.to_string());
        filter.insert("seen_at", date_of(seen_at));
        let statement = replace_or_insert(filter, to_document(&record));
        let written = self.update(instances, vec![statement]).await?;
        if !written.taken.is_empty() {
            return Err(Outage::Overtaken.into());
        }
        if let Ok(forgotten) = now.checked_sub(GONE_KEPT) {
            let gone = doc! {
                "_id.namespace": self.inner.namespace.as_str(),
                "until": { "$lt": date_of(forgotten) },
            };
            let command = delete(instances, gone, self.inner.wait_max);
            self.write_command(command).await?;
        }
        Ok(None)
    }

    async fn to_cancel(&self, instance: &InstanceId) -> Result<Vec<Execution>, Trouble> {
        let filter = doc! {
            "_id.namespace": self.inner.namespace.as_str(),
            "cancels": instance.as_str(),
        };
        let found = self
            .find(Find::new(&self.inner.names.registers, filter))
            .await?;
        let mut cancel = Vec::new();
        for document in &found {
            let (_, kept) = Kept::read(document)?;
            let asked = kept.open.into_iter().filter(|record| {
                record.cancel_requested
                    && record.state == ExecutionState::Running
                    && record.instance.as_ref() == Some(instance)
            });
            cancel.extend(asked.map(|record| record.execution));
        }
        cancel.sort();
        Ok(cancel)
    }

    async fn revision(&self) -> Result<u64, Trouble> {
        let filter = doc! { "_id": self.inner.namespace.as_str() };
        let found = self
            .find(Find::new(&self.inner.names.namespaces, filter))
            .await?;
        let revision = found.first().map(|found| Fields(found).number("revision"));
        Ok(revision.transpose()?.unwrap_or(0).unsigned_abs())
    }

    async fn all_instances(&self) -> Result<Vec<InstanceRecord>, Trouble> {
        let filter = doc! { "_id.namespace": self.inner.namespace.as_str() };
        let find = Find::new(&self.inner.names.instances, filter);
        let found = self.find(find).await?;
        let all = found.iter().map(of_document);
        let mut all = all.collect::<Result<Vec<InstanceRecord>, _>>()?;
        all.sort_by(|a, b| a.report.instance.cmp(&b.report.instance));
        Ok(all)
    }

    /// The instances that have reported, by their ids.
    pub(crate) async fn reported(&self) -> Result<HashMap<InstanceId, InstanceRecord>, Trouble> {
        let all = self.all_instances().await?.into_iter();
        Ok(all
            .map(|record| (record.report.instance.clone(), record))
            .collect())
    }
}

fn to_document(record: &InstanceRecord) -> Document {
    let InstanceRecord {
        report,
        seen_at,
        since,
    } = record;
    let presence_ms = i64::try_from(report.presence.as_millis()).unwrap_or(i64::MAX);
    let until = Tick::at_or_before(*seen_at).saturating_add_millis(presence_ms);
    let mut document = doc! {
        "started_at": date_of(report.started_at),
        "version": report.version.as_str(),
        "running": i64::from(report.running),
        "presence_ms": presence_ms,
        "seen_at": date_of(*seen_at),
        "incarnation": report.incarnation.to_string(),
        "since": date_of(*since),
        "until": date(until),
    };
    if let Some(offset) = report.clock_offset {
        let limit = if offset.is_negative() {
            i64::MIN
        } else {
            i64::MAX
        };
        let nanoseconds = i64::try_from(offset.as_nanos()).unwrap_or(limit);
        document.insert("clock_offset_ns", nanoseconds);
    }
    document
}

fn of_document(document: &Document) -> Result<InstanceRecord, Unreadable> {
    let fields = Fields(document);
    let offset = fields.maybe_number("clock_offset_ns")?;
    let presence_ms = u64::try_from(fields.number("presence_ms")?);
    let running = u32::try_from(fields.number("running")?);
    Ok(InstanceRecord {
        report: InstanceReport {
            instance: fields.document("_id")?.instance("instance")?,
            incarnation: fields
                .text("incarnation")?
                .parse()
                .map_err(|_| fields.bad("incarnation"))?,
            started_at: fields.time("started_at")?,
            version: fields.text("version")?.to_owned(),
            clock_offset: offset.map(SignedDuration::from_nanos),
            running: running.map_err(|_| fields.bad("running"))?,
            presence: Duration::from_millis(presence_ms.map_err(|_| fields.bad("presence_ms"))?),
        },
        seen_at: fields.time("seen_at")?,
        since: fields.time("since")?,
    })
}
