//! What time makes of what waits in a line.

use sexton_core::lock::Reason;
use sexton_core::name::InstanceId;
use sexton_core::store_time::StoreTime;
use sexton_core::tick::Tick;

use super::item::{ClaimKind, Item, Opening, PendingClaim};
use crate::policy::Missed;

/// What is known when lines are looked through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now<'n> {
    /// The store's clock, as estimated.
    pub(crate) at: StoreTime,
    /// Ticks due by then waited for a store that was away.
    pub(crate) away_until: StoreTime,
    pub(crate) instance: &'n InstanceId,
}

/// The latest tick of a line that is due and not too late, of a task that catches up with that one
/// alone.
pub(super) fn latest_due(items: &[Item], now: StoreTime) -> Option<Tick> {
    let due = items.iter().filter_map(|item| match item {
        Item::Claim(claim)
            if claim.due_at <= now
                && claim.deadline > now
                && matches!(claim.task.policies.missed, Missed::Latest { .. }) =>
        {
            Some(item.tick())
        }
        _ => None,
    });
    due.max()
}

/// What becomes of an item as time passes.
pub(super) enum Expired {
    Not(Item),
    /// The store still has it, and will be asked for it again.
    Dropped(Box<PendingClaim>),
}

/// A line looked through for what time has made of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'n> {
    pub(super) now: Now<'n>,
    /// The latest tick that is due, of a task that catches up with that one alone.
    pub(super) latest: Option<Tick>,
    pub(super) opening: Option<Opening>,
}

impl Look<'_> {
    fn is_over(&self, claim: &PendingClaim) -> bool {
        claim.until(self.opening) <= self.now.at
    }

    /// Whether a later tick is due, of a task that catches up with the latest alone.
    fn is_superseded(&self, claim: &PendingClaim) -> bool {
        let tick = claim.claim.execution.tick;
        claim.late_at <= self.now.at && self.latest.is_some_and(|latest| tick < latest)
    }

    /// Whether an item is not what it was, as time has passed.
    pub(super) fn has_expired(&self, item: &Item) -> bool {
        match item {
            Item::Open(open) => self.is_over(&open.claim) || self.is_superseded(&open.claim),
            Item::Claim(claim) => {
                let is_scheduled = claim.kind == ClaimKind::Scheduled;
                self.is_over(claim) || is_scheduled && self.is_superseded(claim)
            }
            Item::GivenUp(_) => false,
        }
    }

    /// What becomes of an item as time passes.
    pub(super) fn expired(&self, item: Item) -> Expired {
        let now = self.now;
        match item {
            Item::Open(open) if self.is_over(&open.claim) => {
                Expired::Not(open.claim.into_given_up(now.instance, Reason::TooLate))
            }
            Item::Open(open) if self.is_superseded(&open.claim) => {
                Expired::Not(open.claim.into_given_up(now.instance, Reason::CatchUp))
            }
            Item::Claim(claim) if claim.kind == ClaimKind::Scheduled => {
                if self.is_superseded(&claim) {
                    return Expired::Not(claim.into_given_up(now.instance, Reason::CatchUp));
                }
                if !self.is_over(&claim) {
                    return Expired::Not(Item::Claim(claim));
                }
                let missed = claim.task.policies.missed;
                let reason = reason_of_missed(missed, claim.due_at, now.away_until);
                Expired::Not(claim.into_given_up(now.instance, reason))
            }
            Item::Claim(claim) if self.is_over(&claim) => Expired::Dropped(claim),
            other => Expired::Not(other),
        }
    }
}

/// Why a tick is not run that it is too late for.
pub(crate) fn reason_of_missed(missed: Missed, due_at: StoreTime, away_until: StoreTime) -> Reason {
    match missed {
        Missed::Skip if due_at <= away_until => Reason::StoreUnreachable,
        Missed::Skip => Reason::TooLate,
        Missed::Latest { .. } | Missed::All { .. } => Reason::CatchUp,
    }
}
