//! Claims that are to be made: held back, sent, sent again, or given up.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use sexton_core::lock::{BATCH_MAX, Claim, Consumption, Execution, Reason};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::policy::Placement;
use sexton_core::tick::{ConcurrencyIndex, Tick};

use crate::limits::{Limits, Permit};
use crate::policy::Missed;
use crate::task::CheckedTask;

/// One claim on its way to the store.
#[derive(Debug)]
pub(crate) struct PendingClaim {
    pub(crate) task: Arc<CheckedTask>,
    pub(crate) claim: Claim,
    /// When the run is to start.
    pub(crate) due_us: i64,
    /// From when on the tick counts as missed.
    pub(crate) late_us: i64,
    /// From when on it is not claimed any more.
    pub(crate) deadline_us: i64,
    /// Not to be sent before this.
    pub(crate) not_before_us: i64,
    pub(crate) origin: Origin,
    /// Whether it was sent and its answer lost: the store may have granted it.
    pub(crate) is_in_doubt: bool,
    pub(crate) permit: Option<Permit>,
}

/// A (task, index): what has a watermark of its own.
type Lane = (TaskName, ConcurrencyIndex);

/// The earliest tick of each lane that is not accounted for yet.
#[derive(Debug, Default)]
struct OpenTicks(HashMap<Lane, Tick>);

impl OpenTicks {
    fn insert(&mut self, execution: &Execution) {
        let Execution { task, index, tick } = execution.clone();
        let earliest = self.0.entry((task, index)).or_insert(tick);
        *earliest = tick.min(*earliest);
    }

    /// Whether one before this is open.
    fn before(&self, execution: &Execution) -> bool {
        // Mostly nothing is open.
        if self.0.is_empty() {
            return false;
        }
        let lane = (execution.task.clone(), execution.index);
        let earliest = self.0.get(&lane);
        earliest.is_some_and(|earliest| *earliest < execution.tick)
    }
}

/// How a claim came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// By the schedule.
    Tick,
    /// A sweep found that it may be claimed.
    Found,
    /// Given up, but perhaps granted to us before: claimed again only to know, and to close it if so.
    GivenUp,
}

/// A tick that will not be run here, to be accounted for in the store.
#[derive(Debug)]
pub(crate) struct GivenUp {
    pub(crate) consumption: Consumption,
    /// Its claim, where the store may have granted it without our knowing.
    pub(crate) in_doubt: Option<Box<PendingClaim>>,
}

/// All claims that are to be made, and the ticks that were given up and are to be accounted for.
#[derive(Debug, Default)]
pub(crate) struct PendingClaims {
    claims: VecDeque<PendingClaim>,
    given_up: VecDeque<GivenUp>,
    dropped: u64,
}

/// Ticks given up that are remembered while the store is away.
const GIVEN_UP_MAX: usize = 10_000;

impl PendingClaims {
    pub(crate) fn push(&mut self, claim: PendingClaim) {
        self.claims.push_back(claim);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    pub(crate) fn has(&self, execution: &Execution) -> bool {
        self.claims
            .iter()
            .any(|pending| pending.claim.execution == *execution)
    }

    /// The next instant at which there is something to do with what waits here and could not be sent at `now_us`: to
    /// send or to give up.
    pub(crate) fn next_us(&self, now_us: i64) -> Option<i64> {
        let next = |pending: &PendingClaim| {
            if pending.not_before_us > now_us {
                pending.not_before_us
            } else {
                pending.deadline_us
            }
        };
        self.claims.iter().map(next).min()
    }

    /// Accounts for a tick that will not be claimed.
    pub(crate) fn give_up(&mut self, consumption: Consumption) {
        self.remember(GivenUp {
            consumption,
            in_doubt: None,
        });
    }

    fn give_up_claim(&mut self, mut pending: PendingClaim, instance: &InstanceId, reason: Reason) {
        pending.permit = None;
        match pending.origin {
            // It still stands in the store, and will be found again.
            Origin::Found => {}
            Origin::Tick => {
                let consumption = consumption(&pending, instance, reason);
                // A lease that nobody renews ends by itself.
                let may_be_stranded = pending.is_in_doubt && !pending.claim.is_leased();
                let in_doubt = may_be_stranded.then(|| Box::new(pending));
                self.remember(GivenUp {
                    consumption,
                    in_doubt,
                });
            }
            Origin::GivenUp => self.dropped += 1,
        }
    }

    fn remember(&mut self, given_up: GivenUp) {
        if self.given_up.len() == GIVEN_UP_MAX {
            self.given_up.pop_front();
            self.dropped += 1;
        }
        self.given_up.push_back(given_up);
    }

    pub(crate) fn has_given_up(&self) -> bool {
        !self.given_up.is_empty()
    }

    /// How many ticks were given up and could not even be remembered, since this was last asked.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// The next batch of ticks to account for, oldest first: a newer one would raise the watermark past those before it.
    pub(crate) fn take_given_up(&mut self) -> Vec<GivenUp> {
        let by_tick = |given_up: &GivenUp| given_up.consumption.execution.tick;
        self.given_up.make_contiguous().sort_by_key(by_tick);
        let count = self.given_up.len().min(BATCH_MAX);
        self.given_up.drain(..count).collect()
    }

    /// Puts a batch back that could not be delivered.
    pub(crate) fn give_up_again(&mut self, batch: Vec<GivenUp>) {
        for given_up in batch.into_iter().rev() {
            self.given_up.push_front(given_up);
        }
        let over = self.given_up.len().saturating_sub(GIVEN_UP_MAX);
        self.given_up.drain(..over);
        self.dropped += over as u64;
    }

    /// Gives up what it is too late for, and of a task that catches up with the latest tick alone, all but that. What was
    /// due by `away_until_us` waited for the store.
    pub(crate) fn expire(&mut self, now_us: i64, instance: &InstanceId, away_until_us: i64) {
        let mut latest_due: HashMap<Lane, Tick> = HashMap::new();
        for pending in &self.claims {
            if matches!(pending.task.policies.missed, Missed::Latest { .. })
                && pending.due_us <= now_us
                && pending.deadline_us > now_us
            {
                let Execution { task, index, tick } = pending.claim.execution.clone();
                let latest = latest_due.entry((task, index)).or_insert(tick);
                *latest = tick.max(*latest);
            }
        }
        let mut kept = VecDeque::with_capacity(self.claims.len());
        for pending in std::mem::take(&mut self.claims) {
            let Execution { task, index, tick } = &pending.claim.execution;
            let is_superseded = pending.late_us <= now_us
                && latest_due
                    .get(&(task.clone(), *index))
                    .is_some_and(|latest| tick < latest);
            if is_superseded {
                self.give_up_claim(pending, instance, Reason::CatchUp);
            } else if pending.deadline_us <= now_us {
                let reason = if pending.task.policies.missed != Missed::Skip {
                    Reason::CatchUp
                } else if pending.due_us <= away_until_us {
                    Reason::StoreUnreachable
                } else {
                    Reason::TooLate
                };
                self.give_up_claim(pending, instance, reason);
            } else {
                kept.push_back(pending);
            }
        }
        self.claims = kept;
    }

    /// The next batch to send: what may be sent and run now, the highest priority first, of one priority the
    /// earliest.
    ///
    /// A tick waits for those of the schedule before it in its lane, those that stand open as `unplaced` among them: once it
    /// is granted, the watermark is past them. Under distinct placement it waits for their verdicts too.
    pub(crate) fn take_batch<'a>(
        &mut self,
        now_us: i64,
        limits: &Arc<Limits>,
        unplaced: impl Iterator<Item = &'a Execution>,
    ) -> Vec<PendingClaim> {
        let mut open = OpenTicks::default();
        unplaced.for_each(|execution| open.insert(execution));
        let claims = self.claims.make_contiguous();
        // Stable: the ticks of one (task, index) stay in order, as the watermark wants them.
        claims.sort_by_key(|pending| (-i16::from(pending.task.policies.priority), pending.due_us));
        let mut batch = Vec::new();
        let mut kept = VecDeque::new();
        for mut pending in std::mem::take(&mut self.claims) {
            if batch.len() == BATCH_MAX {
                kept.push_back(pending);
                continue;
            }
            let by_schedule = pending.origin == Origin::Tick;
            let may_go = pending.not_before_us <= now_us && !open.before(&pending.claim.execution);
            if may_go {
                pending.permit = pending.permit.or_else(|| limits.try_take(&pending.task));
            }
            let goes = may_go && pending.permit.is_some();
            if by_schedule && (!goes || pending.claim.placement == Placement::Distinct) {
                open.insert(&pending.claim.execution);
            }
            if goes {
                batch.push(pending);
                continue;
            }
            kept.push_back(pending);
        }
        self.claims = kept;
        batch
    }
}

pub(crate) fn consumption(
    pending: &PendingClaim,
    instance: &InstanceId,
    reason: Reason,
) -> Consumption {
    Consumption {
        execution: pending.claim.execution.clone(),
        concurrency: pending.claim.concurrency,
        reason,
        instance: instance.clone(),
    }
}

#[cfg(test)]
mod tests {
    use sexton_core::tick::Concurrency;

    use super::*;

    #[test]
    fn what_was_given_up_is_accounted_for_oldest_tick_first() {
        let mut pending = PendingClaims::default();
        for tick_ms in [2_000, 3_000, 1_000] {
            pending.give_up(Consumption {
                execution: Execution {
                    task: TaskName::new("t").unwrap(),
                    index: ConcurrencyIndex::ONE,
                    tick: Tick::from_millis(tick_ms).unwrap(),
                },
                concurrency: Concurrency::ONE,
                reason: Reason::TooLate,
                instance: InstanceId::random(),
            });
        }
        let order = pending.take_given_up();
        let order = order.iter().map(|given_up| &given_up.consumption.execution);
        assert!(order.is_sorted_by_key(|execution| execution.tick));
    }
}
