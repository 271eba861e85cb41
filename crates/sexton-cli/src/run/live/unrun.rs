//! Ticks that were not run, told in one line for each task and reason: after a downtime there are
//! hundreds.

use std::collections::BTreeMap;
use std::time::Duration;

use sexton::lock::Reason;
use sexton::name::TaskName;
use sexton::{ConcurrencyIndex, Event, Tick};
use tokio::time::Instant;

/// How long the first of them waits for more.
const HELD_MAX: Duration = Duration::from_secs(1);

/// Ticks that were not run and not told yet.
#[derive(Debug, Default)]
pub(super) struct Unrun {
    until: Option<Instant>,
    of: BTreeMap<(TaskName, ConcurrencyIndex, &'static str), Ticks>,
}

/// Ticks of one concurrency index of a task.
#[derive(Debug)]
pub(super) struct Ticks {
    count: u64,
    first: Tick,
    last: Tick,
}

impl Unrun {
    /// Holds back what the event tells; false if it tells of something else.
    pub(super) fn holds(&mut self, event: &Event) -> bool {
        let (key, ticks) = match event {
            Event::Unrun { execution, reason } => (
                key(&execution.task, execution.index, *reason),
                Ticks {
                    count: 1,
                    first: execution.tick,
                    last: execution.tick,
                },
            ),
            Event::TicksPassed {
                task,
                index,
                after,
                until,
                ticks,
                reason,
            } => (
                key(task, *index, *reason),
                Ticks {
                    count: *ticks,
                    first: *after,
                    last: *until,
                },
            ),
            _ => return false,
        };
        match self.of.get_mut(&key) {
            Some(held) => held.add(&ticks),
            None => {
                self.of.insert(key, ticks);
            }
        }
        self.until.get_or_insert_with(|| Instant::now() + HELD_MAX);
        true
    }

    /// Until when they are held back.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Takes what was held back: the task with its index, and what became of its ticks.
    pub(super) fn take(&mut self) -> Vec<(TaskName, ConcurrencyIndex, String)> {
        self.until = None;
        let held = std::mem::take(&mut self.of);
        held.into_iter()
            .map(|((task, index, reason), ticks)| {
                let reason = reason.replace('_', " ");
                let Ticks { count, first, last } = ticks;
                let what = if count == 1 {
                    format!("not run: {reason} (due {last})")
                } else {
                    format!("{count} ticks not run: {reason} (due {first} to {last})")
                };
                (task, index, what)
            })
            .collect()
    }
}

fn key(
    task: &TaskName,
    index: ConcurrencyIndex,
    reason: Reason,
) -> (TaskName, ConcurrencyIndex, &'static str) {
    (task.clone(), index, reason.as_str())
}

impl Ticks {
    fn add(&mut self, other: &Ticks) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}
