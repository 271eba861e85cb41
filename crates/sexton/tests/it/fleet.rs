//! A fleet of schedulers on one store, in tokio's paused time, and what its tasks write down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use sexton::clock::{Clock, TokioClock};
use sexton::lock::{ExecutionRecord, ExecutionState, HistoryQuery, LockManager, Outcome, Reason};
use sexton::name::TaskName;
use sexton::{Event, MemoryLockManager, Run, Scheduler, SchedulerBuilder, Tick};
use tokio::sync::broadcast::error::TryRecvError;

/// What a run wrote down when it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) task: String,
    pub(crate) index: u16,
    pub(crate) tick: Tick,
    pub(crate) fence: u64,
    pub(crate) attempt: u32,
    pub(crate) instance: String,
    /// When it started, by tokio's time, in milliseconds since the epoch.
    pub(crate) at_ms: i64,
    pub(crate) end: End,
}

/// How a run ended, as it saw it itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It did not, or was dropped.
    None,
    Done,
    Cancelled,
}

impl Entry {
    pub(crate) fn late_ms(&self) -> i64 {
        self.at_ms - self.tick.as_millis()
    }
}

/// Where runs write what they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Diary {
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Diary {
    /// Writes down that a run began, and answers which line it is.
    pub(crate) fn write(&self, run: &Run, clock: &TokioClock) -> usize {
        let mut entries = self.entries.lock().unwrap();
        entries.push(Entry {
            task: run.task().to_string(),
            index: run.index().get(),
            tick: run.tick(),
            fence: run.fence().get(),
            attempt: run.attempt().get(),
            instance: run.instance().to_string(),
            at_ms: clock.now().as_millisecond(),
            end: End::None,
        });
        entries.len() - 1
    }

    /// A handler that writes down its run and takes so long, unless it is cancelled.
    pub(crate) fn working(
        &self,
        clock: &TokioClock,
        duration: Duration,
    ) -> impl Fn(Run) -> BoxFuture<'static, ()> + Clone + Send + Sync + 'static {
        let (diary, clock) = (self.clone(), clock.clone());
        move |run: Run| {
            let (diary, line) = (diary.clone(), diary.write(&run, &clock));
            Box::pin(async move {
                let end = tokio::select! {
                    () = tokio::time::sleep(duration) => End::Done,
                    () = run.cancellation().cancelled() => End::Cancelled,
                };
                diary.entries.lock().unwrap()[line].end = end;
            })
        }
    }

    /// A handler that writes down its run and is done.
    pub(crate) fn noting(
        &self,
        clock: &TokioClock,
    ) -> impl Fn(Run) -> BoxFuture<'static, ()> + Clone + Send + Sync + 'static {
        self.working(clock, Duration::ZERO)
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }

    /// The ticks that ran, in the order in which they began, as seconds since `begin`.
    pub(crate) fn seconds(&self) -> Vec<i64> {
        self.entries()
            .iter()
            .map(|entry| second(entry.tick))
            .collect()
    }

    /// The indices that ran for each tick of a task, in order.
    pub(crate) fn by_tick(&self, task: &str) -> BTreeMap<Tick, Vec<u16>> {
        let mut by_tick: BTreeMap<Tick, Vec<u16>> = BTreeMap::new();
        for entry in self
            .entries()
            .into_iter()
            .filter(|entry| entry.task == task)
        {
            by_tick.entry(entry.tick).or_default().push(entry.index);
        }
        by_tick
            .values_mut()
            .for_each(|indices| indices.sort_unstable());
        by_tick
    }
}

const BEGIN: &str = "2024-01-30T10:20:00Z";

/// The date at which tests begin: a multiple of every period they use.
pub(crate) fn begin() -> TokioClock {
    TokioClock::at(BEGIN.parse().unwrap())
}

/// A tick as seconds since [`begin`].
pub(crate) fn second(tick: Tick) -> i64 {
    let begin: Tick = BEGIN.parse().unwrap();
    (tick.as_millis() - begin.as_millis()) / 1_000
}

pub(crate) fn store(clock: &TokioClock) -> MemoryLockManager {
    MemoryLockManager::with_clock(Arc::new(clock.clone()))
}

/// A scheduler on this store, whose clock may be another.
pub(crate) fn replica(clock: &TokioClock, manager: impl LockManager) -> SchedulerBuilder {
    Scheduler::builder().clock(clock.clone()).manager(manager)
}

pub(crate) fn name(task: &str) -> TaskName {
    TaskName::new(task).unwrap()
}

/// Shuts schedulers down one after the other, with no time for what runs.
pub(crate) async fn shut_down(fleet: impl IntoIterator<Item = Scheduler>) {
    for scheduler in fleet {
        scheduler.shutdown(Duration::ZERO).await;
    }
}

pub(crate) async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}

pub(crate) async fn pass_seconds(seconds: f64) {
    pass(Duration::from_secs_f64(seconds)).await;
}

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// All records of a task, oldest tick first.
pub(crate) async fn history(store: &impl LockManager, task: &str) -> Vec<ExecutionRecord> {
    let query = HistoryQuery {
        task: Some(name(task)),
        limit: 1_000,
        ..HistoryQuery::default()
    };
    let mut records = store.history(&query).await.unwrap().value;
    records.reverse();
    records
}

/// Second of the tick, how it ended, and why not.
pub(crate) type Line = (i64, ExecutionState, Option<Reason>);

/// The history of a task, as [`Line`]s.
pub(crate) async fn lines(store: &impl LockManager, task: &str) -> Vec<Line> {
    let records = history(store, task).await;
    records
        .iter()
        .map(|record| (second(record.execution.tick), record.state, record.reason))
        .collect()
}

pub(crate) const SUCCEEDED: ExecutionState = ExecutionState::Ended(Outcome::Succeeded);

/// Everything that a subscriber has been told so far.
pub(crate) fn drain(events: &mut tokio::sync::broadcast::Receiver<Arc<Event>>) -> Vec<Event> {
    let mut drained = Vec::new();
    loop {
        match events.try_recv() {
            Ok(event) => drained.push((*event).clone()),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return drained,
        }
    }
}
