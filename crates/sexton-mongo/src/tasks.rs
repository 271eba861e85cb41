//! Definitions, pauses, and what is known of tasks.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures::try_join;
use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use sexton_core::lock::stored::{Defining, Definitions, define};
use sexton_core::lock::{
    Answer, Defined, Pause, PauseChange, Register, TaskDefinition, TaskQuery, TaskState,
};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::ConcurrencyIndex;

use crate::MongoLockManager;
use crate::call::Errand;
use crate::commands::{Find, one_of, replace_or_insert, update_or_insert};
use crate::load::read_pause;
use crate::register::{read_register, register_fields};
use crate::trouble::{Outage, Trouble};
use crate::value::{Fields, Unreadable, date_of};
use crate::wanted::Pair;

/// The most tasks of a page.
const PAGE_MAX: usize = 1_000;
/// How many registers are read together when their tasks' names are looked for.
const REGISTERS_PAGE: usize = 1_000;

/// A task's document as it was read. The default is that of a task that has none.
#[derive(Debug, Clone, Default, PartialEq)]
struct KeptTask {
    /// Rises with every write; 0 if there is no document.
    version: i64,
    defining: Option<Defining>,
    pause: Option<Pause>,
}

impl KeptTask {
    fn read(document: &Document) -> Result<(TaskName, KeptTask), Unreadable> {
        let fields = Fields(document);
        let task = fields.document("_id")?.task("task")?;
        let mut kept = KeptTask {
            version: fields.number("version")?,
            ..KeptTask::default()
        };
        if let Some(text) = fields.maybe_text("definition")? {
            let definition = TaskDefinition {
                task: task.clone(),
                schedule: fields.text("schedule")?.to_owned(),
                canonical: fields.text("canonical")?.to_owned(),
                concurrency: fields.concurrency("concurrency")?,
                definition: text.to_owned(),
            };
            kept.defining = Some(Defining {
                definition,
                by: fields.instance("defined_by")?,
                known_since: fields.maybe_time("known_since")?,
                schedule_since: fields.maybe_time("schedule_since")?,
            });
        }
        if document.contains_key("pause") {
            kept.pause = Some(read_pause(fields.document("pause")?)?);
        }
        Ok((task, kept))
    }

    /// What takes its place: the same, with the next version.
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

impl MongoLockManager {
    pub(crate) fn task_key(&self, task: &TaskName) -> Document {
        doc! { "namespace": self.inner.namespace.as_str(), "task": task.as_str() }
    }

    async fn kept_tasks(
        &self,
        tasks: &BTreeSet<&TaskName>,
    ) -> Result<HashMap<TaskName, KeptTask>, Trouble> {
        let keys = tasks.iter().map(|task| self.task_key(task));
        let find = Find::new(&self.inner.names.tasks, doc! { "_id": one_of(keys) });
        let found = self.find(find).await?;
        Ok(found.iter().map(KeptTask::read).collect::<Result<_, _>>()?)
    }

    /// Writes tasks where nobody has since they were read. Answers those where somebody has.
    async fn write_tasks(
        &self,
        tasks: &BTreeMap<&TaskName, KeptTask>,
    ) -> Result<HashSet<TaskName>, Trouble> {
        let statement = |(task, kept): (&&TaskName, &KeptTask)| {
            let filter = doc! { "_id": self.task_key(task), "version": kept.version };
            replace_or_insert(filter, kept.to_document())
        };
        let statements = tasks.iter().map(statement).collect();
        let written = self.update(&self.inner.names.tasks, statements).await?;
        let all = tasks.keys().enumerate();
        let overtaken = all.filter(|(place, _)| written.taken.contains(place));
        Ok(overtaken.map(|(_, task)| (*task).clone()).collect())
    }

    async fn raise_revision(&self, by: usize) -> Result<(), Trouble> {
        let by = i64::try_from(by).unwrap_or(i64::MAX);
        let filter = doc! { "_id": self.inner.namespace.as_str() };
        let raise = update_or_insert(filter, doc! { "$inc": { "revision": by } });
        let namespaces = &self.inner.names.namespaces;
        // Two who are first at the same time: one of them finds it there, then.
        while !(self.update(namespaces, vec![raise.clone()]).await?)
            .taken
            .is_empty()
        {}
        Ok(())
    }
}

pub(crate) struct Define<'b> {
    instance: &'b InstanceId,
    batch: &'b [TaskDefinition],
    /// `None` where it still is to be done.
    answers: Vec<Option<Defined>>,
    /// What would have been answered, had the write been: a try that finds its own write goes by
    /// that.
    meant: Vec<Option<Defined>>,
    /// By how much the revision is still to rise.
    rise: usize,
}

impl<'b> Define<'b> {
    pub(crate) fn new(instance: &'b InstanceId, batch: &'b [TaskDefinition]) -> Define<'b> {
        Define {
            instance,
            batch,
            answers: batch.iter().map(|_| None).collect(),
            meant: batch.iter().map(|_| None).collect(),
            rise: 0,
        }
    }

    pub(crate) fn into_answers(self) -> Vec<Defined> {
        self.answers.into_iter().flatten().collect()
    }
}

impl Errand for Define<'_> {
    type Found = Timestamp;

    async fn run(&mut self, manager: &MongoLockManager) -> Result<Timestamp, Trouble> {
        let undone = (0..self.batch.len()).filter(|place| self.answers[*place].is_none());
        let places: Vec<usize> = undone.collect();
        let batch: Vec<TaskDefinition> = places
            .iter()
            .map(|place| self.batch[*place].clone())
            .collect();
        let names: BTreeSet<&TaskName> = batch.iter().map(|new| &new.task).collect();
        let (now, kept) = try_join!(manager.clock(), manager.kept_tasks(&names))?;
        let mut known: Definitions = kept
            .iter()
            .filter_map(|(task, kept)| Some((task.clone(), kept.defining.clone()?)))
            .collect();
        let mut answers = define(&mut known, self.instance, &batch, now);
        for ((place, new), answer) in places.iter().zip(&batch).zip(&mut answers) {
            let before = kept.get(&new.task).and_then(|one| one.defining.as_ref());
            let is_ours = before.is_some_and(|before| before.by == *self.instance);
            match &self.meant[*place] {
                Some(meant) if is_ours && *answer == Defined::Same => answer.clone_from(meant),
                _ => self.meant[*place] = Some(answer.clone()),
            }
        }
        let mut writes = BTreeMap::new();
        for name in names {
            let mut task = kept.get(name).cloned().unwrap_or_default();
            let defining = known.remove(name);
            if task.defining != defining {
                task.defining = defining;
                writes.insert(name, task);
            }
        }
        let overtaken = manager.write_tasks(&writes).await?;
        for ((place, new), answer) in places.into_iter().zip(&batch).zip(answers) {
            if !overtaken.contains(&new.task) {
                self.rise += usize::from(matches!(answer, Defined::Differed { .. }));
                self.answers[place] = Some(answer);
            }
        }
        if self.rise > 0 {
            manager.raise_revision(self.rise).await?;
            self.rise = 0;
        }
        if !overtaken.is_empty() {
            return Err(Outage::Overtaken.into());
        }
        Ok(now)
    }
}

pub(crate) struct ChangePause<'c> {
    pub(crate) tasks: BTreeSet<&'c TaskName>,
    pub(crate) change: &'c PauseChange,
}

impl Errand for ChangePause<'_> {
    type Found = Answer<()>;

    async fn run(&mut self, manager: &MongoLockManager) -> Result<Answer<()>, Trouble> {
        let (now, mut kept) = try_join!(manager.clock(), manager.kept_tasks(&self.tasks))?;
        let pause = match self.change {
            PauseChange::Pause { note, by } => Some(Pause {
                note: note.clone(),
                by: by.clone(),
                since: now,
            }),
            PauseChange::Resume => None,
        };
        let mut writes = BTreeMap::new();
        for &task in &self.tasks {
            let mut kept = kept.remove(task).unwrap_or_default();
            if kept.pause != pause {
                kept.pause.clone_from(&pause);
                writes.insert(task, kept);
            }
        }
        if !manager.write_tasks(&writes).await?.is_empty() {
            return Err(Outage::Overtaken.into());
        }
        // Whoever has looked for a pause before this one, and has not written yet, looks again.
        let tasks: Vec<&str> = self.tasks.iter().map(|task| task.as_str()).collect();
        manager.touch_all_of(&tasks).await?;
        manager.raise_revision(1).await?;
        Ok(Answer { now, value: () })
    }
}

pub(crate) struct Tasks<'q>(pub(crate) &'q TaskQuery);

impl Errand for Tasks<'_> {
    type Found = Answer<Vec<TaskState>>;

    async fn run(&mut self, manager: &MongoLockManager) -> Result<Self::Found, Trouble> {
        let names: Vec<TaskName> = match self.0 {
            TaskQuery::Named(names) => names.clone(),
            TaskQuery::Page { after, limit } => {
                let limit = (*limit).min(PAGE_MAX);
                manager.task_names(after.as_ref(), limit).await?
            }
        };
        let distinct: BTreeSet<&TaskName> = names.iter().collect();
        let (now, kept, registers) = try_join!(
            manager.clock(),
            manager.kept_tasks(&distinct),
            manager.task_registers(&distinct),
        )?;
        let state = |task: &TaskName| {
            let KeptTask {
                defining, pause, ..
            } = kept.get(task).cloned().unwrap_or_default();
            TaskState {
                task: task.clone(),
                known_since: defining.as_ref().and_then(|one| one.known_since),
                schedule_since: defining.as_ref().and_then(|one| one.schedule_since),
                definition: defining.map(|defining| defining.definition),
                pause,
                registers: registers.get(task).cloned().unwrap_or_default(),
            }
        };
        let value = names.iter().map(state).collect();
        Ok(Answer { now, value })
    }
}

impl MongoLockManager {
    async fn task_registers(
        &self,
        tasks: &BTreeSet<&TaskName>,
    ) -> Result<HashMap<TaskName, Vec<(ConcurrencyIndex, Register)>>, Trouble> {
        let tasks = one_of(tasks.iter().map(|task| task.as_str()));
        let filter = doc! { "_id.namespace": self.inner.namespace.as_str(), "_id.task": tasks };
        let find = Find {
            sort: Some(doc! { "_id.task": 1, "_id.index": 1 }),
            // What runs or waits may be far more than what is asked for.
            projection: Some(register_fields()),
            ..Find::new(&self.inner.names.registers, filter)
        };
        let mut registers: HashMap<_, Vec<_>> = HashMap::new();
        for document in &self.find(find).await? {
            let ((task, index), register) = read_register(document)?;
            if let Some(register) = register {
                registers.entry(task).or_default().push((index, register));
            }
        }
        Ok(registers)
    }

    /// A page of the names of tasks that anything is known of.
    async fn task_names(
        &self,
        after: Option<&TaskName>,
        limit: usize,
    ) -> Result<Vec<TaskName>, Trouble> {
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
        let mut filter = doc! { "_id.namespace": self.inner.namespace.as_str() };
        if let Some(after) = after {
            filter.insert("_id.task", doc! { "$gt": after.as_str() });
        }
        filter
    }

    async fn names_of_tasks(
        &self,
        after: Option<&TaskName>,
        limit: usize,
    ) -> Result<Vec<TaskName>, Trouble> {
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
            ..Find::new(&self.inner.names.tasks, filter)
        };
        let found = self.find(find).await?;
        let name = |document: &Document| Fields(document).document("_id")?.task("task");
        Ok(found.iter().map(name).collect::<Result<_, _>>()?)
    }

    async fn names_in_registers(
        &self,
        after: Option<&TaskName>,
        limit: usize,
    ) -> Result<BTreeSet<TaskName>, Trouble> {
        let mut names: BTreeSet<TaskName> = BTreeSet::new();
        let mut after = after.cloned();
        while names.len() < limit {
            let mut filter = self.behind(after.as_ref());
            // What was only triggered has no watermark.
            filter.insert("fence", doc! { "$exists": true });
            let find = Find {
                sort: Some(doc! { "_id.task": 1, "_id.index": 1 }),
                limit: i64::try_from(REGISTERS_PAGE).ok(),
                projection: Some(doc! { "_id": 1 }),
                ..Find::new(&self.inner.names.registers, filter)
            };
            let found = self.find(find).await?;
            let pair = |document: &Document| -> Result<Pair, Unreadable> {
                let key = Fields(document).document("_id")?;
                Ok((key.task("task")?, key.index("index")?))
            };
            let pairs: Vec<Pair> = found.iter().map(pair).collect::<Result<_, _>>()?;
            let is_at_end = pairs.len() < REGISTERS_PAGE;
            after = pairs.last().map(|(task, _)| task.clone());
            names.extend(pairs.into_iter().map(|(task, _)| task));
            if is_at_end {
                break;
            }
        }
        Ok(names)
    }
}
