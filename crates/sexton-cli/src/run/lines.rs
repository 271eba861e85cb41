//! The lines of the crontabs that run here, against those that run elsewhere.
//!
//! A line without a name is a task that is called by what it says. Edit it on one host, and there
//! are two tasks, which both hosts run without a word. So each instance tells the store a digest of
//! all lines of a crontab, as the definition of a task of Sexton's own that is never due, and hears
//! what another has told.

use std::sync::Arc;
use std::time::Duration;

use sexton::lock::{Defined, InstanceRecord, LockError, LockManager, TaskDefinition};
use sexton::name::{InstanceId, TaskName};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use crate::tasks::CrontabLines;

/// The pause after the first attempt to tell the store; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
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

/// The telling, which ends with this.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    telling: JoinSet<Vec<LinesDiffer>>,
}

impl Comparison {
    /// Tells the store which lines run here from now on, and tries until it has heard.
    pub(super) fn begin(
        &mut self,
        manager: &Arc<dyn LockManager>,
        instance: &InstanceId,
        crontabs: &[CrontabLines],
    ) {
        self.telling.abort_all();
        let batch: Vec<TaskDefinition> = crontabs.iter().filter_map(definition).collect();
        if !batch.is_empty() {
            let (manager, instance) = (Arc::clone(manager), instance.clone());
            self.telling
                .spawn(async move { tell(&*manager, &instance, &batch).await });
        }
    }

    /// Completes with the crontabs of which another instance runs other lines; cancel safe.
    pub(super) async fn next(&mut self) -> Vec<LinesDiffer> {
        loop {
            match self.telling.join_next().await {
                Some(Ok(differ)) => return differ,
                Some(Err(error)) if error.is_cancelled() => {}
                Some(Err(error)) => tracing::error!(%error, "the crontabs' lines are not compared"),
                None => std::future::pending().await,
            }
        }
    }
}

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
