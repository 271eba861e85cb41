//! A lock manager before another one, which delays, fails or loses calls as a test plans it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use sexton_core::lock::{
    Answer, Answers, CancelRequested, Capability, Claim, ClaimLead, Consumed, Consumption, Defined,
    Enqueue, Enqueued, Execution, ExecutionRecord, HistoryQuery, InstanceRecord, InstanceReport,
    LockError, LockManager, PauseChange, Release, Released, Renewal, Renewed, Retention, Settled,
    Settlement, Signals, Sweep, SweepQuery, TaskDefinition, TaskQuery, TaskState, Verdict,
};
use sexton_core::name::{Incarnation, InstanceId, Namespace, TaskName};
use tokio::sync::watch;

use crate::parted::{OfTask, Trouble, answered, that_arrive};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is answered.
    None,
    /// It does not arrive.
    Unreachable,
    /// It takes effect, and its answer is lost.
    AnswerLost,
    /// It is answered this much later; half of the delay comes before it takes effect.
    Slow(Duration),
    /// It is never answered.
    Hangs,
    /// It panics.
    Panics,
}

type Plan = Box<dyn FnMut(&'static str) -> Fault + Send>;

/// One replica's connection to a store. Clones share its faults.
#[derive(Clone)]
pub struct FaultyManager {
    store: Arc<dyn LockManager>,
    plan: Arc<Mutex<Plan>>,
    calls: Arc<Mutex<Vec<&'static str>>>,
    is_plain: bool,
    part: Arc<Mutex<Option<Part>>>,
    hints: Option<watch::Receiver<u64>>,
    is_nowhere: Arc<AtomicBool>,
}

impl std::fmt::Debug for FaultyManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FaultyManager")
    }
}

impl FaultyManager {
    /// A connection to this store, without faults.
    pub fn new(store: impl LockManager) -> FaultyManager {
        FaultyManager {
            store: Arc::new(store),
            plan: Arc::new(Mutex::new(Box::new(|_| Fault::None))),
            calls: Arc::default(),
            is_plain: false,
            part: Arc::default(),
            hints: None,
            is_nowhere: Arc::default(),
        }
    }

    /// The same, with a notification for each change of this channel.
    pub fn hinted(self, hints: watch::Receiver<u64>) -> FaultyManager {
        FaultyManager {
            hints: Some(hints),
            ..self
        }
    }

    /// The same, without any [`Capability`]: claims work, nothing else does.
    pub fn without_capabilities(self) -> FaultyManager {
        FaultyManager {
            is_plain: true,
            ..self
        }
    }

    /// Plans what happens to each call from now on, by the method's name.
    pub fn plan(&self, plan: impl FnMut(&'static str) -> Fault + Send + 'static) {
        *self.plan.lock().unwrap() = Box::new(plan);
    }

    /// Plans the same for every call from now on.
    pub fn all(&self, fault: Fault) {
        self.plan(move |_| fault);
    }

    /// Makes [`LockManager::namespace`] panic from now on.
    pub fn lose_namespace(&self) {
        self.is_nowhere.store(true, Ordering::Relaxed);
    }

    /// How many times a method was called.
    pub fn calls(&self, method: &str) -> usize {
        self.calls
            .lock()
            .unwrap()
            .iter()
            .filter(|call| **call == method)
            .count()
    }

    async fn through<T>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T, LockError>>,
    ) -> Result<T, LockError> {
        self.calls.lock().unwrap().push(method);
        let fault = (self.plan.lock().unwrap())(method);
        let lost = || LockError::Unavailable {
            store: "faulty:".to_owned(),
            action: method,
            source: Arc::new(std::io::Error::other(format!("{fault:?}"))),
        };
        match fault {
            Fault::None => call.await,
            Fault::Unreachable => Err(lost()),
            Fault::AnswerLost => {
                call.await?;
                Err(lost())
            }
            Fault::Slow(by) => {
                tokio::time::sleep(by / 2).await;
                let answer = call.await;
                tokio::time::sleep(by / 2).await;
                answer
            }
            Fault::Hangs => std::future::pending().await,
            Fault::Panics => panic!("{method} fell over"),
        }
    }
}

impl FaultyManager {
    /// Plans that a part of the store fails from now on, the part that keeps these tasks; `None`
    /// ends it.
    pub fn part(&self, part: Option<Part>) {
        *self.part.lock().unwrap() = part;
    }
}

/// A failing part of a store: how it fails, and which tasks it keeps.
pub type Part = (Trouble, &'static [&'static str]);

fn arriving<E: OfTask + Clone>(part: Option<Part>, batch: &[E]) -> Vec<E> {
    let Some((trouble, tasks)) = part else {
        return batch.to_vec();
    };
    that_arrive(batch, trouble, |task| tasks.contains(&task.as_str()))
}

fn answers_of<E: OfTask, T>(
    part: Option<Part>,
    batch: &[E],
    answers: Answers<T>,
) -> Result<Answers<T>, LockError> {
    let Some((trouble, tasks)) = part else {
        return Ok(answers);
    };
    let is_kept_there = |task: &TaskName| tasks.contains(&task.as_str());
    let answers = answered(batch, trouble, is_kept_there, answers.whole()?);
    if trouble == Trouble::BatchRefused {
        return Ok(answers.whole()?.each());
    }
    Ok(answers)
}

type Answered<T> = Result<Answer<T>, LockError>;

#[async_trait::async_trait]
impl LockManager for FaultyManager {
    fn location(&self) -> String {
        "faulty:".to_owned()
    }

    fn namespace(&self) -> &Namespace {
        let is_nowhere = self.is_nowhere.load(Ordering::Relaxed);
        assert!(!is_nowhere, "no such place");
        self.store.namespace()
    }

    fn supports(&self, capability: Capability) -> bool {
        !self.is_plain && self.store.supports(capability)
    }

    async fn now(&self) -> Result<jiff::Timestamp, LockError> {
        self.through("now", self.store.now()).await
    }

    async fn claim(&self, lead: ClaimLead, batch: &[Claim]) -> Result<Answers<Verdict>, LockError> {
        let part = *self.part.lock().unwrap();
        let arriving = arriving(part, batch);
        let answer = self.store.claim(lead, &arriving);
        answers_of(part, batch, self.through("claim", answer).await?)
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Answers<Renewed>, LockError> {
        let part = *self.part.lock().unwrap();
        let arriving = arriving(part, batch);
        let answer = self.store.renew(&arriving);
        answers_of(part, batch, self.through("renew", answer).await?)
    }

    async fn settle(&self, batch: &[Settlement]) -> Result<Answers<Settled>, LockError> {
        let part = *self.part.lock().unwrap();
        let arriving = arriving(part, batch);
        let answer = self.store.settle(&arriving);
        answers_of(part, batch, self.through("settle", answer).await?)
    }

    async fn release(&self, batch: &[Release]) -> Result<Answers<Released>, LockError> {
        let part = *self.part.lock().unwrap();
        let arriving = arriving(part, batch);
        let answer = self.store.release(&arriving);
        answers_of(part, batch, self.through("release", answer).await?)
    }

    async fn consume(&self, batch: &[Consumption]) -> Result<Answers<Consumed>, LockError> {
        let part = *self.part.lock().unwrap();
        let arriving = arriving(part, batch);
        let answer = self.store.consume(&arriving);
        answers_of(part, batch, self.through("consume", answer).await?)
    }

    async fn sweep(&self, query: &SweepQuery) -> Answered<Sweep> {
        self.through("sweep", self.store.sweep(query)).await
    }

    async fn heartbeat(&self, report: &InstanceReport) -> Answered<Signals> {
        self.through("heartbeat", self.store.heartbeat(report))
            .await
    }

    async fn leave(&self, instance: &InstanceId, incarnation: Incarnation) -> Answered<()> {
        let leaving = self.store.leave(instance, incarnation);
        self.through("leave", leaving).await
    }

    async fn instances(&self) -> Answered<Vec<InstanceRecord>> {
        self.through("instances", self.store.instances()).await
    }

    async fn define(
        &self,
        instance: &InstanceId,
        batch: &[TaskDefinition],
    ) -> Answered<Vec<Defined>> {
        self.through("define", self.store.define(instance, batch))
            .await
    }

    async fn tasks(&self, query: &TaskQuery) -> Answered<Vec<TaskState>> {
        self.through("tasks", self.store.tasks(query)).await
    }

    async fn change_pause(&self, tasks: &[TaskName], change: &PauseChange) -> Answered<()> {
        self.through("change_pause", self.store.change_pause(tasks, change))
            .await
    }

    fn notifications(&self) -> Option<BoxStream<'static, ()>> {
        let fault = (self.plan.lock().unwrap())("changes");
        if fault == Fault::Panics {
            let panics = stream::poll_fn(|_| panic!("changes fell over"));
            return Some(panics.boxed());
        }
        let Some(hints) = self.hints.clone() else {
            return self.store.notifications();
        };
        let heard = stream::unfold(hints, |mut hints| async {
            hints.changed().await.ok()?;
            Some(((), hints))
        });
        Some(heard.boxed())
    }

    async fn enqueue(&self, batch: &[Enqueue]) -> Answered<Vec<Enqueued>> {
        self.through("enqueue", self.store.enqueue(batch)).await
    }

    async fn request_cancel(&self, execution: &Execution) -> Answered<CancelRequested> {
        self.through("request_cancel", self.store.request_cancel(execution))
            .await
    }

    async fn history(&self, query: &HistoryQuery) -> Answered<Vec<ExecutionRecord>> {
        self.through("history", self.store.history(query)).await
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Answered<usize> {
        self.through("prune", self.store.prune(retention, limit))
            .await
    }
}
