//! Distinct placement: an instance takes one index of a tick and no other.
//!
//! Each index is a document, and no write spans two. So an instance reserves, in a
//! document with the key (task, tick, instance), the index that it is about to take; another call
//! for the same instance at the same time finds the reservation. One that came to nothing, since
//! its claim lost or broke off, may be changed, but only once no claim can use it any more:
//!
//! - a claim reads its registers, then renews the reservation's token, then writes its register if
//!   that is unchanged;
//! - a change reads the reservation, then touches the register it is for, then replaces the
//!   reservation if its token is unchanged.
//!
//! Whichever way the two are interleaved, the claim's write or the replacing fails. And a change
//! whose touch fails replaces nothing: the claim that uses the reservation may have read again what
//! somebody else wrote to the register.
//!
//! A reservation says nothing about what an instance held and lost: the records do
//! (`former_holders`), and they are read with the registers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mongodb::bson::{Document, doc};
use sexton_core::lock::engine::{Connect, IndexReservation, Snapshot, Swap};
use sexton_core::lock::{ExecutionState, LockKey};
use sexton_core::name::{ClaimId, TaskName};
use sexton_core::tick::ConcurrencyIndex;

use crate::commands::{Find, one_of, replace_or_insert};
use crate::error::StoreError;
use crate::keys::{read_reservation, reservation_key};
use crate::port::MongoPort;
use crate::register::{RegisterDocument, RegisterDocuments};
use crate::value::{Fields, Unreadable, date_of, id};

/// A reservation as it was read: its index, and the token of its last write.
#[derive(Debug, Clone, Copy)]
struct Reserved {
    index: ConcurrencyIndex,
    token: ClaimId,
}

impl MongoPort {
    /// Reserves the indices that a swap is about to take. Answers the tasks of those that it cannot
    /// have.
    pub(crate) async fn reserve(
        &self,
        snapshot: &mut Snapshot<RegisterDocuments>,
        swap: &Swap<'_>,
    ) -> Result<BTreeSet<TaskName>, StoreError> {
        let mut taken = taken(snapshot, swap);
        if taken.is_empty() {
            return Ok(BTreeSet::new());
        }
        let reserved = self.reserved(taken.keys()).await?;
        let mut lost = self
            .end_other_reservations(&mut snapshot.rows, &taken, &reserved)
            .await?;
        taken.retain(|reservation, _| !lost.contains(&reservation.task));
        let now = date_of(snapshot.now);
        let token = ClaimId::random();
        let statements = taken.iter().map(|(reservation, index)| {
            let key = reservation_key(self.namespace(), reservation);
            let mut filter = doc! { "_id": key };
            match reserved.get(reservation) {
                Some(before) => filter.insert("token", id(before.token)),
                // No document has this index.
                None => filter.insert("index", 0_i64),
            };
            let index = i64::from(index.get());
            let with = doc! { "index": index, "token": id(token), "at": now };
            replace_or_insert(filter, with)
        });
        let statements: Vec<Document> = statements.collect();
        let written = self.update(&self.names.reservations, statements).await?;
        for (position, reservation) in taken.into_keys().enumerate() {
            if written.duplicates.contains(&position) {
                lost.insert(reservation.task);
            }
        }
        Ok(lost)
    }

    async fn reserved<'r>(
        &self,
        reservations: impl Iterator<Item = &'r IndexReservation>,
    ) -> Result<HashMap<IndexReservation, Reserved>, StoreError> {
        let keys = reservations.map(|one| reservation_key(self.namespace(), one));
        let find = Find::new(&self.names.reservations, doc! { "_id": one_of(keys) });
        let found = self.find(find).await?;
        let one = |document: &Document| -> Result<_, Unreadable> {
            let fields = Fields(document);
            let (index, token) = (fields.index("index")?, fields.id("token")?);
            Ok((read_reservation(document)?, Reserved { index, token }))
        };
        Ok(found.iter().map(one).collect::<Result<_, _>>()?)
    }

    /// Touches the registers of indices that were reserved and are not to be taken any more, and
    /// has them as read so: the same swap may write them. Answers the tasks where another client
    /// was faster.
    async fn end_other_reservations(
        &self,
        rows: &mut RegisterDocuments,
        taken: &BTreeMap<IndexReservation, ConcurrencyIndex>,
        reserved: &HashMap<IndexReservation, Reserved>,
    ) -> Result<BTreeSet<TaskName>, StoreError> {
        let others = taken.iter().filter_map(|(reservation, index)| {
            let before = reserved.get(reservation)?.index;
            (before != *index).then(|| LockKey::new(reservation.task.clone(), before))
        });
        let others: BTreeSet<LockKey> = others.collect();
        let token = ClaimId::random();
        let touched = others.into_iter().map(|key| {
            let next = rows.next(&key, token);
            (key, next)
        });
        let touched: Vec<(LockKey, RegisterDocument)> = touched.collect();
        let touches = touched
            .iter()
            .map(|(key, next)| next.replacing(self.namespace(), key, rows.token(key)));
        let touches: Vec<Document> = touches.collect();
        let written = self.update(&self.names.registers, touches).await?;
        let mut lost = BTreeSet::new();
        for (position, (key, next)) in touched.into_iter().enumerate() {
            if written.duplicates.contains(&position) {
                lost.insert(key.task);
            } else {
                rows.insert(key, next);
            }
        }
        Ok(lost)
    }
}

/// The index of each reservation that a swap is about to take.
fn taken(
    snapshot: &Snapshot<RegisterDocuments>,
    swap: &Swap<'_>,
) -> BTreeMap<IndexReservation, ConcurrencyIndex> {
    let records = swap.writes.records.iter();
    let records = records.filter_map(|execution| snapshot.state.record(execution));
    let running = records.filter(|record| record.state == ExecutionState::Running);
    let taken = running.filter_map(|record| {
        let execution = &record.execution;
        let reservation = IndexReservation {
            task: execution.task.clone(),
            tick: execution.tick,
            instance: record.instance.clone()?,
        };
        let is_asked_for = swap.reservations.contains(&reservation);
        is_asked_for.then_some((reservation, execution.index))
    });
    taken.collect()
}
