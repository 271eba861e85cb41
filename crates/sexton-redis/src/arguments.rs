//! Arguments of a script.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use jiff::Timestamp;
use sexton_core::lock::{Execution, HeldLock};
use sexton_core::name::{ClaimId, TaskName};
use sexton_core::tick::ConcurrencyIndex;

use crate::record_text::tick_text;

/// Arguments of a script, one after the other in one piece of memory.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    text: String,
    ends: Vec<usize>,
}

impl Arguments {
    fn end(&mut self) {
        self.ends.push(self.text.len());
    }

    pub(crate) fn add(&mut self, number: impl Display) {
        // Writing to a string does not fail.
        let _ = write!(self.text, "{number}");
        self.end();
    }

    pub(crate) fn text(&mut self, argument: impl AsRef<str>) {
        self.text.push_str(argument.as_ref());
        self.end();
    }

    pub(crate) fn micros(&mut self, duration: Duration) {
        self.add(duration.as_micros());
    }

    /// A deadline in µs, or nothing. The last second of all has no microseconds that read back.
    pub(crate) fn deadline(&mut self, deadline: Option<Timestamp>) {
        match deadline {
            Some(deadline) => {
                let latest = Timestamp::MAX.as_second() * 1_000_000;
                self.add(deadline.as_microsecond().min(latest));
            }
            None => self.text(""),
        }
    }

    pub(crate) fn flag(&mut self, is_so: bool) {
        self.text(if is_so { "1" } else { "0" });
    }

    /// A (task, index).
    pub(crate) fn field(&mut self, task: &TaskName, index: ConcurrencyIndex) {
        self.add(format_args!("{task}\t{:04}", index.get()));
    }

    /// An execution.
    pub(crate) fn member(&mut self, execution: &Execution) {
        let Execution { task, index, tick } = execution;
        let (index, tick) = (index.get(), tick_text(*tick));
        self.add(format_args!("{task}\t{index:04}\t{tick}"));
    }

    pub(crate) fn claim_id(&mut self, id: ClaimId) {
        self.add(format_args!("{:032x}", id.as_u128()));
    }

    /// All in one argument.
    pub(crate) fn claim_ids(&mut self, ids: impl Iterator<Item = ClaimId>) {
        for id in ids {
            // Writing to a string does not fail.
            let _ = write!(self.text, "{:032x}", id.as_u128());
        }
        self.end();
    }

    /// What shows a lock: member, claim, fence.
    pub(crate) fn lock(&mut self, lock: &HeldLock) {
        self.member(&lock.execution);
        self.claim_id(lock.claim_id);
        self.add(lock.fence.get());
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(&0).chain(&self.ends);
        let pieces = starts.zip(&self.ends);
        pieces.filter_map(|(start, end)| self.text.get(*start..*end))
    }
}
