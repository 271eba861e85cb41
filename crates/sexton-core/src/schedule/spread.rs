//! Where in the hour or the day a task has its place, for those to whom any place will do.

use super::stable_hash;
use crate::name::{Namespace, TaskName};

/// What `H` and `~` in a cron expression are picked by: the names of a task and its namespace.
///
/// A hundred tasks of `0 * * * *` all begin at the same instant. A hundred tasks of `H * * * *`
/// are spread over the hour, and each keeps its minute: the same on every replica, of every build,
/// for as long as the task keeps its name. [`Cron::parse_spread`](super::Cron::parse_spread) reads
/// such an expression.
///
/// ```
/// use sexton_core::name::{Namespace, TaskName};
/// use sexton_core::schedule::{Cron, Schedule, Spread};
///
/// let spread = Spread::of(&Namespace::default(), &TaskName::new("backup")?);
/// let cron = Cron::parse_spread("H H(0-5) * * *", &spread)?;
/// assert_eq!(cron.describe(), "at 00:20 every day, UTC");
///
/// let spread = Spread::of(&Namespace::default(), &TaskName::new("report")?);
/// let cron = Cron::parse_spread("H H(0-5) * * *", &spread)?;
/// assert_eq!(cron.describe(), "at 03:43 every day, UTC");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # The hash
/// It never changes, since it decides when tasks run. Of N values that a field may pick from, the
/// task has the one that the high 64 bits of `mix(mix(names) ^ field) × N` count from the first,
/// where `names` is FNV-1a (64 bits) over namespace and task, each behind its length as eight bytes,
/// the lowest first; `mix` is one step of SplitMix64; and `field` is 0 for seconds, 1 minutes, 2
/// hours, 3 days of the month, 4 months, 5 days of the week. So one field of a task has one
/// place, wherever it is written: `H(0-29),H(30-59)` are the same minutes as `H/30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    task: u64,
}

/// What a place is for, so that a task's minute tells nothing of its hour.
#[derive(Clone, Copy)]
pub(super) enum SpreadOver {
    Seconds = 0,
    Minutes = 1,
    Hours = 2,
    MonthDays = 3,
    Months = 4,
    WeekDays = 5,
}

impl Spread {
    /// The places of one task.
    #[must_use]
    pub fn of(namespace: &Namespace, task: &TaskName) -> Spread {
        Spread {
            task: stable_hash::of_task(namespace, task),
        }
    }

    /// The task's place among `count` values, counted from 0.
    pub(super) fn place(&self, over: SpreadOver, count: u32) -> u32 {
        let hash = stable_hash::mix(self.task ^ over as u64);
        u32::try_from(stable_hash::below(hash, count.into())).unwrap_or(0)
    }
}
