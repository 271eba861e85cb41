//! Loads what decides, out of the documents and into the rules' state.
//!
//! Registers are read first. A record is in the history before it leaves its register, and a pause
//! can be seen before the registers of its task are touched. So a call that reads history and
//! pauses after the registers misses nothing, or loses to a conflicting write.
//!
//! The clock is read beside the registers, since a read after them would cost a round trip. A lease
//! that lasts and a tick that is too early by that clock were so at its moment: what a register
//! shows of a lease was so then too, or was granted since and lasts longer.

use std::collections::{BTreeSet, HashMap};

use futures::try_join;
use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use sexton_core::lock::engine::{
    Candidates, CandidatesPage, Connect, Found, Load, LookBack, ReadSet, Snapshot,
};
use sexton_core::lock::rules::LockState;
use sexton_core::lock::{Execution, Pause};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::Tick;

use crate::commands::{Find, one_of};
use crate::error::StoreError;
use crate::keys::{history_key, read_lock_key, read_task, register_key, task_key};
use crate::port::MongoPort;
use crate::record::of_history;
use crate::register::{RegisterDocument, RegisterDocuments};
use crate::value::{Fields, Unreadable, date, date_of};

impl Load for MongoPort {
    type Rows = RegisterDocuments;

    async fn now(&self, _connection: &mut ()) -> Result<Timestamp, StoreError> {
        self.clock().await
    }

    async fn load(
        &self,
        _connection: &mut (),
        read_set: &ReadSet,
    ) -> Result<Snapshot<RegisterDocuments>, StoreError> {
        let (now, registers) = try_join!(self.clock(), self.registers(read_set))?;
        let (history, pauses) = try_join!(
            self.looked_up(read_set, &registers),
            self.pauses(&read_set.pauses)
        )?;
        let mut snapshot = snapshot(now, registers);
        for document in &history {
            let (_, record) = of_history(document)?;
            // The record in a register is newer.
            if snapshot.state.record(&record.execution).is_none() {
                snapshot.state.load_record(record);
            }
        }
        for (task, pause) in pauses {
            snapshot.state.load_pause(task, Some(pause));
        }
        Ok(snapshot)
    }

    async fn candidates(
        &self,
        _connection: &mut (),
        page: &CandidatesPage<'_>,
    ) -> Result<Found<RegisterDocuments>, StoreError> {
        if page.candidates == Candidates::LeaseOver {
            // They came with those that wait.
            return Ok(Found {
                snapshot: Snapshot::empty(),
                present: HashMap::new(),
                last: page.after.cloned(),
                is_last: true,
            });
        }
        let now = self.clock().await?;
        let (documents, present) =
            try_join!(self.due_registers(page, now), self.present(page, now))?;
        let is_last = documents.len() < self.limits().candidates_page;
        let last = documents.last().map(read_lock_key).transpose()?;
        let last = last.map(|key| Execution {
            task: key.task,
            index: key.index,
            tick: Tick::MAX,
        });
        let registers = RegisterDocuments::read(&documents)?;
        // A client may have broken off between the two steps of a write.
        self.archive(registers.iter()).await?;
        let tasks = registers.iter().map(|(key, _)| key.task.clone()).collect();
        let pauses = self.pauses(&tasks).await?;
        let mut snapshot = snapshot(now, registers);
        for (task, pause) in pauses {
            snapshot.state.load_pause(task, Some(pause));
        }
        Ok(Found {
            snapshot,
            present,
            last: last.or_else(|| page.after.cloned()),
            is_last,
        })
    }
}

/// What registers hold, as the rules' state.
fn snapshot(now: Timestamp, registers: RegisterDocuments) -> Snapshot<RegisterDocuments> {
    let mut state = LockState::new();
    for (key, document) in registers.iter() {
        if let Some(register) = document.register {
            state.load_register(key.clone(), register);
        }
        let ended = document.ended.iter().map(|(_, record)| record);
        for record in document.open.iter().chain(ended) {
            state.load_record(record.clone());
        }
    }
    Snapshot {
        now,
        state,
        rows: registers,
    }
}

impl MongoPort {
    /// The registers of a read set: those of its keys, and all those of tasks whose indices depend
    /// on each other. Each brings along everything of its (task, index) that waits or runs.
    async fn registers(&self, read_set: &ReadSet) -> Result<RegisterDocuments, StoreError> {
        let keys = read_set.keys.iter();
        let keys = keys.map(|key| register_key(self.namespace(), key));
        let find = Find::new(&self.names.registers, doc! { "_id": one_of(keys) });
        let mut documents = self.find(find).await?;
        let tasks = read_set.whole_tasks();
        if !tasks.is_empty() {
            let mut filter = self.in_namespace();
            filter.insert("_id.task", one_of(tasks.into_iter().map(TaskName::as_str)));
            let find = Find::new(&self.names.registers, filter);
            documents.extend(self.find(find).await?);
        }
        Ok(RegisterDocuments::read(&documents)?)
    }

    /// What the history knows of executions that decide and are in no register any more.
    async fn looked_up(
        &self,
        read_set: &ReadSet,
        registers: &RegisterDocuments,
    ) -> Result<Vec<Document>, StoreError> {
        let none = RegisterDocument::default();
        let is_looked_up = |execution: &&Execution| {
            let register = registers.get(&execution.key()).unwrap_or(&none);
            register.record(execution.tick).is_none()
                && match read_set.look_back {
                    LookBack::Never => false,
                    LookBack::Ahead => register.may_have_ended_ahead(execution.tick),
                    LookBack::Always => true,
                }
        };
        let looked_up = read_set.records.iter().filter(is_looked_up);
        let keys = looked_up.map(|execution| history_key(self.namespace(), execution));
        let keys: Vec<Document> = keys.collect();
        let mut documents = Vec::new();
        if !keys.is_empty() {
            let find = Find::new(&self.names.executions, doc! { "_id": one_of(keys) });
            documents = self.find(find).await?;
        }
        let of_tick = |(task, tick): (&TaskName, Tick)| {
            let mut filter = self.in_namespace();
            filter.extend(doc! { "_id.task": task.as_str(), "_id.tick": date(tick) });
            filter
        };
        let ticks: Vec<Document> = read_set.whole_ticks().into_iter().map(of_tick).collect();
        if !ticks.is_empty() {
            let find = Find::new(&self.names.executions, doc! { "$or": ticks });
            documents.extend(self.find(find).await?);
        }
        Ok(documents)
    }

    /// The pauses of tasks.
    async fn pauses(
        &self,
        tasks: &BTreeSet<TaskName>,
    ) -> Result<Vec<(TaskName, Pause)>, StoreError> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let keys = tasks.iter().map(|task| task_key(self.namespace(), task));
        let filter = doc! { "_id": one_of(keys), "pause": { "$exists": true } };
        let found = self.find(Find::new(&self.names.tasks, filter)).await?;
        let pause = |document: &Document| -> Result<_, Unreadable> {
            let pause = read_pause(Fields(document).document("pause")?)?;
            Ok((read_task(document)?, pause))
        };
        Ok(found.iter().map(pause).collect::<Result<_, _>>()?)
    }

    /// A page of the registers that may have a candidate, by (task, index). Their documents say
    /// from when on (`look_at`, `unleased_since`); the rules say whether they have one.
    async fn due_registers(
        &self,
        page: &CandidatesPage<'_>,
        now: Timestamp,
    ) -> Result<Vec<Document>, StoreError> {
        let mut due = vec![doc! { "look_at": { "$lte": date_of(now) } }];
        if page.candidates == Candidates::Open {
            let before = now.saturating_sub(page.abandoned_after).ok();
            let before = before.map_or(Tick::MIN, Tick::at_or_before);
            due.push(doc! { "unleased_since": { "$lte": date(before) } });
        }
        let mut all = vec![self.in_namespace(), doc! { "$or": due }];
        if let Some(Execution { task, index, tick }) = page.after {
            // Later ticks of the same register may be candidates too.
            let order = if *tick == Tick::MAX { "$gt" } else { "$gte" };
            all.push(doc! { "$or": [
                { "_id.task": { "$gt": task.as_str() } },
                { "_id.task": task.as_str(), "_id.index": { order: i64::from(index.get()) } },
            ] });
        }
        let find = Find {
            sort: Some(doc! { "_id.task": 1, "_id.index": 1 }),
            limit: i64::try_from(self.limits().candidates_page).ok(),
            ..Find::new(&self.names.registers, doc! { "$and": all })
        };
        self.find(find).await
    }

    /// The instances that are present, and since when. They decide only about executions without a
    /// lease.
    async fn present(
        &self,
        page: &CandidatesPage<'_>,
        now: Timestamp,
    ) -> Result<HashMap<InstanceId, Timestamp>, StoreError> {
        if page.candidates != Candidates::Open {
            return Ok(HashMap::new());
        }
        let all = self.all_instances().await?.into_iter();
        let present = all.filter(|record| record.is_present_at(now));
        Ok(present
            .map(|record| (record.report.instance, record.since))
            .collect())
    }
}

/// Reads the pause of a task.
pub(crate) fn read_pause(fields: Fields<'_>) -> Result<Pause, Unreadable> {
    Ok(Pause {
        note: fields.text("note")?.to_owned(),
        by: fields.text("by")?.to_owned(),
        since: fields.time("since")?,
    })
}
