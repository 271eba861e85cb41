//! How many runs at once: on this instance, of a task, of a group, and of what is caught up with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sexton_core::lock::LockManager;
use sexton_core::name::ManagerName;
use tokio::sync::Notify;

use crate::policy::Delivery;
use crate::task::CheckedTask;

/// Runs of one task that are caught up with at once, on this instance.
pub(crate) const CAUGHT_UP_MAX: usize = 10;

/// How a run comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// In time, or asked for by an operator.
    Fresh,
    /// From a task's backlog: paced, and leaving room for what is fresh.
    CaughtUp,
    /// Not a run at all.
    Unlimited,
}

/// Counts what runs, or may be about to, against the limits.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    instance_max: Option<usize>,
    group_max: HashMap<String, usize>,
    /// How many transactions of handlers each lock manager can have open at once.
    transactions_max: HashMap<String, usize>,
    taken: Mutex<Taken>,
    /// Wakes a driver that holds claims back.
    pub(crate) freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    instance: usize,
    tasks: HashMap<String, usize>,
    groups: HashMap<String, usize>,
    caught_up: CaughtUp,
}

/// What of the above is caught up with.
#[derive(Debug, Default)]
struct CaughtUp {
    instance: usize,
    tasks: HashMap<String, usize>,
    groups: HashMap<String, usize>,
    transactions: HashMap<String, usize>,
}

/// The counts that a permit has raised.
#[derive(Debug, Default)]
struct Counted {
    instance: bool,
    task: Option<String>,
    group: Option<String>,
    caught_up: Option<CaughtUpCounted>,
}

#[derive(Debug)]
struct CaughtUpCounted {
    task: String,
    group: Option<String>,
    transactions_of: Option<String>,
}

/// The right to one run; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    limits: Arc<Limits>,
    counted: Counted,
}

fn is_full(count: Option<&usize>, max: Option<usize>) -> bool {
    max.is_some_and(|max| count.copied().unwrap_or(0) >= max)
}

/// What a backlog may take of a limit: half of it, so that it delays nothing that is fresh.
fn half(max: usize) -> usize {
    (max / 2).max(1)
}

impl Limits {
    pub(crate) fn new(
        instance_max: Option<usize>,
        group_max: HashMap<String, usize>,
        transactions_max: HashMap<String, usize>,
    ) -> Limits {
        Limits {
            instance_max,
            group_max,
            transactions_max,
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
    pub(crate) fn try_take(self: &Arc<Limits>, task: &CheckedTask, pace: Pace) -> Option<Permit> {
        let mut counted = Counted::default();
        if pace != Pace::Unlimited {
            let mut taken = self.lock();
            if !self.has_room(&taken, task, pace) {
                return None;
            }
            counted = counts_of(task, pace);
            taken.raise(&counted);
        }
        Some(Permit {
            limits: Arc::clone(self),
            counted,
        })
    }

    fn has_room(&self, taken: &Taken, task: &CheckedTask, pace: Pace) -> bool {
        let name = task.name.as_str();
        let group = task.policies.group.as_deref();
        let group_max = group.and_then(|group| self.group_max.get(group).copied());
        if is_full(Some(&taken.instance), self.instance_max)
            || is_full(taken.tasks.get(name), task.policies.running_max)
            || group.is_some_and(|group| is_full(taken.groups.get(group), group_max))
        {
            return false;
        }
        if pace != Pace::CaughtUp {
            return true;
        }
        let caught_up = &taken.caught_up;
        let manager = task.manager.as_str();
        let transactions_max = self.transactions_max.get(manager).copied();
        let needs_transaction = is_transactional(task);
        !(is_full(Some(&caught_up.instance), self.instance_max.map(half))
            || is_full(caught_up.tasks.get(name), Some(CAUGHT_UP_MAX))
            || group.is_some_and(|group| is_full(caught_up.groups.get(group), group_max.map(half)))
            || needs_transaction
                && is_full(
                    caught_up.transactions.get(manager),
                    transactions_max.map(half),
                ))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_transactional(task: &CheckedTask) -> bool {
    matches!(task.policies.delivery, Delivery::Transactional { .. })
}

/// What a run of the task counts as.
fn counts_of(task: &CheckedTask, pace: Pace) -> Counted {
    let name = || task.name.as_str().to_owned();
    let group = task.policies.group.as_deref().map(str::to_owned);
    Counted {
        instance: true,
        task: task.policies.running_max.map(|_| name()),
        caught_up: (pace == Pace::CaughtUp).then(|| CaughtUpCounted {
            task: name(),
            group: group.clone(),
            transactions_of: is_transactional(task).then(|| task.manager.as_str().to_owned()),
        }),
        group,
    }
}

impl Taken {
    fn raise(&mut self, counted: &Counted) {
        let raise = |counts: &mut HashMap<String, usize>, name: Option<&String>| {
            if let Some(name) = name {
                *counts.entry(name.clone()).or_default() += 1;
            }
        };
        self.instance += usize::from(counted.instance);
        raise(&mut self.tasks, counted.task.as_ref());
        raise(&mut self.groups, counted.group.as_ref());
        if let Some(caught_up) = &counted.caught_up {
            self.caught_up.instance += 1;
            raise(&mut self.caught_up.tasks, Some(&caught_up.task));
            raise(&mut self.caught_up.groups, caught_up.group.as_ref());
            let manager = caught_up.transactions_of.as_ref();
            raise(&mut self.caught_up.transactions, manager);
        }
    }

    fn lower(&mut self, counted: &Counted) {
        self.instance -= usize::from(counted.instance);
        give_back(&mut self.tasks, counted.task.as_ref());
        give_back(&mut self.groups, counted.group.as_ref());
        if let Some(caught_up) = &counted.caught_up {
            self.caught_up.instance -= 1;
            give_back(&mut self.caught_up.tasks, Some(&caught_up.task));
            give_back(&mut self.caught_up.groups, caught_up.group.as_ref());
            let manager = caught_up.transactions_of.as_ref();
            give_back(&mut self.caught_up.transactions, manager);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limits.lock().lower(&self.counted);
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

/// How many transactions of handlers each lock manager that has any can have open at once.
pub(crate) fn transactions_max(
    managers: &[(ManagerName, Arc<dyn LockManager>)],
) -> HashMap<String, usize> {
    let max = |(name, manager): &(ManagerName, Arc<dyn LockManager>)| {
        let transactions = manager.transactions()?;
        Some((name.as_str().to_owned(), transactions.at_once_max()))
    };
    managers.iter().filter_map(max).collect()
}
