//! A batch that the rules decide: read, decided, and written where nothing has changed in between.
//!
//! # Why no lock is held while the rules decide
//! A batch is read in one statement, and so from one snapshot; the rules decide it by the database's clock, which that statement read; what
//! they changed is written in one more, or in one short transaction, which takes a register's row only if its version is still the one that was read.
//! Every writer raises the version of the (task, index) it writes anything of. So what is written was decided on what still was, as if all of it
//! had happened at the moment of the write; and whoever finds another version reads again, which is also what the loser of a race does, and
//! learns that it has lost.
//!
//! A client that is stopped, slow or far away holds the rows that it has written and not committed,
//! and no others. On MySQL and MariaDB, where a transaction takes several statements, a write skips
//! the rows that are held and tries them again: nobody who holds rows waits for others.
//!
//! Somebody fails only because somebody else has succeeded, so the fleet always gets on. Within a
//! batch each (task, index) stands for itself: those that were overtaken are decided again, the
//! others are done. Only under [`Placement::Distinct`] the indices of a task depend on each other:
//! such a batch is written whole or not at all, and the version of each task's first index stands
//! for the task.
//!
//! # Why a loser need not write
//! If the rules change nothing, the answer is that of a transaction that ran at the moment of the snapshot, which lies between the
//! call's beginning and its end. The clock was read after the snapshot was taken, so that a lease found to last and a tick found
//! to be too early were so at the snapshot as well.
//!
//! [`Placement::Distinct`]: sexton_core::policy::Placement::Distinct

use std::collections::BTreeSet;

use super::ServerLockManager;
use super::call::Errand;
use super::dialect::{Dialect, Kept};
use super::error::{Outage, Trouble};
use super::loaded::{Loaded, Pair, touched};
use crate::wanted::Wanted;
use jiff::Timestamp;
use sexton_core::lock::rules::{Changes, LockState};
use sexton_core::lock::{Answer, Execution, LockError};
use sexton_core::tick::ConcurrencyIndex;
use sqlx::Connection;

/// What a batch is made of.
#[derive(Debug)]
pub(super) struct Kind<E> {
    /// What is tried, for an error to say.
    pub(super) action: &'static str,
    /// What a batch of them touches.
    pub(super) wanted: fn(&[E]) -> Wanted,
    /// Which execution one of them is about.
    pub(super) execution: fn(&E) -> &Execution,
}

pub(super) struct Decision<'b, E, T, R> {
    kind: Kind<E>,
    rule: R,
    batch: &'b [E],
    /// `None` where it still is to be decided.
    answers: Vec<Option<T>>,
}

impl<E> Clone for Kind<E> {
    fn clone(&self) -> Kind<E> {
        *self
    }
}

impl<E> Copy for Kind<E> {}

impl<'b, E, T, R> Decision<'b, E, T, R> {
    pub(super) fn new(kind: Kind<E>, batch: &'b [E], rule: R) -> Decision<'b, E, T, R> {
        Decision {
            kind,
            rule,
            batch,
            answers: batch.iter().map(|_| None).collect(),
        }
    }

    /// The answers so far, which are all once it has run well.
    pub(super) fn into_answers(self) -> impl Iterator<Item = T> {
        self.answers.into_iter().flatten()
    }
}

impl<DB: Dialect> ServerLockManager<DB> {
    /// Decides a batch by the rules, entry by entry: see the [module](self).
    pub(super) async fn decide<E, T, R>(
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
        let action = kind.action;
        let mut decision = Decision::new(kind, batch, rule);
        let now = self.call(action, &mut decision).await?;
        let value = decision.into_answers().collect();
        Ok(Answer { now, value })
    }
}

impl<DB, E, T, R> Errand<DB> for Decision<'_, E, T, R>
where
    DB: Dialect,
    E: Clone + Send + Sync,
    T: Send,
    R: Fn(&mut LockState, &E, Timestamp) -> T + Send + Sync,
{
    type Found = Timestamp;

    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<Timestamp, Trouble> {
        let places: Vec<usize> = (0..self.batch.len())
            .filter(|place| self.answers[*place].is_none())
            .collect();
        let entries: Vec<E> = places
            .iter()
            .map(|place| self.batch[*place].clone())
            .collect();
        let wanted = (self.kind.wanted)(&entries);
        let pairs = versioned(&wanted);
        let mut loaded = DB::load(manager, connection, &wanted, &pairs).await?;
        if make_touchable(manager, connection, &wanted, &loaded).await? {
            loaded = DB::load(manager, connection, &wanted, &pairs).await?;
        }
        let now = loaded.now;
        let rule = |entry| (self.rule)(&mut loaded.state, entry, now);
        let answers: Vec<T> = entries.iter().map(rule).collect();
        let changes = loaded.state.take_changes();
        let changed = touched(&changes);
        let written = write(manager, connection, &loaded, &wanted, &changes).await?;
        let mut is_overtaken = false;
        for ((place, entry), answer) in places.into_iter().zip(&entries).zip(answers) {
            let execution = (self.kind.execution)(entry);
            let pair = (execution.task.clone(), execution.index);
            let stands = match &written {
                Written::All => true,
                Written::Where(pairs) => !changed.contains(&pair) || pairs.contains(&pair),
                Written::Nothing => false,
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

/// Whether there were no rows yet of registers whose pause decides. Now there are: a pause raises
/// the versions that it finds, and a claim that finds none raised would be granted after the pause
/// was answered.
async fn make_touchable<DB: Dialect>(
    manager: &ServerLockManager<DB>,
    connection: &mut DB::Connection,
    wanted: &Wanted,
    loaded: &Loaded,
) -> Result<bool, Trouble> {
    if wanted.pauses.is_empty() {
        return Ok(false);
    }
    let pairs = wanted.registers.iter();
    let missing: BTreeSet<Pair> = pairs
        .filter(|pair| loaded.version(pair) == 0)
        .cloned()
        .collect();
    if missing.is_empty() {
        return Ok(false);
    }
    // Where somebody else was faster, there is one as well.
    write_each(manager, connection, loaded, &missing, &Changes::default()).await?;
    Ok(true)
}

/// Every (task, index) whose version must be known.
fn versioned(wanted: &Wanted) -> BTreeSet<Pair> {
    let records = wanted.records.iter();
    let by_record = records.map(|execution| (execution.task.clone(), execution.index));
    let mut pairs: BTreeSet<Pair> = wanted.registers.iter().cloned().chain(by_record).collect();
    pairs.extend(tasks_as_a_whole(wanted));
    pairs
}

/// What stands for the tasks whose indices depend on each other.
fn tasks_as_a_whole(wanted: &Wanted) -> impl Iterator<Item = Pair> {
    let ticks = wanted.ticks.iter();
    ticks.map(|(task, _)| (task.clone(), ConcurrencyIndex::ONE))
}

/// What became of a write.
pub(super) enum Written {
    All,
    Where(Kept),
    Nothing,
}

async fn write<DB: Dialect>(
    manager: &ServerLockManager<DB>,
    connection: &mut DB::Connection,
    loaded: &Loaded,
    wanted: &Wanted,
    changes: &Changes,
) -> Result<Written, Trouble> {
    let mut pairs = touched(changes);
    if pairs.is_empty() {
        return Ok(Written::All);
    }
    if wanted.ticks.is_empty() {
        let kept = write_each(manager, connection, loaded, &pairs, changes).await?;
        return Ok(Written::Where(kept));
    }
    pairs.extend(tasks_as_a_whole(wanted));
    DB::begin(manager, connection).await?;
    let kept = DB::store_back(manager, connection, loaded, &pairs, changes).await?;
    if kept.len() < pairs.len() {
        DB::roll_back(connection).await?;
        return Ok(Written::Nothing);
    }
    DB::commit(connection).await?;
    Ok(Written::All)
}

/// Writes what has not changed meanwhile, each (task, index) for itself. Within a handler's
/// transaction, if that is open.
pub(super) async fn write_each<DB: Dialect>(
    manager: &ServerLockManager<DB>,
    connection: &mut DB::Connection,
    loaded: &Loaded,
    pairs: &BTreeSet<Pair>,
    changes: &Changes,
) -> Result<Kept, Trouble> {
    if DB::STORES_BACK_AT_ONCE || connection.is_in_transaction() {
        return DB::store_back(manager, connection, loaded, pairs, changes).await;
    }
    DB::begin(manager, connection).await?;
    let kept = DB::store_back(manager, connection, loaded, pairs, changes).await?;
    DB::commit(connection).await?;
    Ok(kept)
}
