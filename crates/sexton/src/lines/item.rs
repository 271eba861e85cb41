//! What stands in a line: a claim to make, an index left open to others, a tick given up.

use std::sync::Arc;

use sexton_core::lock::{Claim, Consumption, Execution, Reason};
use sexton_core::name::InstanceId;
use sexton_core::tick::Tick;

use crate::limits::Permit;
use crate::task::CheckedTask;

/// One claim on its way to the store.
#[derive(Debug)]
pub(crate) struct PendingClaim {
    pub(crate) task: Arc<CheckedTask>,
    pub(crate) claim: Claim,
    /// When its run starts.
    pub(crate) due_us: i64,
    /// From when on the tick counts as missed, and its run as caught up with.
    pub(crate) late_us: i64,
    /// From when on it is not claimed any more.
    pub(crate) deadline_us: i64,
    /// Not sent before this.
    pub(crate) not_before_us: i64,
    pub(crate) kind: ClaimKind,
    /// Whether it was sent and its answer lost: the store may have granted it.
    pub(crate) is_in_doubt: bool,
    pub(crate) permit: Option<Permit>,
    /// How often the store held it back.
    pub(crate) refusals: u32,
    /// Since when an index that is not for us is open to others.
    pub(crate) open_since_us: Option<i64>,
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
    pub(super) ask_at_us: i64,
    pub(super) until_us: i64,
}

/// A tick that will not be run here, to be accounted for in the store.
#[derive(Debug)]
pub(crate) struct GivenUp {
    pub(crate) consumption: Consumption,
    /// Its claim, where the store may have granted it without our knowing.
    pub(crate) in_doubt: Option<Box<PendingClaim>>,
    /// The ticks before it that it accounts for as well.
    pub(crate) passed: Option<PassedTicks>,
}

/// Ticks of one (task, index) in one gap that are accounted for together, up to one that is
/// recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PassedTicks {
    /// After this tick.
    pub(crate) after: Tick,
    /// How many, the recorded one included.
    pub(crate) ticks: u64,
}

#[derive(Debug)]
pub(super) enum Item {
    Claim(Box<PendingClaim>),
    Open(Box<OpenClaim>),
    GivenUp(Box<GivenUp>),
}

impl PendingClaim {
    /// The claim as a tick that is given up.
    pub(super) fn into_given_up(mut self, instance: &InstanceId, reason: Reason) -> Item {
        self.permit = None;
        let consumption = consumption(&self, instance, reason);
        // A lease that nobody renews ends by itself.
        let may_be_stranded = self.is_in_doubt && !self.claim.is_leased();
        Item::GivenUp(Box::new(GivenUp {
            consumption,
            in_doubt: may_be_stranded.then(|| Box::new(self)),
            passed: None,
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

    pub(super) fn tick(&self) -> Tick {
        self.execution().tick
    }

    /// When there is something to do with it that could not be done at `now_us`; `None`: when
    /// something else happens.
    pub(super) fn next_us(&self, now_us: i64) -> Option<i64> {
        match self {
            Item::Claim(claim) if claim.not_before_us > now_us => Some(claim.not_before_us),
            Item::Claim(claim) if claim.late_us > now_us => Some(claim.late_us),
            Item::Claim(claim) => Some(claim.deadline_us),
            Item::Open(open) if open.ask_at_us > now_us => Some(open.ask_at_us.min(open.until_us)),
            Item::Open(open) => Some(open.until_us),
            Item::GivenUp(_) => None,
        }
    }
}

fn consumption(pending: &PendingClaim, instance: &InstanceId, reason: Reason) -> Consumption {
    Consumption {
        execution: pending.claim.execution.clone(),
        concurrency: pending.claim.concurrency,
        reason,
        instance: instance.clone(),
    }
}
