//! What happened in a simulation, in order: what took effect in the store, what runs wrote down,
//! what was done to whom.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use sexton::clock::Clock;
use sexton::lock::{Denial, Execution, HeldLock, Outcome, Reason};
use sexton::name::{InstanceId, TaskName};
use sexton::{Attempt, Fence, Tick};

use super::plan::Version;

/// One thing that happened.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Since the simulation began.
    pub(crate) after: Duration,
    /// The store's clock then.
    pub(crate) at: Timestamp,
    pub(crate) what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Granted(Granted),
    Denied(Execution, InstanceId, Denial),
    /// A lease was renewed to end then.
    Extended(HeldLock, Timestamp),
    Settled(HeldLock, Outcome),
    Released(HeldLock),
    /// The store heard of a task, or of another schedule of it, for the first time.
    Defined(TaskName, Version),
    /// An operator asked for it, until then.
    Enqueued(Execution, Timestamp),
    /// It waits for an earlier one to end.
    Queued(Execution),
    /// Accounted for without a grant.
    Recorded(Execution),
    /// The same, as an instance says that it will not be run, and why.
    GivenUp(Execution, InstanceId, Reason),
    /// Ticks in a row are accounted for by the last of them, and their own records are to follow.
    Covered {
        first: Tick,
        last: Execution,
        by: InstanceId,
    },
    /// Closed, as it waited too long.
    Overdue(Execution),
    /// Not recorded, as it was accounted for.
    AccountedFor(Execution, InstanceId),
    /// Closed by a sweep.
    Lost(Execution),
    Began(Began),
    /// The run of an execution under this fence ended as its handler saw it.
    Ended(Execution, Fence, End),
    /// Something was done to somebody.
    Done(String),
}

/// A new grant.
#[derive(Debug, Clone)]
pub(crate) struct Granted {
    pub(crate) execution: Execution,
    pub(crate) instance: InstanceId,
    pub(crate) fence: Fence,
    pub(crate) attempt: Attempt,
    pub(crate) lease_until: Option<Timestamp>,
    /// Whether the execution stood in the store already.
    pub(crate) had_record: bool,
    /// Whether it waited in the store until now.
    pub(crate) had_waited: bool,
}

/// A handler was called.
#[derive(Debug, Clone)]
pub(crate) struct Began {
    pub(crate) execution: Execution,
    pub(crate) instance: InstanceId,
    pub(crate) fence: Fence,
    pub(crate) attempt: Attempt,
}

/// How a run ended, as it saw it itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Cancelled,
}

/// Where everybody writes. Clones share the lines.
#[derive(Debug, Clone)]
pub(crate) struct History {
    clock: Arc<dyn Clock>,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl History {
    /// `clock` is the store's.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> History {
        History {
            clock,
            lines: Arc::default(),
        }
    }

    pub(crate) fn write(&self, what: What) {
        let line = Line {
            after: self.clock.monotonic(),
            at: self.clock.now(),
            what,
        };
        self.lines.lock().unwrap().push(line);
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap().clone()
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:9.3} {:.3} {}",
            self.after.as_secs_f64(),
            self.at,
            self.what
        )
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Granted(granted) => granted.fmt(f),
            What::Denied(execution, instance, denial) => {
                write!(f, "{execution}: denied to {instance}, {denial}")
            }
            What::Extended(lock, until) => {
                let HeldLock {
                    execution, fence, ..
                } = lock;
                write!(f, "{execution} fence {fence}: extended to {until:.3}")
            }
            What::Settled(lock, outcome) => {
                let HeldLock {
                    execution, fence, ..
                } = lock;
                write!(f, "{execution} fence {fence}: settled as {outcome}")
            }
            What::Released(lock) => {
                write!(f, "{} fence {}: released", lock.execution, lock.fence)
            }
            What::Defined(task, version) => write!(f, "{task}: known from now on, {version:?}"),
            What::Enqueued(execution, until) => write!(f, "{execution}: enqueued until {until:.3}"),
            What::Queued(execution) => write!(f, "{execution}: queued"),
            What::Covered { first, last, by } => write!(f, "{last}: covers from {first}, by {by}"),
            What::Overdue(execution) => write!(f, "{execution}: waited too long"),
            What::GivenUp(execution, instance, reason) => {
                write!(f, "{execution}: given up by {instance}, {reason}")
            }
            What::Recorded(execution) => write!(f, "{execution}: recorded, not granted"),
            What::AccountedFor(execution, instance) => {
                write!(
                    f,
                    "{execution}: given up by {instance}, accounted for already"
                )
            }
            What::Lost(execution) => write!(f, "{execution}: closed as lost"),
            What::Began(began) => {
                let Began {
                    execution,
                    instance,
                    fence,
                    attempt,
                } = began;
                write!(
                    f,
                    "{execution} fence {fence}: began on {instance}, attempt {attempt}"
                )
            }
            What::Ended(execution, fence, end) => write!(f, "{execution} fence {fence}: {end:?}"),
            What::Done(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Granted {
            execution,
            instance,
            fence,
            attempt,
            lease_until,
            had_record,
            had_waited,
        } = self;
        write!(
            f,
            "{execution} fence {fence}: granted to {instance}, attempt {attempt}"
        )?;
        if let Some(until) = lease_until {
            write!(f, ", leased to {until:.3}")?;
        }
        if *had_record {
            f.write_str(", had a record")?;
        }
        if *had_waited {
            f.write_str(", had waited")?;
        }
        Ok(())
    }
}
