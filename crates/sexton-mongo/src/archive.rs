//! Moves what has ended out of its register and into the history.
//!
//! A register and the history are two documents, and no write spans both. So a record is in the
//! history first, and only then leaves its register. Either step may be repeated; where the second
//! one is missing, the next sweep or heartbeat repeats both.

use mongodb::bson::{Document, doc};
use sexton_core::lock::LockKey;
use sexton_core::lock::engine::Connect;

use crate::commands::{replace, replace_or_insert};
use crate::error::StoreError;
use crate::keys::{history_key, register_key};
use crate::port::MongoPort;
use crate::record::to_history;
use crate::register::RegisterDocument;
use crate::value::id;

impl MongoPort {
    /// Moves what has ended of registers, as they were read or written. A register that has been
    /// written again keeps it.
    pub(crate) async fn archive<'r>(
        &self,
        registers: impl Iterator<Item = (&'r LockKey, &'r RegisterDocument)>,
    ) -> Result<(), StoreError> {
        let namespace = self.namespace();
        let with_ended = registers.filter(|(_, register)| !register.ended.is_empty());
        let with_ended: Vec<_> = with_ended.collect();
        let ended = with_ended.iter().flat_map(|(_, register)| &register.ended);
        let put = ended.map(|(version, record)| {
            let older = doc! {
                "_id": history_key(namespace, &record.execution),
                "version": { "$lt": *version },
            };
            // A document that is there already is this record or a newer one.
            replace_or_insert(older, to_history(namespace, *version, record))
        });
        let put: Vec<Document> = put.collect();
        let take = with_ended.iter().filter_map(|(key, register)| {
            let token = id(register.token?);
            let filter = doc! { "_id": register_key(namespace, key), "token": token };
            Some(replace(filter, register.without_ended().to_document()))
        });
        let take: Vec<Document> = take.collect();
        self.update(&self.names.executions, put).await?;
        self.update(&self.names.registers, take).await?;
        Ok(())
    }
}
