//! What the front says of itself, and how a session ends.

use mongodb::bson::{DateTime, Document, doc};

pub(super) const MESSAGE_BYTES_MAX: usize = 48_000_000;

/// Why a client's connection ends: it has gone, or the server has, or what came is no message.
pub(super) type Ended = Box<dyn std::error::Error + Send + Sync>;

/// Who is there. A router, so that nobody asks for a replica set's things.
pub(super) fn hello() -> Document {
    doc! {
        "isWritablePrimary": true,
        "ismaster": true,
        "msg": "isdbgrid",
        "maxBsonObjectSize": 16_777_216,
        "maxMessageSizeBytes": i32::try_from(MESSAGE_BYTES_MAX).unwrap(),
        "maxWriteBatchSize": 100_000,
        "localTime": DateTime::now(),
        "minWireVersion": 0,
        "maxWireVersion": 21,
        "readOnly": false,
        "ok": 1.0,
    }
}
