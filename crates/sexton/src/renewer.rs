//! Keeps the leases of what runs, in batches, and stops what has lost its lock.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{BATCH_MAX, LockError, Renewal, Renewed};
use sexton_core::name::ClaimId;
use sexton_core::store_time::StoreTime;
use tokio_util::task::AbortOnDropHandle;

use crate::backoff::backoff;
use crate::contained::contained_in;
use crate::event::Event;
use crate::no_answer::joined;
use crate::runs::{LeaseDue, Runs};
use crate::stop_cause::StopCause;
use crate::store_client::StoreClient;
use crate::turns::Turns;
use crate::watched::RENEWER;

/// Leases due for renewal within this go with the batch.
const TOGETHER: Duration = Duration::from_millis(50);

/// Runs until it is dropped.
pub(crate) async fn renew_for_ever(runs: Arc<Runs>) {
    let turns = runs.client.turns();
    let client = Arc::clone(&runs.client);
    let renewer = Renewer {
        runs,
        client,
        turns,
        call: None,
        failures: 0,
        retry_at: Duration::ZERO,
        apart: HashMap::new(),
    };
    let runs = Arc::clone(&renewer.runs);
    if let Err(panic) = contained_in(renewer.run()).await {
        runs.context.watch.fail(RENEWER, panic);
        // Nobody renews their locks any more.
        runs.leases().iter().for_each(|due| lose(&runs, due));
    }
}

type Answers = Result<Vec<Result<Renewed, LockError>>, LockError>;

/// A lease ends when the store says so, not when the store has answered: so that a call which takes
/// long does not keep a run going whose lock is lost, the call is watched beside the leases.
struct Renewer {
    runs: Arc<Runs>,
    client: Arc<StoreClient>,
    turns: Turns,
    call: Option<(Vec<LeaseDue>, AbortOnDropHandle<Answers>)>,
    failures: u32,
    retry_at: Duration,
    /// Locks in a part of the store that is in trouble, and when they are tried again.
    apart: HashMap<ClaimId, Apart>,
}

#[derive(Debug, Default)]
struct Apart {
    failures: u32,
    retry_at: Duration,
}

impl Renewer {
    async fn run(mut self) {
        let runs = Arc::clone(&self.runs);
        loop {
            let began = runs.leased.notified();
            let mut began = std::pin::pin!(began);
            began.as_mut().enable();
            let now = self.client.now();
            let (over, leases): (Vec<LeaseDue>, Vec<LeaseDue>) = runs
                .leases()
                .into_iter()
                .partition(|lease| lease.until <= now);
            over.iter().for_each(|lease| lose(&runs, lease));
            if !self.apart.is_empty() {
                let is_there = |id| leases.iter().any(|lease| lease.lock.claim_id == id);
                self.apart.retain(|id, _| is_there(*id));
            }
            self.send(&leases, now);
            let wake = self.wake(&leases);
            let client = Arc::clone(&self.client);
            tokio::select! {
                // In a fixed order, so that a simulation can be repeated; an answer comes before
                // the end of a lease.
                biased;
                answers = answer(&mut self.call) => self.take_answers(answers),
                () = self.turns.next() => self.turned(),
                () = began => {}
                () = client.sleep_until(wake) => {}
            }
        }
    }

    /// Our monotonic time of the next renewal or of the next lease's end, whichever is first.
    fn wake(&self, leases: &[LeaseDue]) -> Option<Duration> {
        let over_at = leases.iter().map(|lease| lease.until).min()?;
        let over = self.client.monotonic_at(over_at);
        if self.call.is_some() {
            return Some(over);
        }
        let renew = leases.iter().map(|lease| {
            let renew = self.client.monotonic_at(lease.renew_at());
            renew.max(self.retry_at_of(lease))
        });
        Some(over.min(renew.min()?.max(self.retry_at)))
    }

    fn retry_at_of(&self, lease: &LeaseDue) -> Duration {
        let apart = self.apart.get(&lease.lock.claim_id);
        apart.map_or(Duration::ZERO, |apart| apart.retry_at)
    }

    fn send(&mut self, leases: &[LeaseDue], now: StoreTime) {
        let monotonic = self.client.clock.monotonic();
        if self.call.is_some() || monotonic < self.retry_at {
            return;
        }
        let may_go = |lease: &&LeaseDue| self.retry_at_of(lease) <= monotonic;
        let mut that_may_go = leases.iter().filter(may_go);
        if !that_may_go.any(|lease| lease.renew_at() <= now) {
            return;
        }
        let horizon = now + TOGETHER;
        let due: Vec<LeaseDue> = leases
            .iter()
            .filter(|lease| lease.renew_at() <= horizon)
            .filter(may_go)
            .take(BATCH_MAX)
            .cloned()
            .collect();
        let batch: Vec<Renewal> = due
            .iter()
            .map(|due| Renewal {
                lock: due.lock.clone(),
                lease: due.lease,
            })
            .collect();
        let client = Arc::clone(&self.client);
        let call = async move {
            let task = |place: usize| &batch[place].lock.execution.task;
            client.call_each(task, client.manager.renew(&batch)).await
        };
        self.call = Some((due, AbortOnDropHandle::new(tokio::spawn(call))));
    }

    fn take_answers(&mut self, (due, answers): (Vec<LeaseDue>, Answers)) {
        let Ok(answers) = answers else {
            self.retry_at = self.client.clock.monotonic() + backoff(self.failures);
            self.failures = self.failures.saturating_add(1);
            return;
        };
        self.failures = 0;
        for (due, answer) in due.iter().zip(answers) {
            let claim_id = due.lock.claim_id;
            let Ok(answer) = answer else {
                let apart = self.apart.entry(claim_id).or_default();
                apart.retry_at = self.client.clock.monotonic() + backoff(apart.failures);
                apart.failures = apart.failures.saturating_add(1);
                continue;
            };
            self.apart.remove(&claim_id);
            match answer {
                Renewed::Extended {
                    lease_until,
                    cancel_requested,
                } => {
                    if let Some(until) = lease_until {
                        self.runs.extend_lease(&due.lock, until);
                    }
                    if cancel_requested {
                        self.runs.stop(&due.lock, StopCause::Requested);
                    }
                }
                Renewed::Lost => lose(&self.runs, due),
            }
        }
    }

    /// The store may be back, as another call found out.
    fn turned(&mut self) {
        if !self.client.is_lost() {
            self.retry_at = Duration::ZERO;
        }
    }
}

async fn answer(
    call: &mut Option<(Vec<LeaseDue>, AbortOnDropHandle<Answers>)>,
) -> (Vec<LeaseDue>, Answers) {
    let Some((_, handle)) = call else {
        return std::future::pending().await;
    };
    let answers = joined(handle.await);
    let due = call.take().map(|(due, _)| due).unwrap_or_default();
    (due, answers)
}

fn lose(runs: &Runs, due: &LeaseDue) {
    if runs.drop_lease(&due.lock) {
        let execution = due.lock.execution.clone();
        runs.context.events.emit(Event::LeaseLost { execution });
        runs.stop(&due.lock, StopCause::LockLost);
    }
}
