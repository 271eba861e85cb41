//! Fleets of schedulers on one store, in tokio's paused time.

use std::ops::Index;
use std::sync::Arc;
use std::time::Duration;

use sexton::clock::TokioClock;
use sexton::lock::{ExecutionRecord, ExecutionState, HistoryQuery, LockManager, Outcome, Reason};
use sexton::name::{ManagerName, TaskName};
use sexton::schedule::Every;
use sexton::{
    Event, MemoryLockManager, ReadyTask, Scheduler, SchedulerBuilder, SchedulerHandle,
    ShutdownReport, Task, Tick,
};
use sexton_testkit::faulty::{Fault, FaultyManager};
use tokio::sync::broadcast::error::TryRecvError;

pub(crate) use crate::diary::{Diary, End, Entry};
pub(crate) use crate::time::{begin, pass, pass_seconds, second, seconds};

/// An empty store with this clock.
pub(crate) fn store(clock: &TokioClock) -> MemoryLockManager {
    MemoryLockManager::with_clock(Arc::new(clock.clone()))
}

/// Replicas with the same tasks on one store, and what those tasks write down. Replicas may leave,
/// crash and join; the store and the diary stay.
pub(crate) struct Fleet {
    /// The clock of the replicas that join.
    pub(crate) clock: TokioClock,
    pub(crate) store: MemoryLockManager,
    pub(crate) diary: Diary,
    faults: Option<FaultyManager>,
    plan: Plan,
    replicas: Vec<Scheduler>,
}

/// A fleet that has not started: `Fleet::of(3).task(|diary| …).start().await`.
pub(crate) struct FleetBuilder {
    replicas: usize,
    clock: TokioClock,
    store_clock: TokioClock,
    faults: Option<Faults>,
    plan: Plan,
}

type Faults = Box<dyn FnMut(&'static str) -> Fault + Send>;
type Tasks = Box<dyn Fn(&Diary) -> Vec<ReadyTask>>;
type Settings = Box<dyn Fn(SchedulerBuilder) -> SchedulerBuilder>;

/// What each replica is built from, however late it joins.
#[derive(Default)]
struct Plan {
    tasks: Vec<Tasks>,
    settings: Vec<Settings>,
}

impl FleetBuilder {
    /// Adds a task to each replica. Its handler usually notes its runs in the diary.
    pub(crate) fn task(self, task: impl Fn(&Diary) -> ReadyTask + 'static) -> FleetBuilder {
        self.tasks(move |diary| vec![task(diary)])
    }

    /// Adds several tasks to each replica.
    pub(crate) fn tasks<T: IntoIterator<Item = ReadyTask>>(
        mut self,
        tasks: impl Fn(&Diary) -> T + 'static,
    ) -> FleetBuilder {
        let tasks = move |diary: &Diary| tasks(diary).into_iter().collect();
        self.plan.tasks.push(Box::new(tasks));
        self
    }

    /// Changes the settings of each replica.
    pub(crate) fn with(
        mut self,
        settings: impl Fn(SchedulerBuilder) -> SchedulerBuilder + 'static,
    ) -> FleetBuilder {
        self.plan.settings.push(Box::new(settings));
        self
    }

    /// Puts a [`FaultyManager`] between the replicas and the store; [`Fleet::faults`] plans its
    /// faults. The test itself sees the store without them.
    pub(crate) fn with_faults(self) -> FleetBuilder {
        self.failing(|_| Fault::None)
    }

    /// The same, with this plan from the start on.
    pub(crate) fn failing(
        self,
        faults: impl FnMut(&'static str) -> Fault + Send + 'static,
    ) -> FleetBuilder {
        FleetBuilder {
            faults: Some(Box::new(faults)),
            ..self
        }
    }

    /// Gives the replicas another clock than [`begin`]'s.
    pub(crate) fn clock(self, clock: &TokioClock) -> FleetBuilder {
        let clock = clock.clone();
        FleetBuilder { clock, ..self }
    }

    /// Gives the store and the diary another clock than [`begin`]'s.
    pub(crate) fn store_clock(self, clock: &TokioClock) -> FleetBuilder {
        let store_clock = clock.clone();
        FleetBuilder {
            store_clock,
            ..self
        }
    }

    /// Starts the replicas one after the other.
    pub(crate) async fn start(self) -> Fleet {
        let store = store(&self.store_clock);
        let faulty = |faults| {
            let faulty = FaultyManager::new(store.clone());
            faulty.plan(faults);
            faulty
        };
        let mut fleet = Fleet {
            diary: Diary::by(&self.store_clock),
            clock: self.clock,
            faults: self.faults.map(faulty),
            store: store.clone(),
            plan: self.plan,
            replicas: Vec::new(),
        };
        fleet.join(self.replicas).await;
        fleet
    }
}

impl Fleet {
    /// This many replicas, on a new store at [`begin`]. With 0 the test starts each by itself.
    pub(crate) fn of(replicas: usize) -> FleetBuilder {
        let clock = begin();
        FleetBuilder {
            replicas,
            store_clock: clock.clone(),
            clock,
            faults: None,
            plan: Plan::default(),
        }
    }

    /// A replica as the others are built. The test starts it, and it does not join the fleet.
    pub(crate) fn replica(&self) -> SchedulerBuilder {
        match &self.faults {
            Some(faults) => self.replica_on(faults.clone()),
            None => self.replica_on(self.store.clone()),
        }
    }

    /// The same on another lock manager, which usually keeps its locks in the same store.
    pub(crate) fn replica_on(&self, manager: impl LockManager) -> SchedulerBuilder {
        let Plan { tasks, settings } = &self.plan;
        let tasks = tasks.iter().flat_map(|tasks| tasks(&self.diary));
        let builder = replica(&self.clock, manager).tasks(tasks);
        settings
            .iter()
            .fold(builder, |builder, settings| settings(builder))
    }

    /// Starts this many more replicas.
    pub(crate) async fn join(&mut self, replicas: usize) {
        for _ in 0..replicas {
            let replica = self.replica().start().await.unwrap();
            self.replicas.push(replica);
        }
    }

    /// Drops a replica, so that it stops without a word to the store. Later replicas move up.
    pub(crate) fn crash(&mut self, index: usize) {
        drop(self.replicas.remove(index));
    }

    /// Shuts a replica down. Later replicas move up.
    pub(crate) async fn leave(&mut self, index: usize, grace: Duration) -> ShutdownReport {
        self.replicas.remove(index).shutdown(grace).await
    }

    /// Shuts all replicas down one after the other, with no time for what runs.
    pub(crate) async fn shut_down(&mut self) {
        shut_down(self.replicas.drain(..)).await;
    }

    /// The faults between the replicas and the store, if the fleet was built
    /// [`with_faults`](FleetBuilder::with_faults).
    pub(crate) fn faults(&self) -> &FaultyManager {
        self.faults.as_ref().unwrap()
    }

    /// A handle of the first replica.
    pub(crate) fn handle(&self) -> SchedulerHandle {
        self[0].handle()
    }

    /// Triggers a task by the first replica.
    pub(crate) async fn trigger(&self, task: &str) -> Tick {
        let (handle, manager) = (self.handle(), ManagerName::default());
        handle.trigger(&manager, &name(task)).await.unwrap()
    }

    /// All records of a task, oldest tick first.
    pub(crate) async fn history(&self, task: &str) -> Vec<ExecutionRecord> {
        history(&self.store, task).await
    }

    /// The history of a task, as [`Line`]s.
    pub(crate) async fn lines(&self, task: &str) -> Vec<Line> {
        lines(&self.store, task).await
    }
}

/// The replicas, in the order in which they joined.
impl Index<usize> for Fleet {
    type Output = Scheduler;

    fn index(&self, index: usize) -> &Scheduler {
        &self.replicas[index]
    }
}

/// A scheduler with this clock, on a store that may have another clock.
pub(crate) fn replica(clock: &TokioClock, manager: impl LockManager) -> SchedulerBuilder {
    Scheduler::builder().clock(clock.clone()).manager(manager)
}

/// A task that is due at each multiple of this period since [`begin`].
pub(crate) fn every(name: &str, period_s: u64) -> Task<Every> {
    Task::new(name).every(seconds(period_s)).unwrap()
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

/// The second of a tick, the state of its execution, and the reason why it was not run.
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

/// All events that a subscriber has not received yet.
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
