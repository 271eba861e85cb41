//! How far a task's schedule has been followed for an index, where that is not a tick of the
//! future.
//!
//! A line holds [`PENDING_MAX`](crate::lines::PENDING_MAX) ticks at the most; a cursor
//! stands where the schedule was left and is followed as the line drains. So a backlog of a month
//! takes no more memory than one of two minutes.

use std::collections::BTreeMap;

use sexton_core::tick::{ConcurrencyIndex, Tick};

use crate::due::Slot;

/// Ticks that are passed over in one turn of the driver, so that a long gap holds up no other task.
pub(super) const COUNTED_PER_TURN: usize = 20_000;

/// A task, and which index of it.
pub(super) type Place = (Slot, ConcurrencyIndex);

/// Where a task's schedule is followed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The last tick that was dealt with.
    pub(super) after: Tick,
    /// The one behind it, where it is known: it is due even if the schedule fails meanwhile.
    pub(super) next: Option<Tick>,
    /// How many ticks in a row were passed over one by one.
    pub(super) passed: usize,
    /// What is passed over together.
    pub(super) counting: Option<Counting>,
}

/// Ticks that are passed over together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counting {
    pub(super) after: Tick,
    pub(super) first: Tick,
    pub(super) ticks: u64,
}

impl Cursor {
    pub(super) fn at(after: Tick) -> Cursor {
        Cursor {
            after,
            next: None,
            passed: 0,
            counting: None,
        }
    }
}

/// The cursors that wait: for room in a line, or to count on.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    waiting: BTreeMap<Place, Cursor>,
    counting: usize,
}

impl Cursors {
    pub(super) fn wait(&mut self, place: Place, cursor: Cursor) {
        self.counting += usize::from(cursor.counting.is_some());
        self.waiting.insert(place, cursor);
    }

    /// Takes out all that may go on, as `may_go` says of those that wait for room.
    pub(super) fn take_ready(
        &mut self,
        mut may_go: impl FnMut(Place) -> bool,
    ) -> Vec<(Place, Cursor)> {
        self.counting = 0;
        let is_ready =
            |place: &Place, cursor: &mut Cursor| cursor.counting.is_some() || may_go(*place);
        self.waiting.extract_if(.., is_ready).collect()
    }

    /// Whether something is counted that others should not wait for.
    pub(super) fn is_counting(&self) -> bool {
        self.counting > 0
    }
}
