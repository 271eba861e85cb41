//! From schedules to claims: what is due, what is too late, what comes next.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{Consumption, Execution, LockKey, Reason};
use sexton_core::name::TaskName;
use sexton_core::store_time::StoreTime;
use sexton_core::tick::{Attempt, ConcurrencyIndex, Tick};

use super::cursor::{COUNTED_PER_TURN, Counting, Cursor, Place};
use super::{Driver, claim_for};
use crate::command::{Command, Found, Put};
use crate::due::Due;
use crate::error::HandleError;
use crate::event::Event;
use crate::granted::store_deadline;
use crate::lines::{ClaimKind, PassedTicks, PendingClaim, reason_of_missed};
use crate::policy::{Missed, Overlap};
use crate::task::CheckedTask;

/// Ticks of one task in one gap that are recorded as missed one by one.
const PASSED_MAX: usize = 100;

/// Between when a tick is due and when it counts as missed: until its successor is due, within
/// bounds.
const LATE_AFTER_MIN: Duration = Duration::from_secs(1);
const LATE_AFTER_MAX: Duration = Duration::from_secs(60);

/// How long, beyond a heartbeat, something that was found in the store is claimed for.
const FOUND_FOR_MIN: Duration = Duration::from_secs(1);

/// The times of a tick, by the store's clock.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// When its run starts.
    due_at: StoreTime,
    /// From when on it counts as missed.
    late_at: StoreTime,
    /// From when on it is not run any more.
    deadline: StoreTime,
}

impl Driver {
    /// Adds a task whose ticks up to `after` are accounted for; `None`: from now on.
    pub(crate) fn add(&mut self, task: &Arc<CheckedTask>, after: Option<Tick>) {
        let slot = self.tasks.insert(Arc::clone(task));
        let now = self.client.now();
        let after = after.unwrap_or_else(|| now.tick_at_or_before());
        for index in task.concurrency.indices() {
            let cursor = Cursor::at(after);
            self.follow((slot, index), task, cursor, now, now);
        }
        let next = task.next_after(after, &self.context.events);
        if next.is_none() && !task.schedule.has_failed() {
            self.context.events.emit_kept(Event::NeverDue {
                task: task.name.clone(),
                schedule: task.schedule.describe(),
                after,
                advice: task.schedule.advice_when_over(),
            });
        }
    }

    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Put(task, put, after, answer) => {
                let result = if put == Put::Add && self.tasks.has(task.name.as_str()) {
                    Err(HandleError::NameUsedTwice {
                        task: task.name.clone(),
                    })
                } else {
                    self.redefine(&task);
                    self.add(&task, after);
                    Ok(())
                };
                // The caller may have gone.
                let _ = answer.send(result);
            }
            Command::Remove(name, answer) => {
                let task = self.tasks.by_name(&name).map(|task| task.name.clone());
                if let Some(task) = &task {
                    self.lines.forget_schedule(task);
                }
                self.tasks.remove(&name);
                let last = task.map(|task| self.last_of(&task));
                let _ = answer.send(last.ok_or(HandleError::NoSuchTask { task: name }));
            }
            Command::Find(name, answer) => {
                let found = self.tasks.by_name(&name).map(|task| task.concurrency);
                let _ = answer.send(found);
            }
            Command::Claim(found) => {
                for found in found {
                    self.claim_found(found);
                }
            }
        }
    }

    /// The last tick of a task that was granted to us or may be.
    fn last_of(&self, task: &TaskName) -> Option<Tick> {
        let calls = [&self.calls.fresh, &self.calls.backlog];
        let under_way = calls.into_iter().flat_map(|slot| slot.batch());
        let asked = under_way.map(|pending| &pending.claim.execution);
        let all = asked.chain(self.lines.of(task)).chain(self.starts.of(task));
        let own = all.filter(|execution| execution.task == *task);
        own.map(|execution| execution.tick).max()
    }

    /// What waits of a task is run as the task is defined now, and not at all by a schedule that
    /// the task has no more.
    fn redefine(&mut self, task: &Arc<CheckedTask>) {
        let Some(before) = self.tasks.by_name(task.name.as_str()) else {
            return;
        };
        let is_same = before.schedule.canonical() == task.schedule.canonical();
        if !is_same || before.concurrency != task.concurrency {
            self.lines.forget_schedule(&task.name);
        }
        self.lines.redefine(task);
    }

    /// Claims what the store has waiting, if the task is ours. Its run starts when any run of its
    /// tick would.
    pub(super) fn claim_found(&mut self, found: Found) {
        let Found {
            execution,
            concurrency,
            attempt,
        } = found;
        let Some(task) = self.tasks.by_name(execution.task.as_str()) else {
            return;
        };
        let task = Arc::clone(task);
        if self.lines.has(&execution) || self.runs.is_left_to_others(&execution) {
            return;
        }
        let now = self.client.now();
        let times = self.times_of(&task, execution.tick);
        let due_at = times.map_or_else(|| execution.tick.into(), |times| times.due_at);
        // What waited for long, or was left by a lost holder, is caught up with like a missed tick:
        // when an instance with many runs crashes, the others do not begin all of them at once.
        let late_at = times.map_or(StoreTime::MAX, |times| times.late_at);
        let mut claim = claim_for(&self.context, &task, execution);
        claim.concurrency = concurrency.unwrap_or(task.concurrency);
        claim.needs_record = true;
        // The next sweep finds it again.
        let found_for = self.context.heartbeat.saturating_add(FOUND_FOR_MIN);
        let deadline = now.max(due_at) + found_for;
        self.lines.push(PendingClaim {
            not_before: claim_from(&claim, due_at),
            task,
            claim,
            due_at,
            late_at,
            deadline,
            kind: match attempt {
                Attempt::FIRST => ClaimKind::Found,
                _ => ClaimKind::Recovered,
            },
            is_in_doubt: false,
            permit: None,
            refusals: 0,
        });
    }

    /// The times of a tick, if it is one of the schedule's.
    fn times_of(&self, task: &CheckedTask, tick: Tick) -> Option<Times> {
        let next_after = |tick| task.next_after(tick, &self.context.events);
        let is_scheduled = next_after(tick.saturating_add_millis(-1)) == Some(tick);
        is_scheduled.then(|| self.times(task, tick, next_after(tick)))
    }

    /// Turns what is due into claims, and puts each task's next tick into the queue.
    pub(super) fn take_due(&mut self, now: StoreTime) {
        let (tasks, lines) = (&self.tasks, &self.lines);
        let has_room = |(slot, index): Place| {
            let task = tasks.at(slot);
            task.is_none_or(|task| !lines.is_full(&LockKey::new(task.name.clone(), index)))
        };
        for (place, cursor) in self.cursors.take_ready(has_room) {
            if let Some(task) = self.tasks.at(place.0).map(Arc::clone) {
                self.follow(place, &task, cursor, now, now);
            }
        }
        if self
            .ahead
            .first_at()
            .is_some_and(|first| first - self.wake_lead <= now)
        {
            let lead = self.context.lead.duration();
            // A little less than the lead: our estimate of the store's clock is not perfect.
            let horizon = now + lead / 10 * 9;
            while let Some((_, bucket)) = self.ahead.pop_until(horizon) {
                for due in bucket {
                    self.come_due(due, now, horizon);
                }
            }
            self.draw_wake_lead();
        }
        while let Some((_, bucket)) = self.prompt.pop_until(now) {
            for due in bucket {
                self.come_due(due, now, now);
            }
        }
    }

    fn come_due(&mut self, due: Due, now: StoreTime, horizon: StoreTime) {
        if let Some(task) = self.tasks.at(due.slot).map(Arc::clone) {
            let cursor = Cursor {
                next: Some(due.tick),
                ..Cursor::at(due.tick.saturating_add_millis(-1))
            };
            self.follow((due.slot, due.index), &task, cursor, now, horizon);
        }
    }

    /// Follows a task's schedule for one of its indices: claims what is due by `horizon`,
    /// accounts for what it is too late for, and ends with a tick of the future in the queue, or
    /// with a cursor that waits.
    fn follow(
        &mut self,
        place: Place,
        task: &Arc<CheckedTask>,
        mut cursor: Cursor,
        now: StoreTime,
        horizon: StoreTime,
    ) {
        let (slot, index) = place;
        let key = LockKey::new(task.name.clone(), index);
        let mut counted = 0;
        let context = Arc::clone(&self.context);
        let next_after = |tick| task.next_after(tick, &context.events);
        let mut tick = cursor.next.take().or_else(|| next_after(cursor.after));
        while let Some(this) = tick {
            let next = next_after(this);
            let times = self.times(task, this, next);
            if times.due_at > horizon {
                self.end_counting(task, index, &mut cursor);
                let queue = match task.policies.overlap {
                    Overlap::Allow => &mut self.ahead,
                    _ => &mut self.prompt,
                };
                let due = Due {
                    slot,
                    index,
                    tick: this,
                };
                return queue.push(times.due_at, due);
            }
            let passed = self.passed_over(task, times, next, now);
            if passed.is_some() && cursor.passed >= PASSED_MAX {
                let counting = cursor.counting.get_or_insert(Counting {
                    after: cursor.after,
                    first: this,
                    ticks: 0,
                });
                counting.ticks += 1;
                counted += 1;
            } else {
                self.end_counting(task, index, &mut cursor);
                if self.lines.is_full(&key) {
                    cursor.next = Some(this);
                    return self.cursors.wait(place, cursor);
                }
                let execution = Execution {
                    task: task.name.clone(),
                    index,
                    tick: this,
                };
                match passed {
                    Some(reason) => {
                        self.give_up(task, execution, reason, None);
                        cursor.passed += 1;
                    }
                    None => {
                        self.push_claim(task, execution, times);
                        cursor.passed = 0;
                    }
                }
            }
            cursor.after = this;
            tick = next;
            if counted == COUNTED_PER_TURN {
                cursor.next = tick;
                return self.cursors.wait(place, cursor);
            }
        }
        self.end_counting(task, index, &mut cursor);
    }

    /// Accounts for what was passed over together: its last tick is recorded, and tells of all of
    /// them.
    fn end_counting(&mut self, task: &CheckedTask, index: ConcurrencyIndex, cursor: &mut Cursor) {
        if let Some(Counting {
            after,
            first,
            ticks,
        }) = cursor.counting.take()
        {
            let reason =
                reason_of_missed(task.policies.missed, cursor.after.into(), self.away_until);
            let passed = PassedTicks {
                after,
                first,
                ticks,
            };
            let last = Execution {
                task: task.name.clone(),
                index,
                tick: cursor.after,
            };
            self.give_up(task, last, reason, Some(passed));
        }
    }

    /// Why a tick is passed over at once, if it is.
    fn passed_over(
        &self,
        task: &CheckedTask,
        times: Times,
        next: Option<Tick>,
        now: StoreTime,
    ) -> Option<Reason> {
        if times.deadline <= now {
            let missed = task.policies.missed;
            return Some(reason_of_missed(missed, times.due_at, self.away_until));
        }
        let is_latest_wanted = matches!(task.policies.missed, Missed::Latest { .. });
        let next_is_due = next.is_some_and(|next| self.times(task, next, None).due_at <= now);
        (is_latest_wanted && times.late_at <= now && next_is_due).then_some(Reason::CatchUp)
    }

    fn give_up(
        &mut self,
        task: &CheckedTask,
        execution: Execution,
        reason: Reason,
        passed: Option<PassedTicks>,
    ) {
        if self.lines.has(&execution) {
            return;
        }
        let instance = self.context.instance.clone();
        let consumption = Consumption::new(execution, task.concurrency, reason, instance);
        self.lines.give_up(consumption, passed);
    }

    fn push_claim(&mut self, task: &Arc<CheckedTask>, execution: Execution, times: Times) {
        // A task that was put in the place of another takes over what that one had waiting.
        if self.lines.has(&execution) {
            return;
        }
        let mut claim = claim_for(&self.context, task, execution);
        if matches!(claim.overlap, Overlap::QueueOne | Overlap::CancelEarlier) {
            claim.deadline = store_deadline(times.deadline);
        }
        self.lines.push(PendingClaim {
            task: Arc::clone(task),
            not_before: claim_from(&claim, times.due_at),
            claim,
            due_at: times.due_at,
            late_at: times.late_at,
            deadline: times.deadline,
            kind: ClaimKind::Scheduled,
            is_in_doubt: false,
            permit: None,
            refusals: 0,
        });
    }

    /// The times of a tick whose successor is `next`. A jitter that is longer than the gap to the
    /// successor wraps around within the gap: runs stay in the order of their ticks, and spread.
    fn times(&self, task: &CheckedTask, tick: Tick, next: Option<Tick>) -> Times {
        let policies = &task.policies;
        let delay = policies.jitter.as_ref().map_or(Duration::ZERO, |jitter| {
            jitter.delay(self.client.manager.namespace(), &task.name, tick)
        });
        let gap = next.map_or(Duration::MAX, |next| {
            StoreTime::from(next).saturating_since(tick.into())
        });
        let due_at = StoreTime::from(tick) + wrapped(delay, gap);
        let late_at = due_at + gap.clamp(LATE_AFTER_MIN, LATE_AFTER_MAX);
        Times {
            due_at,
            late_at,
            deadline: late_at.max(due_at + policies.missed.window()),
        }
    }
}

/// A delay within a gap, which spreads over it as the delays spread over their range.
fn wrapped(delay: Duration, gap: Duration) -> Duration {
    if delay < gap {
        return delay;
    }
    let rest = delay.as_nanos().checked_rem(gap.as_nanos()).unwrap_or(0);
    Duration::from_nanos(u64::try_from(rest).unwrap_or(0))
}

/// From when on a claim is sent: a lease must not run out while the grant waits for its tick.
fn claim_from(claim: &sexton_core::lock::Claim, due_at: StoreTime) -> StoreTime {
    match claim.is_leased() {
        true => due_at - claim.lease.duration() / 3,
        false => StoreTime::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Delays up to ten times a gap come once in each place of the gap for each time that they pass
    /// through it, and none reaches its end, where the next tick is.
    #[test]
    fn a_jitter_longer_than_the_gap_spreads_over_the_gap() {
        let gap = 1_000 * MS;
        let mut delays: Vec<u128> = (0..10_000)
            .map(|delay_ms| wrapped(delay_ms * MS, gap).as_millis())
            .collect();
        delays.sort_unstable();
        let each_ten_times: Vec<u128> = (0..10_000).map(|number| number / 10).collect();
        assert_eq!(delays, each_ten_times);
    }

    #[test]
    fn a_jitter_shorter_than_the_gap_is_as_it_is() {
        assert_eq!(wrapped(999 * MS, 1_000 * MS), 999 * MS);
        assert_eq!(wrapped(3_600_000 * MS, Duration::MAX), 3_600_000 * MS);
        // Two ticks at one instant have no time between them to spread over.
        assert_eq!(wrapped(5 * MS, Duration::ZERO), Duration::ZERO);
    }
}
