//! The loop that drives the tasks of one lock manager, from tick to start.
//!
//! It sleeps until the next tick comes near, claims everything due in one call, ahead of the tick, and
//! starts what was granted at the tick. One call is under way at a time; what comes due meanwhile goes with
//! the next. It decides by the store's clock alone, and never runs a handler itself.

mod answers;
mod table;
mod ticks;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{
    Claim, Consumed, Consumption, Execution, Grant, HeldLock, LockError, Verdict,
};
use sexton_core::name::TaskName;
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Tick};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use crate::due::DueQueue;
use crate::error::RegistryError;
use crate::event::Event;
use crate::limits::Permit;
use crate::link::{Link, backoff, joined, later_us};
use crate::pending::{GivenUp, PendingClaim, PendingClaims};
use crate::runs::{GrantedRun, Runs, Turn};
use crate::scheduler::Shared;
use crate::task::CheckedTask;
use table::TaskTable;

/// What others may ask of a driver.
#[derive(Debug)]
pub(crate) enum Command {
    /// Adds a task, or puts it in the place of the one that has its name.
    Put(
        Arc<CheckedTask>,
        Put,
        oneshot::Sender<Result<(), RegistryError>>,
    ),
    /// Removes a task.
    Remove(String, oneshot::Sender<Result<(), RegistryError>>),
    /// Claims what may be claimed by now, with the concurrency it was recorded with.
    Claim(Vec<(Execution, Option<Concurrency>)>),
}

/// Whether a task may or must take the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    Add,
    Replace,
}

/// A granted execution that waits for its tick.
#[derive(Debug)]
struct Granted {
    task: Arc<CheckedTask>,
    claim: Claim,
    grant: Grant,
    permit: Option<Permit>,
}

impl Granted {
    /// Whether the lease ran out before the run could start: the process stood still. Others may have it by now.
    fn is_over(&self, now_us: i64) -> bool {
        self.grant
            .lease_until
            .is_some_and(|until| until.as_microsecond() <= now_us)
    }

    fn lock(&self) -> HeldLock {
        HeldLock {
            execution: self.claim.execution.clone(),
            claim_id: self.claim.claim_id,
            fence: self.grant.fence,
        }
    }
}

/// A call that is under way, with what it was about.
enum Call {
    Claim(
        Vec<PendingClaim>,
        AbortOnDropHandle<Result<Vec<Verdict>, LockError>>,
    ),
    Consume(
        Vec<GivenUp>,
        AbortOnDropHandle<Result<Vec<Consumed>, LockError>>,
    ),
}

/// What came of a call.
enum Answered {
    Claim(Vec<PendingClaim>, Result<Vec<Verdict>, LockError>),
    Consume(Vec<GivenUp>, Result<Vec<Consumed>, LockError>),
}

pub(crate) struct Driver {
    shared: Arc<Shared>,
    link: Arc<Link>,
    runs: Arc<Runs>,
    commands: mpsc::Receiver<Command>,
    tasks: TaskTable,
    /// Claimed ahead of the tick.
    ahead: DueQueue,
    /// Claimed at the tick: whether an earlier execution still runs is not known before.
    prompt: DueQueue,
    /// How much of the lead is left when the next batch goes out, in microseconds. Random, so that replicas share
    /// the ticks fairly.
    wake_lead_us: i64,
    pending: PendingClaims,
    ready: BTreeMap<i64, Vec<Granted>>,
    /// Indices that were open but not for us, to be accounted for if nobody takes them.
    unplaced: BTreeMap<i64, Vec<Consumption>>,
    call: Option<Call>,
    failures: u32,
    /// Until when the driver last waited because the store failed it.
    away_until_us: i64,
    retry_at: Duration,
}

impl Driver {
    pub(crate) fn new(
        shared: Arc<Shared>,
        link: Arc<Link>,
        runs: Arc<Runs>,
        commands: mpsc::Receiver<Command>,
    ) -> Driver {
        Driver {
            shared,
            link,
            runs,
            commands,
            tasks: TaskTable::default(),
            ahead: DueQueue::default(),
            prompt: DueQueue::default(),
            wake_lead_us: 0,
            pending: PendingClaims::default(),
            ready: BTreeMap::new(),
            unplaced: BTreeMap::new(),
            call: None,
            failures: 0,
            away_until_us: i64::MIN,
            retry_at: Duration::ZERO,
        }
    }

    /// Runs until the scheduler stops, then gives back what it was granted and did not start.
    pub(crate) async fn run(mut self) {
        self.draw_wake_lead();
        let shared = Arc::clone(&self.shared);
        let link = Arc::clone(&self.link);
        let mut is_open = true;
        let mut turns = link.turns();
        while !shared.stopping.is_cancelled() {
            let freed = shared.limits.freed.notified();
            let mut freed = std::pin::pin!(freed);
            // From here on a freed place is not overlooked, even before it is awaited.
            freed.as_mut().enable();
            let now_us = link.now_us();
            self.start_ready(now_us);
            self.take_due(now_us);
            self.send(now_us);
            let wake = self.wake();
            tokio::select! {
                biased;
                () = shared.stopping.cancelled() => {}
                () = link.sleep_until(wake) => {}
                answered = answer(&mut self.call) => self.take_answer(answered),
                command = self.commands.recv(), if is_open => match command {
                    Some(command) => self.obey(command),
                    None => is_open = false,
                },
                () = turns.next() => self.turned(),
                () = freed => {}
            }
        }
        self.hand_back().await;
    }

    fn draw_wake_lead(&mut self) {
        let lead_us = crate::offset::micros(self.shared.lead.duration());
        self.wake_lead_us = lead_us / 100 * fastrand::i64(45..=75);
    }

    /// Our monotonic time at which there is something to do; `None`: not by itself.
    fn wake(&self) -> Option<Duration> {
        let ahead_us = self.ahead.first_us().map(|first| first - self.wake_lead_us);
        let store_us = [
            ahead_us,
            self.prompt.first_us(),
            self.ready.keys().next().copied(),
            self.unplaced.keys().next().copied(),
        ];
        let next = store_us
            .into_iter()
            .flatten()
            .min()
            .map(|us| self.link.monotonic_at(us));
        [next, self.wake_to_send()].into_iter().flatten().min()
    }

    /// When to send what could not be sent now: called after [`Driver::send`], so that what is left waits for its time,
    /// for the store to be tried again, or for a limit.
    fn wake_to_send(&self) -> Option<Duration> {
        if self.call.is_some() || (self.pending.is_empty() && !self.pending.has_given_up()) {
            return None;
        }
        if self.link.clock.monotonic() < self.retry_at {
            return Some(self.retry_at);
        }
        self.pending
            .next_us(self.link.now_us())
            .map(|us| self.link.monotonic_at(us))
    }

    fn start_ready(&mut self, now_us: i64) {
        let mut starting = Vec::new();
        while let Some(entry) = self
            .ready
            .first_entry()
            .filter(|entry| *entry.key() <= now_us)
        {
            let (due_us, granted) = entry.remove_entry();
            for granted in granted {
                if granted.is_over(now_us) {
                    let execution = granted.claim.execution;
                    self.shared.events.emit(Event::LeaseLost { execution });
                    continue;
                }
                starting.push(GrantedRun {
                    lock: granted.lock(),
                    due_us,
                    attempt: granted.grant.attempt,
                    lease_until: granted.grant.lease_until,
                    concurrency: granted.claim.concurrency,
                    task: granted.task,
                    permit: granted.permit,
                    turn: Turn::default(),
                });
            }
        }
        take_turns(&mut starting);
        for run in starting {
            self.runs.start(run);
        }
    }

    /// Sends the next call, if none is under way.
    fn send(&mut self, now_us: i64) {
        let instance = &self.shared.instance;
        let away_until_us = if self.link.is_lost() {
            now_us
        } else {
            self.away_until_us
        };
        self.pending.expire(now_us, instance, away_until_us);
        while let Some(entry) = self
            .unplaced
            .first_entry()
            .filter(|entry| *entry.key() <= now_us)
        {
            entry
                .remove()
                .into_iter()
                .for_each(|unplaced| self.pending.give_up(unplaced));
        }
        if self.call.is_some() || self.link.clock.monotonic() < self.retry_at {
            return;
        }
        // What was given up goes first: a later tick's grant would raise the watermark past it.
        let given_up = self.pending.take_given_up();
        self.call = if given_up.is_empty() {
            self.claim_call(now_us)
        } else {
            let link = Arc::clone(&self.link);
            let batch: Vec<Consumption> = given_up
                .iter()
                .map(|given_up| given_up.consumption.clone())
                .collect();
            let call = async move { link.call(link.manager.consume(&batch)).await };
            Some(Call::Consume(
                given_up,
                AbortOnDropHandle::new(tokio::spawn(call)),
            ))
        };
    }

    fn claim_call(&mut self, now_us: i64) -> Option<Call> {
        let unplaced = self.unplaced.values().flatten();
        let unplaced = unplaced.map(|nobody| &nobody.execution);
        let pending = self
            .pending
            .take_batch(now_us, &self.shared.limits, unplaced);
        if pending.is_empty() {
            return None;
        }
        let batch: Vec<Claim> = pending
            .iter()
            .map(|pending| pending.claim.clone())
            .collect();
        let (link, lead) = (Arc::clone(&self.link), self.shared.lead);
        let call = async move { link.call(link.manager.claim(lead, &batch)).await };
        Some(Call::Claim(
            pending,
            AbortOnDropHandle::new(tokio::spawn(call)),
        ))
    }

    fn failed(&mut self) {
        let pause = backoff(self.failures);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = self.link.clock.monotonic() + pause;
        self.away_until_us = later_us(self.link.now_us(), pause);
    }

    /// The store may be back, as another call found out: there is no need to wait as long as after many failures.
    fn turned(&mut self) {
        if !self.link.is_lost() {
            self.failures = 0;
            self.retry_at = self.retry_at.min(self.link.clock.monotonic() + backoff(0));
        }
    }

    /// Waits for the call under way, then releases everything that is granted and not started.
    async fn hand_back(mut self) {
        if self.call.is_some() {
            let answered = answer(&mut self.call).await;
            self.take_answer(answered);
        }
        let locks: Vec<HeldLock> = self.ready.values().flatten().map(Granted::lock).collect();
        self.runs.release(locks).await;
    }
}

/// Ticks of one (task, index) that start together, because they were missed, begin in order on however many threads.
fn take_turns(starting: &mut [GrantedRun]) {
    let mut turns: HashMap<(TaskName, ConcurrencyIndex), Turn> = HashMap::new();
    for run in starting {
        let Execution { task, index, .. } = &run.lock.execution;
        let turn = turns.entry((task.clone(), *index)).or_default();
        run.turn = std::mem::take(turn);
        *turn = run.turn.next();
    }
}

async fn answer(call: &mut Option<Call>) -> Answered {
    match call {
        None => std::future::pending().await,
        Some(Call::Claim(_, handle)) => {
            let result = joined(handle.await);
            let Some(Call::Claim(pending, _)) = call.take() else {
                return std::future::pending().await;
            };
            Answered::Claim(pending, result)
        }
        Some(Call::Consume(_, handle)) => {
            let result = joined(handle.await);
            let Some(Call::Consume(batch, _)) = call.take() else {
                return std::future::pending().await;
            };
            Answered::Consume(batch, result)
        }
    }
}

/// The claim of one execution of a task, new.
fn claim_for(shared: &Shared, task: &CheckedTask, execution: Execution) -> Claim {
    let policies = &task.policies;
    let mut claim = Claim::new(execution, task.concurrency, shared.instance.clone());
    claim.delivery = policies.delivery;
    claim.overlap = policies.overlap;
    claim.placement = policies.placement;
    claim.lease = policies.lease;
    claim
}

/// Between when a tick is due and when it counts as missed: until its successor is due, within bounds.
const LATE_AFTER_MIN: Duration = Duration::from_secs(1);
const LATE_AFTER_MAX: Duration = Duration::from_secs(60);

fn late_us(due_us: i64, tick: Tick, next: Option<Tick>) -> i64 {
    let until_next_ms = next.map_or(i64::MAX, |next| next.as_millis() - tick.as_millis());
    let until_next = Duration::from_millis(u64::try_from(until_next_ms).unwrap_or(0));
    later_us(due_us, until_next.clamp(LATE_AFTER_MIN, LATE_AFTER_MAX))
}

fn executions(
    task: &CheckedTask,
    tick: Tick,
    concurrency: Concurrency,
) -> impl Iterator<Item = Execution> {
    let name = task.name.clone();
    concurrency.indices().map(move |index| Execution {
        task: name.clone(),
        index,
        tick,
    })
}
