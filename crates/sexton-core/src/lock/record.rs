//! What the store keeps of an execution, and how it is asked for.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;

use super::Execution;
use crate::name::{ClaimId, InstanceId, TaskName};
use crate::policy::{Delivery, Overlap};
use crate::tick::{Attempt, Concurrency, Fence, Tick};

/// How an execution that was started ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The handler returned well.
    Succeeded,
    /// The handler returned an error.
    Failed,
    /// The handler panicked.
    Panicked,
    /// The handler took longer than its timeout and was cancelled.
    TimedOut,
    /// Somebody asked for the run to be cancelled, and it was.
    Cancelled,
    /// The instance shut down before the handler ended.
    CutOff,
    /// The holder vanished, and no attempt is left. Said by the store only.
    Lost,
}

/// Why a tick was not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Skipped: the task was paused.
    Paused,
    /// Skipped: an earlier execution still ran.
    Overlap,
    /// Skipped: it waited for an earlier execution, and a newer tick took its place.
    Superseded,
    /// Skipped: nobody was there when it was due, and the task does not catch up with it.
    CatchUp,
    /// Missed: the store could not be reached until it was too late.
    StoreUnreachable,
    /// Missed: no instance came to it in time (all were suspended, stopped or too busy).
    TooLate,
}

/// Where an execution is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExecutionState {
    /// Open to the first claim: released unstarted, queued behind an earlier execution, or enqueued
    /// by an operator.
    Waiting,
    /// Granted, and not settled yet.
    Running,
    /// Settled.
    Ended(Outcome),
    /// Not run, by the user's choice.
    Skipped,
    /// Not run, against the user's wish.
    Missed,
}

/// Why an execution exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Origin {
    /// Its task's schedule.
    #[default]
    Scheduled,
    /// An operator asked for it.
    Triggered,
}

/// A word that names no [`ExecutionState`], [`Reason`] or [`Origin`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown {what} {found:?}")]
pub struct UnknownWord {
    what: &'static str,
    found: String,
}

impl ExecutionState {
    /// Every state.
    pub const ALL: [ExecutionState; 11] = [
        ExecutionState::Waiting,
        ExecutionState::Running,
        ExecutionState::Ended(Outcome::Succeeded),
        ExecutionState::Ended(Outcome::Failed),
        ExecutionState::Ended(Outcome::Panicked),
        ExecutionState::Ended(Outcome::TimedOut),
        ExecutionState::Ended(Outcome::Cancelled),
        ExecutionState::Ended(Outcome::CutOff),
        ExecutionState::Ended(Outcome::Lost),
        ExecutionState::Skipped,
        ExecutionState::Missed,
    ];

    /// The state as one word, the same in every store, log and table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ExecutionState::Waiting => "waiting",
            ExecutionState::Running => "running",
            ExecutionState::Ended(outcome) => outcome.as_str(),
            ExecutionState::Skipped => "skipped",
            ExecutionState::Missed => "missed",
        }
    }

    /// Whether nothing more will happen to the execution.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, ExecutionState::Waiting | ExecutionState::Running)
    }
}

impl Outcome {
    /// The outcome as one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::Panicked => "panicked",
            Outcome::TimedOut => "timed_out",
            Outcome::Cancelled => "cancelled",
            Outcome::CutOff => "cut_off",
            Outcome::Lost => "lost",
        }
    }
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 6] = [
        Reason::Paused,
        Reason::Overlap,
        Reason::Superseded,
        Reason::CatchUp,
        Reason::StoreUnreachable,
        Reason::TooLate,
    ];

    /// The reason as one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Paused => "paused",
            Reason::Overlap => "overlap",
            Reason::Superseded => "superseded",
            Reason::CatchUp => "catch_up",
            Reason::StoreUnreachable => "store_unreachable",
            Reason::TooLate => "too_late",
        }
    }

    /// What a tick that was not run for this reason ends as: skipped or missed.
    #[must_use]
    pub fn state(self) -> ExecutionState {
        match self {
            Reason::Paused | Reason::Overlap | Reason::Superseded | Reason::CatchUp => {
                ExecutionState::Skipped
            }
            Reason::StoreUnreachable | Reason::TooLate => ExecutionState::Missed,
        }
    }
}

impl Origin {
    /// Every origin.
    pub const ALL: [Origin; 2] = [Origin::Scheduled, Origin::Triggered];

    /// The origin as one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Scheduled => "scheduled",
            Origin::Triggered => "triggered",
        }
    }
}

impl FromStr for Origin {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Origin, UnknownWord> {
        let found = Origin::ALL
            .into_iter()
            .find(|origin| origin.as_str() == text);
        found.ok_or_else(|| UnknownWord {
            what: "origin",
            found: text.to_owned(),
        })
    }
}

impl FromStr for ExecutionState {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<ExecutionState, UnknownWord> {
        let found = ExecutionState::ALL
            .into_iter()
            .find(|state| state.as_str() == text);
        found.ok_or_else(|| UnknownWord {
            what: "execution state",
            found: text.to_owned(),
        })
    }
}

impl FromStr for Reason {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Reason, UnknownWord> {
        let found = Reason::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text);
        found.ok_or_else(|| UnknownWord {
            what: "reason",
            found: text.to_owned(),
        })
    }
}

macro_rules! display_as_word {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}
display_as_word!(ExecutionState, Outcome, Origin, Reason);

/// What the store keeps of one execution. The history is made of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionRecord {
    /// Which execution.
    pub execution: Execution,
    /// How many executions its tick has.
    pub concurrency: Concurrency,
    /// Why it exists.
    pub origin: Origin,
    /// Where it is in its life.
    pub state: ExecutionState,
    /// Why it was skipped or missed, or what it waits for.
    pub reason: Option<Reason>,
    /// The claim it was granted to.
    pub claim_id: Option<ClaimId>,
    /// The instance it was granted to, or that said it was missed.
    pub instance: Option<InstanceId>,
    /// The attempt that was granted last; `None` before the first grant.
    pub attempt: Option<Attempt>,
    /// The fence of the last grant; [`Fence::NONE`] before the first.
    pub fence: Fence,
    /// How often it may be granted.
    pub delivery: Delivery,
    /// The overlap policy it was claimed under.
    pub overlap: Overlap,
    /// When the last grant ends unless renewed.
    pub lease_until: Option<Timestamp>,
    /// Until when it may be granted again after it has waited, by the store's clock; `None`: at any
    /// time, or it never waited. What waits behind an earlier execution has as long from the end of
    /// that one, a minute at most.
    pub deadline: Option<Timestamp>,
    /// Under [`Placement::Distinct`](crate::policy::Placement::Distinct), the instances that held
    /// it before the last grant and lost it, oldest first; the last
    /// [`FORMER_HOLDERS_MAX`](ExecutionRecord::FORMER_HOLDERS_MAX) of them.
    pub former_holders: Vec<InstanceId>,
    /// Whether somebody asked for it to be cancelled.
    pub cancel_requested: bool,
    /// When the record was last granted, or made, if it never was.
    pub granted_at: Timestamp,
    /// When the handler was started.
    pub started_at: Option<Timestamp>,
    /// When it ended, or was skipped or missed.
    pub finished_at: Option<Timestamp>,
    /// What went wrong.
    pub error: Option<String>,
    /// The end of what the handler said.
    pub output: Option<String>,
}

impl ExecutionRecord {
    /// The most former holders that a record names.
    pub const FORMER_HOLDERS_MAX: usize = 32;

    /// Whether it runs under a lease that is not over at `now`.
    #[must_use]
    pub fn is_leased_at(&self, now: Timestamp) -> bool {
        self.state == ExecutionState::Running && self.lease_until.is_some_and(|until| until > now)
    }
}

/// Which records of the history are wanted, newest tick first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only this task's.
    pub task: Option<TaskName>,
    /// Only these states; empty means all.
    pub states: Vec<ExecutionState>,
    /// Only ticks from here on.
    pub since: Option<Tick>,
    /// Only ticks before this one.
    pub until: Option<Tick>,
    /// Only what lies behind this execution, the last of the page before.
    pub after: Option<Execution>,
    /// The most records of a page: 1..=[`PAGE_MAX`](super::PAGE_MAX).
    pub limit: usize,
}

impl Default for HistoryQuery {
    /// The newest 100 of everything.
    fn default() -> HistoryQuery {
        HistoryQuery {
            task: None,
            states: Vec::new(),
            since: None,
            until: None,
            after: None,
            limit: 100,
        }
    }
}

impl HistoryQuery {
    /// Whether `record` is asked for. Pages are ordered by tick descending, then task, then index.
    #[must_use]
    pub fn matches(&self, record: &ExecutionRecord) -> bool {
        let execution = &record.execution;
        self.task
            .as_ref()
            .is_none_or(|task| *task == execution.task)
            && (self.states.is_empty() || self.states.contains(&record.state))
            && self.since.is_none_or(|since| execution.tick >= since)
            && self.until.is_none_or(|until| execution.tick < until)
            && self
                .after
                .as_ref()
                .is_none_or(|after| history_order(after) < history_order(execution))
    }
}

/// The order of the history: newest tick first, then by task and index.
#[must_use]
pub fn history_order(execution: &Execution) -> impl Ord + use<'_> {
    (
        std::cmp::Reverse(execution.tick),
        &execution.task,
        execution.index,
    )
}

/// What of the history is kept. What runs or waits is never pruned, nor is any watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Records whose tick is older than this, by the store's clock, go; `None` keeps every age.
    pub age_max: Option<Duration>,
    /// Only so many of the newest ended records of each task stay; `None` keeps any number.
    pub per_task_max: Option<u32>,
}

impl Default for Retention {
    /// Seven days, any number.
    fn default() -> Retention {
        Retention {
            age_max: Some(Duration::from_secs(7 * 24 * 60 * 60)),
            per_task_max: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for state in ExecutionState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
        }
        for origin in Origin::ALL {
            assert_eq!(origin.as_str().parse(), Ok(origin));
        }
        assert!("Waiting".parse::<ExecutionState>().is_err());
    }
}
