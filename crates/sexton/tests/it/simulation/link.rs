//! One replica's way to the store: slow, cut, deaf, as the simulation wants it; and the replica's
//! clock, which stands still with its process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use sexton::clock::{Clock, TokioClock};
use sexton::lock::{
    Answer, Answers, CancelRequested, Capability, Claim, ClaimLead, Consumed, Consumption, Defined,
    Enqueue, Enqueued, Execution, ExecutionRecord, HistoryQuery, InstanceRecord, InstanceReport,
    LockError, LockManager, PauseChange, Release, Released, Renewal, Renewed, Retention, Settled,
    Settlement, Signals, Sweep, SweepQuery, TaskDefinition, TaskQuery, TaskState, Verdict,
};
use sexton::name::{Incarnation, InstanceId, Namespace, TaskName};
use sexton_testkit::parted::{OfTask, Trouble, answered, that_arrive};
use tokio::sync::oneshot;

use super::store::SimStore;

/// A machine's clock, and whether the process is stopped.
#[derive(Debug, Clone)]
pub(crate) struct SimClock {
    clock: TokioClock,
    stopped_until: Arc<Mutex<Duration>>,
}

impl SimClock {
    pub(crate) fn new(clock: TokioClock) -> SimClock {
        SimClock {
            clock,
            stopped_until: Arc::default(),
        }
    }

    /// The process does nothing for so long.
    pub(crate) fn stop(&self, duration: Duration) {
        *self.stopped_until.lock().unwrap() = self.clock.monotonic() + duration;
    }

    /// Completes when the process runs.
    pub(crate) async fn running(&self) {
        loop {
            let until = *self.stopped_until.lock().unwrap();
            if until <= self.clock.monotonic() {
                return;
            }
            self.clock.sleep_until(until).await;
        }
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn sleep_until(&self, deadline: Duration) -> BoxFuture<'static, ()> {
        let this = self.clone();
        Box::pin(async move {
            this.clock.sleep_until(deadline).await;
            this.running().await;
        })
    }
}

/// How the way to the store is at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Weather {
    /// Up to so long each way.
    pub(crate) delay_max: Duration,
    /// Share of calls that do not arrive.
    pub(crate) cut: f64,
    /// Share of calls whose answer is lost.
    pub(crate) deaf: f64,
    /// Share of calls of which a half of the store loses its entries, or their answers.
    pub(crate) parted: f64,
    /// Whether the caller is told at once that a call was lost.
    pub(crate) breaks_loudly: bool,
}

/// Longer than any caller waits.
const SILENCE: Duration = Duration::from_secs(10);

impl Weather {
    pub(crate) const FAIR: Weather = Weather {
        delay_max: Duration::from_millis(2),
        cut: 0.0,
        deaf: 0.0,
        parted: 0.0,
        breaks_loudly: true,
    };

    fn delay(self) -> Duration {
        self.delay_max.mul_f64(fastrand::f64())
    }
}

/// A replica's connection.
#[derive(Debug, Clone)]
pub(crate) struct SimLink {
    store: SimStore,
    clock: SimClock,
    namespace: Namespace,
    weather: Arc<Mutex<Weather>>,
}

impl SimLink {
    pub(crate) fn new(store: SimStore, clock: SimClock, weather: Arc<Mutex<Weather>>) -> SimLink {
        SimLink {
            store,
            clock,
            namespace: Namespace::default(),
            weather,
        }
    }

    /// Sends a call on its way. Once sent it arrives or does not, whatever becomes of the replica
    /// that sent it.
    async fn through<T: Send + 'static>(
        &self,
        action: &'static str,
        act: impl FnOnce(&SimStore) -> T + Send + 'static,
    ) -> Result<T, LockError> {
        self.clock.running().await;
        let weather = *self.weather.lock().unwrap();
        let (there, back) = (weather.delay(), weather.delay());
        let (is_cut, is_deaf) = (chance(weather.cut), chance(weather.deaf));
        let store = self.store.clone();
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            tokio::time::sleep(there).await;
            if !is_cut && !store.is_away() {
                let value = act(&store);
                tokio::time::sleep(back).await;
                if !is_deaf {
                    // Whoever asked may have stopped waiting.
                    let _ = answer.send(value);
                    return;
                }
            }
            // A connection that breaks is noticed at once, or not before the caller's patience
            // ends.
            if !weather.breaks_loudly {
                tokio::time::sleep(SILENCE).await;
            }
        });
        let answer = answered.await;
        self.clock.running().await;
        answer.map_err(|_| LockError::Unavailable {
            store: self.location(),
            action,
            source: Arc::new(std::io::Error::other("lost on the way")),
        })
    }
}

impl SimLink {
    /// Sends a batch on its way, of which a part of the store may lose its entries.
    async fn each<E: OfTask + Clone + Send + 'static, T: Send + 'static>(
        &self,
        action: &'static str,
        batch: &[E],
        act: impl FnOnce(&SimStore, &[E]) -> Answer<Vec<T>> + Send + 'static,
    ) -> Result<Answers<T>, LockError> {
        let batch = batch.to_vec();
        let parted = self.weather.lock().unwrap().parted;
        if parted == 0.0 || !chance(parted) {
            return self
                .through(action, move |store| act(store, &batch).each())
                .await;
        }
        let half = fastrand::bool();
        let trouble = match fastrand::bool() {
            true => Trouble::Unreachable,
            false => Trouble::AnswerLost,
        };
        let is_kept_there = move |task: &TaskName| is_in_half(task, half);
        self.through(action, move |store| {
            let arriving = that_arrive(&batch, trouble, is_kept_there);
            let answer = act(store, &arriving);
            answered(&batch, trouble, is_kept_there, answer)
        })
        .await
    }
}

/// A half of the tasks, by their names.
fn is_in_half(task: &TaskName, half: bool) -> bool {
    let sum: u32 = task.as_str().bytes().map(u32::from).sum();
    sum.is_multiple_of(2) == half
}

fn chance(share: f64) -> bool {
    fastrand::f64() < share
}

#[async_trait::async_trait]
impl LockManager for SimLink {
    fn location(&self) -> String {
        "simulation:".to_owned()
    }

    fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn supports(&self, capability: Capability) -> bool {
        capability != Capability::Transactions
    }

    async fn now(&self) -> Result<Timestamp, LockError> {
        self.through("now", SimStore::now).await
    }

    async fn claim(&self, lead: ClaimLead, batch: &[Claim]) -> Result<Answers<Verdict>, LockError> {
        let clients_now = self.clock.now();
        self.each("claim", batch, move |store, batch| {
            store.claim(lead, batch, clients_now)
        })
        .await
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Answers<Renewed>, LockError> {
        self.each("renew", batch, SimStore::renew).await
    }

    async fn settle(&self, batch: &[Settlement]) -> Result<Answers<Settled>, LockError> {
        self.each("settle", batch, SimStore::settle).await
    }

    async fn release(&self, batch: &[Release]) -> Result<Answers<Released>, LockError> {
        self.each("release", batch, SimStore::release).await
    }

    async fn consume(&self, batch: &[Consumption]) -> Result<Answers<Consumed>, LockError> {
        self.each("consume", batch, SimStore::consume).await
    }

    async fn sweep(&self, query: &SweepQuery) -> Result<Answer<Sweep>, LockError> {
        let query = query.clone();
        self.through("sweep", move |store| store.sweep(&query))
            .await
    }

    async fn heartbeat(&self, report: &InstanceReport) -> Result<Answer<Signals>, LockError> {
        let report = report.clone();
        self.through("heartbeat", move |store| store.heartbeat(&report))
            .await
    }

    async fn leave(
        &self,
        instance: &InstanceId,
        incarnation: Incarnation,
    ) -> Result<Answer<()>, LockError> {
        let instance = instance.clone();
        self.through("leave", move |store| store.leave(&instance, incarnation))
            .await
    }

    async fn instances(&self) -> Result<Answer<Vec<InstanceRecord>>, LockError> {
        Ok(Answer {
            now: self.store.now(),
            value: Vec::new(),
        })
    }

    async fn define(
        &self,
        instance: &InstanceId,
        batch: &[TaskDefinition],
    ) -> Result<Answer<Vec<Defined>>, LockError> {
        let (instance, batch) = (instance.clone(), batch.to_vec());
        self.through("define", move |store| store.define(&instance, &batch))
            .await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Answer<Vec<TaskState>>, LockError> {
        let TaskQuery::Named(names) = query else {
            return Ok(Answer {
                now: self.store.now(),
                value: Vec::new(),
            });
        };
        let names = names.clone();
        self.through("tasks", move |store| store.tasks(&names))
            .await
    }

    async fn change_pause(
        &self,
        tasks: &[TaskName],
        change: &PauseChange,
    ) -> Result<Answer<()>, LockError> {
        let (tasks, change) = (tasks.to_vec(), change.clone());
        self.through("change_pause", move |store| {
            store.change_pause(&tasks, &change)
        })
        .await
    }

    async fn enqueue(&self, batch: &[Enqueue]) -> Result<Answer<Vec<Enqueued>>, LockError> {
        let batch = batch.to_vec();
        self.through("enqueue", move |store| store.enqueue(&batch))
            .await
    }

    async fn request_cancel(&self, _: &Execution) -> Result<Answer<CancelRequested>, LockError> {
        Ok(Answer {
            now: self.store.now(),
            value: CancelRequested::NotRunning,
        })
    }

    async fn history(&self, _: &HistoryQuery) -> Result<Answer<Vec<ExecutionRecord>>, LockError> {
        Ok(Answer {
            now: self.store.now(),
            value: self.store.records(),
        })
    }

    async fn prune(&self, _: &Retention, _: usize) -> Result<Answer<usize>, LockError> {
        Ok(Answer {
            now: self.store.now(),
            value: 0,
        })
    }
}
