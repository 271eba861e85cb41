//! What stands in a line: a claim to make, an index left open to others, a tick given up.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{Claim, Consumption, Covered, Execution, Reason};
use sexton_core::name::InstanceId;
use sexton_core::store_time::StoreTime;
use sexton_core::tick::Tick;

use crate::limits::Permit;
use crate::task::CheckedTask;

/// One claim on its way to the store.
#[derive(Debug)]
pub(crate) struct PendingClaim {
    pub(crate) task: Arc<CheckedTask>,
    pub(crate) claim: Claim,
    /// When its run starts.
    pub(crate) due_at: StoreTime,
    /// From when on the tick counts as missed, and its run as caught up with.
    pub(crate) late_at: StoreTime,
    /// From when on it is not claimed any more.
    pub(crate) deadline: StoreTime,
    /// Not sent before this.
    pub(crate) not_before: StoreTime,
    pub(crate) kind: ClaimKind,
    /// Whether it was sent and its answer lost: the store may have granted it.
    pub(crate) is_in_doubt: bool,
    pub(crate) permit: Option<Permit>,
    /// How often the store held it back.
    pub(crate) refusals: u32,
}

/// How a claim came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClaimKind {
    /// By the schedule.
    Scheduled,
    /// The store has it waiting.
    Found,
    /// Its holder was lost.
    Recovered,
    /// Given up, but perhaps granted to us before: claimed again only to know, and to close it if
    /// so.
    ToKnow,
}

/// An index of a tick that is not for us, and stays open to others for a while.
#[derive(Debug)]
pub(super) struct OpenClaim {
    pub(super) claim: PendingClaim,
    pub(super) ask_at: StoreTime,
}

/// A tick that will not be run here, to be accounted for in the store.
#[derive(Debug)]
pub(crate) struct GivenUp {
    pub(crate) consumption: Consumption,
    /// Its claim, where the store may have granted it without our knowing.
    pub(crate) in_doubt: Option<Box<PendingClaim>>,
    /// The ticks before it that it accounts for as well, and that have no record of their own.
    pub(crate) passed: Option<PassedTicks>,
    /// Whether it stands for itself, even with others before it.
    pub(super) is_alone: bool,
}

/// Given-up ticks of one line in a row, accounted for by one consumption of the last of them.
#[derive(Debug)]
pub(crate) struct GivenUpRun {
    pub(super) earlier: Vec<GivenUp>,
    pub(super) last: GivenUp,
}

impl GivenUpRun {
    pub(super) fn new(only: GivenUp) -> GivenUpRun {
        GivenUpRun {
            earlier: Vec::new(),
            last: only,
        }
    }

    pub(super) fn push(&mut self, next: GivenUp) {
        let earlier = std::mem::replace(&mut self.last, next);
        self.earlier.push(earlier);
    }

    /// What the store is asked.
    pub(crate) fn consumption(&self) -> Consumption {
        let mut consumption = self.last.consumption.clone();
        let all = self.earlier.iter().chain([&self.last]);
        let ticks: u64 = all.map(GivenUp::ticks).sum();
        if ticks > 1 {
            let records = u64::try_from(self.len()).unwrap_or(u64::MAX);
            consumption.covers = Some(Covered {
                first: self.first(),
                ticks,
                unrecorded: ticks.saturating_sub(records),
            });
        }
        consumption
    }

    pub(crate) fn execution(&self) -> &Execution {
        &self.last.consumption.execution
    }

    /// The first tick that it accounts for.
    pub(crate) fn first(&self) -> Tick {
        self.earlier.first().unwrap_or(&self.last).first()
    }

    /// How many items of its line it was made of.
    pub(super) fn len(&self) -> usize {
        self.earlier.len() + 1
    }

    /// All of it, in order.
    pub(crate) fn into_ticks(self) -> impl Iterator<Item = GivenUp> {
        self.earlier.into_iter().chain([self.last])
    }

    /// The last, and those before it, in order.
    pub(crate) fn into_parts(self) -> (Vec<GivenUp>, GivenUp) {
        (self.earlier, self.last)
    }
}

impl GivenUp {
    /// How many ticks it accounts for.
    fn ticks(&self) -> u64 {
        self.passed.map_or(1, |passed| passed.ticks)
    }

    /// The first of them.
    fn first(&self) -> Tick {
        let tick = self.consumption.execution.tick;
        self.passed.map_or(tick, |passed| passed.first)
    }
}

/// Ticks of one (task, index) in one gap that are accounted for together, up to one that is
/// recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PassedTicks {
    /// After this tick.
    pub(crate) after: Tick,
    /// The first of them.
    pub(crate) first: Tick,
    /// How many, the recorded one included.
    pub(crate) ticks: u64,
}

/// A line is open from when we are refused until everybody has had the time to come to it; once
/// somebody came, until they have had the time to come to what stands behind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    pub(super) until: StoreTime,
    /// How much longer than its window a tick is kept open at the most.
    pub(super) longest: Duration,
    pub(super) has_moved_on: bool,
}

#[derive(Debug)]
pub(super) enum Item {
    Claim(Box<PendingClaim>),
    Open(Box<OpenClaim>),
    GivenUp(Box<GivenUp>),
}

impl PendingClaim {
    /// From when on it is not made any more, in a line that is open to others. What the store has
    /// waiting has its deadline there.
    pub(super) fn until(&self, opening: Option<Opening>) -> StoreTime {
        match (self.kind, opening) {
            (ClaimKind::Scheduled, Some(opening)) => {
                let latest = self.deadline + opening.longest;
                self.deadline.max(opening.until.min(latest))
            }
            // It may be ours: nothing but its answer tells, and without a lease it has no end.
            (ClaimKind::Found | ClaimKind::Recovered, _)
                if self.is_in_doubt && !self.claim.is_leased() =>
            {
                StoreTime::MAX
            }
            _ => self.deadline,
        }
    }

    /// Claims and runs it as the task is defined now. What the store may have granted runs as it
    /// was claimed.
    fn redefine(&mut self, task: &Arc<CheckedTask>) {
        if !self.is_in_doubt {
            set_policies(&mut self.claim, task);
            self.task = Arc::clone(task);
        }
    }

    /// The claim as a tick that is given up.
    pub(super) fn into_given_up(mut self, instance: &InstanceId, reason: Reason) -> Item {
        self.permit = None;
        let consumption = consumption(&self, instance, reason);
        let may_be_ours = self.is_in_doubt;
        Item::GivenUp(Box::new(GivenUp {
            consumption,
            in_doubt: may_be_ours.then(|| Box::new(self)),
            passed: None,
            is_alone: false,
        }))
    }
}

impl Item {
    pub(super) fn execution(&self) -> &Execution {
        match self {
            Item::Claim(claim) => &claim.claim.execution,
            Item::Open(open) => &open.claim.claim.execution,
            Item::GivenUp(given_up) => &given_up.consumption.execution,
        }
    }

    /// Whether it stays when its task has another schedule: the store has it, or may have granted
    /// it.
    pub(super) fn outlives_its_schedule(&self) -> bool {
        match self {
            Item::Claim(claim) => claim.kind != ClaimKind::Scheduled || claim.is_in_doubt,
            Item::Open(open) => open.claim.is_in_doubt,
            Item::GivenUp(given_up) => given_up.in_doubt.is_some(),
        }
    }

    pub(super) fn redefine(&mut self, task: &Arc<CheckedTask>) {
        match self {
            Item::Claim(claim) => claim.redefine(task),
            Item::Open(open) => open.claim.redefine(task),
            Item::GivenUp(_) => {}
        }
    }

    /// Whether the store has it, so that no tick of the schedule stands behind it.
    pub(super) fn is_from_the_store(&self) -> bool {
        matches!(self, Item::Claim(claim) if claim.kind != ClaimKind::Scheduled)
    }

    pub(super) fn tick(&self) -> Tick {
        self.execution().tick
    }

    /// When there is something to do with it that could not be done at `now`; `None`: when
    /// something else happens.
    pub(super) fn next_at(&self, now: StoreTime, opening: Option<Opening>) -> Option<StoreTime> {
        match self {
            Item::Claim(claim) if claim.not_before > now => Some(claim.not_before),
            Item::Claim(claim) if claim.late_at > now => Some(claim.late_at),
            Item::Claim(claim) => Some(claim.until(opening)),
            Item::Open(open) => {
                let until = open.claim.until(opening);
                let asks = open.ask_at > now;
                Some(if asks { open.ask_at.min(until) } else { until })
            }
            Item::GivenUp(_) => None,
        }
    }
}

/// Claims as a task's policies say.
pub(crate) fn set_policies(claim: &mut Claim, task: &CheckedTask) {
    let policies = &task.policies;
    claim.delivery = policies.delivery;
    claim.overlap = policies.overlap;
    claim.placement = policies.placement;
    claim.lease = policies.lease;
}

fn consumption(pending: &PendingClaim, instance: &InstanceId, reason: Reason) -> Consumption {
    let execution = pending.claim.execution.clone();
    let concurrency = pending.claim.concurrency;
    Consumption::new(execution, concurrency, reason, instance.clone())
}
