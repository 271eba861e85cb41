//! What the holder of a lock says to the store after the grant: renewed, settled, released.

use jiff::Timestamp;

use super::{HeldLock, Outcome};
use crate::policy::Lease;
use crate::tick::Tick;

/// A holder's request to keep its lock for another lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// The lock.
    pub lock: HeldLock,
    /// For how long, from the store's now.
    pub lease: Lease,
}

/// The answer to a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewed {
    /// The lock is still the holder's.
    Extended {
        /// The new end of the lease; `None` for a grant without one.
        lease_until: Option<Timestamp>,
        /// Whether somebody asked for the execution to be cancelled.
        cancel_requested: bool,
    },
    /// The lock is not the holder's any more: its run must stop.
    Lost,
}

/// A holder's word on how its execution ended.
///
/// Error and output are cut to [`Settlement::ERROR_BYTES_MAX`] and
/// [`Settlement::OUTPUT_BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The lock.
    pub lock: HeldLock,
    /// How the execution ended.
    pub outcome: Outcome,
    /// When the handler was started, by the store's clock as the instance estimates it.
    pub started_at: Timestamp,
    /// When it ended, by the same clock.
    pub finished_at: Timestamp,
    error: Option<String>,
    output: Option<String>,
}

impl Settlement {
    /// The most bytes of an error that are kept: its beginning.
    pub const ERROR_BYTES_MAX: usize = 4 * 1024;
    /// The most bytes of output that are kept: its end.
    pub const OUTPUT_BYTES_MAX: usize = 64 * 1024;

    /// A settlement without error or output.
    #[must_use]
    pub fn new(
        lock: HeldLock,
        outcome: Outcome,
        started_at: Timestamp,
        finished_at: Timestamp,
    ) -> Settlement {
        Settlement {
            lock,
            outcome,
            started_at,
            finished_at,
            error: None,
            output: None,
        }
    }

    /// Adds what went wrong.
    #[must_use]
    pub fn with_error(mut self, error: &str) -> Settlement {
        let end = error.floor_char_boundary(Settlement::ERROR_BYTES_MAX);
        self.error = Some(error[..end].to_owned());
        self
    }

    /// Adds what the handler said.
    #[must_use]
    pub fn with_output(mut self, output: &str) -> Settlement {
        let start = output.len().saturating_sub(Settlement::OUTPUT_BYTES_MAX);
        self.output = Some(output[output.ceil_char_boundary(start)..].to_owned());
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// What the handler said.
    #[must_use]
    pub fn output(&self) -> Option<&str> {
        self.output.as_deref()
    }
}

/// The answer to a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The outcome is recorded, now or by an earlier sending of the same settlement.
    Recorded {
        /// A tick of the same (task, index) that waited for this one to end and may be claimed now.
        waiting: Option<Tick>,
    },
    /// The lock was not the holder's any more: the outcome is not recorded.
    Refused,
}

/// A holder's request to give back a lock whose execution it did not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The lock.
    pub lock: HeldLock,
    /// Until when the execution may be granted again, by the store's clock; `None`: at any time. An
    /// execution that waited before keeps the deadline that it has, and a later attempt than the
    /// first has none.
    pub deadline: Option<Timestamp>,
}

/// The answer to a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// The execution is open to others.
    Open,
    /// Its deadline has passed: the execution is recorded as missed.
    TooLate,
    /// The lock was not the holder's (any more, or released before).
    NotHeld,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::Execution;
    use crate::name::{ClaimId, TaskName};
    use crate::tick::{ConcurrencyIndex, Fence};

    #[test]
    fn a_long_error_keeps_its_beginning_and_a_long_output_its_end() {
        let execution = Execution {
            task: TaskName::new("t").unwrap(),
            index: ConcurrencyIndex::ONE,
            tick: Tick::MIN,
        };
        let lock = HeldLock {
            execution,
            claim_id: ClaimId::random(),
            fence: Fence::new(1),
        };
        let long = format!("a{}z", "é".repeat(Settlement::OUTPUT_BYTES_MAX));
        let settlement = Settlement::new(lock, Outcome::Failed, Timestamp::MIN, Timestamp::MIN)
            .with_error(&long)
            .with_output(&long);
        let error = settlement.error().unwrap();
        assert!(error.starts_with('a') && error.len() <= Settlement::ERROR_BYTES_MAX);
        let output = settlement.output().unwrap();
        assert!(output.ends_with('z') && output.len() <= Settlement::OUTPUT_BYTES_MAX);
    }
}
