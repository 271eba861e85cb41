//! How many runs at once: on this instance, of a task, of a group.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::task::CheckedTask;

/// Counts what runs, or may be about to, against the limits.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    instance_max: Option<usize>,
    group_max: HashMap<String, usize>,
    taken: Mutex<Taken>,
    /// Wakes a driver that holds claims back.
    pub(crate) freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    instance: usize,
    tasks: HashMap<String, usize>,
    groups: HashMap<String, usize>,
}

/// The right to one run; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    limits: Arc<Limits>,
    task: Option<String>,
    group: Option<String>,
}

impl Limits {
    pub(crate) fn new(instance_max: Option<usize>, group_max: HashMap<String, usize>) -> Limits {
        Limits {
            instance_max,
            group_max,
            ..Limits::default()
        }
    }

    pub(crate) fn has_group(&self, group: &str) -> bool {
        self.group_max.contains_key(group)
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = &str> {
        self.group_max.keys().map(String::as_str)
    }

    /// The right to one run of the task, if there is room.
    pub(crate) fn try_take(self: &Arc<Limits>, task: &CheckedTask) -> Option<Permit> {
        let mut taken = self.lock();
        let name = task.name.as_str();
        let group = task.policies.group.as_deref();
        let is_full = |count: Option<&usize>, max: Option<usize>| {
            max.is_some_and(|max| count.copied().unwrap_or(0) >= max)
        };
        if is_full(Some(&taken.instance), self.instance_max)
            || is_full(taken.tasks.get(name), task.policies.running_max)
            || group.is_some_and(|group| {
                is_full(taken.groups.get(group), self.group_max.get(group).copied())
            })
        {
            return None;
        }
        taken.instance += 1;
        let task = task.policies.running_max.map(|_| name.to_owned());
        let group = group.map(str::to_owned);
        if let Some(task) = &task {
            *taken.tasks.entry(task.clone()).or_default() += 1;
        }
        if let Some(group) = &group {
            *taken.groups.entry(group.clone()).or_default() += 1;
        }
        Some(Permit {
            limits: Arc::clone(self),
            task,
            group,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.limits.lock();
        taken.instance = taken.instance.saturating_sub(1);
        give_back(&mut taken.tasks, self.task.as_ref());
        give_back(&mut taken.groups, self.group.as_ref());
        drop(taken);
        self.limits.freed.notify_waiters();
    }
}

fn give_back(counts: &mut HashMap<String, usize>, name: Option<&String>) {
    if let Some(name) = name
        && let Some(count) = counts.get_mut(name)
    {
        *count -= 1;
        if *count == 0 {
            counts.remove(name);
        }
    }
}
