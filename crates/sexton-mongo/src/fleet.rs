//! Instances: reports, who asked them to cancel what, who is there.

use std::time::Duration;

use futures::try_join;
use jiff::{SignedDuration, Timestamp};
use mongodb::bson::{Document, doc};
use sexton_core::lock::engine::{Beat, Connect, Fleet, Unavailable};
use sexton_core::lock::stored::{self, Reported};
use sexton_core::lock::{Execution, ExecutionState, InstanceRecord, InstanceReport};
use sexton_core::name::{Incarnation, InstanceId};
use sexton_core::tick::Tick;

use crate::commands::{Find, delete, replace_or_insert};
use crate::error::StoreError;
use crate::keys::instance_key;
use crate::port::MongoPort;
use crate::register::RegisterDocument;
use crate::value::{Fields, Unreadable, date, date_of};

/// How long an instance that stopped reporting is still listed.
const GONE_KEPT: SignedDuration = SignedDuration::from_hours(24);

impl Fleet for MongoPort {
    async fn beat(
        &self,
        _connection: &mut (),
        report: &InstanceReport,
    ) -> Result<Beat, StoreError> {
        let now = self.clock().await?;
        let held_by = self.report(report, now).await?;
        let cancel = if held_by.is_some() {
            self.to_cancel(&report.instance).await?
        } else {
            let (cancel, ()) = try_join!(self.to_cancel(&report.instance), self.forget_gone(now))?;
            cancel
        };
        Ok(Beat {
            now,
            cancel,
            held_by,
        })
    }

    async fn leave(
        &self,
        _connection: &mut (),
        instance: &InstanceId,
        incarnation: Incarnation,
    ) -> Result<(), StoreError> {
        let filter = doc! {
            "_id": instance_key(self.namespace(), instance),
            "incarnation": incarnation.to_string(),
        };
        let command = delete(&self.names.instances, filter, self.call_max());
        self.write(command).await?;
        Ok(())
    }

    async fn instances(&self, _connection: &mut ()) -> Result<Vec<InstanceRecord>, StoreError> {
        self.all_instances().await
    }
}

impl MongoPort {
    /// Records a report, unless another incarnation has the id: that one is the answer.
    async fn report(
        &self,
        report: &InstanceReport,
        now: Timestamp,
    ) -> Result<Option<InstanceRecord>, StoreError> {
        let instances = &self.names.instances;
        let mut filter = doc! { "_id": instance_key(self.namespace(), &report.instance) };
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
        if !written.duplicates.is_empty() {
            return Err(Unavailable::Conflict.into());
        }
        Ok(None)
    }

    /// Forgets instances that are long gone.
    async fn forget_gone(&self, now: Timestamp) -> Result<(), StoreError> {
        if let Ok(forgotten) = now.checked_sub(GONE_KEPT) {
            let mut gone = self.in_namespace();
            gone.insert("until", doc! { "$lt": date_of(forgotten) });
            let command = delete(&self.names.instances, gone, self.call_max());
            self.write(command).await?;
        }
        Ok(())
    }

    async fn to_cancel(&self, instance: &InstanceId) -> Result<Vec<Execution>, StoreError> {
        let mut filter = self.in_namespace();
        filter.insert("cancels", instance.as_str());
        let found = self.find(Find::new(&self.names.registers, filter)).await?;
        let mut cancel = Vec::new();
        for document in &found {
            let (_, register) = RegisterDocument::read(document)?;
            let asked = register.open.into_iter().filter(|record| {
                record.cancel_requested
                    && record.state == ExecutionState::Running
                    && record.instance.as_ref() == Some(instance)
            });
            cancel.extend(asked.map(|record| record.execution));
        }
        cancel.sort();
        Ok(cancel)
    }

    /// All instances, by id.
    pub(crate) async fn all_instances(&self) -> Result<Vec<InstanceRecord>, StoreError> {
        let find = Find::new(&self.names.instances, self.in_namespace());
        let found = self.find(find).await?;
        let all = found.iter().map(of_document);
        let mut all = all.collect::<Result<Vec<InstanceRecord>, _>>()?;
        all.sort_by(|a, b| a.report.instance.cmp(&b.report.instance));
        Ok(all)
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
