//! What waits in front of each (task, index): ticks to claim, ticks left open to others, ticks
//! given up.
//!
//! A *line* is one (task, index) with its ticks in order. A grant raises the watermark past all
//! ticks before it, and so does accounting for a tick that is not run. So nothing of a line is sent
//! before what stands in front of it is dealt with: this is what keeps ticks of a (task, index) in
//! order and lets none vanish. Lines know nothing of each other, so that the backlog of one task
//! never delays another. What the store itself has waiting (an operator's trigger, work that was
//! given back) joins its line but does not stand behind ticks of the schedule.

mod expire;
mod item;
mod line;
mod pick;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{Consumption, Execution, LockKey};
use sexton_core::name::TaskName;
use sexton_core::store_time::StoreTime;
use sexton_core::tick::ConcurrencyIndex;

pub(crate) use expire::{Now, reason_of_missed};
pub(crate) use item::{ClaimKind, GivenUp, GivenUpRun, PassedTicks, PendingClaim, set_policies};
pub(crate) use pick::Batch;

use crate::task::CheckedTask;
use expire::{Expired, Look, latest_due};
use item::{Item, OpenClaim, Opening};
use line::Line;

/// Ticks of the schedule that wait in a line; the rest is derived from the schedule when there is
/// room.
pub(crate) const PENDING_MAX: usize = 100;

/// How long an index that is open to others waits until its store is asked whether somebody took
/// it; doubles to [`ASK_MAX`].
const ASK_FIRST: Duration = Duration::from_millis(50);
const ASK_MAX: Duration = Duration::from_secs(1);

/// All lines that have something in them.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    lines: BTreeMap<LockKey, Line>,
    /// How many ticks of the schedule wait or are under way.
    by_schedule: HashMap<LockKey, usize>,
    /// Whether each tick that is given up stands for itself: the store keeps no record that would
    /// say what one covers.
    gives_up_one_by_one: bool,
    /// The line that was served last of those with a backlog.
    served_last: Option<LockKey>,
}

impl Lines {
    /// Lines of a store that keeps no records.
    pub(crate) fn without_records() -> Lines {
        Lines {
            gives_up_one_by_one: true,
            ..Lines::default()
        }
    }

    pub(crate) fn push(&mut self, claim: PendingClaim) {
        self.count(&claim, 1);
        self.put(Item::Claim(Box::new(claim)));
    }

    /// Accounts for a tick that will not be claimed.
    pub(crate) fn give_up(&mut self, consumption: Consumption, passed: Option<PassedTicks>) {
        self.change_count(&consumption.execution, 1);
        self.put(Item::GivenUp(Box::new(GivenUp {
            consumption,
            in_doubt: None,
            passed,
            is_alone: false,
        })));
    }

    fn put(&mut self, item: Item) {
        let key = item.execution().key();
        self.lines.entry(key).or_default().insert(item);
    }

    /// Whether a line is as long as it may become.
    pub(crate) fn is_full(&self, key: &LockKey) -> bool {
        let count = self.by_schedule.get(key);
        count.is_some_and(|count| *count >= PENDING_MAX)
    }

    /// Drops what waits of a task by a schedule that it has no more, but for claims that the store
    /// may have granted. What is under way stays.
    pub(crate) fn forget_schedule(&mut self, task: &TaskName) {
        let first = LockKey::new(task.clone(), ConcurrencyIndex::ONE);
        let mut emptied = Vec::new();
        let mut dropped = Vec::new();
        for (key, line) in self.lines.range_mut(first..) {
            if key.task != *task {
                break;
            }
            line.opening = None;
            line.items.retain(|item| {
                let stays = item.outlives_its_schedule();
                if !stays {
                    dropped.push(item.execution().clone());
                }
                stays
            });
            if line.is_empty() {
                emptied.push(key.clone());
            }
        }
        for execution in dropped {
            self.change_count(&execution, -1);
        }
        for key in emptied {
            self.lines.remove(&key);
        }
    }

    /// What waits of a task.
    pub(crate) fn of(&self, task: &TaskName) -> impl Iterator<Item = &Execution> {
        let first = LockKey::new(task.clone(), ConcurrencyIndex::ONE);
        let lines = self
            .lines
            .range(first..)
            .take_while(|(key, _)| key.task == *task);
        lines.flat_map(|(_, line)| line.items.iter().map(Item::execution))
    }

    /// Lets what waits of a task run as the task is defined now.
    pub(crate) fn redefine(&mut self, task: &Arc<CheckedTask>) {
        let first = LockKey::new(task.name.clone(), ConcurrencyIndex::ONE);
        for (key, line) in self.lines.range_mut(first..) {
            if key.task != task.name {
                break;
            }
            for item in &mut line.items {
                item.redefine(task);
            }
        }
    }

    pub(crate) fn has(&self, execution: &Execution) -> bool {
        self.lines
            .get(&execution.key())
            .is_some_and(|line| line.items.iter().any(|item| item.tick() == execution.tick))
    }

    /// Puts back what was under way and has not been decided.
    pub(crate) fn put_back(&mut self, mut claim: PendingClaim) {
        claim.permit = None;
        self.landed(&claim.claim.execution);
        self.put(Item::Claim(Box::new(claim)));
    }

    /// Leaves what was under way open to others, and asks again in between whether one took it.
    pub(crate) fn leave_open(&mut self, mut claim: PendingClaim, now: StoreTime) {
        claim.permit = None;
        self.landed(&claim.claim.execution);
        let shift = claim.refusals.saturating_sub(1).min(16);
        let pause = ASK_FIRST.saturating_mul(1 << shift).min(ASK_MAX);
        let from = now.max(claim.due_at);
        let open = OpenClaim {
            ask_at: from + pause,
            claim,
        };
        self.put(Item::Open(Box::new(open)));
    }

    /// From when on a claim that is under way is not made any more.
    pub(crate) fn until(&self, claim: &PendingClaim) -> StoreTime {
        let line = self.lines.get(&claim.claim.execution.key());
        claim.until(line.and_then(|line| line.opening))
    }

    /// Keeps a line open to other instances for some time, unless it is so already: a fleet that is
    /// too small for it waits once, and not once a tick.
    pub(crate) fn keep_open(&mut self, execution: &Execution, now: StoreTime, longest: Duration) {
        let line = self.lines.entry(execution.key()).or_default();
        if line.opening.is_none_or(|opening| opening.has_moved_on) {
            line.opening = Some(Opening {
                until: now + longest,
                longest,
                has_moved_on: false,
            });
        }
    }

    /// Somebody took what stood first in a line: what stands behind it has a last try until then.
    pub(crate) fn move_on(&mut self, execution: &Execution, until: StoreTime) {
        let line = self.lines.get_mut(&execution.key());
        if let Some(opening) = line.and_then(|line| line.opening.as_mut()) {
            opening.until = until;
            opening.has_moved_on = true;
        }
    }

    /// What was under way is decided.
    pub(crate) fn resolve(&mut self, claim: &PendingClaim) {
        self.landed(&claim.claim.execution);
        self.count(claim, -1);
        self.forget_if_empty(&claim.claim.execution);
    }

    /// Puts back what was under way and has no answer.
    pub(crate) fn give_up_again(&mut self, run: GivenUpRun) {
        self.have_landed(run.execution(), run.len());
        for given_up in run.into_ticks() {
            self.put(Item::GivenUp(Box::new(given_up)));
        }
    }

    /// Puts back a tick of a run of which others were dealt with before.
    pub(crate) fn give_up_rest(&mut self, given_up: GivenUp) {
        self.change_count(&given_up.consumption.execution, 1);
        self.put(Item::GivenUp(Box::new(given_up)));
    }

    /// The same, for a tick that is to stand for itself.
    pub(crate) fn give_up_alone(&mut self, mut given_up: GivenUp) {
        given_up.is_alone = true;
        self.give_up_rest(given_up);
    }

    /// What was under way is accounted for.
    pub(crate) fn resolve_given_up(&mut self, run: &GivenUpRun) {
        let (execution, len) = (run.execution(), run.len());
        self.have_landed(execution, len);
        self.change_count(execution, -isize::try_from(len).unwrap_or(isize::MAX));
        self.forget_if_empty(execution);
    }

    fn landed(&mut self, execution: &Execution) {
        self.have_landed(execution, 1);
    }

    fn have_landed(&mut self, execution: &Execution, items: usize) {
        if let Some(line) = self.lines.get_mut(&execution.key()) {
            line.in_flight = line.in_flight.saturating_sub(items);
        }
    }

    fn forget_if_empty(&mut self, execution: &Execution) {
        let key = execution.key();
        if self.lines.get(&key).is_some_and(Line::is_empty) {
            self.lines.remove(&key);
        }
    }

    fn count(&mut self, claim: &PendingClaim, change: isize) {
        if claim.kind == ClaimKind::Scheduled {
            self.change_count(&claim.claim.execution, change);
        }
    }

    fn change_count(&mut self, execution: &Execution, change: isize) {
        let key = execution.key();
        let count = self.by_schedule.entry(key.clone()).or_default();
        *count = count.saturating_add_signed(change);
        if *count == 0 {
            self.by_schedule.remove(&key);
        }
    }

    /// Gives up what it is too late for, and of a task that catches up with the latest tick alone,
    /// all but that.
    pub(crate) fn expire(&mut self, now: Now<'_>) {
        let mut ended = Vec::new();
        for line in self.lines.values_mut() {
            let rests_until = line.rests_until().unwrap_or(StoreTime::MIN);
            let look = Look {
                now: Now {
                    away_until: now.away_until.max(rests_until),
                    ..now
                },
                latest: latest_due(&line.items, now.at),
                opening: line.opening,
            };
            if !line.items.iter().any(|item| look.has_expired(item)) {
                continue;
            }
            for item in std::mem::take(&mut line.items) {
                match look.expired(item) {
                    Expired::Not(item) => line.items.push(item),
                    Expired::Dropped(claim) => ended.push(claim),
                }
            }
        }
        for claim in ended {
            self.forget_if_empty(&claim.claim.execution);
        }
    }

    /// The next instant at which there is something to do with what could not be sent at `now`.
    pub(crate) fn next_at(&self, now: StoreTime) -> Option<StoreTime> {
        let lines = self.lines.values().filter(|line| line.in_flight == 0);
        let next = lines.flat_map(|line| {
            let items = line.items.iter();
            let rests_until = line.rests_until().filter(|until| *until > now);
            let items = items.filter_map(|item| item.next_at(now, line.opening));
            items.chain(rests_until)
        });
        next.min()
    }

    /// The store's answer to an entry of a line was an error: all of the line rests for a while.
    pub(crate) fn rest(&mut self, execution: &Execution, now: StoreTime) {
        if let Some(line) = self.lines.get_mut(&execution.key()) {
            line.rest(now);
        }
    }

    /// The store has answered to an entry of a line.
    pub(crate) fn has_answered(&mut self, execution: &Execution) {
        if let Some(line) = self.lines.get_mut(&execution.key()) {
            line.trouble = None;
        }
    }
}
