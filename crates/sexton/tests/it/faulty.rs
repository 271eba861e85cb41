//! A store that is slow, refuses, or loses its answers, as told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sexton::lock::{
    Answer, CancelRequested, Capability, Claim, ClaimLead, Consumed, Consumption, Defined, Enqueue,
    Enqueued, Execution, ExecutionRecord, HistoryQuery, InstanceRecord, InstanceReport, LockError,
    LockManager, PauseChange, Release, Released, Renewal, Renewed, Retention, Settled, Settlement,
    Signals, Sweep, SweepQuery, TaskDefinition, TaskQuery, TaskState, Verdict,
};
use sexton::name::{InstanceId, Namespace, TaskName};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is answered.
    None,
    /// It does not arrive.
    Unreachable,
    /// It takes effect, and its answer is lost.
    AnswerLost,
    /// It is answered by this much later, half of it before it takes effect.
    Slow(Duration),
    /// It is never answered.
    Hangs,
    /// It panics.
    Panics,
}

type Plan = Box<dyn FnMut(&'static str) -> Fault + Send>;

/// A replica's way to a store, with faults.
#[derive(Clone)]
pub(crate) struct FaultyManager {
    store: Arc<dyn LockManager>,
    plan: Arc<Mutex<Plan>>,
    calls: Arc<Mutex<Vec<&'static str>>>,
    is_plain: bool,
    is_nowhere: Arc<AtomicBool>,
}

impl std::fmt::Debug for FaultyManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FaultyManager")
    }
}

impl FaultyManager {
    pub(crate) fn new(store: impl LockManager) -> FaultyManager {
        FaultyManager {
            store: Arc::new(store),
            plan: Arc::new(Mutex::new(Box::new(|_| Fault::None))),
            calls: Arc::default(),
            is_plain: false,
            is_nowhere: Arc::default(),
        }
    }

    /// A store that can claim, and nothing else.
    pub(crate) fn without_capabilities(self) -> FaultyManager {
        FaultyManager {
            is_plain: true,
            ..self
        }
    }

    /// Decides what happens to each call from now on, by the method's name.
    pub(crate) fn plan(&self, plan: impl FnMut(&'static str) -> Fault + Send + 'static) {
        *self.plan.lock().unwrap() = Box::new(plan);
    }

    pub(crate) fn all(&self, fault: Fault) {
        self.plan(move |_| fault);
    }

    /// Panics from now on when it is asked for its namespace.
    pub(crate) fn lose_namespace(&self) {
        self.is_nowhere.store(true, Ordering::Relaxed);
    }

    /// How often a method was called.
    pub(crate) fn calls(&self, method: &str) -> usize {
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
            source: format!("{fault:?}").into(),
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

    async fn claim(&self, lead: ClaimLead, batch: &[Claim]) -> Answered<Vec<Verdict>> {
        self.through("claim", self.store.claim(lead, batch)).await
    }

    async fn renew(&self, batch: &[Renewal]) -> Answered<Vec<Renewed>> {
        self.through("renew", self.store.renew(batch)).await
    }

    async fn settle(&self, batch: &[Settlement]) -> Answered<Vec<Settled>> {
        self.through("settle", self.store.settle(batch)).await
    }

    async fn release(&self, batch: &[Release]) -> Answered<Vec<Released>> {
        self.through("release", self.store.release(batch)).await
    }

    async fn consume(&self, batch: &[Consumption]) -> Answered<Vec<Consumed>> {
        self.through("consume", self.store.consume(batch)).await
    }

    async fn sweep(&self, query: &SweepQuery) -> Answered<Sweep> {
        self.through("sweep", self.store.sweep(query)).await
    }

    async fn heartbeat(&self, report: &InstanceReport) -> Answered<Signals> {
        self.through("heartbeat", self.store.heartbeat(report))
            .await
    }

    async fn leave(&self, instance: &InstanceId) -> Answered<()> {
        self.through("leave", self.store.leave(instance)).await
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

    fn changes(&self) -> Option<futures::stream::BoxStream<'static, ()>> {
        let fault = (self.plan.lock().unwrap())("changes");
        match fault {
            Fault::Panics => Some(Box::pin(futures::stream::poll_fn(|_| {
                panic!("changes fell over")
            }))),
            _ => self.store.changes(),
        }
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
