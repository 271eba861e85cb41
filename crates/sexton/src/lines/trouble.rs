//! Lines that a part of the store keeps which is in trouble, while the rest of it answers.

use sexton_core::lock::Execution;
use sexton_core::store_time::StoreTime;

use super::{Line, Lines, lane_of};
use crate::backoff::backoff;

/// What is known of the trouble of one line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble {
    failures: u32,
    /// Nothing of the line is sent before this.
    retry_at: StoreTime,
}

impl Line {
    /// Whether it is not sent yet, since its part of the store was in trouble a moment ago.
    pub(super) fn is_resting(&self, now: StoreTime) -> bool {
        self.rests_until() > Some(now)
    }

    /// Until when nothing of it is sent, if its part of the store is in trouble.
    pub(super) fn rests_until(&self) -> Option<StoreTime> {
        self.trouble.map(|trouble| trouble.retry_at)
    }
}

impl Lines {
    /// The store's answer to an entry of a line was an error: all of the line rests for a while.
    pub(crate) fn rest(&mut self, execution: &Execution, now: StoreTime) {
        let Some(line) = self.lines.get_mut(&lane_of(execution)) else {
            return;
        };
        // Entries of one call fail together.
        if line.is_resting(now) {
            return;
        }
        let failures = line.trouble.map_or(0, |trouble| trouble.failures);
        line.trouble = Some(Trouble {
            failures: failures.saturating_add(1),
            retry_at: now + backoff(failures),
        });
    }

    /// The store has answered to an entry of a line.
    pub(crate) fn has_answered(&mut self, execution: &Execution) {
        if let Some(line) = self.lines.get_mut(&lane_of(execution)) {
            line.trouble = None;
        }
    }
}
