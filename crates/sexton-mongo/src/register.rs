//! A register as a document: watermark, fence, what is open, and what ended and is not in the
//! history yet.
//!
//! Every change of a (task, index) replaces this one document, provided that it is still the one
//! that was read: its `token`, new with every write, says so. A server updates one document
//! atomically; that is all the atomicity there is, and all that is needed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc};
use sexton_core::lock::engine::Rows;
use sexton_core::lock::{ExecutionRecord, ExecutionState, LockKey, Register};
use sexton_core::name::{ClaimId, InstanceId, Namespace};
use sexton_core::tick::{Fence, Tick};

use crate::commands::replace_or_insert;
use crate::keys::{read_lock_key, register_key};
use crate::record::{of_document, to_document};
use crate::value::{Fields, Unreadable, date, id, number};

/// The most executions of one (task, index) that may wait or run at once, counted by
/// [`RegisterDocument::open_slots`]: that number always fits a document (16 MiB).
pub(crate) const OPEN_MAX: usize = 10_000;
/// The most bytes of what has ended, by [`record_bytes`], that a register holds until it is in the
/// history: so much fits a document beside all that may be open.
pub(crate) const ENDED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Far more than a record takes without its error, its output and its former holders.
const RECORD_BYTES: usize = 1024;
/// More than a former holder takes.
const FORMER_HOLDER_BYTES: usize = InstanceId::BYTES_MAX + 16;
/// How many former holders take no more room than a record without any.
const FORMER_HOLDERS_PER_SLOT: usize = 4;

/// How much room a record takes, rounded up.
fn record_bytes(record: &ExecutionRecord) -> usize {
    let texts = [&record.error, &record.output].into_iter().flatten();
    let former_holders = record.former_holders.len() * FORMER_HOLDER_BYTES;
    RECORD_BYTES + texts.map(String::len).sum::<usize>() + former_holders
}

/// A date that is past on every server, and not so early that other drivers cannot read it.
fn at_once() -> Tick {
    Tick::at_or_before(Timestamp::UNIX_EPOCH)
}

/// The document of a register. The default stands for one that does not exist yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RegisterDocument {
    /// Rises with every write; 0 if there is no document.
    pub(crate) version: i64,
    /// Identifies the last write.
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

/// The rows of a snapshot: the documents as they were read.
#[derive(Debug, Default)]
pub struct RegisterDocuments(BTreeMap<LockKey, RegisterDocument>);

impl RegisterDocuments {
    /// Reads documents.
    pub(crate) fn read(documents: &[Document]) -> Result<RegisterDocuments, Unreadable> {
        let all = documents.iter().map(RegisterDocument::read);
        Ok(RegisterDocuments(all.collect::<Result<_, _>>()?))
    }

    /// The document of a register, if it has one.
    pub(crate) fn get(&self, key: &LockKey) -> Option<&RegisterDocument> {
        self.0.get(key)
    }

    /// The write that made the document of a register what it is.
    pub(crate) fn token(&self, key: &LockKey) -> Option<ClaimId> {
        self.get(key).and_then(|document| document.token)
    }

    /// The document that replaces a register's, still with the same content.
    pub(crate) fn next(&self, key: &LockKey, token: ClaimId) -> RegisterDocument {
        let before = self.get(key).cloned().unwrap_or_default();
        RegisterDocument {
            version: before.version.saturating_add(1),
            token: Some(token),
            ..before
        }
    }

    /// Takes a document as read that has just been written.
    pub(crate) fn insert(&mut self, key: LockKey, document: RegisterDocument) {
        self.0.insert(key, document);
    }

    /// All documents, by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&LockKey, &RegisterDocument)> {
        self.0.iter()
    }
}

impl Rows for RegisterDocuments {
    fn contains(&self, key: &LockKey) -> bool {
        self.0.contains_key(key)
    }
}

/// What [`read_register`] reads of a document, without its key.
pub(crate) fn register_fields() -> Document {
    doc! { "watermark": 1, "fence": 1 }
}

/// Reads watermark and fence of a document, and its key.
pub(crate) fn read_register(
    document: &Document,
) -> Result<(LockKey, Option<Register>), Unreadable> {
    let fields = Fields(document);
    let key = read_lock_key(document)?;
    let watermark = fields.maybe_tick("watermark")?;
    let fence = fields.fence("fence")?;
    // Where nothing was granted or consumed yet, there may be a document all the same.
    let is_used = watermark.is_some() || fence > Fence::NONE;
    Ok((key, is_used.then_some(Register { watermark, fence })))
}

impl RegisterDocument {
    /// Reads a document and its key.
    pub(crate) fn read(document: &Document) -> Result<(LockKey, RegisterDocument), Unreadable> {
        let fields = Fields(document);
        let (key, register) = read_register(document)?;
        let mut read = RegisterDocument {
            version: fields.number("version")?,
            token: Some(fields.id("token")?),
            register,
            ended_ahead: fields.maybe_tick("ended_ahead")?,
            ..RegisterDocument::default()
        };
        for one in fields.documents("open")? {
            read.open.push(of_document(&key, one)?);
        }
        for one in fields.documents("ended")? {
            let record = of_document(&key, one)?;
            read.ended.push((one.number("version")?, record));
        }
        Ok((key, read))
    }

    /// The record of a tick, if the document holds one.
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

    /// The watermark, if there is one.
    pub(crate) fn watermark(&self) -> Option<Tick> {
        self.register.and_then(|register| register.watermark)
    }

    /// Puts in a record as the rules have changed it, in the place of the one that was there.
    pub(crate) fn put(&mut self, record: ExecutionRecord) {
        let tick = record.execution.tick;
        self.open.retain(|one| one.execution.tick != tick);
        self.ended.retain(|(_, one)| one.execution.tick != tick);
        if record.state.is_over() {
            self.ended.push((self.version, record));
            self.ended_ahead = self.ended_ahead.max(Some(tick));
        } else {
            self.open.push(record);
        }
    }

    /// Orders what is open, and forgets of what has ended ahead what the watermark has passed.
    pub(crate) fn tidy(&mut self) {
        self.open.sort_by_key(|record| record.execution.tick);
        let watermark = self.watermark();
        let is_ahead = |tick: &Tick| watermark.is_none_or(|watermark| *tick > watermark);
        self.ended_ahead = self.ended_ahead.filter(is_ahead);
    }

    /// How many of the [`OPEN_MAX`] slots are taken: one by each record, and one more by each few
    /// former holders, whose ids may be longer than the rest of the record.
    pub(crate) fn open_slots(&self) -> usize {
        let former = self.open.iter().map(|record| record.former_holders.len());
        self.open.len() + former.sum::<usize>().div_ceil(FORMER_HOLDERS_PER_SLOT)
    }

    /// Whether more of what has ended waits here for the history than a document has room for.
    pub(crate) fn is_crowded(&self) -> bool {
        let bytes = self.ended.iter().map(|(_, record)| record_bytes(record));
        bytes.sum::<usize>() > ENDED_BYTES_MAX
    }

    /// The statement that puts this document in the place of the one with the token `before`, or
    /// makes it if there is none. Where another client has written meanwhile, it loses its key to
    /// that client's document.
    pub(crate) fn replacing(
        &self,
        namespace: &Namespace,
        key: &LockKey,
        before: Option<ClaimId>,
    ) -> Document {
        let mut filter = doc! { "_id": register_key(namespace, key) };
        match before {
            Some(token) => filter.insert("token", id(token)),
            // No document has this version.
            None => filter.insert("version", 0_i64),
        };
        replace_or_insert(filter, self.to_document())
    }

    /// The same without what has ended.
    pub(crate) fn without_ended(&self) -> RegisterDocument {
        RegisterDocument {
            open: self.open.clone(),
            ended: Vec::new(),
            ..*self
        }
    }

    /// The document without its key.
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

    /// Since when the oldest execution without a lease runs.
    fn unleased_since(&self) -> Option<Tick> {
        let is_unleased = |record: &&ExecutionRecord| {
            record.state == ExecutionState::Running && record.lease_until.is_none()
        };
        let since = |record: &ExecutionRecord| {
            Tick::at_or_before(record.granted_at).max(record.execution.tick)
        };
        self.open.iter().filter(is_unleased).map(since).min()
    }

    /// The instances that somebody asked to cancel something.
    fn cancels(&self) -> Vec<String> {
        let asked = |record: &&ExecutionRecord| {
            record.cancel_requested && record.state == ExecutionState::Running
        };
        let asked = self.open.iter().filter(asked);
        let mut instances: Vec<String> = asked
            .filter_map(|record| record.instance.as_ref().map(ToString::to_string))
            .collect();
        instances.sort();
        instances.dedup();
        instances
    }
}
