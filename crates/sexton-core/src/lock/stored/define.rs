//! What a definition finds of those before it.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::lock::{Defined, TaskDefinition};
use crate::name::{InstanceId, TaskName};

/// A definition as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defining {
    /// How the task is defined.
    pub definition: TaskDefinition,
    /// Who defined it so.
    pub by: InstanceId,
    /// As [`TaskState::known_since`](crate::lock::TaskState::known_since). `None` if it was written
    /// down before that was.
    pub known_since: Option<Timestamp>,
    /// As [`TaskState::schedule_since`](crate::lock::TaskState::schedule_since). `None` if it was
    /// written down before that was.
    pub schedule_since: Option<Timestamp>,
}

/// Definitions as the store has them.
pub type Definitions = HashMap<TaskName, Defining>;

/// Definitions that an instance makes in one call, each once however often the call runs.
///
/// A port hands it what is there ([`DefineBatch::decide`]), writes what comes back, and says what
/// was written ([`DefineBatch::written`]). A call that runs again since its answer was lost finds its
/// own definition, and answers what it would have answered then.
#[derive(Debug)]
pub struct DefineBatch {
    instance: InstanceId,
    batch: Vec<TaskDefinition>,
    /// `None` where it is not known to be written.
    answers: Vec<Option<Defined>>,
    /// What the last try would have answered, had its write been known to succeed.
    meant: Vec<Option<Defined>>,
    /// What the last try was to write of each task.
    tried: Definitions,
}

impl DefineBatch {
    /// Definitions by an instance, none of them written yet.
    #[must_use]
    pub fn new(instance: InstanceId, batch: Vec<TaskDefinition>) -> DefineBatch {
        let none = || batch.iter().map(|_| None).collect();
        let (answers, meant) = (none(), none());
        DefineBatch {
            instance,
            batch,
            answers,
            meant,
            tried: Definitions::new(),
        }
    }

    /// Who defines.
    #[must_use]
    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// The tasks whose definition is not known to be written, each once.
    #[must_use]
    pub fn tasks(&self) -> BTreeSet<&TaskName> {
        self.open().map(|place| &self.batch[place].task).collect()
    }

    fn open(&self) -> impl Iterator<Item = usize> {
        (0..self.batch.len()).filter(|place| self.answers[*place].is_none())
    }

    /// Decides on the definitions that are there, at the store's now. Answers those that change.
    pub fn decide(&mut self, known: &Definitions, now: Timestamp) -> Vec<Defining> {
        let open: Vec<usize> = self.open().collect();
        let batch: Vec<TaskDefinition> = open
            .iter()
            .map(|place| self.batch[*place].clone())
            .collect();
        let mut after = known.clone();
        let answers = define(&mut after, &self.instance, &batch, now);
        // The store has exactly what the last try was to write: its answer alone was lost.
        let tried = &self.tried;
        let took_effect = |task: &TaskName| {
            let tried = tried.get(task);
            tried.is_some() && known.get(task) == tried
        };
        for (place, answer) in open.into_iter().zip(answers) {
            if self.meant[place].is_none() || !took_effect(&self.batch[place].task) {
                self.meant[place] = Some(answer);
            }
        }
        let is_changed = |new: &Defining| {
            let task = &new.definition.task;
            known.get(task) != Some(new) && !took_effect(task)
        };
        let changed = after.into_values().filter(is_changed);
        let mut changed: Vec<Defining> = changed.collect();
        changed.sort_by(|a, b| a.definition.task.cmp(&b.definition.task));
        let writes = changed.iter().cloned();
        self.tried
            .extend(writes.map(|new| (new.definition.task.clone(), new)));
        changed
    }

    /// Notes that what was decided is written, but for the tasks that another client was faster
    /// with. Whether there are any.
    pub fn written(&mut self, conflicts: &BTreeSet<TaskName>) -> bool {
        let open: Vec<usize> = self.open().collect();
        for place in open {
            if !conflicts.contains(&self.batch[place].task) {
                self.answers[place] = self.meant[place].take();
            }
        }
        !conflicts.is_empty()
    }

    /// The answers, once all are written.
    #[must_use]
    pub fn into_answers(self) -> Vec<Defined> {
        self.answers.into_iter().flatten().collect()
    }
}

/// Puts each of a batch in the place of what was there, one after the other, and says what that
/// was. `now` is the store's clock.
pub fn define(
    known: &mut Definitions,
    instance: &InstanceId,
    batch: &[TaskDefinition],
    now: Timestamp,
) -> Vec<Defined> {
    let one = |definition: &TaskDefinition| {
        let before = known.remove(&definition.task);
        let since = before.as_ref().and_then(|before| {
            // Indices that are new have no ticks before now.
            let is_raised = definition.concurrency > before.definition.concurrency;
            before.known_since.filter(|_| !is_raised)
        });
        let schedule_since = before.as_ref().and_then(|before| {
            let is_as_before = definition.canonical == before.definition.canonical;
            before.schedule_since.filter(|_| is_as_before)
        });
        let new = Defining {
            definition: definition.clone(),
            by: instance.clone(),
            known_since: Some(since.unwrap_or(now)),
            schedule_since: Some(schedule_since.unwrap_or(now)),
        };
        known.insert(definition.task.clone(), new);
        match before {
            None => Defined::New,
            Some(was) if was.definition == *definition => Defined::Same,
            Some(Defining { definition, by, .. }) => Defined::Differed {
                was: definition,
                by,
            },
        }
    };
    batch.iter().map(one).collect()
}
