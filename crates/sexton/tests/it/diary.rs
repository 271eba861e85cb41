//! What the tasks of a fleet write down, for tests to compare with what should have run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use sexton::clock::{Clock, TokioClock};
use sexton::{Run, Tick};

use crate::time::second;

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

/// How a run ended, as its handler saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It has not ended, or was dropped.
    None,
    Done,
    Cancelled,
}

impl Entry {
    /// How long after its tick the run started.
    pub(crate) fn late_ms(&self) -> i64 {
        self.at_ms - self.tick.as_millis()
    }
}

/// Where runs write down when they start, by one clock. Clones are the same diary.
#[derive(Debug, Clone)]
pub(crate) struct Diary {
    clock: TokioClock,
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Diary {
    /// An empty diary.
    pub(crate) fn by(clock: &TokioClock) -> Diary {
        Diary {
            clock: clock.clone(),
            entries: Arc::default(),
        }
    }

    /// Writes down that a run began, and answers the index of its entry.
    fn write(&self, run: &Run) -> usize {
        let mut entries = self.entries.lock().unwrap();
        entries.push(Entry {
            task: run.task().to_string(),
            index: run.index().get(),
            tick: run.tick(),
            fence: run.fence().get(),
            attempt: run.attempt().get(),
            instance: run.instance().to_string(),
            at_ms: self.clock.now().as_millisecond(),
            end: End::None,
        });
        entries.len() - 1
    }

    /// A handler that writes down its run and takes this long, unless it is cancelled.
    pub(crate) fn working(
        &self,
        duration: Duration,
    ) -> impl Fn(Run) -> BoxFuture<'static, ()> + Clone + Send + Sync + 'static {
        let diary = self.clone();
        move |run: Run| {
            let (diary, line) = (diary.clone(), diary.write(&run));
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
    ) -> impl Fn(Run) -> BoxFuture<'static, ()> + Clone + Send + Sync + 'static {
        self.working(Duration::ZERO)
    }

    /// All entries, in the order in which the runs began.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }

    /// The ticks that ran, in the order in which they began, as seconds since the tests' begin.
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
