//! A granted execution, from the store's answer until its handler has ended.

use std::sync::Arc;

use jiff::Timestamp;
use sexton_core::lock::{HeldLock, Release};
use sexton_core::store_time::StoreTime;
use sexton_core::tick::{Attempt, Concurrency, Tick};
use tokio::sync::oneshot;

use crate::limits::Permit;
use crate::task::CheckedTask;

/// A granted execution with all that its run needs.
#[derive(Debug)]
pub(crate) struct GrantedRun {
    pub(crate) task: Arc<CheckedTask>,
    pub(crate) lock: HeldLock,
    pub(crate) concurrency: Concurrency,
    pub(crate) attempt: Attempt,
    pub(crate) lease_until: Option<Timestamp>,
    /// When it starts.
    pub(crate) due_at: StoreTime,
    /// From when on it does not start any more, and is not given to others, should it be given
    /// back; `None`: it may start at any time.
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) permit: Option<Permit>,
    /// Closed once its time has come.
    pub(crate) gate: StartGate,
}

impl GrantedRun {
    /// Whether the lease ran out before the run could start: the process stood still. Others may
    /// have it by now.
    pub(crate) fn is_lease_over(&self, now: StoreTime) -> bool {
        is_over(self.lease_until, now)
    }

    /// Whether its deadline has passed.
    pub(crate) fn is_too_late(&self, now: StoreTime) -> bool {
        is_over(self.deadline, now)
    }

    /// Its lock as it goes back to the store.
    pub(crate) fn to_release(&self) -> Release {
        Release {
            lock: self.lock.clone(),
            deadline: self.deadline,
        }
    }
}

/// The place of a run among those of its (task, index): it begins once the handler of the one
/// before has begun.
#[derive(Debug, Default)]
pub(crate) struct StartGate {
    /// Ends when the run before has begun, or never will.
    before: Option<oneshot::Receiver<()>>,
    /// Dropped when this run has begun.
    begun: Option<oneshot::Sender<()>>,
}

impl StartGate {
    /// A gate behind `before`, and what tells the next one that it is open.
    pub(crate) fn behind(
        before: Option<oneshot::Receiver<()>>,
    ) -> (StartGate, oneshot::Receiver<()>) {
        let (begun, next) = oneshot::channel();
        let gate = StartGate {
            before,
            begun: Some(begun),
        };
        (gate, next)
    }

    /// Completes when the run before has begun, or never will.
    pub(crate) async fn wait(&mut self) {
        if let Some(before) = self.before.take() {
            // Nothing is ever sent: the sender's end is the message.
            let _ = before.await;
        }
    }

    /// Lets the next run begin.
    pub(crate) fn open(&mut self) {
        self.begun = None;
    }
}

/// Whether an instant has come, if there is one.
fn is_over(until: Option<Timestamp>, now: StoreTime) -> bool {
    until.is_some_and(|until| StoreTime::from(until) <= now)
}

/// A deadline as the store takes it; one beyond the last tick is none.
pub(crate) fn store_deadline(until: StoreTime) -> Option<Timestamp> {
    (until <= Tick::MAX).then(|| until.timestamp())
}
