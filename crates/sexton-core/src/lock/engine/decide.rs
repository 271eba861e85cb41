//! A batch that the rules decide: loaded, decided, and swapped in where nothing has changed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    Engine, LookBack, Operation, Port, PortError, ReadSet, Rows, Snapshot, Swap, Unavailable,
};
use crate::lock::rules::{LockState, WriteSet};
use crate::lock::{Answer, Execution, ExecutionRecord, LockError, LockKey};
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
    /// Whether a try keeps what it was to answer, for the next one to find that it took effect.
    /// Otherwise the rule itself makes the second try answer as the first.
    pub(super) remembers_tries: bool,
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
            remembers_tries: true,
        }
    }

    pub(super) fn for_holders(self) -> BatchOp<E> {
        BatchOp {
            is_for_holders: true,
            ..self
        }
    }

    pub(super) fn without_memory(self) -> BatchOp<E> {
        BatchOp {
            remembers_tries: false,
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
    /// What tries that failed have written, perhaps.
    perhaps: BTreeMap<LockKey, Perhaps<T>>,
}

/// What a try has written of a key, perhaps, and what it would have answered.
struct Perhaps<T> {
    /// By their places in the batch.
    answers: Vec<(usize, T)>,
    /// The records of the batch's own executions.
    records: Vec<ExecutionRecord>,
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
            perhaps: BTreeMap::new(),
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
        let mut places = self.next_round(limits.settled_bytes_max);
        let read_set = self.read_set(&places);
        let mut snapshot = load(port, connection, &read_set).await?;
        let now = snapshot.now;
        self.answer_what_took_effect(&snapshot.state);
        places.retain(|place| self.answers[*place].is_none());
        let rule = |place: &usize| (self.rule)(&mut snapshot.state, &self.batch[*place], now);
        let answers: Vec<T> = places.iter().map(rule).collect();
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
            match port.swap(connection, &mut snapshot, &swap).await {
                Ok(swapped) => swapped,
                Err(error) => {
                    if self.op.remembers_tries && !error.class().is_without_effect() {
                        self.remember(places, answers, &writes, &snapshot.state);
                    }
                    return Err(error);
                }
            }
        };
        let conflicts = Conflicts::new(&keys, &swapped, &read_set);
        let mut is_any = false;
        for (place, answer) in places.into_iter().zip(answers) {
            if conflicts.stands(&self.execution(place).key()) {
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

    fn execution(&self, place: usize) -> &Execution {
        (self.op.execution)(&self.batch[place])
    }

    /// What a round touches. What an earlier try has written, perhaps, is looked up wherever it is.
    fn read_set(&self, places: &[usize]) -> ReadSet {
        let entries = places.iter().map(|place| self.batch[*place].clone());
        let read_set = (self.op.read_set)(&entries.collect::<Vec<E>>());
        match self.perhaps.is_empty() {
            true => read_set,
            false => ReadSet {
                look_back: LookBack::Always,
                ..read_set
            },
        }
    }

    /// Keeps the answers of a try whose swap failed, perhaps after it took effect.
    fn remember(
        &mut self,
        places: Vec<usize>,
        answers: Vec<T>,
        writes: &WriteSet,
        state: &LockState,
    ) {
        let mut tried: BTreeMap<LockKey, Perhaps<T>> = BTreeMap::new();
        for (place, answer) in places.into_iter().zip(answers) {
            let execution = self.execution(place);
            let of_key = tried
                .entry(execution.key())
                .or_insert_with(Perhaps::nothing);
            of_key.answers.push((place, answer));
            let written = writes.records.get(execution);
            let record = written.and_then(|execution| state.record(execution));
            of_key.records.extend(record.cloned());
        }
        let has_written = |one: &Perhaps<T>| !one.records.is_empty();
        self.perhaps
            .extend(tried.into_iter().filter(|(_, one)| has_written(one)));
    }

    /// Answers as an earlier try would have, for the keys whose records are found as that try meant
    /// to write them.
    fn answer_what_took_effect(&mut self, state: &LockState) {
        let took_effect = |_: &LockKey, one: &mut Perhaps<T>| {
            let mut records = one.records.iter();
            records.all(|record| {
                let found = state.record(&record.execution);
                found.is_some_and(|found| is_as_written(found, record))
            })
        };
        for (_, one) in self.perhaps.extract_if(.., took_effect) {
            for (place, answer) in one.answers {
                self.answers[place] = Some(answer);
            }
        }
    }
}

impl<T> Perhaps<T> {
    fn nothing() -> Perhaps<T> {
        Perhaps {
            answers: Vec::new(),
            records: Vec::new(),
        }
    }
}

/// Whether a record is the one that a try meant to write, by what every store keeps exactly.
fn is_as_written(found: &ExecutionRecord, written: &ExecutionRecord) -> bool {
    let told = |record: &ExecutionRecord| {
        (
            (record.state, record.reason, record.origin),
            (record.claim_id, record.fence, record.attempt),
            (record.lease_until, record.cancel_requested),
        )
    };
    told(found) == told(written) && found.instance == written.instance
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
