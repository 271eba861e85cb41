//! Pages of the history. And its end: pruning.

use std::collections::BTreeMap;

use futures::try_join;
use mongodb::bson::{Bson, Document, doc};
use sexton_core::lock::{
    Answer, Execution, ExecutionRecord, HistoryQuery, LockError, Retention, history_order,
};
use sexton_core::tick::Tick;

use crate::MongoLockManager;
use crate::call::{Errand, Now};
use crate::commands::{Find, aggregate, delete, one_of};
use crate::record::of_history;
use crate::register::Kept;
use crate::trouble::Trouble;
use crate::value::{Fields, Unreadable, date};

/// The most records of a page.
const PAGE_MAX: usize = 1_000;
/// How many records one command deletes.
const DELETED_MAX: usize = 1_000;

pub(crate) struct History<'q>(pub(crate) &'q HistoryQuery);

impl Errand for History<'_> {
    type Found = Answer<Vec<ExecutionRecord>>;

    async fn run(&mut self, manager: &MongoLockManager) -> Result<Self::Found, Trouble> {
        let query = self.0;
        let limit = query.limit.min(PAGE_MAX);
        // What leaves a register is in the history before.
        let (now, in_registers) = try_join!(manager.clock(), manager.in_registers(query))?;
        // What has ended there may take the place of an older record of the page, and not be asked for: a page is full all the same.
        let over = manager.over(query, limit.saturating_add(in_registers.ended.len()));
        let records = newest(over.await?, in_registers);
        let matching = records.filter(|record| query.matches(record));
        let mut value: Vec<ExecutionRecord> = matching.collect();
        value.sort_by(|a, b| history_order(&a.execution).cmp(&history_order(&b.execution)));
        value.truncate(limit);
        Ok(Answer { now, value })
    }
}

/// What registers hold.
#[derive(Default)]
struct InRegisters {
    /// What waits or runs.
    open: Vec<ExecutionRecord>,
    /// What has ended and is not in the history yet, with the version that it ended in.
    ended: Vec<(i64, ExecutionRecord)>,
}

/// One record of each execution. Registers are read first, so what was open there and is in the history has ended in between; what had ended
/// may be newer in either.
fn newest(
    history: Vec<(i64, ExecutionRecord)>,
    in_registers: InRegisters,
) -> impl Iterator<Item = ExecutionRecord> {
    let open = in_registers.open.into_iter();
    // Registers begin with version 1.
    let open = open.map(|record| (0, record));
    let mut newest: BTreeMap<Execution, (i64, ExecutionRecord)> = BTreeMap::new();
    for (version, record) in open.chain(in_registers.ended).chain(history) {
        let known = newest.get(&record.execution);
        if known.is_none_or(|(known, _)| version > *known) {
            newest.insert(record.execution.clone(), (version, record));
        }
    }
    newest.into_values().map(|(_, record)| record)
}

impl MongoLockManager {
    async fn in_registers(&self, query: &HistoryQuery) -> Result<InRegisters, Trouble> {
        let mut filter = doc! {
            "_id.namespace": self.inner.namespace.as_str(),
            "$or": [
                { "look_at": { "$exists": true } },
                { "unleased_since": { "$exists": true } },
            ],
        };
        if let Some(task) = &query.task {
            filter.insert("_id.task", task.as_str());
        }
        let find = Find::new(&self.inner.names.registers, filter);
        let mut found = InRegisters::default();
        for document in &self.find(find).await? {
            let (_, kept) = Kept::read(document)?;
            found.open.extend(kept.open);
            found.ended.extend(kept.ended);
        }
        Ok(found)
    }

    /// A page of what is over, with the versions that it ended in.
    async fn over(
        &self,
        query: &HistoryQuery,
        limit: usize,
    ) -> Result<Vec<(i64, ExecutionRecord)>, Trouble> {
        let mut all = vec![doc! { "_id.namespace": self.inner.namespace.as_str() }];
        let bounds = [("$gte", query.since), ("$lt", query.until)];
        for (order, tick) in bounds {
            all.extend(tick.map(|tick| doc! { "_id.tick": { order: date(tick) } }));
        }
        all.extend(
            query
                .task
                .as_ref()
                .map(|task| doc! { "_id.task": task.as_str() }),
        );
        if !query.states.is_empty() {
            let states = one_of(query.states.iter().map(|state| state.as_str()));
            all.push(doc! { "state": states });
        }
        all.extend(query.after.as_ref().map(behind));
        let find = Find {
            sort: Some(doc! { "_id.tick": -1, "_id.task": 1, "_id.index": 1 }),
            limit: i64::try_from(limit).ok(),
            ..Find::new(&self.inner.names.executions, doc! { "$and": all })
        };
        if limit == 0 {
            // To the server 0 is no limit at all.
            return Ok(Vec::new());
        }
        let found = self.find(find).await?;
        Ok(found.iter().map(of_history).collect::<Result<_, _>>()?)
    }
}

/// What comes behind an execution in the order of the history.
fn behind(after: &Execution) -> Document {
    let (tick, task) = (date(after.tick), after.task.as_str());
    doc! { "$or": [
        { "_id.tick": { "$lt": tick } },
        { "_id.tick": tick, "_id.task": { "$gt": task } },
        { "_id.tick": tick, "_id.task": task, "_id.index": { "$gt": i64::from(after.index.get()) } },
    ] }
}

/// Drops records that a filter finds.
struct Deletion {
    filter: Document,
    sort: Document,
    skip: i64,
    limit: usize,
}

impl Errand for Deletion {
    type Found = usize;

    async fn run(&mut self, manager: &MongoLockManager) -> Result<usize, Trouble> {
        let executions = &manager.inner.names.executions;
        let find = Find {
            sort: Some(self.sort.clone()),
            skip: Some(self.skip),
            limit: i64::try_from(self.limit).ok(),
            projection: Some(doc! { "_id": 1 }),
            ..Find::new(executions, self.filter.clone())
        };
        let found = manager.find(find).await?;
        let keys: Vec<Bson> = found
            .into_iter()
            .filter_map(|mut document| document.remove("_id"))
            .collect();
        if keys.is_empty() {
            return Ok(0);
        }
        let filter = doc! { "_id": one_of(keys) };
        let command = delete(executions, filter, manager.inner.wait_max);
        Ok(manager.write_command(command).await?.found)
    }
}

/// The tasks that have more records than they may.
struct Crowded {
    kept: u32,
}

impl Errand for Crowded {
    type Found = Vec<String>;

    async fn run(&mut self, manager: &MongoLockManager) -> Result<Vec<String>, Trouble> {
        let pipeline = vec![
            doc! { "$match": { "_id.namespace": manager.inner.namespace.as_str() } },
            doc! { "$group": { "_id": "$_id.task", "count": { "$sum": 1 } } },
            doc! { "$match": { "count": { "$gt": i64::from(self.kept) } } },
            doc! { "$sort": { "_id": 1 } },
        ];
        let limit = manager.inner.wait_max;
        let command = aggregate(&manager.inner.names.executions, pipeline, limit);
        let found = manager.inner.store.read(command).await?;
        let task = |document: &Document| Ok(Fields(document).text("_id")?.to_owned());
        Ok(found.iter().map(task).collect::<Result<_, Unreadable>>()?)
    }
}

impl MongoLockManager {
    pub(crate) async fn prune_history(
        &self,
        retention: &Retention,
        limit: usize,
    ) -> Result<Answer<usize>, LockError> {
        let now = self.call("prune", &mut Now).await?;
        let mut pruned = 0;
        if let Some(age) = retention.age_max
            && let Ok(kept_from) = now.saturating_sub(age)
        {
            let filter = doc! {
                "_id.namespace": self.inner.namespace.as_str(),
                "_id.tick": { "$lt": date(Tick::at_or_after(kept_from)) },
            };
            // The order of the index, backwards: a server then sorts nothing.
            let sort = doc! { "_id.tick": 1, "_id.task": -1, "_id.index": -1 };
            pruned += self.prune_all(filter, sort, 0, limit).await?;
        }
        if let Some(kept) = retention.per_task_max {
            let crowded = self.call("prune", &mut Crowded { kept }).await?;
            for task in crowded {
                let filter = doc! {
                    "_id.namespace": self.inner.namespace.as_str(),
                    "_id.task": task,
                };
                let sort = doc! { "_id.tick": -1, "_id.index": 1 };
                let rest = limit.saturating_sub(pruned);
                pruned += self.prune_all(filter, sort, kept.into(), rest).await?;
            }
        }
        Ok(Answer { now, value: pruned })
    }

    /// A little at a time, so that no command takes long.
    async fn prune_all(
        &self,
        filter: Document,
        sort: Document,
        skip: i64,
        limit: usize,
    ) -> Result<usize, LockError> {
        let mut pruned = 0;
        while pruned < limit {
            let wanted = (limit - pruned).min(DELETED_MAX);
            let mut deletion = Deletion {
                filter: filter.clone(),
                sort: sort.clone(),
                skip,
                limit: wanted,
            };
            let gone = self.call("prune", &mut deletion).await?;
            pruned += gone;
            if gone < wanted {
                break;
            }
        }
        Ok(pruned)
    }
}
