//! A register as a document: watermark, fence, what is open, and what ended and is not in the
//! history yet.
//!
//! Every change of a (task, index) replaces this one document, provided that it is still the one
//! that was read: its `token`, new with every write, says so. A server updates one document
//! atomically; that is all the atomicity there is, and all that is needed.

use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc};
use sexton_core::lock::{ExecutionRecord, ExecutionState, Register};
use sexton_core::name::{ClaimId, InstanceId, Namespace};
use sexton_core::tick::{Fence, Tick};

use crate::record::{of_document, to_document};
use crate::value::{Fields, Unreadable, date, id, number};
use crate::wanted::Pair;

/// The most executions of one (task, index) that may wait or run at once, counted by
/// [`Kept::open_places`]: that number always fits a document (16 MiB).
pub(crate) const OPEN_MAX: usize = 10_000;
/// The most bytes of what has ended, by [`record_bytes`], that a register holds until it is in the
/// history: so much fits a document beside all that may be open.
pub(crate) const ENDED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Far more than a record takes besides its error, its output and its former holders.
const RECORD_BYTES: usize = 1024;
/// More than a former holder takes.
const FORMER_HOLDER_BYTES: usize = InstanceId::BYTES_MAX + 16;
/// How many former holders take no more room than a record without any.
const FORMER_HOLDERS_PER_PLACE: usize = 4;

/// How much room a record takes, rounded up.
pub(crate) fn record_bytes(error: Option<&str>, output: Option<&str>) -> usize {
    RECORD_BYTES + error.map_or(0, str::len) + output.map_or(0, str::len)
}

/// A date that is over on every server, and not so early that other drivers cannot read it.
fn at_once() -> Tick {
    Tick::at_or_before(Timestamp::UNIX_EPOCH)
}

/// A register's document as it was read. The default is that of a (task, index) that has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Rises with every write; 0 if there is no document.
    pub(crate) version: i64,
    /// The last write.
    pub(crate) token: Option<ClaimId>,
    pub(crate) register: Option<Register>,
    /// The latest tick above the watermark that has ended: a grant of what was triggered does not
    /// raise the watermark to it.
    pub(crate) ended_ahead: Option<Tick>,
    /// What runs or waits.
    pub(crate) open: Vec<ExecutionRecord>,
    /// What ended and is not in the history yet, with the version that it ended in.
    pub(crate) ended: Vec<(i64, ExecutionRecord)>,
}

/// The key of a register.
pub(crate) fn key(namespace: &Namespace, pair: &Pair) -> Document {
    doc! {
        "namespace": namespace.as_str(),
        "task": pair.0.as_str(),
        "index": i64::from(pair.1.get()),
    }
}

/// What [`read_register`] reads of a document besides its key.
pub(crate) fn register_fields() -> Document {
    doc! { "watermark": 1, "fence": 1 }
}

/// Reads watermark and fence of a document, and of which (task, index) it is.
pub(crate) fn read_register(document: &Document) -> Result<(Pair, Option<Register>), Unreadable> {
    let fields = Fields(document);
    let key = fields.document("_id")?;
    let pair = (key.task("task")?, key.index("index")?);
    let watermark = fields.maybe_tick("watermark")?;
    let fence = fields.fence("fence")?;
    // Where nothing was granted or consumed yet, there may be a document all the same.
    let is_used = watermark.is_some() || fence > Fence::NONE;
    Ok((pair, is_used.then_some(Register { watermark, fence })))
}

impl Kept {
    /// Reads a document, and of which (task, index) it is.
    pub(crate) fn read(document: &Document) -> Result<(Pair, Kept), Unreadable> {
        let fields = Fields(document);
        let ((task, index), register) = read_register(document)?;
        let mut kept = Kept {
            version: fields.number("version")?,
            token: Some(fields.id("token")?),
            register,
            ended_ahead: fields.maybe_tick("ended_ahead")?,
            ..Kept::default()
        };
        for one in fields.documents("open")? {
            kept.open.push(of_document(&task, index, one)?);
        }
        for one in fields.documents("ended")? {
            let record = of_document(&task, index, one)?;
            kept.ended.push((one.number("version")?, record));
        }
        Ok(((task, index), kept))
    }

    /// The record it holds of a tick.
    pub(crate) fn record(&self, tick: Tick) -> Option<&ExecutionRecord> {
        let ended = self.ended.iter().map(|(_, record)| record);
        let mut all = self.open.iter().chain(ended);
        all.find(|record| record.execution.tick == tick)
    }

    /// Whether a tick may have a record in the history although it is above the watermark.
    pub(crate) fn may_have_ended_ahead(&self, tick: Tick) -> bool {
        let is_above = self.watermark().is_none_or(|watermark| tick > watermark);
        is_above && self.ended_ahead.is_some_and(|last| tick <= last)
    }

    pub(crate) fn watermark(&self) -> Option<Tick> {
        self.register.and_then(|register| register.watermark)
    }

    /// How many of the places for what runs or waits are taken: one by each record, and one more by
    /// each few former holders, whose ids may be longer than the rest of the record.
    pub(crate) fn open_places(&self) -> usize {
        let former = self.open.iter().map(|record| record.former_holders.len());
        self.open.len() + former.sum::<usize>().div_ceil(FORMER_HOLDERS_PER_PLACE)
    }

    /// Whether more of what has ended waits here for the history than a document has room for.
    pub(crate) fn is_crowded(&self) -> bool {
        let bytes = |(_, record): &(i64, ExecutionRecord)| {
            let former = record.former_holders.len() * FORMER_HOLDER_BYTES;
            record_bytes(record.error.as_deref(), record.output.as_deref()) + former
        };
        self.ended.iter().map(bytes).sum::<usize>() > ENDED_BYTES_MAX
    }

    /// The same, as one more write.
    pub(crate) fn written_again(&self, token: ClaimId) -> Kept {
        Kept {
            version: self.version.saturating_add(1),
            token: Some(token),
            ..self.clone()
        }
    }

    /// What replaces it, all but its key.
    pub(crate) fn to_document(&self) -> Document {
        let mut document = doc! { "version": self.version };
        let mut put = |field: &str, value: Option<Bson>| {
            if let Some(value) = value {
                document.insert(field, value);
            }
        };
        put("token", self.token.map(|token| id(token).into()));
        put("watermark", self.watermark().map(|tick| date(tick).into()));
        put("fence", self.register.map(|one| number(one.fence).into()));
        put(
            "ended_ahead",
            self.ended_ahead.map(|tick| date(tick).into()),
        );
        put("look_at", self.look_at().map(|tick| date(tick).into()));
        let unleased_since = self.unleased_since();
        put("unleased_since", unleased_since.map(|at| date(at).into()));
        let cancels = self.cancels();
        put("cancels", (!cancels.is_empty()).then(|| cancels.into()));
        let open: Vec<Document> = self.open.iter().map(to_document).collect();
        put("open", (!open.is_empty()).then(|| open.into()));
        let ended = self.ended.iter().map(|(version, record)| {
            let mut document = to_document(record);
            document.insert("version", *version);
            document
        });
        let ended: Vec<Document> = ended.collect();
        put("ended", (!ended.is_empty()).then(|| ended.into()));
        document
    }

    /// From when on a sweep may have something to do here: at once for what waits and for what is
    /// not in the history yet, at the end of its lease for what runs under one.
    fn look_at(&self) -> Option<Tick> {
        if !self.ended.is_empty() {
            return Some(at_once());
        }
        let at = |record: &ExecutionRecord| match record.state {
            ExecutionState::Running => record.lease_until.map(Tick::at_or_before),
            _ => Some(at_once()),
        };
        self.open.iter().filter_map(at).min()
    }

    /// Since when the eldest runs that has no lease.
    fn unleased_since(&self) -> Option<Tick> {
        let is_unleased = |record: &&ExecutionRecord| {
            record.state == ExecutionState::Running && record.lease_until.is_none()
        };
        let since = |record: &ExecutionRecord| {
            Tick::at_or_before(record.granted_at).max(record.execution.tick)
        };
        self.open.iter().filter(is_unleased).map(since).min()
    }

    /// Who is to be told to cancel something.
    fn cancels(&self) -> Vec<String> {
        let asked = |record: &&ExecutionRecord| {
            record.cancel_requested && record.state == ExecutionState::Running
        };
        let told = self.open.iter().filter(asked);
        let mut instances: Vec<String> = told
            .filter_map(|record| record.instance.as_ref().map(ToString::to_string))
            .collect();
        instances.sort();
        instances.dedup();
        instances
    }
}
