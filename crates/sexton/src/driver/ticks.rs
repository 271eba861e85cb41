//! From schedules to claims: what is due, what is too late, what comes next.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{Consumption, Execution, Reason};
use sexton_core::tick::{Concurrency, Tick};

use super::{Command, Driver, LATE_AFTER_MAX, LATE_AFTER_MIN, Put, claim_for, executions, late_us};
use crate::due::{Due, Slot};
use crate::error::RegistryError;
use crate::event::Event;
use crate::link::later_us;
use crate::offset::micros;
use crate::pending::{Origin, PendingClaim};
use crate::policy::{Missed, Overlap};
use crate::task::CheckedTask;

/// Ticks of one task in one gap that are recorded as missed one by one.
const PASSED_MAX: usize = 100;

impl Driver {
    /// Adds a task whose ticks up to `after` are accounted for; `None`: from now on.
    pub(crate) fn add(&mut self, task: &Arc<CheckedTask>, after: Option<Tick>) {
        let slot = self.tasks.insert(Arc::clone(task));
        let after = after.unwrap_or_else(|| tick_at(self.link.now_us()));
        self.put_next(slot, task, after);
    }

    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Put(task, put, answer) => {
                let result = if put == Put::Add && self.tasks.has(task.name.as_str()) {
                    Err(RegistryError::NameUsedTwice {
                        task: task.name.clone(),
                    })
                } else {
                    self.add(&task, None);
                    Ok(())
                };
                // Whoever asked may have gone.
                let _ = answer.send(result);
            }
            Command::Remove(name, answer) => {
                let removed = self.tasks.remove(&name);
                let result = if removed {
                    Ok(())
                } else {
                    Err(RegistryError::NoSuchTask { task: name })
                };
                let _ = answer.send(result);
            }
            Command::Claim(found) => {
                for (execution, concurrency) in found {
                    self.claim_found(execution, concurrency);
                }
            }
        }
    }

    /// Claims what a sweep found, if the task is ours.
    fn claim_found(&mut self, execution: Execution, concurrency: Option<Concurrency>) {
        let Some(task) = self.tasks.by_name(execution.task.as_str()) else {
            return;
        };
        let task = Arc::clone(task);
        if self.pending.has(&execution) {
            return;
        }
        let now_us = self.link.now_us();
        self.close_unplaced_before(&execution, now_us);
        let mut claim = claim_for(&self.shared, &task, execution);
        claim.concurrency = concurrency.unwrap_or(task.concurrency);
        // It stands in the store and will be found again, by us or by others.
        let deadline_us = later_us(now_us, Duration::from_secs(1));
        self.pending.push(PendingClaim {
            task,
            claim,
            due_us: now_us,
            late_us: deadline_us,
            deadline_us,
            not_before_us: now_us,
            origin: Origin::Found,
            is_in_doubt: false,
            permit: None,
        });
    }

    /// Waits no longer for others to take what stands open before an execution in its (task, index): not to hold up what
    /// was triggered until the next tick.
    fn close_unplaced_before(&mut self, execution: &Execution, now_us: i64) {
        let late_before = tick_at(now_us - micros(LATE_AFTER_MIN));
        let is_in_the_way = |nobody: &mut Consumption| {
            let Execution { task, index, tick } = &nobody.execution;
            *task == execution.task
                && *index == execution.index
                && *tick < execution.tick
                && *tick <= late_before
        };
        for bucket in self.unplaced.values_mut() {
            for nobody in bucket.extract_if(.., is_in_the_way) {
                self.pending.give_up(nobody);
            }
        }
        self.unplaced.retain(|_, bucket| !bucket.is_empty());
    }

    /// Turns what is due into claims, and puts each task's next tick into the queue.
    pub(super) fn take_due(&mut self, now_us: i64) {
        if self
            .ahead
            .first_us()
            .is_some_and(|first| first - self.wake_lead_us <= now_us)
        {
            let lead_us = micros(self.shared.lead.duration());
            // A little less than the lead: our estimate of the store's clock is not perfect.
            let horizon_us = now_us + lead_us / 10 * 9;
            while let Some((due_us, bucket)) = self.ahead.pop_until(horizon_us) {
                bucket
                    .into_iter()
                    .for_each(|due| self.claim_due(due_us, due, now_us));
            }
            self.draw_wake_lead();
        }
        while let Some((due_us, bucket)) = self.prompt.pop_until(now_us) {
            bucket
                .into_iter()
                .for_each(|due| self.claim_due(due_us, due, now_us));
        }
    }

    fn claim_due(&mut self, due_us: i64, due: Due, now_us: i64) {
        let Some(task) = self.tasks.at(due.slot) else {
            return;
        };
        let task = Arc::clone(task);
        let next = task.schedule.next_after(due.tick);
        let late_us = late_us(due_us, due.tick, next);
        let window = task.policies.missed.window();
        let deadline_us = late_us.max(later_us(due_us, window));
        let mut executions: Vec<_> = executions(&task, due.tick, task.concurrency).collect();
        // Under distinct placement every replica should not want the same index first.
        fastrand::shuffle(&mut executions);
        for execution in executions {
            let claim = claim_for(&self.shared, &task, execution);
            // A lease must not run out while the grant waits for its tick.
            let not_before_us = match claim.is_leased() {
                true => due_us - micros(claim.lease.duration()) / 3,
                false => i64::MIN,
            };
            self.pending.push(PendingClaim {
                task: Arc::clone(&task),
                claim,
                due_us,
                late_us,
                deadline_us,
                not_before_us,
                origin: Origin::Tick,
                is_in_doubt: false,
                permit: None,
            });
        }
        if next.is_some() {
            self.put_next_within_reach(due.slot, &task, due.tick, now_us);
        }
    }

    fn put_next(&mut self, slot: Slot, task: &Arc<CheckedTask>, after: Tick) {
        self.put_next_within_reach(slot, task, after, self.link.now_us());
    }

    /// Puts the task's next tick into the queue. Of ticks that it is long too late for, the first few are accounted
    /// for one by one, and the others are passed over.
    fn put_next_within_reach(
        &mut self,
        slot: Slot,
        task: &Arc<CheckedTask>,
        after: Tick,
        now_us: i64,
    ) {
        let reach = LATE_AFTER_MAX.max(task.policies.missed.window());
        let too_late = tick_at(now_us - micros(reach));
        let mut last = after;
        let mut passed = 0;
        let next = loop {
            let Some(next) = task.schedule.next_after(last) else {
                return;
            };
            if next > too_late {
                break next;
            }
            if passed == PASSED_MAX {
                let Some(next) = task.schedule.next_after(too_late) else {
                    return;
                };
                let name = task.name.clone();
                let event = Event::TicksPassed {
                    task: name,
                    after: last,
                    until: too_late,
                };
                self.shared.events.emit(event);
                break next;
            }
            self.pass_over(task, next);
            passed += 1;
            last = next;
        };
        let jitter = task
            .policies
            .jitter
            .as_ref()
            .map_or(Duration::ZERO, |jitter| {
                jitter.delay(self.link.manager.namespace(), &task.name, next)
            });
        let due_us = later_us(next.as_millis().saturating_mul(1_000), jitter);
        let due = Due { slot, tick: next };
        if task.policies.overlap == Overlap::Allow {
            self.ahead.push(due_us, due);
        } else {
            self.prompt.push(due_us, due);
        }
    }

    fn pass_over(&mut self, task: &CheckedTask, tick: Tick) {
        let reason = match task.policies.missed {
            Missed::Skip => Reason::TooLate,
            Missed::Latest { .. } | Missed::All { .. } => Reason::CatchUp,
        };
        for execution in executions(task, tick, task.concurrency) {
            self.pending.give_up(Consumption {
                execution,
                concurrency: task.concurrency,
                reason,
                instance: self.shared.instance.clone(),
            });
        }
    }
}

/// The latest tick not after an instant in microseconds.
pub(super) fn tick_at(us: i64) -> Tick {
    Tick::from_millis(us.div_euclid(1_000)).unwrap_or(if us < 0 { Tick::MIN } else { Tick::MAX })
}
