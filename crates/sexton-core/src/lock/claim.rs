//! Asking for executions, and the answers.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;

use super::LockError;
use crate::name::{ClaimId, InstanceId, TaskName};
use crate::policy::{Delivery, Lease, Overlap, Placement};
use crate::tick::{Attempt, Concurrency, ConcurrencyIndex, Fence, Tick};

/// One (task, concurrency index, tick): the thing that is run once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Execution {
    /// The task.
    pub task: TaskName,
    /// Which of the tick's executions.
    pub index: ConcurrencyIndex,
    /// The tick.
    pub tick: Tick,
}

impl fmt::Display for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]@{}", self.task, self.index, self.tick)
    }
}

/// An instance's request for one execution.
///
/// `claim_id` is new for every claim and stays the same when the claim is sent again because its
/// answer was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What is asked for.
    pub execution: Execution,
    /// How many executions the tick has.
    pub concurrency: Concurrency,
    /// The id of this claim.
    pub claim_id: ClaimId,
    /// Who asks.
    pub instance: InstanceId,
    /// How often the execution may be granted.
    pub delivery: Delivery,
    /// What an earlier execution of the same (task, index) means for this one.
    pub overlap: Overlap,
    /// Whether one instance may take several indices of a tick.
    pub placement: Placement,
    /// How long the grant is valid unless renewed, where [`Claim::is_leased`].
    pub lease: Lease,
    /// Until when the execution may be granted if it has to wait for an earlier one, by the store's
    /// clock; `None`: at any time. See
    /// [`ExecutionRecord::deadline`](super::ExecutionRecord::deadline).
    pub deadline: Option<Timestamp>,
    /// Whether the execution is granted only if the store has a record of it: it was found waiting
    /// there, or left by a lost holder. The watermark does not tell that a triggered execution is
    /// over, and its record may have been pruned since it was found.
    pub needs_record: bool,
}

impl Claim {
    /// A claim under the default policies: at most once, overlap allowed, whoever is first.
    #[must_use]
    pub fn new(execution: Execution, concurrency: Concurrency, instance: InstanceId) -> Claim {
        Claim {
            execution,
            concurrency,
            claim_id: ClaimId::random(),
            instance,
            delivery: Delivery::default(),
            overlap: Overlap::default(),
            placement: Placement::default(),
            lease: Lease::default(),
            deadline: None,
            needs_record: false,
        }
    }

    /// Whether a grant of this claim carries a lease. Only what happens after the grant needs one:
    /// recovery and overlap.
    #[must_use]
    pub fn is_leased(&self) -> bool {
        self.delivery.recovers() || self.overlap != Overlap::Allow
    }
}

/// How far ahead of its own clock a store may grant a tick: 0 to 60 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimLead(Duration);

/// A claim lead over [`ClaimLead::MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("claim lead must be 0..=60s, found {found:?}")]
pub struct ClaimLeadError {
    found: Duration,
}

impl ClaimLead {
    /// No claim runs ahead.
    pub const ZERO: ClaimLead = ClaimLead(Duration::ZERO);
    /// The longest lead.
    pub const MAX: Duration = Duration::from_secs(60);

    /// # Errors
    /// [`ClaimLeadError`] over [`ClaimLead::MAX`].
    pub fn new(duration: Duration) -> Result<ClaimLead, ClaimLeadError> {
        if duration <= ClaimLead::MAX {
            Ok(ClaimLead(duration))
        } else {
            Err(ClaimLeadError { found: duration })
        }
    }

    /// The duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl Default for ClaimLead {
    /// 500 ms.
    fn default() -> ClaimLead {
        ClaimLead(Duration::from_millis(500))
    }
}

/// The most entries a batch of any kind may have.
pub const BATCH_MAX: usize = 1_000;
/// The most entries of an answer that comes in pages: of tasks, of the history, of a sweep.
pub const PAGE_MAX: usize = 1_000;
/// How long a lock manager's call may take, unless its options give another limit.
pub const CALL_LIMIT_DEFAULT: Duration = Duration::from_secs(5);

/// # Errors
/// [`LockError::BatchTooLarge`] over [`BATCH_MAX`] entries.
pub fn check_batch_size(entries: usize) -> Result<(), LockError> {
    if entries <= BATCH_MAX {
        Ok(())
    } else {
        Err(LockError::BatchTooLarge {
            found: entries,
            max: BATCH_MAX,
        })
    }
}

/// The answer to one claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The execution is the claimant's to run.
    Granted(Grant),
    /// It is not.
    Denied(Denial),
}

impl Verdict {
    /// What was given, if anything.
    #[must_use]
    pub fn grant(&self) -> Option<&Grant> {
        match self {
            Verdict::Granted(grant) => Some(grant),
            Verdict::Denied(_) => None,
        }
    }
}

/// What a granted claim was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Higher than that of every earlier grant of the same (task, index).
    pub fence: Fence,
    /// 1, or more where an earlier holder was lost.
    pub attempt: Attempt,
    /// When the grant ends unless it is renewed, by the store's clock; `None` for a grant without a
    /// lease.
    pub lease_until: Option<Timestamp>,
    /// Until when a run of it may start, for an execution that waited in the store; `None` if it
    /// has no deadline or never waited: then its task's policy says.
    pub deadline: Option<Timestamp>,
}

/// Why a claim was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denial {
    /// The tick lies further ahead of the store's clock than the claim lead. Nothing was recorded:
    /// claim again later.
    TooEarly,
    /// The task is paused. The tick is consumed and recorded as skipped.
    Paused,
    /// The execution was granted to somebody else, or consumed; or the claim needs a record and the
    /// store has none.
    Taken,
    /// An earlier execution of the same (task, index) still runs. Under [`Overlap::Skip`] the tick
    /// is consumed and recorded as skipped; otherwise it waits in the store until the earlier one
    /// has ended.
    Overlap,
    /// [`Placement::Distinct`]: the claimant holds, or has held, another index of this tick. The
    /// execution is still open to others.
    Placement,
    /// This earlier tick of the same (task, index) waits in the store and goes first. Nothing is
    /// recorded: claim both, the earlier one before this one.
    EarlierWaits(Tick),
    /// The execution waited until its deadline had passed. It is now recorded as missed.
    TooLate,
}

impl Denial {
    /// The reason as one word for logs, metrics and tables: `too_early`, `paused`, `taken`,
    /// `overlap`, `placement`, `earlier_waits`, `too_late`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Denial::TooEarly => "too_early",
            Denial::Paused => "paused",
            Denial::Taken => "taken",
            Denial::Overlap => "overlap",
            Denial::Placement => "placement",
            Denial::EarlierWaits(_) => "earlier_waits",
            Denial::TooLate => "too_late",
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
