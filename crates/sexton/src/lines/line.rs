//! One line: a (task, index) with what waits in front of it.

use sexton_core::store_time::StoreTime;

use super::item::{Item, Opening};
use crate::backoff::backoff;

/// One (task, index) with what waits in front of it, in the order of its ticks.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) items: Vec<Item>,
    /// How many of its items are under way to the store.
    pub(super) in_flight: usize,
    /// Whether all of it stays open to other instances, even past its ticks' windows: what stands
    /// first is not for us.
    pub(super) opening: Option<Opening>,
    /// Trouble of the part of the store that keeps it.
    pub(super) trouble: Option<Trouble>,
}

impl Line {
    /// Puts an item in its place, in the order of the ticks.
    pub(super) fn insert(&mut self, item: Item) {
        let place = self
            .items
            .partition_point(|other| other.tick() < item.tick());
        self.items.insert(place, item);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.in_flight == 0
    }

    /// Whether it is not sent yet, since its part of the store was in trouble a moment ago.
    pub(super) fn is_resting(&self, now: StoreTime) -> bool {
        self.rests_until() > Some(now)
    }

    /// Until when nothing of it is sent, if its part of the store is in trouble.
    pub(super) fn rests_until(&self) -> Option<StoreTime> {
        self.trouble.map(|trouble| trouble.retry_at)
    }

    /// All of it rests for a while, longer with each failure in a row.
    pub(super) fn rest(&mut self, now: StoreTime) {
        // Entries of one call fail together.
        if self.is_resting(now) {
            return;
        }
        let failures = self.trouble.map_or(0, |trouble| trouble.failures);
        self.trouble = Some(Trouble {
            failures: failures.saturating_add(1),
            retry_at: now + backoff(failures),
        });
    }
}

/// What is known of the trouble of one line, in a part of the store, while the rest of it answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble {
    failures: u32,
    /// Nothing of the line is sent before this.
    retry_at: StoreTime,
}
