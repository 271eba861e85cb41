//! The loop that drives the tasks of one lock manager, from tick to start.
//!
//! It sleeps until the next tick comes near, claims everything due in one call, ahead of the tick,
//! and starts what was granted at the tick. What is late goes in separate calls, so that a
//! backlog delays nothing that is fresh. It decides by the store's clock alone, and never runs a
//! handler itself.

mod answers;
mod calls;
mod cursor;
mod table;
mod ticks;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{
    Capability, Claim, Consumed, Consumption, Execution, Release, Released, Verdict,
};
use sexton_core::store_time::StoreTime;
use tokio::sync::mpsc;

use crate::command::Command;
use crate::context::Context;
use crate::due::DueQueue;
use crate::event::{Event, EventBus};
use crate::execute::start;
use crate::granted::GrantedRun;
use crate::lines::{Batch, GivenUpRun, Lines, Now, PendingClaim, set_policies};
use crate::runs::Runs;
use crate::starts::Starts;
use crate::store_client::StoreClient;
use crate::task::CheckedTask;
use calls::CallSlot;
use cursor::Cursors;
use table::TaskTable;

/// Records written by one call of ticks that another accounts for: few, so that no claim waits for
/// long behind them.
const RECORDS_MAX: usize = 100;

/// What is under way to the store: one call of each kind, over lines of their own.
#[derive(Debug, Default)]
struct Calls {
    fresh: CallSlot<PendingClaim, Verdict>,
    backlog: CallSlot<PendingClaim, Verdict>,
    given_up: CallSlot<GivenUpRun, Consumed>,
    records: CallSlot<Unwritten, Consumed>,
    release: CallSlot<Release, Released>,
}

/// A tick that is accounted for by the last of its run, and has no record yet. It is told when it
/// has: an event for each of thousands at once is more than subscribers can follow.
#[derive(Debug, Clone)]
struct Unwritten {
    consumption: Consumption,
    /// Whether an event counts it already, together with those before it.
    is_told: bool,
}

pub(crate) struct Driver {
    context: Arc<Context>,
    client: Arc<StoreClient>,
    runs: Arc<Runs>,
    commands: mpsc::Receiver<Command>,
    tasks: TaskTable,
    /// Claimed ahead of the tick.
    ahead: DueQueue,
    /// Claimed at the tick: whether an earlier execution still runs is not known before.
    prompt: DueQueue,
    /// Tasks whose next ticks are due and wait for room in their lines.
    cursors: Cursors,
    /// How much of the lead is left when the next batch goes out. Random, so that replicas share the
    /// ticks fairly.
    wake_lead: Duration,
    lines: Lines,
    starts: Starts,
    calls: Calls,
    /// Granted executions that go back to the store.
    to_release: Vec<Release>,
    to_record: VecDeque<Unwritten>,
    /// Until when the driver last waited because the store failed it.
    away_until: StoreTime,
}

impl Driver {
    pub(crate) fn new(
        context: Arc<Context>,
        client: Arc<StoreClient>,
        runs: Arc<Runs>,
        commands: mpsc::Receiver<Command>,
    ) -> Driver {
        let lines = match client.manager.supports(Capability::History) {
            true => Lines::default(),
            false => Lines::without_records(),
        };
        Driver {
            context,
            client,
            runs,
            commands,
            tasks: TaskTable::default(),
            ahead: DueQueue::default(),
            prompt: DueQueue::default(),
            cursors: Cursors::default(),
            wake_lead: Duration::ZERO,
            lines,
            starts: Starts::default(),
            calls: Calls::default(),
            to_release: Vec::new(),
            to_record: VecDeque::new(),
            away_until: StoreTime::MIN,
        }
    }

    /// Runs until the scheduler stops, then gives back what it was granted and does not start any
    /// more.
    pub(crate) async fn run(mut self) {
        self.draw_wake_lead();
        let context = Arc::clone(&self.context);
        let client = Arc::clone(&self.client);
        let mut is_open = true;
        let mut turns = client.turns();
        while !context.stopping.is_cancelled() {
            let freed = context.limits.freed.notified();
            let mut freed = std::pin::pin!(freed);
            // From here on a freed place is not overlooked, even before it is awaited.
            freed.as_mut().enable();
            let now = client.now();
            self.start_due(now);
            self.take_due(now);
            self.send(now);
            if self.cursors.is_counting() {
                // There is more to count, and others have their turn in between.
                tokio::task::yield_now().await;
            }
            let wake = self.wake();
            tokio::select! {
                biased;
                () = context.stopping.cancelled() => {}
                () = client.sleep_until(wake) => {}
                (batch, answer) = self.calls.fresh.answered() => {
                    self.take_verdicts(Batch::Fresh, batch, answer);
                }
                (batch, answer) = self.calls.backlog.answered() => {
                    self.take_verdicts(Batch::Backlog, batch, answer);
                }
                (batch, answer) = self.calls.given_up.answered() => {
                    self.take_consumed(batch, answer);
                }
                (batch, answer) = self.calls.release.answered() => {
                    self.take_released(batch, answer);
                }
                (batch, answer) = self.calls.records.answered() => {
                    self.take_recorded(batch, answer);
                }
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
        let percent = u32::try_from(fastrand::u64(45..=75)).unwrap_or(75);
        self.wake_lead = self.context.lead.duration() / 100 * percent;
    }

    /// Our monotonic time at which there is something to do; `None`: not by itself.
    fn wake(&self) -> Option<Duration> {
        if self.cursors.is_counting() {
            return Some(self.client.clock.monotonic());
        }
        let ahead = self.ahead.first_at().map(|first| first - self.wake_lead);
        let all = [ahead, self.prompt.first_at(), self.starts.next_at()];
        let next = all.into_iter().flatten().min();
        let next = next.map(|next| self.client.monotonic_at(next));
        [next, self.wake_to_send()].into_iter().flatten().min()
    }

    /// When to send what could not be sent now: called after [`Driver::send`], so that what is left
    /// waits for its time, for the store to be tried again, or for a limit.
    fn wake_to_send(&self) -> Option<Duration> {
        let clock = &*self.client.clock;
        let lines = self
            .lines
            .next_at(self.client.now())
            .map(|next| self.client.monotonic_at(next));
        let retries = [
            self.calls.fresh.retry_at(clock),
            self.calls.backlog.retry_at(clock),
            self.calls.given_up.retry_at(clock),
            self.calls.release.retry_at(clock),
            self.calls.records.retry_at(clock),
        ];
        retries.into_iter().chain([lines]).flatten().min()
    }

    fn start_due(&mut self, now: StoreTime) {
        let due = self.starts.take_due(now);
        for execution in due.lost {
            self.context.events.emit(Event::LeaseLost { execution });
        }
        self.to_release.extend(due.too_late);
        for run in due.starting {
            start(&self.runs, run);
        }
    }

    /// Sends the next call of each kind that has none under way.
    fn send(&mut self, now: StoreTime) {
        let clock = &*self.client.clock;
        let is_slow = self.calls.fresh.is_slow(clock) || self.calls.backlog.is_slow(clock);
        if is_slow || self.client.is_lost() {
            self.away_until = self.away_until.max(now);
        }
        self.lines.expire(Now {
            at: now,
            away_until: self.away_until,
            instance: &self.context.instance,
        });
        for batch in [Batch::Fresh, Batch::Backlog] {
            self.send_claims(batch, now);
        }
        self.send_given_up();
        self.send_released();
        self.send_records();
    }

    fn send_claims(&mut self, kind: Batch, now: StoreTime) {
        let clock = &*self.client.clock;
        let slot = match kind {
            Batch::Fresh => &mut self.calls.fresh,
            Batch::Backlog => &mut self.calls.backlog,
        };
        if !slot.is_free(clock) {
            return;
        }
        let pending = self.lines.take_claims(kind, now, &self.context.limits);
        if pending.is_empty() {
            return;
        }
        let claims = pending.iter().map(|pending| pending.claim.clone());
        let claims: Vec<Claim> = claims.collect();
        let (client, lead) = (Arc::clone(&self.client), self.context.lead);
        slot.send(clock, pending, async move {
            let task = |place: usize| &claims[place].execution.task;
            client
                .call_each(task, client.manager.claim(lead, &claims))
                .await
        });
    }

    fn send_given_up(&mut self) {
        if !self.calls.given_up.is_free(&*self.client.clock) {
            return;
        }
        let given_up = self.lines.take_given_up(self.client.now());
        if given_up.is_empty() {
            return;
        }
        let batch = given_up.iter().map(GivenUpRun::consumption);
        let batch: Vec<Consumption> = batch.collect();
        let client = Arc::clone(&self.client);
        let clock = &*self.client.clock;
        self.calls.given_up.send(clock, given_up, async move {
            let task = |place: usize| &batch[place].execution.task;
            client.call_each(task, client.manager.consume(&batch)).await
        });
    }

    fn send_released(&mut self) {
        if self.to_release.is_empty() || !self.calls.release.is_free(&*self.client.clock) {
            return;
        }
        let count = self.to_release.len().min(sexton_core::lock::BATCH_MAX);
        let batch: Vec<Release> = self.to_release.drain(..count).collect();
        let (client, sent) = (Arc::clone(&self.client), batch.clone());
        let clock = &*self.client.clock;
        self.calls.release.send(clock, batch, async move {
            let task = |place: usize| &sent[place].lock.execution.task;
            client.call_each(task, client.manager.release(&sent)).await
        });
    }

    fn send_records(&mut self) {
        if self.to_record.is_empty() || !self.calls.records.is_free(&*self.client.clock) {
            return;
        }
        let (batch, sent) = self.next_records();
        let client = Arc::clone(&self.client);
        let clock = &*self.client.clock;
        self.calls.records.send(clock, batch, async move {
            let task = |place: usize| &sent[place].execution.task;
            client.call_each(task, client.manager.consume(&sent)).await
        });
    }

    /// The next records to write, and the call that writes them.
    fn next_records(&mut self) -> (Vec<Unwritten>, Vec<Consumption>) {
        let count = self.to_record.len().min(RECORDS_MAX);
        let batch: Vec<Unwritten> = self.to_record.drain(..count).collect();
        let consumptions = batch.iter().map(|one| one.consumption.clone());
        let consumptions = consumptions.collect();
        (batch, consumptions)
    }

    fn turned(&mut self) {
        if self.client.is_lost() {
            return;
        }
        let clock = &*self.client.clock;
        self.calls.fresh.hurry(clock);
        self.calls.backlog.hurry(clock);
        self.calls.given_up.hurry(clock);
        self.calls.release.hurry(clock);
        self.calls.records.hurry(clock);
    }

    /// Waits for the calls under way, then gives back what is granted and not started.
    ///
    /// What others would be late for is still started here: a tick that is due within moments, of a
    /// task whose next tick would be due within the grace period as well. Its run has as much time
    /// as its task ever gives it.
    async fn hand_back(mut self) {
        if self.calls.fresh.is_busy() {
            let (batch, answer) = self.calls.fresh.answered().await;
            self.take_verdicts(Batch::Fresh, batch, answer);
        }
        if self.calls.backlog.is_busy() {
            let (batch, answer) = self.calls.backlog.answered().await;
            self.take_verdicts(Batch::Backlog, batch, answer);
        }
        if self.calls.release.is_busy() {
            let (batch, answer) = self.calls.release.answered().await;
            self.take_released(batch, answer);
        }
        if self.calls.given_up.is_busy() {
            let (batch, answer) = self.calls.given_up.answered().await;
            self.take_consumed(batch, answer);
        }
        let clock = Arc::clone(&self.client.clock);
        let drained_by = self.context.drained_by.get().copied().unwrap_or_default();
        let left = drained_by.saturating_sub(clock.monotonic());
        let drained_at = self.client.now() + left;
        let given_back = self.starts.leave(|granted| {
            let longest = longest_run(granted, &self.context.events);
            longest.is_some_and(|longest| granted.due_at + longest <= drained_at)
        });
        self.to_release.extend(given_back);
        self.give_back().await;
        while let Some(next_at) = self.starts.next_at() {
            let next = self.client.monotonic_at(next_at);
            if next > drained_by {
                break;
            }
            clock.sleep_until(next).await;
            self.start_due(self.client.now());
        }
        let given_back = self.starts.leave(|_| false);
        self.to_release.extend(given_back);
        self.give_back().await;
        self.write_records(drained_by).await;
    }

    /// Writes the records that are missing, for as long as there is time.
    async fn write_records(&mut self, until: Duration) {
        if self.calls.records.is_busy() {
            let (batch, answer) = self.calls.records.answered().await;
            self.take_recorded(batch, answer);
        }
        while !self.to_record.is_empty() && self.client.clock.monotonic() < until {
            let (batch, sent) = self.next_records();
            let task = |place: usize| &sent[place].execution.task;
            let answer = self
                .client
                .call_each(task, self.client.manager.consume(&sent));
            let answer = answer.await;
            self.take_recorded(batch, answer);
            let clock = &self.client.clock;
            if let Some(retry_at) = self.calls.records.retry_at(&**clock) {
                clock.sleep_until(retry_at.min(until)).await;
            }
        }
        let left = self.to_record.len();
        if left > 0 {
            tracing::warn!(
                ticks = left,
                "missed ticks have no record each: the last of their run stands for them"
            );
        }
    }

    async fn give_back(&mut self) {
        let releases = std::mem::take(&mut self.to_release);
        for batch in releases.chunks(sexton_core::lock::BATCH_MAX) {
            for (release, error) in self.runs.release(batch).await {
                self.runs.tell_not_released(&release, &error);
            }
        }
    }
}

/// How long a run may take before its task's next tick is due; `None` if there is none.
fn longest_run(granted: &GrantedRun, events: &EventBus) -> Option<Duration> {
    let tick = granted.lock.execution.tick;
    let next = granted.task.next_after(tick, events)?;
    Some(StoreTime::from(next).saturating_since(tick.into()))
}

/// The claim of one execution of a task, new.
fn claim_for(context: &Context, task: &CheckedTask, execution: Execution) -> Claim {
    let mut claim = Claim::new(execution, task.concurrency, context.instance.clone());
    set_policies(&mut claim, task);
    claim
}
