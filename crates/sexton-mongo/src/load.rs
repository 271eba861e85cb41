//! What a batch touches, out of the documents and into the rules' state.
//!
//! Registers are read first. What they do not hold any more has been put into the history before it
//! left them; a pause is there before the registers of its task are touched. So a call that reads
//! the history and the pauses afterwards misses nothing, or loses to a conflicting write.

use std::collections::{BTreeSet, HashMap};

use futures::try_join;
use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use sexton_core::lock::rules::{Changes, LockState};
use sexton_core::lock::{Execution, Pause};
use sexton_core::name::{ClaimId, TaskName};

use crate::MongoLockManager;
use crate::commands::{Find, one_of};
use crate::record::{history_key, of_history};
use crate::register::{Kept, key};
use crate::trouble::Trouble;
use crate::value::{Fields, Unreadable, date};
use crate::wanted::{LookBack, Pair, Wanted};

/// What the documents say.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) now: Timestamp,
    pub(crate) state: LockState,
    /// Every register asked for that has a document.
    pub(crate) kept: HashMap<Pair, Kept>,
}

impl Loaded {
    pub(crate) fn of(now: Timestamp, kept: HashMap<Pair, Kept>) -> Loaded {
        let mut state = LockState::new();
        for ((task, index), kept) in &kept {
            if let Some(register) = kept.register {
                state.load_register(task.clone(), *index, register);
            }
            let ended = kept.ended.iter().map(|(_, record)| record);
            for record in kept.open.iter().chain(ended) {
                state.load_record(record.clone());
            }
        }
        Loaded { now, state, kept }
    }

    /// A register as it was read, or as it is before there is one.
    pub(crate) fn before(&self, pair: &Pair) -> Kept {
        self.kept.get(pair).cloned().unwrap_or_default()
    }

    /// A register as it is to be, by what the rules have changed.
    pub(crate) fn after(&self, pair: &Pair, changes: &Changes, token: ClaimId) -> Kept {
        let mut after = self.before(pair).written_again(token);
        after.register = self.state.register(&pair.0, pair.1);
        for execution in &changes.records {
            if (&execution.task, execution.index) != (&pair.0, pair.1) {
                continue;
            }
            let Some(record) = self.state.record(execution) else {
                continue;
            };
            let tick = execution.tick;
            after.open.retain(|one| one.execution.tick != tick);
            after.ended.retain(|(_, one)| one.execution.tick != tick);
            if record.state.is_over() {
                after.ended.push((after.version, record.clone()));
                after.ended_ahead = after.ended_ahead.max(Some(tick));
            } else {
                after.open.push(record.clone());
            }
        }
        after.open.sort_by_key(|record| record.execution.tick);
        let watermark = after.watermark();
        let is_ahead = |tick: &_| watermark.is_none_or(|watermark| *tick > watermark);
        after.ended_ahead = after.ended_ahead.filter(is_ahead);
        after
    }
}

/// Whatever the rules changed something of.
pub(crate) fn touched(changes: &Changes) -> BTreeSet<Pair> {
    let records = changes.records.iter();
    let by_record = records.map(|execution| (execution.task.clone(), execution.index));
    changes.registers.iter().cloned().chain(by_record).collect()
}

impl MongoLockManager {
    /// What decides a batch.
    pub(crate) async fn load(&self, wanted: &Wanted) -> Result<Loaded, Trouble> {
        let (now, mut kept) = try_join!(self.clock(), self.registers(wanted))?;
        if self.make_touchable(wanted, &kept).await? {
            kept = self.registers(wanted).await?;
        }
        let mut loaded = Loaded::of(now, kept);
        let (history, pauses) = try_join!(
            self.history_of(wanted, &loaded.kept),
            self.pauses(&wanted.pauses)
        )?;
        for document in &history {
            let (_, record) = of_history(document)?;
            // What its register holds is newer.
            if loaded.state.record(&record.execution).is_none() {
                loaded.state.load_record(record);
            }
        }
        for (task, pause) in pauses {
            loaded.state.load_pause(task, Some(pause));
        }
        Ok(loaded)
    }

    /// Whether there were no documents yet of registers whose pause decides. Now there are: a pause
    /// touches what it finds, and a claim that it could not touch would be granted after the pause
    /// was answered.
    async fn make_touchable(
        &self,
        wanted: &Wanted,
        kept: &HashMap<Pair, Kept>,
    ) -> Result<bool, Trouble> {
        if wanted.pauses.is_empty() {
            return Ok(false);
        }
        let before = Kept::default();
        let empty = before.written_again(ClaimId::random());
        let missing = wanted.pairs.iter().filter(|pair| !kept.contains_key(*pair));
        let made: Vec<Document> = missing
            .map(|pair| self.replaced(pair, &before, &empty))
            .collect();
        let is_any = !made.is_empty();
        // Where somebody else was faster, there is one as well.
        self.update(&self.inner.names.registers, made).await?;
        Ok(is_any)
    }

    async fn registers(&self, wanted: &Wanted) -> Result<HashMap<Pair, Kept>, Trouble> {
        let (namespace, registers) = (&self.inner.namespace, &self.inner.names.registers);
        let keys = wanted.pairs.iter().map(|pair| key(namespace, pair));
        let find = Find::new(registers, doc! { "_id": one_of(keys) });
        let mut documents = self.find(find).await?;
        let tasks = wanted.tasks_as_a_whole();
        if !tasks.is_empty() {
            let tasks = one_of(tasks.into_iter().map(TaskName::as_str));
            let filter = doc! { "_id.namespace": namespace.as_str(), "_id.task": tasks };
            documents.extend(self.find(Find::new(registers, filter)).await?);
        }
        let kept = documents.iter().map(Kept::read);
        Ok(kept.collect::<Result<_, _>>()?)
    }

    /// What the history knows of executions that decide, and registers do not hold any more.
    async fn history_of(
        &self,
        wanted: &Wanted,
        kept: &HashMap<Pair, Kept>,
    ) -> Result<Vec<Document>, Trouble> {
        let nothing = Kept::default();
        let is_looked_up = |execution: &&Execution| {
            let pair = (execution.task.clone(), execution.index);
            let kept = kept.get(&pair).unwrap_or(&nothing);
            kept.record(execution.tick).is_none()
                && match wanted.look_back {
                    LookBack::Never => false,
                    LookBack::Ahead => kept.may_have_ended_ahead(execution.tick),
                    LookBack::Always => true,
                }
        };
        let (namespace, executions) = (&self.inner.namespace, &self.inner.names.executions);
        let looked_up = wanted.records.iter().filter(is_looked_up);
        let keys: Vec<Document> = looked_up
            .map(|execution| history_key(namespace, execution))
            .collect();
        let mut documents = Vec::new();
        if !keys.is_empty() {
            let find = Find::new(executions, doc! { "_id": one_of(keys) });
            documents = self.find(find).await?;
        }
        let ticks: BTreeSet<_> = wanted
            .places
            .iter()
            .map(|place| (&place.task, place.tick))
            .collect();
        if !ticks.is_empty() {
            let of_tick = |(task, tick): (&TaskName, _)| {
                doc! {
                    "_id.namespace": namespace.as_str(),
                    "_id.task": task.as_str(),
                    "_id.tick": date(tick),
                }
            };
            let any: Vec<Document> = ticks.into_iter().map(of_tick).collect();
            let find = Find::new(executions, doc! { "$or": any });
            documents.extend(self.find(find).await?);
        }
        Ok(documents)
    }

    /// Those of the tasks that are paused.
    pub(crate) async fn pauses(
        &self,
        tasks: &BTreeSet<TaskName>,
    ) -> Result<Vec<(TaskName, Pause)>, Trouble> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let keys = tasks.iter().map(|task| self.task_key(task));
        let filter = doc! { "_id": one_of(keys), "pause": { "$exists": true } };
        let find = Find::new(&self.inner.names.tasks, filter);
        let pause = |document: &Document| -> Result<_, Unreadable> {
            let fields = Fields(document);
            let task = fields.document("_id")?.task("task")?;
            Ok((task, read_pause(fields.document("pause")?)?))
        };
        let found = self.find(find).await?;
        Ok(found.iter().map(pause).collect::<Result<_, _>>()?)
    }
}

pub(crate) fn read_pause(fields: Fields<'_>) -> Result<Pause, Unreadable> {
    Ok(Pause {
        note: fields.text("note")?.to_owned(),
        by: fields.text("by")?.to_owned(),
        since: fields.time("since")?,
    })
}
