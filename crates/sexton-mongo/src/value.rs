//! Values of documents, read with the name of what cannot be read.

use jiff::Timestamp;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document};
use sexton_core::name::{ClaimId, InstanceId, TaskName};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Fence, Tick};

/// Something in a document that no version wrote: what and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub(crate) String);

/// Reads the fields of a document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'d>(pub(crate) &'d Document);

impl<'d> Fields<'d> {
    /// A field's value by `read`; `None` if it is not there, or is null, as other programs write what
    /// they do not know.
    fn maybe<T>(
        self,
        field: &str,
        read: impl FnOnce(&'d Bson) -> Option<T>,
    ) -> Result<Option<T>, Unreadable> {
        match self.0.get(field) {
            None | Some(Bson::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| self.bad(field)),
        }
    }

    fn need<T>(self, field: &str, value: Option<T>) -> Result<T, Unreadable> {
        value.ok_or_else(|| self.bad(field))
    }

    /// The error of a field, with the key of its document.
    pub(crate) fn bad(self, field: &str) -> Unreadable {
        let found = self.0.get(field).map_or("nothing".to_owned(), |value| {
            value.to_string().chars().take(100).collect()
        });
        let whose = self.0.get("_id").map_or("?".to_owned(), Bson::to_string);
        Unreadable(format!("{found} as the {field} of {whose}"))
    }

    pub(crate) fn document(self, field: &str) -> Result<Fields<'d>, Unreadable> {
        let value = self.maybe(field, |value| value.as_document().map(Fields))?;
        self.need(field, value)
    }

    pub(crate) fn documents(self, field: &str) -> Result<Vec<Fields<'d>>, Unreadable> {
        let Some(array) = self.maybe(field, Bson::as_array)? else {
            return Ok(Vec::new());
        };
        let one = |value: &'d Bson| value.as_document().map(Fields);
        let all: Option<Vec<Fields<'d>>> = array.iter().map(one).collect();
        self.need(field, all)
    }

    pub(crate) fn text(self, field: &str) -> Result<&'d str, Unreadable> {
        let value = self.maybe_text(field)?;
        self.need(field, value)
    }

    pub(crate) fn maybe_text(self, field: &str) -> Result<Option<&'d str>, Unreadable> {
        self.maybe(field, Bson::as_str)
    }

    /// A whole number, however the server or a person in a shell has written it.
    pub(crate) fn number(self, field: &str) -> Result<i64, Unreadable> {
        let value = self.maybe_number(field)?;
        self.need(field, value)
    }

    pub(crate) fn maybe_number(self, field: &str) -> Result<Option<i64>, Unreadable> {
        self.maybe(field, |value| match value {
            Bson::Int64(number) => Some(*number),
            Bson::Int32(number) => Some(i64::from(*number)),
            _ => None,
        })
    }

    pub(crate) fn flag(self, field: &str) -> Result<bool, Unreadable> {
        Ok(self.maybe(field, Bson::as_bool)?.unwrap_or(false))
    }

    pub(crate) fn maybe_tick(self, field: &str) -> Result<Option<Tick>, Unreadable> {
        self.maybe(field, |value| match value {
            Bson::DateTime(time) => Tick::from_millis(time.timestamp_millis()),
            _ => None,
        })
    }

    pub(crate) fn tick(self, field: &str) -> Result<Tick, Unreadable> {
        let value = self.maybe_tick(field)?;
        self.need(field, value)
    }

    pub(crate) fn maybe_time(self, field: &str) -> Result<Option<Timestamp>, Unreadable> {
        Ok(self.maybe_tick(field)?.map(Tick::timestamp))
    }

    pub(crate) fn time(self, field: &str) -> Result<Timestamp, Unreadable> {
        Ok(self.tick(field)?.timestamp())
    }

    /// A server's clock: a date, or its milliseconds, as some servers answer that only speak the
    /// protocol.
    pub(crate) fn clock(self, field: &str) -> Result<Timestamp, Unreadable> {
        let tick = self.maybe(field, |value| match value {
            Bson::DateTime(time) => Tick::from_millis(time.timestamp_millis()),
            Bson::Int64(millis) => Tick::from_millis(*millis),
            _ => None,
        })?;
        Ok(self.need(field, tick)?.timestamp())
    }

    pub(crate) fn maybe_id(self, field: &str) -> Result<Option<ClaimId>, Unreadable> {
        self.maybe(field, |value| match value {
            Bson::Binary(binary) => {
                let bits = <[u8; 16]>::try_from(binary.bytes.as_slice()).ok()?;
                Some(ClaimId::from_u128(u128::from_be_bytes(bits)))
            }
            _ => None,
        })
    }

    pub(crate) fn id(self, field: &str) -> Result<ClaimId, Unreadable> {
        let value = self.maybe_id(field)?;
        self.need(field, value)
    }

    pub(crate) fn task(self, field: &str) -> Result<TaskName, Unreadable> {
        TaskName::new(self.text(field)?).map_err(|_| self.bad(field))
    }

    pub(crate) fn maybe_instance(self, field: &str) -> Result<Option<InstanceId>, Unreadable> {
        let text = self.maybe_text(field)?;
        let id = text.map(InstanceId::new).transpose();
        id.map_err(|_| self.bad(field))
    }

    pub(crate) fn instance(self, field: &str) -> Result<InstanceId, Unreadable> {
        let value = self.maybe_instance(field)?;
        self.need(field, value)
    }

    /// The instances of an array; none if it is not there.
    pub(crate) fn instances(self, field: &str) -> Result<Vec<InstanceId>, Unreadable> {
        let Some(array) = self.maybe(field, Bson::as_array)? else {
            return Ok(Vec::new());
        };
        let one = |value: &Bson| InstanceId::new(value.as_str()?).ok();
        let all: Option<Vec<InstanceId>> = array.iter().map(one).collect();
        self.need(field, all)
    }

    pub(crate) fn index(self, field: &str) -> Result<ConcurrencyIndex, Unreadable> {
        let number = u64::try_from(self.number(field)?).ok();
        let index = number.and_then(|number| ConcurrencyIndex::new(number).ok());
        self.need(field, index)
    }

    pub(crate) fn concurrency(self, field: &str) -> Result<Concurrency, Unreadable> {
        let number = u64::try_from(self.number(field)?).ok();
        let concurrency = number.and_then(|number| Concurrency::new(number).ok());
        self.need(field, concurrency)
    }

    pub(crate) fn fence(self, field: &str) -> Result<Fence, Unreadable> {
        let number = self.maybe_number(field)?.unwrap_or(0);
        let fence = u64::try_from(number).ok().map(Fence::new);
        self.need(field, fence)
    }
}

/// A tick as a date.
pub(crate) fn date(tick: Tick) -> DateTime {
    DateTime::from_millis(tick.as_millis())
}

/// A time as a date: its whole milliseconds, rounded down.
pub(crate) fn date_of(time: Timestamp) -> DateTime {
    date(Tick::at_or_before(time))
}

/// The 128 bits that identify a claim or a write.
pub(crate) fn id(id: ClaimId) -> Binary {
    Binary {
        subtype: BinarySubtype::Uuid,
        bytes: id.as_u128().to_be_bytes().to_vec(),
    }
}

/// A fence as a signed number; one that such a number cannot hold is cut to its largest.
pub(crate) fn number(fence: Fence) -> i64 {
    i64::try_from(fence.get()).unwrap_or(i64::MAX)
}
