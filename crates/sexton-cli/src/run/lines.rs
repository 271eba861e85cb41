//! The lines of the crontabs that run here, against those that run elsewhere.
//!
//! A line without a name is a task that is called by what it says. Edit it on one host, and there
//! are two tasks, which both hosts run without a word. So each instance tells the store a digest of
//! all lines of a crontab, as the definition of a task of Sexton's own that is never due, hears what
//! another has told, and looks once a minute whether another has told since.

use std::sync::Arc;
use std::time::Duration;

use sexton::lock::{
    BATCH_MAX, Defined, InstanceRecord, LockError, LockManager, TaskDefinition, TaskQuery,
    TaskState,
};
use sexton::name::{InstanceId, TaskName};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;

use crate::tasks::CrontabLines;

/// The pause after the first attempt to tell the store; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// How long after it was last told the store is asked whether it has other lines.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// How many differences wait to be written down.
const FOUND_MAX: usize = 16;
/// How many bytes of the hash are told.
const DIGEST_BYTES: usize = 8;

/// Another instance runs other lines of a crontab of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LinesDiffer {
    /// The crontab's name, as in the names of its tasks.
    pub(super) crontab: String,
    /// The other instance.
    pub(super) by: String,
    /// Its lines: their number and a digest.
    pub(super) theirs: String,
    /// The lines of this instance.
    pub(super) ours: String,
}

/// The comparison, which ends with this.
#[derive(Debug)]
pub(super) struct Comparison {
    comparing: JoinSet<()>,
    sender: Sender<LinesDiffer>,
    found: Receiver<LinesDiffer>,
}

impl Comparison {
    pub(super) fn new() -> Comparison {
        let (sender, found) = channel(FOUND_MAX);
        Comparison {
            comparing: JoinSet::new(),
            sender,
            found,
        }
    }

    /// Compares from now on with the lines that run here now.
    pub(super) fn begin(
        &mut self,
        manager: &Arc<dyn LockManager>,
        instance: &InstanceId,
        crontabs: &[CrontabLines],
    ) {
        self.comparing.abort_all();
        let ours: Vec<TaskDefinition> = crontabs.iter().filter_map(definition).collect();
        if !ours.is_empty() {
            let (manager, instance) = (Arc::clone(manager), instance.clone());
            let found = self.sender.clone();
            self.comparing
                .spawn(async move { compare(&*manager, &instance, &ours, &found).await });
        }
    }

    /// Completes with a crontab of which another instance runs other lines; cancel safe.
    pub(super) async fn next(&mut self) -> LinesDiffer {
        match self.found.recv().await {
            Some(differ) => differ,
            None => std::future::pending().await,
        }
    }
}

/// Tells the store which lines run here, and again whenever it has others, so that each of those
/// that differ hears of another.
async fn compare(
    manager: &dyn LockManager,
    instance: &InstanceId,
    ours: &[TaskDefinition],
    found: &Sender<LinesDiffer>,
) {
    let mut told = Vec::new();
    loop {
        for batch in ours.chunks(BATCH_MAX) {
            for differ in tell(manager, instance, batch).await {
                if told.contains(&differ) {
                    continue;
                }
                told.push(differ.clone());
                if found.send(differ).await.is_err() {
                    return;
                }
            }
        }
        loop {
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            match are_known(manager, ours).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "the crontabs' lines are compared later");
                }
            }
        }
    }
}

/// Whether the store has our lines.
async fn are_known(manager: &dyn LockManager, ours: &[TaskDefinition]) -> Result<bool, LockError> {
    for batch in ours.chunks(BATCH_MAX) {
        let names = batch.iter().map(|ours| ours.task.clone()).collect();
        let states = manager.tasks(&TaskQuery::Named(names)).await?.value;
        let is_ours = |(ours, state): (&TaskDefinition, &TaskState)| {
            state
                .definition
                .as_ref()
                .is_some_and(|known| known.definition == ours.definition)
        };
        if !batch.iter().zip(&states).all(is_ours) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Tells the store which lines run here, and answers which others another instance runs that is
/// there.
async fn tell(
    manager: &dyn LockManager,
    instance: &InstanceId,
    batch: &[TaskDefinition],
) -> Vec<LinesDiffer> {
    let mut retries = Retries { pause: PAUSE_FIRST };
    let answers = loop {
        match manager.define(instance, batch).await {
            Ok(answers) => break answers,
            Err(error) => retries.wait(&error).await,
        }
    };
    let mut differ = Vec::new();
    for (ours, answer) in batch.iter().zip(answers.value) {
        if let Defined::Differed { was, by } = answer
            && by != *instance
        {
            let crontab = crontab_of(&ours.task).to_owned();
            differ.push((
                by.clone(),
                LinesDiffer {
                    crontab,
                    by: by.to_string(),
                    theirs: was.definition,
                    ours: ours.definition.clone(),
                },
            ));
        }
    }
    if differ.is_empty() {
        return Vec::new();
    }
    // Asked last: an instance that has told of its lines is listed by then. What one that has left
    // ran may well be the lines before they were edited.
    let instances = loop {
        match manager.instances().await {
            Ok(instances) => break instances,
            Err(error) => retries.wait(&error).await,
        }
    };
    differ.retain(|(by, _)| {
        let is_it = |other: &InstanceRecord| {
            other.report.instance == *by && other.is_present_at(instances.now)
        };
        instances.value.iter().any(is_it)
    });
    differ.into_iter().map(|(_, differ)| differ).collect()
}

/// How long the store is left alone after an error.
struct Retries {
    pause: Duration,
}

impl Retries {
    async fn wait(&mut self, error: &LockError) {
        tracing::warn!(%error, "the crontabs' lines are not compared yet");
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}

/// What the names of the tasks begin with that stand for crontabs. Sexton's own names are shown only
/// where they are asked for.
const PREFIX: &str = "sexton:crontab ";

fn crontab_of(task: &TaskName) -> &str {
    task.as_str().strip_prefix(PREFIX).unwrap_or(task.as_str())
}

fn definition(lines: &CrontabLines) -> Option<TaskDefinition> {
    let task = TaskName::new(format!("{PREFIX}{}", lines.file)).ok()?;
    let mut names: Vec<&TaskName> = lines.tasks.iter().collect();
    names.sort();
    let mut hash = Sha256::new();
    for name in &names {
        hash.update((name.as_str().len() as u64).to_be_bytes());
        hash.update(name.as_str());
    }
    let hash = hash.finalize();
    let digest: String = hash
        .iter()
        .take(DIGEST_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let plural = if names.len() == 1 { "" } else { "s" };
    Some(TaskDefinition {
        task,
        schedule: "never: it stands for the lines of a crontab".to_owned(),
        canonical: "never".to_owned(),
        concurrency: sexton::Concurrency::ONE,
        definition: format!("{} line{plural} {digest}", names.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(tasks: &[&str]) -> String {
        let lines = CrontabLines {
            file: "bells".to_owned(),
            tasks: tasks
                .iter()
                .map(|name| TaskName::new(name).unwrap())
                .collect(),
        };
        super::definition(&lines).unwrap().definition
    }

    #[test]
    fn lines_are_compared_whatever_their_order() {
        assert_eq!(definition(&["a", "b"]), definition(&["b", "a"]));
        assert_ne!(definition(&["a", "b"]), definition(&["a", "c"]));
        assert_ne!(definition(&["ab"]), definition(&["a", "b"]));
        assert!(definition(&["a"]).starts_with("1 line "));
    }
}
