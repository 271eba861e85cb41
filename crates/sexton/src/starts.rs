//! The one place through which every start goes.
//!
//! Whatever way an execution was claimed (ahead of its tick, late, found in the store, given back
//! by another instance), its run starts here and nowhere else:
//!
//! - **never early**: not before its tick plus jitter, by the store's clock as estimated;
//! - **never past its deadline**: what its task's policy does not run any more goes back to the
//!   store, which records it;
//! - **never without its lock**: what a standstill let the lease of pass belongs to others by now;
//! - **in order**: a run of a (task, index) begins after the handler of the one before it has
//!   begun, which threads alone do not promise.

use std::collections::{BTreeMap, HashMap};

use sexton_core::lock::{Execution, LockKey, Release};
use sexton_core::name::TaskName;
use sexton_core::store_time::StoreTime;
use tokio::sync::oneshot;

use crate::granted::{GrantedRun, StartGate};

/// Lanes whose last start is remembered before those that have begun are forgotten.
const GATES_KEPT: usize = 1_024;

/// What becomes of the executions that are due by now.
#[derive(Debug, Default)]
pub(crate) struct Due {
    /// Their runs start, in this order.
    pub(crate) starting: Vec<GrantedRun>,
    /// Their leases are over.
    pub(crate) lost: Vec<Execution>,
    /// Their deadlines have passed: they go back to the store.
    pub(crate) too_late: Vec<Release>,
}

/// Granted executions whose time has not come.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    by_due: BTreeMap<StoreTime, Vec<GrantedRun>>,
    gates: HashMap<LockKey, oneshot::Receiver<()>>,
}

impl Starts {
    pub(crate) fn push(&mut self, granted: GrantedRun) {
        self.by_due.entry(granted.due_at).or_default().push(granted);
    }

    /// What waits of a task.
    pub(crate) fn of(&self, task: &TaskName) -> impl Iterator<Item = &Execution> {
        let all = self
            .by_due
            .values()
            .flatten()
            .map(|one| &one.lock.execution);
        all.filter(move |execution| execution.task == *task)
    }

    /// When the next is due.
    pub(crate) fn next_at(&self) -> Option<StoreTime> {
        self.by_due.keys().next().copied()
    }

    /// Takes out what is due by `now`.
    pub(crate) fn take_due(&mut self, now: StoreTime) -> Due {
        let mut due = Due::default();
        while let Some(entry) = self
            .by_due
            .first_entry()
            .filter(|entry| *entry.key() <= now)
        {
            for granted in entry.remove() {
                if granted.is_lease_over(now) {
                    due.lost.push(granted.lock.execution);
                } else if granted.is_too_late(now) {
                    due.too_late.push(granted.to_release());
                } else {
                    let run = self.start(granted, now);
                    due.starting.push(run);
                }
            }
        }
        due
    }

    /// The start of a run, of which there is no other kind.
    fn start(&mut self, granted: GrantedRun, now: StoreTime) -> GrantedRun {
        debug_assert!(
            granted.due_at <= now,
            "{} starts early, at {now} and not at {}",
            granted.lock.execution,
            granted.due_at
        );
        let gate = self.gate(&granted.lock.execution);
        GrantedRun { gate, ..granted }
    }

    /// The gate of the next start of a (task, index).
    fn gate(&mut self, execution: &Execution) -> StartGate {
        if self.gates.len() >= GATES_KEPT {
            self.gates.retain(|_, begun| has_not_begun(begun));
        }
        let key = execution.key();
        let (gate, next) = StartGate::behind(self.gates.remove(&key));
        self.gates.insert(key, next);
        gate
    }

    /// Takes out everything that waits: what this instance leaves to others, and what `keeps` says
    /// it still starts itself.
    pub(crate) fn leave(&mut self, keeps: impl Fn(&GrantedRun) -> bool) -> Vec<Release> {
        let mut left = Vec::new();
        for (due_at, granted) in std::mem::take(&mut self.by_due) {
            let (kept, given_back): (Vec<_>, Vec<_>) = granted.into_iter().partition(&keeps);
            left.extend(given_back.iter().map(GrantedRun::to_release));
            if !kept.is_empty() {
                self.by_due.insert(due_at, kept);
            }
        }
        left
    }
}

fn has_not_begun(begun: &mut oneshot::Receiver<()>) -> bool {
    matches!(begun.try_recv(), Err(oneshot::error::TryRecvError::Empty))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures::FutureExt;
    use sexton_core::lock::HeldLock;
    use sexton_core::name::{ClaimId, TaskName};
    use sexton_core::tick::{Attempt, Concurrency, ConcurrencyIndex, Fence, Tick};

    use super::*;
    use crate::task::Task;

    fn at(second: i64) -> StoreTime {
        StoreTime::from_micros(second * 1_000_000)
    }

    fn granted(second: i64) -> GrantedRun {
        let task = Task::new("t").every(Duration::from_secs(1)).unwrap();
        let execution = Execution {
            task: TaskName::new("t").unwrap(),
            index: ConcurrencyIndex::ONE,
            tick: Tick::from_millis(second * 1_000).unwrap(),
        };
        GrantedRun {
            task: Arc::new(task.run(async || {}).check().unwrap()),
            lock: HeldLock {
                execution,
                claim_id: ClaimId::random(),
                fence: Fence::new(1),
            },
            concurrency: Concurrency::ONE,
            attempt: Attempt::FIRST,
            lease_until: None,
            due_at: at(second),
            deadline: None,
            permit: None,
            gate: StartGate::default(),
        }
    }

    #[test]
    fn nothing_starts_before_it_is_due() {
        let mut starts = Starts::default();
        starts.push(granted(5));
        assert!(
            starts
                .take_due(at(5) - Duration::from_micros(1))
                .starting
                .is_empty()
        );
        assert_eq!(starts.next_at(), Some(at(5)));
        assert_eq!(starts.take_due(at(5)).starting.len(), 1);
    }

    #[test]
    fn what_it_is_too_late_for_goes_back_and_what_lost_its_lease_does_not_start() {
        let mut starts = Starts::default();
        let mut too_late = granted(1);
        too_late.deadline = Some(at(3).timestamp());
        let mut lost = granted(2);
        lost.lease_until = Some(at(3).timestamp());
        let (released, execution) = (too_late.to_release(), lost.lock.execution.clone());
        starts.push(too_late);
        starts.push(lost);
        let due = starts.take_due(at(3));
        assert!(due.starting.is_empty());
        assert_eq!((due.too_late, due.lost), (vec![released], vec![execution]));
    }

    /// However far apart they start, and on however many threads their handlers run.
    #[test]
    fn a_run_begins_once_the_one_before_it_in_its_line_has_begun() {
        let mut starts = Starts::default();
        let mut gates = Vec::new();
        for second in 1..=3 {
            starts.push(granted(second));
            let starting = starts.take_due(at(second)).starting;
            gates.extend(starting.into_iter().map(|run| run.gate));
        }
        let mut gates = gates.into_iter();
        let (mut first, mut second) = (gates.next().unwrap(), gates.next().unwrap());
        let mut third = gates.next().unwrap();
        assert_eq!(first.wait().now_or_never(), Some(()));
        {
            let mut waiting = std::pin::pin!(second.wait());
            assert_eq!(waiting.as_mut().now_or_never(), None);
            first.open();
            assert_eq!(waiting.now_or_never(), Some(()));
        }
        let mut waiting = std::pin::pin!(third.wait());
        assert_eq!(waiting.as_mut().now_or_never(), None);
        // A run that ends without ever beginning holds nobody up.
        drop(second);
        assert_eq!(waiting.now_or_never(), Some(()));
    }
}
