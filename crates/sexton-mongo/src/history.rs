//! Pages of the history. And its end: pruning.

use std::collections::BTreeMap;

use mongodb::bson::{Bson, Document, doc};
use sexton_core::lock::engine::{History, Prune};
use sexton_core::lock::{Execution, ExecutionRecord, HistoryQuery, history_order};
use sexton_core::tick::Tick;

use crate::commands::{Find, aggregate, delete, one_of};
use crate::error::StoreError;
use crate::port::MongoPort;
use crate::record::of_history;
use crate::register::RegisterDocument;
use crate::value::{Fields, Unreadable, date};

/// How many records one command deletes.
const DELETED_MAX: usize = 1_000;

impl History for MongoPort {
    async fn history(
        &self,
        _connection: &mut (),
        query: &HistoryQuery,
    ) -> Result<Vec<ExecutionRecord>, StoreError> {
        // A record is in the history before it leaves its register.
        let in_registers = self.in_registers(query).await?;
        // What has ended in a register may replace an older record of the page that the query does
        // not ask for: the page is full all the same.
        let limit = query.limit.saturating_add(in_registers.ended.len());
        let records = newest(self.archived(query, limit).await?, in_registers);
        let matching = records.filter(|record| query.matches(record));
        let mut page: Vec<ExecutionRecord> = matching.collect();
        page.sort_by(|a, b| history_order(&a.execution).cmp(&history_order(&b.execution)));
        page.truncate(query.limit);
        Ok(page)
    }

    async fn prune(
        &self,
        _connection: &mut (),
        prune: Prune,
        limit: usize,
    ) -> Result<usize, StoreError> {
        match prune {
            Prune::Before(kept_from) => {
                let mut filter = self.in_namespace();
                filter.insert(
                    "_id.tick",
                    doc! { "$lt": date(Tick::at_or_after(kept_from)) },
                );
                let pruned = Pruned {
                    filter,
                    // The order of the index, backwards: a server then sorts nothing.
                    sort: doc! { "_id.tick": 1, "_id.task": -1, "_id.index": -1 },
                    skip: 0,
                };
                self.delete(&pruned, limit).await
            }
            Prune::Beyond(kept) => {
                let mut gone = 0;
                for task in self.crowded(kept).await? {
                    let mut filter = self.in_namespace();
                    filter.insert("_id.task", task);
                    let pruned = Pruned {
                        filter,
                        sort: doc! { "_id.tick": -1, "_id.index": 1 },
                        skip: kept.into(),
                    };
                    gone += self.delete(&pruned, limit - gone).await?;
                    if gone >= limit {
                        break;
                    }
                }
                Ok(gone)
            }
        }
    }
}

/// The records that a prune deletes: what a filter finds, in an order, without the first ones.
struct Pruned {
    filter: Document,
    sort: Document,
    skip: i64,
}

/// What registers hold for the history.
#[derive(Default)]
struct InRegisters {
    /// What waits or runs.
    open: Vec<ExecutionRecord>,
    /// What has ended and is not in the history yet, with the version that it ended in.
    ended: Vec<(i64, ExecutionRecord)>,
}

/// One record of each execution, the newest. Registers are read first, so what was open there and
/// is in the history has ended in between; of what had ended, either may have the newer record.
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

impl MongoPort {
    async fn in_registers(&self, query: &HistoryQuery) -> Result<InRegisters, StoreError> {
        let mut filter = self.in_namespace();
        filter.insert(
            "$or",
            [
                doc! { "look_at": { "$exists": true } },
                doc! { "unleased_since": { "$exists": true } },
            ],
        );
        if let Some(task) = &query.task {
            filter.insert("_id.task", task.as_str());
        }
        let find = Find::new(&self.names.registers, filter);
        let mut found = InRegisters::default();
        for document in &self.find(find).await? {
            let (_, register) = RegisterDocument::read(document)?;
            found.open.extend(register.open);
            found.ended.extend(register.ended);
        }
        Ok(found)
    }

    /// A page of the executions' collection, with the versions that they ended in.
    async fn archived(
        &self,
        query: &HistoryQuery,
        limit: usize,
    ) -> Result<Vec<(i64, ExecutionRecord)>, StoreError> {
        if limit == 0 {
            // To the server 0 is no limit at all.
            return Ok(Vec::new());
        }
        let mut all = vec![self.in_namespace()];
        let bounds = [("$gte", query.since), ("$lt", query.until)];
        for (order, tick) in bounds {
            all.extend(tick.map(|tick| doc! { "_id.tick": { order: date(tick) } }));
        }
        let task = query.task.as_ref();
        all.extend(task.map(|task| doc! { "_id.task": task.as_str() }));
        if !query.states.is_empty() {
            let states = one_of(query.states.iter().map(|state| state.as_str()));
            all.push(doc! { "state": states });
        }
        all.extend(query.after.as_ref().map(behind));
        let find = Find {
            sort: Some(doc! { "_id.tick": -1, "_id.task": 1, "_id.index": 1 }),
            limit: i64::try_from(limit).ok(),
            ..Find::new(&self.names.executions, doc! { "$and": all })
        };
        let found = self.find(find).await?;
        Ok(found.iter().map(of_history).collect::<Result<_, _>>()?)
    }

    /// Deletes at most `limit` records, a portion at a time, so that no command takes long.
    async fn delete(&self, pruned: &Pruned, limit: usize) -> Result<usize, StoreError> {
        let executions = &self.names.executions;
        let mut gone = 0;
        while gone < limit {
            let portion = (limit - gone).min(DELETED_MAX);
            let find = Find {
                sort: Some(pruned.sort.clone()),
                skip: Some(pruned.skip),
                limit: i64::try_from(portion).ok(),
                projection: Some(doc! { "_id": 1 }),
                ..Find::new(executions, pruned.filter.clone())
            };
            let found = self.find(find).await?;
            let keys = found
                .into_iter()
                .filter_map(|mut document| document.remove("_id"));
            let keys: Vec<Bson> = keys.collect();
            if keys.is_empty() {
                break;
            }
            let is_last = keys.len() < portion;
            let filter = doc! { "_id": one_of(keys) };
            let command = delete(executions, filter, self.call_max());
            gone += self.write(command).await?.found;
            if is_last {
                break;
            }
        }
        Ok(gone)
    }

    /// The tasks that have more records than `kept`.
    async fn crowded(&self, kept: u32) -> Result<Vec<String>, StoreError> {
        let pipeline = vec![
            doc! { "$match": self.in_namespace() },
            doc! { "$group": { "_id": "$_id.task", "count": { "$sum": 1 } } },
            doc! { "$match": { "count": { "$gt": i64::from(kept) } } },
            doc! { "$sort": { "_id": 1 } },
        ];
        let command = aggregate(&self.names.executions, pipeline, self.call_max());
        let found = self.store.read(command).await?;
        let task = |document: &Document| Ok(Fields(document).text("_id")?.to_owned());
        Ok(found.iter().map(task).collect::<Result<_, Unreadable>>()?)
    }
}

/// The executions that lie behind one in the order of the history.
fn behind(after: &Execution) -> Document {
    let (tick, task) = (date(after.tick), after.task.as_str());
    doc! { "$or": [
        { "_id.tick": { "$lt": tick } },
        { "_id.tick": tick, "_id.task": { "$gt": task } },
        { "_id.tick": tick, "_id.task": task, "_id.index": { "$gt": i64::from(after.index.get()) } },
    ] }
}
