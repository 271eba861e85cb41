//! A record as a JSON array, in which a batch of them is one parameter.

use serde::ser::{Serialize, SerializeTuple, Serializer};
use sexton_core::lock::ExecutionRecord;
use sexton_core::name::{ClaimId, InstanceId};
use sexton_core::tick::Attempt;

use crate::record_row::{fence_column, former_holders_column, millis};
use sexton_core::lock::stored::{delivery_word, overlap_word};

/// A record as the tuple of its columns, in the order of
/// [`RecordRow`](crate::record_row::RecordRow)'s fields.
#[derive(Debug)]
pub(super) struct RecordColumns<'r> {
    pub(super) record: &'r ExecutionRecord,
    /// Whether only those columns are wanted that a plain record has anything in.
    pub(super) of_plain: bool,
}

/// How many columns a record has besides its namespace.
pub(super) const COLUMNS: usize = 23;
/// How many of them, from the first on, a plain record has anything in.
pub(super) const COLUMNS_OF_PLAIN: usize = 18;

impl Serialize for RecordColumns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let RecordColumns { record, of_plain } = self;
        let count = match of_plain {
            true => COLUMNS_OF_PLAIN,
            false => COLUMNS,
        };
        let mut columns = serializer.serialize_tuple(count)?;
        columns.serialize_element(&record.execution.tick.as_millis())?;
        columns.serialize_element(record.execution.task.as_str())?;
        columns.serialize_element(&record.execution.index.get())?;
        columns.serialize_element(&record.concurrency.get())?;
        columns.serialize_element(record.state.as_str())?;
        columns.serialize_element(&record.reason.map(sexton_core::lock::Reason::as_str))?;
        columns.serialize_element(&record.claim_id.map(Hex))?;
        columns.serialize_element(&record.instance.as_ref().map(InstanceId::as_str))?;
        columns.serialize_element(&record.attempt.map(Attempt::get))?;
        columns.serialize_element(&fence_column(record.fence))?;
        columns.serialize_element(delivery_word(record.delivery))?;
        columns.serialize_element(&record.delivery.attempts_max())?;
        columns.serialize_element(overlap_word(record.overlap))?;
        columns.serialize_element(&record.lease_until.map(millis))?;
        columns.serialize_element(&u8::from(record.cancel_requested))?;
        columns.serialize_element(&millis(record.granted_at))?;
        columns.serialize_element(&record.started_at.map(millis))?;
        columns.serialize_element(&record.finished_at.map(millis))?;
        if *of_plain {
            return columns.end();
        }
        columns.serialize_element(&record.error)?;
        columns.serialize_element(&record.output)?;
        columns.serialize_element(record.origin.as_str())?;
        columns.serialize_element(&record.deadline.map(millis))?;
        columns.serialize_element(&former_holders_column(record))?;
        columns.end()
    }
}

/// A claim's id in hexadecimal digits, which JSON can carry.
struct Hex(ClaimId);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", self.0.as_u128()))
    }
}
