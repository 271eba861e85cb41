//! A file's task as the scheduler's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sexton::{ReadyTask, Run, Task};

use crate::execute::{Requests, execute, masked};
use crate::masks::Masks;
use crate::tasks::TaskSpec;

/// What the tasks of a file have in common.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) requests: Requests,
    /// How long a command that is cancelled has to end.
    pub(super) stop_grace: Duration,
    /// What is masked in what any task says, by all that the file has named since the start: what
    /// began before a reload ends after it.
    masks: Arc<Mutex<Masks>>,
}

impl Common {
    pub(super) fn new(requests: Requests, stop_grace: Duration) -> Common {
        Common {
            requests,
            stop_grace,
            masks: Arc::default(),
        }
    }

    /// Masks these as well from now on.
    pub(super) fn mask(&self, masks: &Masks) {
        let mut known = self.masks.lock().unwrap_or_else(PoisonError::into_inner);
        *known = known.and(masks);
    }

    fn masks(&self) -> Masks {
        let known = self.masks.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }
}

/// The task, ready for a scheduler.
pub(super) fn ready(spec: &TaskSpec, common: &Common) -> ReadyTask {
    let policies = &spec.policies;
    let mut task = Task::new(spec.name.as_str())
        .schedule(Arc::clone(&spec.schedule))
        .concurrency(u64::from(spec.concurrency.get()))
        .delivery(policies.delivery)
        .lease(policies.lease.duration())
        .overlap(policies.overlap)
        .missed(policies.missed)
        .placement(policies.placement)
        .priority(policies.priority)
        .work(spec.work.digest());
    if let Some(runs) = policies.running_max {
        task = task.running_max(usize::try_from(runs).unwrap_or(usize::MAX));
    }
    if let Some(group) = &policies.group {
        task = task.group(group);
    }
    for (name, value) in &policies.labels {
        task = task.only_on(format!("{name}={value}"));
    }
    if let Some(retry) = &policies.retry {
        task = task.retry(retry.clone());
    }
    if let Some(timeout) = policies.timeout {
        task = task.timeout(timeout);
    }
    if let Some(jitter) = policies.jitter.filter(|jitter| *jitter > Duration::ZERO) {
        task = task.jitter(jitter);
    }
    if let Some(start) = policies.start {
        task = task.starting(start.timestamp());
    }
    if let Some(end) = policies.end {
        task = task.ending(end.timestamp());
    }
    let work = Arc::new(spec.work.clone());
    let common = common.clone();
    task.run(move |run: Run| {
        let requests = common.requests.clone();
        let ending = execute(Arc::clone(&work), requests, common.stop_grace, run);
        let common = common.clone();
        async move { masked(ending.await, &common.masks()) }
    })
}
