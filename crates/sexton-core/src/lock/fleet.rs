//! What instances and operators tell each other through the store.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Execution, PAGE_MAX};
use crate::name::{Incarnation, InstanceId, TaskName};
use crate::tick::{Attempt, Concurrency, ConcurrencyIndex, Fence, Tick};

/// A tick that is to count as accounted for without being run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumption {
    /// Which execution.
    pub execution: Execution,
    /// How many executions its tick has.
    pub concurrency: Concurrency,
    /// Why it will not be run.
    pub reason: super::Reason,
    /// Who says so.
    pub instance: InstanceId,
    /// The ticks in a row that it stands for, if it is the last of several.
    pub covers: Option<Covered>,
    /// Whether the watermark passed it by a consumption that covers it, of the same instance: all
    /// that is missing is its record.
    pub is_covered: bool,
}

impl Consumption {
    /// The consumption of one tick, which stands for itself.
    #[must_use]
    pub fn new(
        execution: Execution,
        concurrency: Concurrency,
        reason: super::Reason,
        instance: InstanceId,
    ) -> Consumption {
        Consumption {
            execution,
            concurrency,
            reason,
            instance,
            covers: None,
            is_covered: false,
        }
    }

    /// What its record says for a person to read, as the record's error: which ticks it covers.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let Covered {
            first,
            ticks,
            unrecorded,
        } = self.covers?;
        let since = first.timestamp();
        Some(match unrecorded {
            0 => format!("last of {ticks} not run since {since}"),
            _ => format!("last of {ticks} not run since {since}, {unrecorded} unrecorded"),
        })
    }
}

/// Ticks of one (task, index) in a row, up to the one that stands for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covered {
    /// The first of them.
    pub first: Tick,
    /// How many they are, the one that stands for them included.
    pub ticks: u64,
    /// How many of them get no record.
    pub unrecorded: u64,
}

/// The answer to a consumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumed {
    /// The tick is recorded with the reason, and the watermark has moved to it.
    Recorded {
        /// Where the watermark was before: nothing of the schedule after this tick was granted or
        /// consumed.
        after: Option<Tick>,
    },
    /// It, or a tick that it covers, was run, claimed or consumed before. Nothing has changed.
    Already {
        /// Where the watermark is: what is not above it is accounted for. `None` if nothing of the
        /// (task, index) was granted or consumed, or the manager keeps no watermark.
        watermark: Option<Tick>,
    },
}

/// Asks for executions that may be claimed although no schedule brings them up now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepQuery {
    /// Only what lies behind this one, the last of the page before.
    pub after: Option<Execution>,
    /// The most executions of the answer: 1..=[`PAGE_MAX`].
    pub limit: usize,
    /// How long after its grant an execution without a lease counts as lost if its instance is not
    /// present any more.
    pub abandoned_after: Duration,
}

impl Default for SweepQuery {
    /// [`PAGE_MAX`] executions; abandoned after 60 s.
    fn default() -> SweepQuery {
        SweepQuery {
            after: None,
            limit: PAGE_MAX,
            abandoned_after: Duration::from_secs(60),
        }
    }
}

/// The answer to a [`SweepQuery`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sweep {
    /// What may be claimed now, ordered by (task, index, tick).
    pub claimable: Vec<Claimable>,
    /// What this sweep has closed as lost: its holder is gone and no attempt is left.
    pub lost: Vec<Execution>,
    /// What this sweep has closed as missed: it waited until its deadline had passed.
    pub missed: Vec<Execution>,
}

impl Sweep {
    /// How many executions the answer names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.claimable.len() + self.lost.len() + self.missed.len()
    }

    /// Whether the answer names none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An execution that may be claimed now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimable {
    /// Which one.
    pub execution: Execution,
    /// How many executions its tick has.
    pub concurrency: Concurrency,
    /// The attempt that a grant would be.
    pub attempt: Attempt,
}

/// What an instance says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceReport {
    /// Who.
    pub instance: InstanceId,
    /// Which of those that are started under this id.
    pub incarnation: Incarnation,
    /// When it started, by its own clock.
    pub started_at: Timestamp,
    /// The version of Sexton it runs.
    pub version: String,
    /// How far the store's clock is ahead of the instance's own, where known.
    pub clock_offset: Option<SignedDuration>,
    /// How many executions it runs now.
    pub running: u32,
    /// For how long it counts as present without another report. For the first half of it nobody
    /// else is given its id.
    pub presence: Duration,
}

/// What the store knows of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceRecord {
    /// What it last said of itself.
    pub report: InstanceReport,
    /// When it said so, by the store's clock.
    pub seen_at: Timestamp,
    /// When this incarnation was first seen, by the store's clock, or somewhat earlier, should that
    /// clock have been set back since. What was granted under the id before then was granted to
    /// another.
    pub since: Timestamp,
}

impl InstanceRecord {
    /// Whether the instance counts as present at `now`.
    #[must_use]
    pub fn is_present_at(&self, now: Timestamp) -> bool {
        self.seen_at
            .saturating_add(self.report.presence)
            .is_ok_and(|until| until > now)
    }

    /// Whether no other incarnation is given the id at `now`: it was seen less than half of its
    /// presence ago. Seen as far ahead of `now`, it was seen before the clock was set back.
    #[must_use]
    pub fn keeps_its_id_at(&self, now: Timestamp) -> bool {
        let ago = now.duration_since(self.seen_at).unsigned_abs();
        ago < self.report.presence / 2
    }

    /// Whether what the instance was granted at `granted_at` was granted to this incarnation, and
    /// it is present at `now`.
    #[must_use]
    pub fn is_present_with(&self, granted_at: Timestamp, now: Timestamp) -> bool {
        self.since <= granted_at && self.is_present_at(now)
    }
}

/// What a heartbeat brings back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signals {
    /// Executions the instance holds that somebody asked to be cancelled.
    pub cancel: Vec<Execution>,
    /// Whether a sweep would find something to claim, or to close because it waited too long.
    pub sweep: bool,
    /// Another incarnation has the id, as it was seen last: this one was not recorded.
    pub held_by: Option<InstanceRecord>,
}

/// A task as an instance defines it, for others to compare with and for people to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskDefinition {
    /// The task.
    pub task: TaskName,
    /// The schedule in plain English.
    pub schedule: String,
    /// The schedule alone, as [canonical text](crate::schedule::Schedule::canonical).
    pub canonical: String,
    /// How many executions a tick has.
    pub concurrency: Concurrency,
    /// Everything that must be the same on every replica (schedule, concurrency, policies, the
    /// [rules of its time zones](crate::schedule::zone::ZoneRules)), as text.
    pub definition: String,
}

/// What the store had before a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defined {
    /// Nothing.
    New,
    /// The same.
    Same,
    /// Something else, which is now replaced.
    Differed {
        /// What it was.
        was: TaskDefinition,
        /// Who defined it so.
        by: InstanceId,
    },
}

/// A pause of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Why, for people to read.
    pub note: String,
    /// Who paused it.
    pub by: String,
    /// Since when, by the store's clock.
    pub since: Timestamp,
}

/// What is to happen to a task's pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PauseChange {
    /// Ticks that come due are skipped until the task is resumed.
    Pause {
        /// Why, for people to read.
        note: String,
        /// Who asks.
        by: String,
    },
    /// Ticks run again.
    Resume,
}

/// Which tasks are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskQuery {
    /// These, in this order; at most [`PAGE_MAX`].
    Named(Vec<TaskName>),
    /// All the store has heard of, by name, behind `after`.
    Page {
        /// The last of the page before.
        after: Option<TaskName>,
        /// The most tasks of a page: 1..=[`PAGE_MAX`].
        limit: usize,
    },
}

/// What the store knows of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskState {
    /// The task.
    pub task: TaskName,
    /// Its definition, if any instance has told it.
    pub definition: Option<TaskDefinition>,
    /// Since when the store has known of the task and all of its concurrency indices, by the
    /// store's clock: its first definition, or the last that raised its concurrency. Its ticks
    /// count from then on, though none was claimed yet.
    pub known_since: Option<Timestamp>,
    /// Since when the task has had the schedule that its definition has now, by the store's clock.
    /// Ticks of that schedule before then never count.
    pub schedule_since: Option<Timestamp>,
    /// Its pause, while it is paused.
    pub pause: Option<Pause>,
    /// The register of each index that was ever granted or consumed, by index.
    pub registers: Vec<(ConcurrencyIndex, Register)>,
}

/// What a store keeps for ever of one (task, index).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// The latest tick granted or consumed, what was only triggered aside; `None` before the first.
    /// Never goes back.
    pub watermark: Option<Tick>,
    /// The fence of the last grant. Never goes back.
    pub fence: Fence,
}

/// An execution that an operator wants run: a trigger, or a tick of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enqueue {
    /// Which one.
    pub execution: Execution,
    /// How many executions its tick has.
    pub concurrency: Concurrency,
    /// Until when it may be granted, by the store's clock; `None`: at any time.
    pub deadline: Option<Timestamp>,
}

/// The answer to an [`Enqueue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It waits for the next claim.
    Waiting,
    /// The store has a record of this execution already. Nothing has changed.
    Already,
    /// [`WAITING_MAX`] others of its (task, index) wait already. Nothing has changed.
    Full,
}

/// How many executions of a (task, index) may wait at once before a trigger is refused: a task
/// that is paused for weeks does not run thousands of them when it is resumed.
pub const WAITING_MAX: usize = 100;

/// The answer to a request to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelRequested {
    /// Its holder is told with its next renewal or heartbeat.
    Told,
    /// It waited for a claim, and is now recorded as cancelled.
    Withdrawn,
    /// It neither runs nor waits.
    NotRunning,
}
