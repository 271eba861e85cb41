//! A batch that the rules decide: loaded, decided, and swapped in where nothing has changed.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Engine, Operation, Port, ReadSet, Rows, Snapshot, Swap, Unavailable};
use crate::lock::rules::{LockState, WriteSet};
use crate::lock::{Answer, Execution, LockError, LockKey};
use crate::name::TaskName;

/// What a batch is made of.
#[derive(Debug)]
pub(super) struct BatchOp<E> {
    /// What is tried, for an error to say.
    pub(super) action: &'static str,
    /// What a batch of them touches.
    pub(super) read_set: fn(&[E]) -> ReadSet,
    /// Which execution one of them is about.
    pub(super) execution: fn(&E) -> &Execution,
    /// How many bytes one of them brings along.
    pub(super) bytes: fn(&E) -> usize,
    /// Whether it asks for a lock that the asker holds: see
    /// [`Limits::confirms_by_write`](super::Limits::confirms_by_write).
    pub(super) is_for_holders: bool,
}

impl<E> BatchOp<E> {
    pub(super) fn new(
        action: &'static str,
        read_set: fn(&[E]) -> ReadSet,
        execution: fn(&E) -> &Execution,
    ) -> BatchOp<E> {
        BatchOp {
            action,
            read_set,
            execution,
            bytes: |_| 0,
            is_for_holders: false,
        }
    }

    pub(super) fn for_holders(self) -> BatchOp<E> {
        BatchOp {
            is_for_holders: true,
            ..self
        }
    }
}

impl<E> Clone for BatchOp<E> {
    fn clone(&self) -> BatchOp<E> {
        *self
    }
}

impl<E> Copy for BatchOp<E> {}

/// A batch, as far as it is decided.
pub(super) struct Decision<'b, E, T, R> {
    op: BatchOp<E>,
    rule: R,
    batch: &'b [E],
    /// `None` where it is not decided yet.
    answers: Vec<Option<T>>,
}

impl<'b, E, T, R> Decision<'b, E, T, R>
where
    E: Clone + Send + Sync,
    T: Send,
    R: Fn(&mut LockState, &E, Timestamp) -> T + Send + Sync,
{
    pub(super) fn new(op: BatchOp<E>, batch: &'b [E], rule: R) -> Decision<'b, E, T, R> {
        Decision {
            op,
            rule,
            batch,
            answers: batch.iter().map(|_| None).collect(),
        }
    }

    /// The answers so far, which are all of them once it has run well.
    pub(super) fn into_answers(self) -> impl Iterator<Item = T> {
        self.answers.into_iter().flatten()
    }

    /// The next round: the first that are undecided, as many as the store bears together.
    fn next_round(&self, bytes_max: usize) -> Vec<usize> {
        let undecided = (0..self.batch.len()).filter(|place| self.answers[*place].is_none());
        let mut bytes = 0_usize;
        let mut round = Vec::new();
        for place in undecided {
            bytes = bytes.saturating_add((self.op.bytes)(&self.batch[place]));
            if bytes > bytes_max && !round.is_empty() {
                break;
            }
            round.push(place);
        }
        round
    }

    /// Decides one round.
    async fn round<P: Port>(
        &mut self,
        port: &P,
        connection: &mut P::Connection,
    ) -> Result<Timestamp, P::Error> {
        let limits = port.limits();
        let places = self.next_round(limits.settled_bytes_max);
        let entries: Vec<E> = places
            .iter()
            .map(|place| self.batch[*place].clone())
            .collect();
        let read_set = (self.op.read_set)(&entries);
        let mut snapshot = load(port, connection, &read_set).await?;
        let now = snapshot.now;
        let rule = |entry| (self.rule)(&mut snapshot.state, entry, now);
        let answers: Vec<T> = entries.iter().map(rule).collect();
        let writes = snapshot.state.take_writes();
        let mut keys = writes.keys();
        if limits.confirms_by_write && self.op.is_for_holders {
            let known = read_set.keys.iter();
            keys.extend(known.filter(|key| snapshot.rows.contains(key)).cloned());
        }
        let swapped = if keys.is_empty() {
            BTreeSet::new()
        } else {
            let swap = Swap {
                keys: keys.clone(),
                writes: &writes,
                reservations: &read_set.reservations,
            };
            port.swap(connection, &mut snapshot, &swap).await?
        };
        let conflicts = Conflicts::new(&keys, &swapped, &read_set);
        let mut is_any = false;
        for ((place, entry), answer) in places.into_iter().zip(&entries).zip(answers) {
            if conflicts.stands(&(self.op.execution)(entry).key()) {
                self.answers[place] = Some(answer);
            } else {
                is_any = true;
            }
        }
        if is_any {
            return Err(Unavailable::Conflict.into());
        }
        Ok(now)
    }
}

impl<P, E, T, R> Operation<P> for Decision<'_, E, T, R>
where
    P: Port,
    E: Clone + Send + Sync,
    T: Send,
    R: Fn(&mut LockState, &E, Timestamp) -> T + Send + Sync,
{
    type Output = Timestamp;

    async fn run(
        &mut self,
        engine: &Engine<P>,
        connection: &mut P::Connection,
    ) -> Result<Timestamp, P::Error> {
        loop {
            let now = self.round(&engine.port, connection).await?;
            if self.answers.iter().all(Option::is_some) {
                return Ok(now);
            }
        }
    }
}

impl<P: Port> Engine<P> {
    /// Decides a batch by the rules, entry by entry.
    pub(super) async fn decide<E, T, R>(
        &self,
        op: BatchOp<E>,
        batch: &[E],
        rule: R,
    ) -> Result<Answer<Vec<T>>, LockError>
    where
        E: Clone + Send + Sync,
        T: Send,
        R: Fn(&mut LockState, &E, Timestamp) -> T + Send + Sync,
    {
        let mut decision = Decision::new(op, batch, rule);
        let now = self.call(op.action, &mut decision).await?;
        let value = decision.into_answers().collect();
        Ok(Answer { now, value })
    }
}

/// Which of a round's answers stand.
struct Conflicts<'r> {
    written: &'r BTreeSet<LockKey>,
    swapped: &'r BTreeSet<LockKey>,
    /// Tasks of which an answer may rest on another index that was in conflict.
    unsure: BTreeSet<&'r TaskName>,
}

impl<'r> Conflicts<'r> {
    fn new(
        written: &'r BTreeSet<LockKey>,
        swapped: &'r BTreeSet<LockKey>,
        read_set: &'r ReadSet,
    ) -> Conflicts<'r> {
        let whole = read_set.whole_tasks();
        let lost = written.difference(swapped).map(|key| &key.task);
        Conflicts {
            written,
            swapped,
            unsure: lost.filter(|task| whole.contains(task)).collect(),
        }
    }

    fn stands(&self, key: &LockKey) -> bool {
        if self.written.contains(key) {
            self.swapped.contains(key)
        } else {
            !self.unsure.contains(&key.task)
        }
    }
}

/// Loads what a batch touches. Registers whose pause decides, and that have no row yet, are made
/// first.
async fn load<P: Port>(
    port: &P,
    connection: &mut P::Connection,
    read_set: &ReadSet,
) -> Result<Snapshot<P::Rows>, P::Error> {
    let mut snapshot = port.load(connection, read_set).await?;
    if read_set.pauses.is_empty() {
        return Ok(snapshot);
    }
    let keys = read_set.keys.iter();
    let missing: BTreeSet<LockKey> = keys
        .filter(|key| !snapshot.rows.contains(key))
        .cloned()
        .collect();
    if missing.is_empty() {
        return Ok(snapshot);
    }
    // Where somebody else was faster, there is a row as well.
    let swap = Swap {
        keys: missing,
        writes: &WriteSet::default(),
        reservations: &BTreeSet::new(),
    };
    port.swap(connection, &mut snapshot, &swap).await?;
    port.load(connection, read_set).await
}
