//! Which task is due next.
//!
//! A bucket per instant holds everything that is due then, so that a million tasks of the same
//! minute cost one entry of the map. An index of a task stands in the queue once, with its next
//! tick.

use std::collections::BTreeMap;

use sexton_core::store_time::StoreTime;
use sexton_core::tick::{ConcurrencyIndex, Tick};

/// Where a task stands in its driver's table, and in which generation of that place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot {
    pub(crate) place: u32,
    pub(crate) generation: u32,
}

/// The next tick of an index of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) slot: Slot,
    pub(crate) index: ConcurrencyIndex,
    pub(crate) tick: Tick,
}

/// Tasks by the instant they are due at: the tick, plus the tick's jitter.
#[derive(Debug, Default)]
pub(crate) struct DueQueue {
    buckets: BTreeMap<StoreTime, Vec<Due>>,
}

impl DueQueue {
    pub(crate) fn push(&mut self, due_at: StoreTime, due: Due) {
        self.buckets.entry(due_at).or_default().push(due);
    }

    /// The earliest instant at which something is due.
    pub(crate) fn first_at(&self) -> Option<StoreTime> {
        self.buckets.keys().next().copied()
    }

    /// Takes the earliest bucket if it is due by `horizon`.
    pub(crate) fn pop_until(&mut self, horizon: StoreTime) -> Option<(StoreTime, Vec<Due>)> {
        let entry = self
            .buckets
            .first_entry()
            .filter(|entry| *entry.key() <= horizon)?;
        Some(entry.remove_entry())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_come_in_order_and_not_before_they_are_due() {
        let due = |place| Due {
            slot: Slot {
                place,
                generation: 0,
            },
            index: ConcurrencyIndex::ONE,
            tick: Tick::MIN,
        };
        let at = StoreTime::from_micros;
        let mut queue = DueQueue::default();
        queue.push(at(20), due(1));
        queue.push(at(10), due(2));
        queue.push(at(20), due(3));
        assert_eq!(queue.first_at(), Some(at(10)));
        assert_eq!(queue.pop_until(at(9)), None);
        assert_eq!(queue.pop_until(at(20)), Some((at(10), vec![due(2)])));
        assert_eq!(
            queue.pop_until(at(20)),
            Some((at(20), vec![due(1), due(3)]))
        );
        assert_eq!(queue.pop_until(at(20)), None);
    }
}
