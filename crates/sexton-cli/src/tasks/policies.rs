//! The policies of a task, by the words of the task file.

use std::collections::BTreeMap;
use std::time::Duration;

use sexton::policy::{Delivery, Lease, Missed, Overlap, Placement, Retry};
use sexton_core::tick::Tick;

/// The longest window, jitter or timeout: 366 days.
pub const POLICY_DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// The shortest timeout.
pub const TIMEOUT_MIN: Duration = Duration::from_millis(1);
/// The longest wait between two tries.
pub const BACKOFF_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Labels that an instance must have to run a task.
pub type Labels = BTreeMap<String, String>;

/// A task's policies. The default of each is what a task without a word about it gets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policies {
    /// How often an execution may be granted.
    pub delivery: Delivery,
    /// How long a grant stays valid unless it is renewed.
    pub lease: Lease,
    /// What happens when a tick comes due while an earlier one runs.
    pub overlap: Overlap,
    /// What happens with ticks that nobody was there for.
    pub missed: Missed,
    /// Which instances take which executions.
    pub placement: Placement,
    /// Labels that an instance must have.
    pub labels: Labels,
    /// How often, and when, a run that failed is tried again.
    pub retry: Option<Retry>,
    /// How long a run may take.
    pub timeout: Option<Duration>,
    /// The most by which a tick is put off.
    pub jitter: Option<Duration>,
    /// No tick before this one.
    pub start: Option<Tick>,
    /// No tick from this one on.
    pub end: Option<Tick>,
    /// Who goes first when there is not room for all: the higher.
    pub priority: i8,
    /// How many of its runs an instance may have at once.
    pub running_max: Option<u32>,
    /// The group whose limit counts for it, too.
    pub group: Option<String>,
}
