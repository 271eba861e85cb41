//! What happens in a scheduler, told as it happens.
//!
//! [`Event`]s go to all that [subscribe](crate::Scheduler::events), to `tracing`, and to the
//! `metrics` facade. This is the only place that logs or counts.
//!
//! | metric | kind, unit | labels |
//! |---|---|---|
//! | `sexton_claims_total` | counter, claims answered | `task`, `verdict` (`granted`, `taken`, `paused`, …) |
//! | `sexton_executions_total` | counter, runs ended | `task`, `outcome` |
//! | `sexton_retries_total` | counter, tries after the first | `task` |
//! | `sexton_unrun_total` | counter, executions skipped or missed, those that are told together included | `task`, `reason` |
//! | `sexton_lateness_seconds` | histogram, start of the run minus due time | `task` |
//! | `sexton_run_seconds` | histogram, duration of runs | `task` |
//! | `sexton_running` | gauge, runs now | none |
//! | `sexton_leases_lost_total` | counter, locks lost while running | `task` |
//! | `sexton_settlements_dropped_total` | counter, outcomes that could not be kept | `task` |
//! | `sexton_stopped_total` | counter, parts of the scheduler that panicked | `part` |
//! | `sexton_store_errors_total` | counter, calls that failed | `manager` |
//! | `sexton_clock_offset_seconds` | gauge, store's clock minus ours | `manager` |

mod bus;
mod logged;
mod measured;
mod queued;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton_core::lock::{Denial, Execution, Outcome, Reason};
use sexton_core::name::{InstanceId, ManagerName, TaskName};
use sexton_core::tick::{Attempt, ConcurrencyIndex, Fence, Tick};

pub(crate) use bus::EventBus;

/// Events that a slow subscriber may lag behind before it loses the oldest, and is told how many.
pub const EVENTS_MAX: usize = 4_096;

/// Something that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// An execution is ours to run.
    Granted {
        /// Which.
        execution: Execution,
        /// The grant's fence.
        fence: Fence,
        /// The grant's attempt.
        attempt: Attempt,
    },
    /// An execution is not ours to run.
    Denied {
        /// Which.
        execution: Execution,
        /// Why.
        denial: Denial,
    },
    /// A run began.
    Started {
        /// Which.
        execution: Execution,
        /// The grant's attempt.
        attempt: Attempt,
        /// How long after it was due.
        lateness: Duration,
    },
    /// A run failed and will be tried again.
    Retried {
        /// Which.
        execution: Execution,
        /// How often it was tried again, this time included.
        retry: u32,
        /// What went wrong.
        error: String,
        /// How long until the next try.
        after: Duration,
    },
    /// A run ended.
    Finished {
        /// Which.
        execution: Execution,
        /// How.
        outcome: Outcome,
        /// How long it took.
        duration: Duration,
        /// What went wrong.
        error: Option<String>,
        /// What the handler said, as the history keeps it: its last 64 KiB. Where outputs of 16 MiB
        /// wait for a subscriber, further ones are left out, and a word says so.
        output: Option<String>,
    },
    /// A run's lock was lost: while it ran, and the run is cancelled; or before, and it does not
    /// start.
    LeaseLost {
        /// Which.
        execution: Execution,
    },
    /// A lock was given back unstarted.
    Released {
        /// Which.
        execution: Execution,
    },
    /// A tick was not run, and the store has recorded why.
    Unrun {
        /// Which.
        execution: Execution,
        /// Why.
        reason: Reason,
    },
    /// More ticks of a (task, index) were passed over than are recorded one by one. The last of
    /// them is recorded, and one instance of the fleet tells of all.
    TicksPassed {
        /// Of which task.
        task: TaskName,
        /// Of which of its ticks' executions.
        index: ConcurrencyIndex,
        /// After this tick.
        after: Tick,
        /// Up to this one, which is recorded.
        until: Tick,
        /// How many.
        ticks: u64,
        /// Why.
        reason: Reason,
    },
    /// The store could not be told the outcome; it will eventually record the execution as lost.
    SettlementDropped {
        /// Which.
        execution: Execution,
        /// Why.
        why: String,
    },
    /// The store refuses, other than for the moment, to record how an execution ended. It is asked
    /// again in longer and longer pauses, for an hour.
    SettlementRefused {
        /// Which.
        execution: Execution,
        /// What it said.
        error: String,
    },
    /// An execution was closed as lost: its holder is gone and no attempt is left.
    Lost {
        /// Which.
        execution: Execution,
    },
    /// A store does not answer.
    StoreLost {
        /// Which.
        manager: ManagerName,
        /// What it said.
        error: String,
    },
    /// A store refused a call permanently. The calls are repeated, in case somebody mends it.
    StoreRefuses {
        /// Which.
        manager: ManagerName,
        /// What it said.
        error: String,
    },
    /// A store answers again.
    StoreBack {
        /// Which.
        manager: ManagerName,
        /// After how long.
        after: Duration,
    },
    /// A part of a store is in trouble while the rest of it answers: a master of a cluster.
    StorePartLost {
        /// Which store.
        manager: ManagerName,
        /// A task that is kept there, the first that was noticed.
        task: TaskName,
        /// What was said.
        error: String,
    },
    /// All parts of a store answer again.
    StorePartBack {
        /// Which store.
        manager: ManagerName,
        /// After how long.
        after: Duration,
    },
    /// The store's clock was set, or this process or its machine stood still, by a second and more.
    /// Set back, it makes ticks wait until they are due again; set forward, it leaves those between
    /// missed.
    ClockLeapt {
        /// Whose.
        manager: ManagerName,
        /// How far: negative if it was set back.
        by: SignedDuration,
    },
    /// The store's clock is far from ours.
    ClockOffset {
        /// Which.
        manager: ManagerName,
        /// The store's clock minus ours.
        offset: SignedDuration,
    },
    /// The instance's id was another one's when it started, perhaps its own before a crash. The
    /// start waits to see whether that one lives.
    IdAwaited {
        /// Where.
        manager: ManagerName,
        /// When the other was seen last, by the store's clock.
        seen_at: Timestamp,
        /// How long it waits.
        at_most: Duration,
    },
    /// Another instance has taken this one's id: this one stood still, or could not reach the
    /// store, for longer than an id is kept. It starts nothing more, as in a shutdown; runs
    /// that have begun continue.
    IdTaken {
        /// Where.
        manager: ManagerName,
        /// Since when the other was seen, by the store's clock.
        since: Timestamp,
    },
    /// A task's schedule has no tick left when the task is added: the task never runs by it, in
    /// this scheduler. Its time had passed before the task was first defined, or it has run.
    NeverDue {
        /// The task.
        task: TaskName,
        /// What its schedule says of itself.
        schedule: String,
        /// There is no tick after this one.
        after: Tick,
        /// Why, and what was probably meant, if the schedule says so:
        /// [`Schedule::advice_when_over`](sexton_core::schedule::Schedule::advice_when_over).
        advice: Option<String>,
    },
    /// A task's schedule panicked, or answered a tick that is not after the one it was asked about.
    /// It has ended for this scheduler: ticks that are known still run, no others come. The task
    /// can be triggered, and [replaced](crate::SchedulerHandle::replace).
    ScheduleFailed {
        /// The task.
        task: TaskName,
        /// Asked for its tick after this one.
        after: Tick,
        /// What went wrong.
        error: String,
    },
    /// A part of the scheduler panicked, so that the scheduler stops: it claims nothing more, its
    /// [shutdown signal](crate::Scheduler::shutdown_signal) fires, and the instance leaves the
    /// fleet once nothing runs here.
    Stopped {
        /// Which part.
        part: &'static str,
        /// The panic's message.
        error: String,
    },
    /// Another instance defines a task differently, or goes by other
    /// [time zone rules](sexton_core::schedule::zone::ZoneRules).
    DefinitionDiffers {
        /// The task.
        task: TaskName,
        /// Who.
        by: InstanceId,
        /// What it was there.
        theirs: String,
        /// What it is here.
        ours: String,
    },
}
