//! Writes where nobody else has: registers replaced where their token still stands.
//!
//! Each (task, index) is a document and is written by itself. Under distinct placement the other
//! indices of a task decide whether an instance may take one, and nothing else; so it reserves the
//! index that it takes beforehand, and no key is written that was decided on a placement that no
//! longer is: see [`reservations`](crate::reservations).

use std::collections::BTreeSet;

use mongodb::bson::Document;
use sexton_core::lock::engine::{CompareAndSwap, Connect, Snapshot, Swap};
use sexton_core::lock::rules::WriteSet;
use sexton_core::lock::{Execution, LockKey};
use sexton_core::name::ClaimId;
use sexton_core::tick::Tick;

use crate::error::StoreError;
use crate::port::MongoPort;
use crate::register::{OPEN_MAX, RegisterDocument, RegisterDocuments};

impl CompareAndSwap for MongoPort {
    async fn swap(
        &self,
        _connection: &mut (),
        snapshot: &mut Snapshot<RegisterDocuments>,
        swap: &Swap<'_>,
    ) -> Result<BTreeSet<LockKey>, StoreError> {
        let unreserved = self.reserve(snapshot, swap).await?;
        let token = ClaimId::random();
        let mut writes: Vec<(&LockKey, RegisterDocument)> = Vec::with_capacity(swap.keys.len());
        for key in &swap.keys {
            if unreserved.contains(&key.task) {
                continue;
            }
            let after = after(snapshot, key, swap.writes, token);
            if after.open_slots() > OPEN_MAX {
                return Err(StoreError::TooManyOpen(key.clone()));
            }
            writes.push((key, after));
        }
        self.make_room(&snapshot.rows, &mut writes).await?;
        let statements = writes.iter().map(|(key, after)| {
            let before = snapshot.rows.token(key);
            after.replacing(self.namespace(), key, before)
        });
        let statements: Vec<Document> = statements.collect();
        let written = self.update(&self.names.registers, statements).await?;
        let swapped = writes.iter().enumerate();
        let swapped = swapped.filter(|(position, _)| !written.duplicates.contains(position));
        let swapped: Vec<(&LockKey, &RegisterDocument)> =
            swapped.map(|(_, (key, after))| (*key, after)).collect();
        // A record that stays in its register is found there, and the next sweep archives it.
        let _ = self.archive(swapped.iter().copied()).await;
        Ok(swapped.into_iter().map(|(key, _)| key.clone()).collect())
    }
}

impl MongoPort {
    /// Archives first where a document would become too large, since earlier writes could not
    /// archive what had ended.
    async fn make_room(
        &self,
        rows: &RegisterDocuments,
        writes: &mut [(&LockKey, RegisterDocument)],
    ) -> Result<(), StoreError> {
        let crowded = writes.iter_mut().filter(|(_, after)| after.is_crowded());
        let crowded: Vec<_> = crowded.collect();
        let before = crowded
            .iter()
            .filter_map(|(key, _)| Some((*key, rows.get(key)?)));
        self.archive(before).await?;
        for (_, after) in crowded {
            let version = after.version;
            after.ended.retain(|(ended_in, _)| *ended_in == version);
        }
        Ok(())
    }
}

/// The document of a register with what the rules changed of it.
fn after(
    snapshot: &Snapshot<RegisterDocuments>,
    key: &LockKey,
    writes: &WriteSet,
    token: ClaimId,
) -> RegisterDocument {
    let mut after = snapshot.rows.next(key, token);
    after.register = snapshot.state.register(key);
    let at = |tick| Execution {
        task: key.task.clone(),
        index: key.index,
        tick,
    };
    for execution in writes.records.range(at(Tick::MIN)..=at(Tick::MAX)) {
        if let Some(record) = snapshot.state.record(execution) {
            after.put(record.clone());
        }
    }
    after.tidy();
    after
}
