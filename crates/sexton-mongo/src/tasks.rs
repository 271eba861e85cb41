//! Definitions, pauses, and what is known of tasks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::try_join;
use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use sexton_core::lock::engine::{Connect, NewPause, Tasks, Unavailable};
use sexton_core::lock::stored::{DefineBatch, Defining, Definitions};
use sexton_core::lock::{Answer, Pause, Register, TaskDefinition, TaskQuery, TaskState};
use sexton_core::name::{ClaimId, TaskName};
use sexton_core::tick::ConcurrencyIndex;

use crate::commands::{Find, one_of, replace_or_insert, update_fields};
use crate::error::StoreError;
use crate::keys::{read_lock_key, read_task, task_key};
use crate::load::read_pause;
use crate::port::MongoPort;
use crate::register::{read_register, register_fields};
use crate::value::{Fields, Unreadable, date_of, id};

/// How many registers are read together in search of their tasks' names.
const REGISTERS_PAGE: usize = 1_000;

/// The document of a task as it was read. The default stands for one that does not exist yet.
#[derive(Debug, Clone, Default, PartialEq)]
struct TaskDocument {
    /// Rises with every write; 0 if there is no document.
    version: i64,
    defining: Option<Defining>,
    pause: Option<Pause>,
}

impl TaskDocument {
    fn read(document: &Document) -> Result<(TaskName, TaskDocument), Unreadable> {
        let fields = Fields(document);
        let task = read_task(document)?;
        let mut read = TaskDocument {
            version: fields.number("version")?,
            ..TaskDocument::default()
        };
        if let Some(text) = fields.maybe_text("definition")? {
            let definition = TaskDefinition {
                task: task.clone(),
                schedule: fields.text("schedule")?.to_owned(),
                canonical: fields.text("canonical")?.to_owned(),
                concurrency: fields.concurrency("concurrency")?,
                definition: text.to_owned(),
            };
            read.defining = Some(Defining {
                definition,
                by: fields.instance("defined_by")?,
                known_since: fields.maybe_time("known_since")?,
                schedule_since: fields.maybe_time("schedule_since")?,
            });
        }
        if document.contains_key("pause") {
            read.pause = Some(read_pause(fields.document("pause")?)?);
        }
        Ok((task, read))
    }

    /// The document that takes its place, without its key: the same content, the next version.
    fn to_document(&self) -> Document {
        let mut document = doc! { "version": self.version.saturating_add(1) };
        if let Some(Defining {
            definition,
            by,
            known_since,
            schedule_since,
        }) = &self.defining
        {
            document.extend(doc! {
                "schedule": definition.schedule.as_str(),
                "canonical": definition.canonical.as_str(),
                "concurrency": i64::from(definition.concurrency.get()),
                "definition": definition.definition.as_str(),
                "defined_by": by.as_str(),
            });
            let since = [
                ("known_since", known_since),
                ("schedule_since", schedule_since),
            ];
            for (field, since) in since {
                let since = since.map(|since| (field.to_owned(), date_of(since).into()));
                document.extend(since);
            }
        }
        if let Some(Pause { note, by, since }) = &self.pause {
            let pause = doc! { "note": note, "by": by, "since": date_of(*since) };
            document.insert("pause", pause);
        }
        document
    }
}

impl Tasks for MongoPort {
    async fn define(
        &self,
        _connection: &mut (),
        batch: &mut DefineBatch,
    ) -> Result<Timestamp, StoreError> {
        let (now, mut tasks) = {
            let names = batch.tasks();
            try_join!(self.clock(), self.task_documents(&names))?
        };
        let known = tasks
            .iter()
            .filter_map(|(name, task)| Some((name.clone(), task.defining.clone()?)));
        let known: Definitions = known.collect();
        let changed = batch.decide(&known, now).into_iter().map(|defining| {
            let name = defining.definition.task.clone();
            let mut task = tasks.remove(&name).unwrap_or_default();
            task.defining = Some(defining);
            (name, task)
        });
        let conflicts = self.write_tasks(&changed.collect()).await?;
        if batch.written(&conflicts) {
            return Err(Unavailable::Conflict.into());
        }
        Ok(now)
    }

    async fn change_pause(
        &self,
        _connection: &mut (),
        tasks: &BTreeSet<&TaskName>,
        pause: Option<&NewPause>,
    ) -> Result<Timestamp, StoreError> {
        let (now, mut documents) = try_join!(self.clock(), self.task_documents(tasks))?;
        let pause = pause.map(|pause| pause.since(now));
        let mut writes = BTreeMap::new();
        for &name in tasks {
            let mut task = documents.remove(name).unwrap_or_default();
            if task.pause != pause {
                task.pause.clone_from(&pause);
                writes.insert(name.clone(), task);
            }
        }
        if !self.write_tasks(&writes).await?.is_empty() {
            return Err(Unavailable::Conflict.into());
        }
        // A client that has looked for a pause before, and has not written yet, looks again.
        self.touch_registers(tasks).await?;
        Ok(now)
    }

    async fn tasks(
        &self,
        _connection: &mut (),
        query: &TaskQuery,
    ) -> Result<Answer<Vec<TaskState>>, StoreError> {
        let names: Vec<TaskName> = match query {
            TaskQuery::Named(names) => names.clone(),
            TaskQuery::Page { after, limit } => self.task_names(after.as_ref(), *limit).await?,
        };
        let distinct: BTreeSet<&TaskName> = names.iter().collect();
        let (now, tasks, registers) = try_join!(
            self.clock(),
            self.task_documents(&distinct),
            self.task_registers(&distinct),
        )?;
        let state = |name: &TaskName| {
            let TaskDocument {
                defining, pause, ..
            } = tasks.get(name).cloned().unwrap_or_default();
            TaskState {
                task: name.clone(),
                known_since: defining.as_ref().and_then(|one| one.known_since),
                schedule_since: defining.as_ref().and_then(|one| one.schedule_since),
                definition: defining.map(|defining| defining.definition),
                pause,
                registers: registers.get(name).cloned().unwrap_or_default(),
            }
        };
        let value = names.iter().map(state).collect();
        Ok(Answer { now, value })
    }
}

impl MongoPort {
    async fn task_documents(
        &self,
        tasks: &BTreeSet<&TaskName>,
    ) -> Result<HashMap<TaskName, TaskDocument>, StoreError> {
        let keys = tasks.iter().map(|task| task_key(self.namespace(), task));
        let find = Find::new(&self.names.tasks, doc! { "_id": one_of(keys) });
        let found = self.find(find).await?;
        Ok(found
            .iter()
            .map(TaskDocument::read)
            .collect::<Result<_, _>>()?)
    }

    /// Writes tasks where nobody has since they were read. Answers those where somebody has.
    async fn write_tasks(
        &self,
        tasks: &BTreeMap<TaskName, TaskDocument>,
    ) -> Result<BTreeSet<TaskName>, StoreError> {
        let statement = |(name, task): (&TaskName, &TaskDocument)| {
            let key = task_key(self.namespace(), name);
            let filter = doc! { "_id": key, "version": task.version };
            replace_or_insert(filter, task.to_document())
        };
        let statements = tasks.iter().map(statement).collect();
        let written = self.update(&self.names.tasks, statements).await?;
        let all = tasks.keys().enumerate();
        let conflicts = all.filter(|(position, _)| written.duplicates.contains(position));
        Ok(conflicts.map(|(_, name)| name.clone()).collect())
    }

    /// Gives all registers of tasks a new version, so that a client that has read one of them and
    /// not written yet runs into a conflict.
    async fn touch_registers(&self, tasks: &BTreeSet<&TaskName>) -> Result<(), StoreError> {
        let mut filter = self.in_namespace();
        filter.insert("_id.task", one_of(tasks.iter().map(|task| task.as_str())));
        let touch = doc! {
            "$inc": { "version": 1_i64 },
            "$set": { "token": id(ClaimId::random()) },
        };
        let statement = update_fields(filter, touch);
        self.update(&self.names.registers, vec![statement]).await?;
        Ok(())
    }

    async fn task_registers(
        &self,
        tasks: &BTreeSet<&TaskName>,
    ) -> Result<HashMap<TaskName, Vec<(ConcurrencyIndex, Register)>>, StoreError> {
        let mut filter = self.in_namespace();
        filter.insert("_id.task", one_of(tasks.iter().map(|task| task.as_str())));
        let find = Find {
            sort: Some(doc! { "_id.task": 1, "_id.index": 1 }),
            // The records that wait or run may be far more than what is asked for.
            projection: Some(register_fields()),
            ..Find::new(&self.names.registers, filter)
        };
        let mut registers: HashMap<_, Vec<_>> = HashMap::new();
        for document in &self.find(find).await? {
            let (key, register) = read_register(document)?;
            if let Some(register) = register {
                let of_task = registers.entry(key.task).or_default();
                of_task.push((key.index, register));
            }
        }
        Ok(registers)
    }

    /// A page of the names of tasks that anything is known of.
    async fn task_names(
        &self,
        after: Option<&TaskName>,
        limit: usize,
    ) -> Result<Vec<TaskName>, StoreError> {
        if limit == 0 {
            // To the server 0 is no limit at all.
            return Ok(Vec::new());
        }
        let (defined, claimed) = try_join!(
            self.names_of_tasks(after, limit),
            self.names_in_registers(after, limit)
        )?;
        let names: BTreeSet<TaskName> = defined.into_iter().chain(claimed).collect();
        Ok(names.into_iter().take(limit).collect())
    }

    fn behind(&self, after: Option<&TaskName>) -> Document {
        let mut filter = self.in_namespace();
        if let Some(after) = after {
            filter.insert("_id.task", doc! { "$gt": after.as_str() });
        }
        filter
    }

    async fn names_of_tasks(
        &self,
        after: Option<&TaskName>,
        limit: usize,
    ) -> Result<Vec<TaskName>, StoreError> {
        // A task that was paused and resumed, and nothing else, is not one.
        let mut filter = self.behind(after);
        filter.insert(
            "$or",
            [
                doc! { "definition": { "$exists": true } },
                doc! { "pause": { "$exists": true } },
            ],
        );
        let find = Find {
            sort: Some(doc! { "_id.task": 1 }),
            limit: i64::try_from(limit).ok(),
            projection: Some(doc! { "_id": 1 }),
            ..Find::new(&self.names.tasks, filter)
        };
        let found = self.find(find).await?;
        Ok(found.iter().map(read_task).collect::<Result<_, _>>()?)
    }

    async fn names_in_registers(
        &self,
        after: Option<&TaskName>,
        limit: usize,
    ) -> Result<BTreeSet<TaskName>, StoreError> {
        let mut names: BTreeSet<TaskName> = BTreeSet::new();
        let mut after = after.cloned();
        while names.len() < limit {
            let mut filter = self.behind(after.as_ref());
            // A (task, index) that was only triggered has no watermark.
            filter.insert("fence", doc! { "$exists": true });
            let find = Find {
                sort: Some(doc! { "_id.task": 1, "_id.index": 1 }),
                limit: i64::try_from(REGISTERS_PAGE).ok(),
                projection: Some(doc! { "_id": 1 }),
                ..Find::new(&self.names.registers, filter)
            };
            let found = self.find(find).await?;
            let is_at_end = found.len() < REGISTERS_PAGE;
            for document in &found {
                let key = read_lock_key(document)?;
                after = Some(key.task.clone());
                names.insert(key.task);
            }
            if is_at_end {
                break;
            }
        }
        Ok(names)
    }
}
