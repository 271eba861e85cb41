//! A lock manager in memory: for tests, and for a service of one process.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::clock::{Clock, SystemClock};
use crate::lock::rules::LockState;
use crate::lock::stored::{Definitions, define};
use crate::lock::{
    Answer, Answers, CancelRequested, Capability, Claim, ClaimLead, Consumed, Consumption, Defined,
    Enqueue, Enqueued, Execution, ExecutionRecord, ExecutionState, HistoryQuery, InstanceRecord,
    InstanceReport, LockError, LockManager, Pause, PauseChange, Release, Released, Renewal,
    Renewed, Retention, Settled, Settlement, Signals, Sweep, SweepQuery, TaskDefinition, TaskQuery,
    TaskState, Verdict, check_batch_size, history_order,
};
use crate::name::{InstanceId, Namespace, TaskName};

/// Keeps locks in the memory of this process. Clones share them, as replicas share a store.
///
/// Everything is forgotten with the last clone. Its clock is the one it is given; every call is
/// atomic, answers at once and never fails but for a batch that is too large.
///
/// ```
/// use sexton_core::lock::LockManager;
/// use sexton_core::memory::MemoryLockManager;
///
/// let manager = MemoryLockManager::new();
/// assert_eq!(manager.location(), "memory:");
/// ```
#[derive(Debug, Clone)]
pub struct MemoryLockManager {
    namespace: Namespace,
    clock: Arc<dyn Clock>,
    store: Arc<Mutex<Store>>,
    namespaces: Arc<Mutex<HashMap<Namespace, Arc<Mutex<Store>>>>>,
}

#[derive(Debug, Default)]
struct Store {
    locks: LockState,
    instances: BTreeMap<InstanceId, InstanceRecord>,
    definitions: Definitions,
    revision: u64,
}

impl Default for MemoryLockManager {
    fn default() -> MemoryLockManager {
        MemoryLockManager::new()
    }
}

impl MemoryLockManager {
    /// An empty store on the machine's clock.
    #[must_use]
    pub fn new() -> MemoryLockManager {
        MemoryLockManager::with_clock(Arc::new(SystemClock))
    }

    /// An empty store on this clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> MemoryLockManager {
        MemoryLockManager {
            namespace: Namespace::default(),
            clock,
            store: Arc::default(),
            namespaces: Arc::default(),
        }
    }

    /// The same memory, seen from another namespace. Namespaces know nothing of each other.
    #[must_use]
    pub fn in_namespace(&self, namespace: Namespace) -> MemoryLockManager {
        let mut namespaces = self
            .namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        namespaces
            .entry(self.namespace.clone())
            .or_insert_with(|| Arc::clone(&self.store));
        let store = Arc::clone(namespaces.entry(namespace.clone()).or_default());
        drop(namespaces);
        MemoryLockManager {
            namespace,
            store,
            ..self.clone()
        }
    }

    fn answer<T>(
        &self,
        act: impl FnOnce(&mut Store, Timestamp) -> T,
    ) -> Result<Answer<T>, LockError> {
        let mut store = self.lock();
        let now = self.clock.now();
        let value = act(&mut store, now);
        store.locks.take_changes();
        Ok(Answer { now, value })
    }

    fn answer_each<E, T>(
        &self,
        batch: &[E],
        mut decide: impl FnMut(&mut LockState, &E, Timestamp) -> T,
    ) -> Result<Answer<Vec<T>>, LockError> {
        check_batch_size(batch.len())?;
        self.answer(|store, now| {
            batch
                .iter()
                .map(|entry| decide(&mut store.locks, entry, now))
                .collect()
        })
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    fn sweep(&mut self, query: &SweepQuery, now: Timestamp) -> Sweep {
        let Store {
            locks, instances, ..
        } = self;
        let is_present = |instance: &InstanceId| {
            instances
                .get(instance)
                .is_some_and(|record| record.is_present_at(now))
        };
        locks.sweep(query, &is_present, now)
    }

    fn task_state(&self, task: &TaskName) -> TaskState {
        let mut registers: Vec<_> = self
            .locks
            .registers()
            .filter(|(name, _, _)| *name == task)
            .map(|(_, index, register)| (index, register))
            .collect();
        registers.sort_by_key(|(index, _)| *index);
        let defining = self.definitions.get(task);
        TaskState {
            task: task.clone(),
            definition: defining.map(|defining| defining.definition.clone()),
            known_since: defining.and_then(|defining| defining.known_since),
            schedule_since: defining.and_then(|defining| defining.schedule_since),
            pause: self.locks.pause(task).cloned(),
            registers,
        }
    }

    fn known_tasks(&self) -> Vec<TaskName> {
        let registered = self.locks.registers().map(|(task, _, _)| task);
        let paused = self.locks.pauses().map(|(task, _)| task);
        let mut tasks: Vec<TaskName> = self
            .definitions
            .keys()
            .chain(registered)
            .chain(paused)
            .cloned()
            .collect();
        tasks.sort();
        tasks.dedup();
        tasks
    }

    fn prunable(&self, retention: &Retention, now: Timestamp) -> Vec<Execution> {
        let oldest = retention
            .age_max
            .and_then(|age| now.saturating_sub(age).ok());
        let mut seen: HashMap<&TaskName, u32> = HashMap::new();
        let mut over: Vec<&ExecutionRecord> = self
            .locks
            .records()
            .filter(|record| record.state.is_over())
            .collect();
        over.sort_by(|a, b| history_order(&a.execution).cmp(&history_order(&b.execution)));
        over.into_iter()
            .filter(|record| {
                let count = seen.entry(&record.execution.task).or_default();
                *count += 1;
                oldest.is_some_and(|oldest| record.execution.tick.timestamp() < oldest)
                    || retention.per_task_max.is_some_and(|max| *count > max)
            })
            .map(|record| record.execution.clone())
            .collect()
    }
}

#[async_trait]
impl LockManager for MemoryLockManager {
    fn location(&self) -> String {
        "memory:".to_owned()
    }

    fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn supports(&self, capability: Capability) -> bool {
        capability != Capability::Transactions
    }

    async fn now(&self) -> Result<Timestamp, LockError> {
        Ok(self.clock.now())
    }

    async fn claim(&self, lead: ClaimLead, batch: &[Claim]) -> Result<Answers<Verdict>, LockError> {
        self.answer_each(batch, |locks, claim, now| locks.claim(claim, lead, now))
            .map(Answer::each)
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Answers<Renewed>, LockError> {
        self.answer_each(batch, LockState::renew).map(Answer::each)
    }

    async fn settle(&self, batch: &[Settlement]) -> Result<Answers<Settled>, LockError> {
        self.answer_each(batch, LockState::settle).map(Answer::each)
    }

    async fn release(&self, batch: &[Release]) -> Result<Answers<Released>, LockError> {
        self.answer_each(batch, LockState::release)
            .map(Answer::each)
    }

    async fn consume(&self, batch: &[Consumption]) -> Result<Answers<Consumed>, LockError> {
        self.answer_each(batch, LockState::consume)
            .map(Answer::each)
    }

    async fn sweep(&self, query: &SweepQuery) -> Result<Answer<Sweep>, LockError> {
        self.answer(|store, now| store.sweep(query, now))
    }

    async fn heartbeat(&self, report: &InstanceReport) -> Result<Answer<Signals>, LockError> {
        self.answer(|store, now| {
            let record = InstanceRecord {
                report: report.clone(),
                seen_at: now,
            };
            store.instances.insert(report.instance.clone(), record);
            let cancel = store
                .locks
                .records()
                .filter(|record| record.cancel_requested && record.state == ExecutionState::Running)
                .filter(|record| record.instance.as_ref() == Some(&report.instance))
                .map(|record| record.execution.clone())
                .collect();
            let sweep = store.locks.needs_sweep(now);
            Signals {
                cancel,
                sweep,
                revision: store.revision,
            }
        })
    }

    async fn leave(&self, instance: &InstanceId) -> Result<Answer<()>, LockError> {
        self.answer(|store, _| {
            store.instances.remove(instance);
        })
    }

    async fn instances(&self) -> Result<Answer<Vec<InstanceRecord>>, LockError> {
        self.answer(|store, _| store.instances.values().cloned().collect())
    }

    async fn define(
        &self,
        instance: &InstanceId,
        batch: &[TaskDefinition],
    ) -> Result<Answer<Vec<Defined>>, LockError> {
        check_batch_size(batch.len())?;
        self.answer(|store, now| {
            let defined = define(&mut store.definitions, instance, batch, now);
            let differed = |defined: &&Defined| matches!(defined, Defined::Differed { .. });
            let changed = defined.iter().filter(differed).count();
            store.revision += u64::try_from(changed).unwrap_or(u64::MAX);
            defined
        })
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Answer<Vec<TaskState>>, LockError> {
        self.answer(|store, _| {
            let names = match query {
                TaskQuery::Named(names) => names.clone(),
                TaskQuery::Page { after, limit } => {
                    let known = store.known_tasks().into_iter();
                    let behind = |name: &TaskName| after.as_ref().is_none_or(|after| name > after);
                    known.filter(behind).take(*limit).collect()
                }
            };
            names.iter().map(|name| store.task_state(name)).collect()
        })
    }

    async fn change_pause(
        &self,
        tasks: &[TaskName],
        change: &PauseChange,
    ) -> Result<Answer<()>, LockError> {
        check_batch_size(tasks.len())?;
        self.answer(|store, now| {
            for task in tasks {
                let pause = match change {
                    PauseChange::Resume => None,
                    PauseChange::Pause { note, by } => Some(Pause {
                        note: note.clone(),
                        by: by.clone(),
                        since: now,
                    }),
                };
                store.locks.load_pause(task.clone(), pause);
            }
            store.revision += 1;
        })
    }

    async fn enqueue(&self, batch: &[Enqueue]) -> Result<Answer<Vec<Enqueued>>, LockError> {
        self.answer_each(batch, LockState::enqueue)
    }

    async fn request_cancel(
        &self,
        execution: &Execution,
    ) -> Result<Answer<CancelRequested>, LockError> {
        self.answer(|store, now| store.locks.request_cancel(execution, now))
    }

    async fn history(
        &self,
        query: &HistoryQuery,
    ) -> Result<Answer<Vec<ExecutionRecord>>, LockError> {
        self.answer(|store, _| {
            let mut records: Vec<_> = store
                .locks
                .records()
                .filter(|record| query.matches(record))
                .collect();
            records.sort_by(|a, b| history_order(&a.execution).cmp(&history_order(&b.execution)));
            records.into_iter().take(query.limit).cloned().collect()
        })
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Answer<usize>, LockError> {
        self.answer(|store, now| {
            let mut prunable = store.prunable(retention, now);
            prunable.truncate(limit);
            prunable
                .iter()
                .for_each(|execution| store.locks.forget(execution));
            prunable.len()
        })
    }
}
