//! What runs: started at the tick, kept within its lock, settled when it ends.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use sexton_core::lock::{
    Capability, Execution, HeldLock, LockError, Outcome, Reason, Release, Released, Settlement,
};
use sexton_core::policy::Lease;
use sexton_core::store_time::StoreTime;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::AbortHandle;

use crate::backoff::backoff;
use crate::context::Context;
use crate::error_chain::chain;
use crate::event::Event;
use crate::granted::GrantedRun;
use crate::stop_cause::StopCause;
use crate::store_client::StoreClient;

/// Outcomes that may wait for the store to take them.
pub(crate) const SETTLEMENTS_MAX: usize = 10_000;

/// The runs of one lock manager's tasks on this instance.
#[derive(Debug)]
pub(crate) struct Runs {
    pub(crate) context: Arc<Context>,
    pub(crate) client: Arc<StoreClient>,
    running: Mutex<HashMap<HeldLock, Running>>,
    settlements: Mutex<Option<mpsc::Sender<Settlement>>>,
    /// Whether an outcome was dropped that the store should have heard of.
    is_unsettled: AtomicBool,
    /// What could not begin here, and until when it is left to other instances.
    left_to_others: Mutex<HashMap<Execution, StoreTime>>,
    /// Told when a run ends.
    ended: Notify,
    /// Told when a run under a lease begins.
    pub(crate) leased: Notify,
}

#[derive(Debug)]
struct Running {
    lease: Option<Leased>,
    stop: watch::Sender<Option<StopCause>>,
    task: Option<AbortHandle>,
}

#[derive(Debug, Clone, Copy)]
struct Leased {
    lease: Lease,
    until: StoreTime,
}

/// A lock with a lease, which must be renewed in time.
#[derive(Debug, Clone)]
pub(crate) struct LeaseDue {
    pub(crate) lock: HeldLock,
    pub(crate) lease: Lease,
    pub(crate) until: StoreTime,
}

impl LeaseDue {
    /// When to renew: with two thirds of the lease left, so that there is time for a second and a
    /// third try.
    pub(crate) fn renew_at(&self) -> StoreTime {
        self.until - self.lease.duration() / 3 * 2
    }
}

impl Runs {
    pub(crate) fn new(
        context: Arc<Context>,
        client: Arc<StoreClient>,
        settlements: mpsc::Sender<Settlement>,
    ) -> Runs {
        Runs {
            context,
            client,
            running: Mutex::default(),
            settlements: Mutex::new(Some(settlements)),
            is_unsettled: AtomicBool::new(false),
            left_to_others: Mutex::default(),
            ended: Notify::new(),
            leased: Notify::new(),
        }
    }

    /// Takes note of a run that starts. When what is returned is dropped, the run has ended.
    pub(crate) fn begin(
        self: &Arc<Runs>,
        run: &GrantedRun,
        stop: watch::Sender<Option<StopCause>>,
    ) -> EndGuard {
        let lease = run.lease_until.map(|until| Leased {
            lease: run.task.policies.lease,
            until: until.into(),
        });
        let running = Running {
            lease,
            stop,
            task: None,
        };
        self.lock().insert(run.lock.clone(), running);
        self.context.count_running(1);
        if lease.is_some() {
            self.leased.notify_one();
        }
        EndGuard {
            runs: Arc::clone(self),
            lock: run.lock.clone(),
        }
    }

    /// Takes note of how a run can be aborted, if it has not ended yet.
    pub(crate) fn can_abort(&self, lock: &HeldLock, task: AbortHandle) {
        if let Some(running) = self.lock().get_mut(lock) {
            running.task = Some(task);
        }
    }

    /// Hands an outcome to the settler.
    pub(crate) fn settle(&self, settlement: Settlement) {
        let execution = settlement.lock.execution.clone();
        let settlements = self
            .settlements
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let place = settlements.as_ref().map(mpsc::Sender::try_reserve);
        let why = match place {
            Some(Ok(place)) => return place.send(settlement),
            Some(Err(mpsc::error::TrySendError::Full(()))) => {
                format!("{SETTLEMENTS_MAX} outcomes wait for the store already")
            }
            Some(Err(mpsc::error::TrySendError::Closed(()))) | None => {
                "the scheduler has shut down".to_owned()
            }
        };
        self.is_unsettled.store(true, Ordering::Relaxed);
        self.context
            .events
            .emit(Event::SettlementDropped { execution, why });
    }

    /// Whether the store was not told of every outcome.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.is_unsettled.load(Ordering::Relaxed)
    }

    /// Takes no outcome any more, so that the settler ends when it has told those it has.
    pub(crate) fn close_settlements(&self) {
        self.settlements
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    /// Leaves an execution that could not begin here to the others for half of the time that it has
    /// from now on. Then this instance may have what it lacks, and there may be no other.
    pub(crate) fn leave_to_others(&self, execution: Execution, lease: Lease) {
        let now = self.client.now();
        let until = now + lease.duration() / 2;
        let mut left = self.left();
        left.retain(|_, until| *until > now);
        left.insert(execution, until);
    }

    pub(crate) fn is_left_to_others(&self, execution: &Execution) -> bool {
        let until = self.left().get(execution).copied();
        until.is_some_and(|until| until > self.client.now())
    }

    fn left(&self) -> MutexGuard<'_, HashMap<Execution, StoreTime>> {
        let left = self.left_to_others.lock();
        left.unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes an execution that was granted to us without our knowing, and that it is too late to
    /// run.
    pub(crate) fn disown(&self, lock: HeldLock) {
        let now = self.client.now().timestamp();
        let settlement = Settlement::new(lock, Outcome::Lost, now, now).with_error(
            "never started: the store's answer to the claim was lost until it was too late",
        );
        self.settle(settlement);
    }

    /// Whether a lock may be given back once more where the store has not answered. On locks that
    /// say nothing of their holder it may be another's by then.
    pub(crate) fn may_release_again(&self) -> bool {
        self.client.manager.supports(Capability::History)
    }

    /// Gives a lock back whose execution did not do its work here, and tries again until the store
    /// has heard of it: without a lease it would be held by nobody, and not be free either.
    pub(crate) async fn give_back(&self, release: &Release) {
        let clock = &self.client.clock;
        let mut failures = 0;
        let batch = std::slice::from_ref(release);
        while let Some((_, error)) = self.release(batch).await.pop() {
            if !self.may_release_again() {
                return self.tell_not_released(release, &error);
            }
            let after = backoff(failures);
            failures = failures.saturating_add(1);
            let execution = &release.lock.execution;
            tracing::debug!(%execution, %error, ?after, "a lock will be given back again");
            clock.sleep_until(clock.monotonic() + after).await;
        }
    }

    /// Gives locks back whose execution was not started, and tells what became of them. Answers
    /// those of which it is not known, and why.
    pub(crate) async fn release(&self, batch: &[Release]) -> Vec<(Release, LockError)> {
        let task = |place: usize| &batch[place].lock.execution.task;
        let answers = self
            .client
            .call_each(task, self.client.manager.release(batch));
        match answers.await {
            Ok(answers) => self.take_released(batch.to_vec(), answers),
            Err(error) => {
                let all = batch.iter().cloned();
                all.map(|release| (release, error.clone())).collect()
            }
        }
    }

    /// Tells what became of locks that were given back; answers those of which it is not known.
    pub(crate) fn take_released(
        &self,
        batch: Vec<Release>,
        answers: Vec<Result<Released, LockError>>,
    ) -> Vec<(Release, LockError)> {
        let mut unknown = Vec::new();
        for (release, answer) in batch.into_iter().zip(answers) {
            match answer {
                Ok(released) => self.tell_released(release.lock.execution, released),
                Err(error) => unknown.push((release, error)),
            }
        }
        unknown
    }

    pub(crate) fn tell_not_released(&self, release: &Release, error: &LockError) {
        self.context.events.emit(Event::SettlementDropped {
            execution: release.lock.execution.clone(),
            why: format!("could not be given back: {}", chain(error)),
        });
    }

    fn tell_released(&self, execution: Execution, released: Released) {
        self.context.events.emit(match released {
            Released::Open => Event::Released { execution },
            Released::TooLate => Event::Unrun {
                execution,
                reason: Reason::TooLate,
            },
            // Nobody is owed anything: the lock was lost, or given back before.
            Released::NotHeld => return,
        });
    }

    /// Asks a run to stop.
    pub(crate) fn stop(&self, lock: &HeldLock, cause: StopCause) {
        if let Some(running) = self.lock().get(lock) {
            running.stop.send_if_modified(|current| {
                let is_first = current.is_none();
                if is_first {
                    *current = Some(cause);
                }
                is_first
            });
        }
    }

    /// Asks the run of an execution to stop, if it is here.
    pub(crate) fn stop_execution(&self, execution: &Execution, cause: StopCause) {
        self.stop_where(cause, |running| running == execution);
    }

    /// Asks the runs of the same (task, index) to stop, but not that of this execution.
    pub(crate) fn stop_others(&self, execution: &Execution, cause: StopCause) {
        self.stop_where(cause, |running| {
            running.task == execution.task
                && running.index == execution.index
                && running.tick != execution.tick
        });
    }

    pub(crate) fn stop_all(&self, cause: StopCause) {
        self.stop_where(cause, |_| true);
    }

    fn stop_where(&self, cause: StopCause, is_meant: impl Fn(&Execution) -> bool) {
        let found: Vec<HeldLock> = {
            let running = self.lock();
            let locks = in_fixed_order(&running).into_iter().map(|(lock, _)| lock);
            locks
                .filter(|lock| is_meant(&lock.execution))
                .cloned()
                .collect()
        };
        found.iter().for_each(|lock| self.stop(lock, cause));
    }

    pub(crate) fn abort_all(&self) {
        let running = self.lock();
        for (_, run) in in_fixed_order(&running) {
            if let Some(task) = &run.task {
                task.abort();
            }
        }
    }

    /// The executions that run now.
    pub(crate) fn executions(&self) -> Vec<Execution> {
        let running = self.lock();
        let locks = in_fixed_order(&running).into_iter().map(|(lock, _)| lock);
        locks.map(|lock| lock.execution.clone()).collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Completes when nothing runs.
    pub(crate) async fn idle(&self) {
        loop {
            let ended = self.ended.notified();
            let mut ended = std::pin::pin!(ended);
            ended.as_mut().enable();
            if self.lock().is_empty() {
                return;
            }
            ended.await;
        }
    }

    /// All locks under a lease.
    pub(crate) fn leases(&self) -> Vec<LeaseDue> {
        let running = self.lock();
        let due = |(lock, run): (&HeldLock, &Running)| {
            let Leased { lease, until } = run.lease?;
            let lock = lock.clone();
            Some(LeaseDue { lock, lease, until })
        };
        in_fixed_order(&running)
            .into_iter()
            .filter_map(due)
            .collect()
    }

    pub(crate) fn extend_lease(&self, lock: &HeldLock, until: Timestamp) {
        if let Some(leased) = self
            .lock()
            .get_mut(lock)
            .and_then(|running| running.lease.as_mut())
        {
            leased.until = until.into();
        }
    }

    /// Whether a lock's lease, if it has one, is over or known to be lost.
    pub(crate) fn is_lease_over(&self, lock: &HeldLock, now: StoreTime) -> bool {
        let running = self.lock();
        let Some(run) = running.get(lock) else {
            return false;
        };
        let is_lost = *run.stop.borrow() == Some(StopCause::LockLost);
        is_lost || run.lease.is_some_and(|leased| leased.until <= now)
    }

    /// Renews a lock no more; whether it was still renewed.
    pub(crate) fn drop_lease(&self, lock: &HeldLock) -> bool {
        self.lock()
            .get_mut(lock)
            .is_some_and(|running| running.lease.take().is_some())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<HeldLock, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a run out of the register however it ends.
pub(crate) struct EndGuard {
    runs: Arc<Runs>,
    lock: HeldLock,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.runs.lock().remove(&self.lock);
        self.runs.context.count_running(-1);
        self.runs.ended.notify_waiters();
    }
}

/// Runs sorted by execution and fence, so that a simulation replays identically: the ids of their
/// claims are random, and so is the order of the map.
fn in_fixed_order(running: &HashMap<HeldLock, Running>) -> Vec<(&HeldLock, &Running)> {
    let mut all: Vec<_> = running.iter().collect();
    all.sort_by_key(|(lock, _)| (&lock.execution, lock.fence));
    all
}
