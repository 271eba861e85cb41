//! Distinct placement: an instance takes one index of a tick and no other.
//!
//! Indices are documents of their own, and no write spans two. So an instance promises itself, in a
//! document with the key (task, tick, instance), which index it is going to take; another call for
//! the same instance at the same time finds the promise. One that was not kept, since its claim
//! lost or broke off, may be changed, but only once no claim can keep it any more:
//!
//! - a claim reads its registers, then renews the promise's token, then writes its register if that
//!   is unchanged;
//! - a change reads the promise, then touches the register it is for, then replaces the promise if
//!   its token is unchanged.
//!
//! Whichever way the two are interleaved, the claim's write or the replacing fails. And a change
//! whose touch fails replaces nothing: the claim that keeps the promise may have read again what
//! somebody else wrote to the register.
//!
//! A promise says nothing about what an instance held and lost: the records do (`former_holders`),
//! and they are read with the registers.

use std::collections::{BTreeMap, HashMap, HashSet};

use mongodb::bson::{Document, doc};
use sexton_core::lock::ExecutionState;
use sexton_core::lock::rules::Changes;
use sexton_core::name::{ClaimId, TaskName};
use sexton_core::tick::ConcurrencyIndex;

use crate::MongoLockManager;
use crate::commands::{Find, one_of, replace_or_insert};
use crate::load::Loaded;
use crate::register::Kept;
use crate::trouble::Trouble;
use crate::value::{Fields, Unreadable, date, date_of, id};
use crate::wanted::{Pair, Place, Wanted};

/// What was promised: which index, and by what that is known to be unchanged.
type Promise = (ConcurrencyIndex, ClaimId);

impl MongoLockManager {
    /// Promises the places that are about to be taken. Answers the tasks of those that were not to
    /// be had.
    pub(crate) async fn promise(
        &self,
        loaded: &mut Loaded,
        wanted: &Wanted,
        changes: &Changes,
    ) -> Result<HashSet<TaskName>, Trouble> {
        let mut taken = taken(loaded, wanted, changes);
        if taken.is_empty() {
            return Ok(HashSet::new());
        }
        let promises = self.promises(taken.keys()).await?;
        let mut lost = self.end_other_promises(loaded, &taken, &promises).await?;
        let now = date_of(loaded.now);
        let token = ClaimId::random();
        taken.retain(|place, _| !lost.contains(&place.task));
        let statements = taken.iter().map(|(place, index)| {
            let key = self.place_key(place);
            let mut filter = doc! { "_id": key };
            match promises.get(place) {
                Some((_, token)) => filter.insert("token", id(*token)),
                None => filter.insert("index", 0_i64),
            };
            let promise = doc! { "index": i64::from(index.get()), "token": id(token), "at": now };
            replace_or_insert(filter, promise)
        });
        let places = &self.inner.names.places;
        let written = self.update(places, statements.collect()).await?;
        for (number, place) in taken.into_keys().enumerate() {
            if written.taken.contains(&number) {
                lost.insert(place.task);
            }
        }
        Ok(lost)
    }

    async fn promises<'p>(
        &self,
        places: impl Iterator<Item = &'p Place>,
    ) -> Result<HashMap<Place, Promise>, Trouble> {
        let keys = places.map(|place| self.place_key(place));
        let find = Find::new(&self.inner.names.places, doc! { "_id": one_of(keys) });
        let found = self.find(find).await?;
        let promise = |document: &Document| -> Result<_, Unreadable> {
            let fields = Fields(document);
            let key = fields.document("_id")?;
            let place = Place {
                task: key.task("task")?,
                tick: key.tick("tick")?,
                instance: key.instance("instance")?,
            };
            Ok((place, (fields.index("index")?, fields.id("token")?)))
        };
        Ok(found.iter().map(promise).collect::<Result<_, _>>()?)
    }

    /// Touches what was promised and is not wanted any more, and takes it as loaded so: the batch
    /// may write the same register. Answers the tasks where somebody else was faster.
    async fn end_other_promises(
        &self,
        loaded: &mut Loaded,
        taken: &BTreeMap<Place, ConcurrencyIndex>,
        promises: &HashMap<Place, Promise>,
    ) -> Result<HashSet<TaskName>, Trouble> {
        let mut pairs: Vec<Pair> = taken
            .iter()
            .filter_map(|(place, index)| {
                let (promised, _) = promises.get(place)?;
                (promised != index).then(|| (place.task.clone(), *promised))
            })
            .collect();
        pairs.sort();
        pairs.dedup();
        let token = ClaimId::random();
        let touched = |pair: &Pair| loaded.before(pair).written_again(token);
        let touched: Vec<Kept> = pairs.iter().map(touched).collect();
        let touches = pairs
            .iter()
            .zip(&touched)
            .map(|(pair, touched)| self.replaced(pair, &loaded.before(pair), touched));
        let registers = &self.inner.names.registers;
        let written = self.update(registers, touches.collect()).await?;
        let mut lost = HashSet::new();
        for (number, (pair, touched)) in pairs.into_iter().zip(touched).enumerate() {
            if written.taken.contains(&number) {
                lost.insert(pair.0);
            } else {
                loaded.kept.insert(pair, touched);
            }
        }
        Ok(lost)
    }

    fn place_key(&self, place: &Place) -> Document {
        doc! {
            "namespace": self.inner.namespace.as_str(),
            "task": place.task.as_str(),
            "tick": date(place.tick),
            "instance": place.instance.as_str(),
        }
    }
}

/// Which index of a place the batch is about to take.
fn taken(loaded: &Loaded, wanted: &Wanted, changes: &Changes) -> BTreeMap<Place, ConcurrencyIndex> {
    let records = changes.records.iter();
    let records = records.filter_map(|execution| loaded.state.record(execution));
    let running = records.filter(|record| record.state == ExecutionState::Running);
    let place = running.filter_map(|record| {
        let execution = &record.execution;
        let place = Place {
            task: execution.task.clone(),
            tick: execution.tick,
            instance: record.instance.clone()?,
        };
        wanted
            .places
            .contains(&place)
            .then_some((place, execution.index))
    });
    place.collect()
}
