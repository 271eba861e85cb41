//! A batch decided by the rules: read, decided, and written where nothing has changed in between.
//!
//! Each (task, index) is a document and stands for itself: what was written stands, and what others
//! were faster with is decided again. Settlements may bring more along than a document holds, so a
//! batch is decided in rounds that are small enough.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use sexton_core::lock::rules::{Changes, LockState};
use sexton_core::lock::{Answer, Execution, LockError};
use sexton_core::name::ClaimId;

use crate::MongoLockManager;
use crate::call::Errand;
use crate::commands::{replace, replace_or_insert, update_fields};
use crate::load::{Loaded, touched};
use crate::record::{history_key, to_history};
use crate::register::{ENDED_BYTES_MAX, Kept, OPEN_MAX, key};
use crate::trouble::{Outage, Trouble};
use crate::value::id;
use crate::wanted::{Pair, Wanted};

/// What a batch is made of.
pub(crate) struct Kind<E> {
    /// What is tried, for an error to say.
    pub(crate) action: &'static str,
    /// What a batch of them touches.
    pub(crate) wanted: fn(&[E]) -> Wanted,
    /// Which execution one of them is about.
    pub(crate) execution: fn(&E) -> &Execution,
    /// How many bytes one of them makes a register hold until they are in the history.
    pub(crate) bytes: fn(&E) -> usize,
    /// Whether a register is written even where nothing has changed: a holder is told that it lost
    /// its lock by the primary alone, and not by a server that has not noticed yet that it is none.
    pub(crate) is_for_holders: bool,
}

impl<E> Clone for Kind<E> {
    fn clone(&self) -> Kind<E> {
        *self
    }
}

impl<E> Copy for Kind<E> {}

struct Decision<'b, E, T, R> {
    kind: Kind<E>,
    rule: R,
    batch: &'b [E],
    /// `None` where it still is to be decided.
    answers: Vec<Option<T>>,
}

impl MongoLockManager {
    /// Decides a batch by the rules, entry by entry: see the [module](self).
    pub(crate) async fn decide<E, T, R>(
        &self,
        kind: Kind<E>,
        batch: &[E],
        rule: R,
    ) -> Result<Answer<Vec<T>>, LockError>
    where
        E: Clone + Send + Sync,
        T: Send,
        R: Fn(&mut LockState, &E, Timestamp) -> T + Send + Sync,
    {
        let mut decision = Decision {
            kind,
            rule,
            batch,
            answers: batch.iter().map(|_| None).collect(),
        };
        let now = self.call(kind.action, &mut decision).await?;
        let value = decision.answers.into_iter().flatten().collect();
        Ok(Answer { now, value })
    }
}

impl<E, T, R> Errand for Decision<'_, E, T, R>
where
    E: Clone + Send + Sync,
    T: Send,
    R: Fn(&mut LockState, &E, Timestamp) -> T + Send + Sync,
{
    type Found = Timestamp;

    async fn run(&mut self, manager: &MongoLockManager) -> Result<Timestamp, Trouble> {
        loop {
            let now = self.round(manager).await?;
            if self.answers.iter().all(Option::is_some) {
                return Ok(now);
            }
        }
    }
}

impl<E, T, R> Decision<'_, E, T, R>
where
    E: Clone + Send + Sync,
    T: Send,
    R: Fn(&mut LockState, &E, Timestamp) -> T + Send + Sync,
{
    /// The places of the next round: the first that are undecided, as many as a register has room
    /// for even if all are of one.
    fn next_places(&self) -> Vec<usize> {
        let undecided = (0..self.batch.len()).filter(|place| self.answers[*place].is_none());
        let mut bytes = 0;
        let mut places = Vec::new();
        for place in undecided {
            bytes += (self.kind.bytes)(&self.batch[place]);
            if bytes > ENDED_BYTES_MAX && !places.is_empty() {
                break;
            }
            places.push(place);
        }
        places
    }

    /// Decides what fits into one round.
    async fn round(&mut self, manager: &MongoLockManager) -> Result<Timestamp, Trouble> {
        let places = self.next_places();
        let entries: Vec<E> = places
            .iter()
            .map(|place| self.batch[*place].clone())
            .collect();
        let wanted = (self.kind.wanted)(&entries);
        let mut loaded = manager.load(&wanted).await?;
        let now = loaded.now;
        let rule = |entry| (self.rule)(&mut loaded.state, entry, now);
        let answers: Vec<T> = entries.iter().map(rule).collect();
        let changes = loaded.state.take_changes();
        let mut pairs = touched(&changes);
        if self.kind.is_for_holders {
            let known = wanted.pairs.iter();
            pairs.extend(
                known
                    .filter(|pair| loaded.kept.contains_key(*pair))
                    .cloned(),
            );
        }
        let kept = manager
            .promise_and_write(&mut loaded, &wanted, &pairs, &changes)
            .await?;
        // What was decided of one index of theirs may rest on another.
        let wholes = wanted.tasks_as_a_whole();
        let overtaken = pairs.iter().filter(|pair| !kept.contains(*pair));
        let unsure: HashSet<_> = overtaken
            .map(|(task, _)| task)
            .filter(|task| wholes.contains(task))
            .collect();
        let mut is_overtaken = false;
        for ((place, entry), answer) in places.into_iter().zip(&entries).zip(answers) {
            let execution = (self.kind.execution)(entry);
            let pair = (execution.task.clone(), execution.index);
            let stands = if pairs.contains(&pair) {
                kept.contains(&pair)
            } else {
                !unsure.contains(&pair.0)
            };
            if stands {
                self.answers[place] = Some(answer);
            } else {
                is_overtaken = true;
            }
        }
        if is_overtaken {
            return Err(Outage::Overtaken.into());
        }
        Ok(now)
    }
}

impl MongoLockManager {
    async fn promise_and_write(
        &self,
        loaded: &mut Loaded,
        wanted: &Wanted,
        pairs: &BTreeSet<Pair>,
        changes: &Changes,
    ) -> Result<HashSet<Pair>, Trouble> {
        let unpromised = self.promise(loaded, wanted, changes).await?;
        let may = |pair: &&Pair| !unpromised.contains(&pair.0);
        let pairs = pairs.iter().filter(may).cloned().collect();
        self.write(loaded, &pairs, changes).await
    }

    /// Writes registers where nobody has changed them since they were read, each for itself.
    /// Answers where that was.
    pub(crate) async fn write(
        &self,
        loaded: &Loaded,
        pairs: &BTreeSet<Pair>,
        changes: &Changes,
    ) -> Result<HashSet<Pair>, Trouble> {
        if pairs.is_empty() {
            return Ok(HashSet::new());
        }
        let token = ClaimId::random();
        let mut writes: Vec<(&Pair, Kept)> = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let after = loaded.after(pair, changes, token);
            if after.open_places() > OPEN_MAX {
                return Err(Trouble::TooManyOpen(format!("{} #{}", pair.0, pair.1)));
            }
            writes.push((pair, after));
        }
        self.make_room(loaded, &mut writes).await?;
        let statements = writes
            .iter()
            .map(|(pair, after)| self.replaced(pair, &loaded.before(pair), after));
        let registers = &self.inner.names.registers;
        let written = self.update(registers, statements.collect()).await?;
        let mut place = 0;
        writes.retain(|_| {
            place += 1;
            !written.taken.contains(&(place - 1))
        });
        let kept = writes.iter().map(|(pair, _)| (*pair).clone()).collect();
        // They are found in their registers until they are in the history, and the next sweep will
        // see to it.
        let _ = self.move_ended(&writes).await;
        Ok(kept)
    }

    /// Where earlier writes could not put what had ended into the history, and a document would
    /// become too large with what is added now, that is done first.
    async fn make_room(
        &self,
        loaded: &Loaded,
        writes: &mut [(&Pair, Kept)],
    ) -> Result<(), Trouble> {
        let crowded = writes.iter_mut().filter(|(_, after)| after.is_crowded());
        let crowded: Vec<_> = crowded.collect();
        let before = crowded.iter().map(|(pair, _)| (*pair, loaded.before(pair)));
        self.move_ended(&before.collect::<Vec<_>>()).await?;
        for (_, after) in crowded {
            let version = after.version;
            after.ended.retain(|(ended_in, _)| *ended_in == version);
        }
        Ok(())
    }

    /// The statement that writes a register, unless somebody else has: then another document has
    /// its key.
    pub(crate) fn replaced(&self, pair: &Pair, before: &Kept, after: &Kept) -> Document {
        let mut filter = doc! { "_id": key(&self.inner.namespace, pair) };
        match before.token {
            Some(token) => filter.insert("token", id(token)),
            None => filter.insert("version", 0_i64),
        };
        replace_or_insert(filter, after.to_document())
    }

    /// Puts what has ended into the history, and then takes it out of its registers, unless those
    /// have been written again.
    pub(crate) async fn move_ended(&self, registers: &[(&Pair, Kept)]) -> Result<(), Trouble> {
        let namespace = &self.inner.namespace;
        let to_move = registers.iter().filter(|(_, kept)| !kept.ended.is_empty());
        let to_move: Vec<_> = to_move.collect();
        if to_move.is_empty() {
            return Ok(());
        }
        let all = to_move.iter().flat_map(|(_, kept)| &kept.ended);
        let put = all.map(|(version, record)| {
            let older = doc! {
                "_id": history_key(namespace, &record.execution),
                "version": { "$lt": *version },
            };
            // What is there already is this very record or a newer one.
            replace_or_insert(older, to_history(namespace, *version, record))
        });
        let executions = &self.inner.names.executions;
        self.update(executions, put.collect()).await?;
        let take = to_move.iter().filter_map(|(pair, kept)| {
            let filter = doc! { "_id": key(namespace, pair), "token": id(kept.token?) };
            let without = Kept {
                ended: Vec::new(),
                ..kept.clone()
            };
            Some(replace(filter, without.to_document()))
        });
        let registers = &self.inner.names.registers;
        self.update(registers, take.collect()).await?;
        Ok(())
    }

    /// Makes registers be read again by whoever has read them and not written yet.
    pub(crate) async fn touch_all_of(&self, tasks: &[&str]) -> Result<(), Trouble> {
        let filter = doc! {
            "_id.namespace": self.inner.namespace.as_str(),
            "_id.task": { "$in": tasks },
        };
        let touched = doc! {
            "$inc": { "version": 1_i64 },
            "$set": { "token": id(ClaimId::random()) },
        };
        let registers = &self.inner.names.registers;
        self.update(registers, vec![update_fields(filter, touched)])
            .await?;
        Ok(())
    }
}
