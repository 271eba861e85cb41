//! A lock manager in memory: for tests, and for a service of one process.

mod catalogue;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use self::catalogue::Catalogue;
use crate::clock::{Clock, SystemClock};
use crate::lock::rules::LockState;
use crate::lock::stored::{self, Definitions, Reported, define};
use crate::lock::{
    Answer, Answers, CancelRequested, Capability, Claim, ClaimLead, Consumed, Consumption, Defined,
    Enqueue, Enqueued, Execution, ExecutionRecord, ExecutionState, HistoryQuery, InstanceRecord,
    InstanceReport, LockError, LockManager, Pause, PauseChange, Release, Released, Renewal,
    Renewed, Retention, Settled, Settlement, Signals, Sweep, SweepQuery, TaskDefinition, TaskQuery,
    TaskState, Verdict, check_batch_size,
};
use crate::name::{Incarnation, InstanceId, Namespace, TaskName};

/// Keeps locks in the memory of this process. Clones share them, as replicas share a store.
///
/// Everything is forgotten with the last clone. Its clock is the one it is given; every call is
/// atomic, answers at once and never fails but for a batch that is too large.
///
/// Of the history it keeps the newest [`RECORDS_MAX`](MemoryLockManager::RECORDS_MAX) records, or
/// [as many as you say](MemoryLockManager::records_max), besides what runs or waits. What retention
/// does not keep goes earlier.
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

#[derive(Debug)]
struct Store {
    locks: LockState,
    instances: BTreeMap<InstanceId, InstanceRecord>,
    definitions: Definitions,
    catalogue: Catalogue,
    records_max: usize,
}

impl Default for Store {
    fn default() -> Store {
        Store {
            locks: LockState::new(),
            instances: BTreeMap::new(),
            definitions: Definitions::new(),
            catalogue: Catalogue::default(),
            records_max: MemoryLockManager::RECORDS_MAX,
        }
    }
}

impl Default for MemoryLockManager {
    fn default() -> MemoryLockManager {
        MemoryLockManager::new()
    }
}

impl MemoryLockManager {
    /// The most records of executions that are over, unless you say otherwise: half a kilobyte
    /// each, without what handlers say.
    pub const RECORDS_MAX: usize = 50_000;
    /// The least that [`MemoryLockManager::records_max`] can be.
    pub const RECORDS_MAX_MIN: usize = 1_000;

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

    /// Keeps the records of this many executions that are over, at least
    /// [`RECORDS_MAX_MIN`](MemoryLockManager::RECORDS_MAX_MIN): beyond them the one with the oldest
    /// tick goes, whichever task's. What runs or waits stays, and so does what each (task, index)
    /// was granted last: no tick is granted again because its record went. All clones share it,
    /// other namespaces do not.
    ///
    /// What has gone is not in the history any more, and does not count for distinct placement.
    #[must_use]
    pub fn records_max(self, max: usize) -> MemoryLockManager {
        let mut store = self.lock();
        store.records_max = max.max(MemoryLockManager::RECORDS_MAX_MIN);
        store.keep_bound();
        drop(store);
        self
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
        store.catalogue_changes();
        store.keep_bound();
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
        let is_present = |instance: &InstanceId, granted_at| {
            let record = instances.get(instance);
            record.is_some_and(|record| record.is_present_with(granted_at, now))
        };
        locks.sweep(query, &is_present, now)
    }

    fn task_state(&self, task: &TaskName) -> TaskState {
        let registers = self.locks.registers_of(task).collect();
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
        let registered = self.locks.registers().map(|(key, _)| &key.task);
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

    fn catalogue_changes(&mut self) {
        for execution in self.locks.take_writes().records {
            let state = self.locks.record(&execution).map(|record| record.state);
            self.catalogue.file(&execution, state);
        }
    }

    fn keep_bound(&mut self) {
        let surplus = self.catalogue.over().saturating_sub(self.records_max);
        let oldest = self.catalogue.oldest_over(surplus);
        self.forget(&oldest);
    }

    fn forget(&mut self, over: &[Execution]) {
        for execution in over {
            self.locks.forget(execution);
            self.catalogue.file(execution, None);
        }
    }

    fn prune(&mut self, retention: &Retention, limit: usize, now: Timestamp) -> usize {
        let oldest = retention
            .age_max
            .and_then(|age| now.saturating_sub(age).ok());
        let too_old =
            oldest.map_or_else(Vec::new, |oldest| self.catalogue.over_before(oldest, limit));
        self.forget(&too_old);
        let left = limit - too_old.len();
        let too_many = retention
            .per_task_max
            .map_or_else(Vec::new, |max| self.catalogue.over_beyond(max, left));
        self.forget(&too_many);
        too_old.len() + too_many.len()
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
            let before = store.instances.get(&report.instance).cloned();
            let held_by = match stored::report(before, report, now) {
                Reported::Recorded(record) => {
                    store.instances.insert(report.instance.clone(), record);
                    None
                }
                Reported::Held(holder) => Some(holder),
            };
            let cancel = store
                .locks
                .open()
                .filter(|record| record.cancel_requested && record.state == ExecutionState::Running)
                .filter(|record| record.instance.as_ref() == Some(&report.instance))
                .map(|record| record.execution.clone())
                .collect();
            let sweep = store.locks.needs_sweep(now);
            Signals {
                cancel,
                sweep,
                held_by,
            }
        })
    }

    async fn leave(
        &self,
        instance: &InstanceId,
        incarnation: Incarnation,
    ) -> Result<Answer<()>, LockError> {
        self.answer(|store, _| {
            let known = store.instances.get(instance);
            if known.is_some_and(|record| record.report.incarnation == incarnation) {
                store.instances.remove(instance);
            }
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
        self.answer(|store, now| define(&mut store.definitions, instance, batch, now))
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
            let page = store.catalogue.page(query);
            let records = page.iter().filter_map(|found| store.locks.record(found));
            records.cloned().collect()
        })
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Answer<usize>, LockError> {
        self.answer(|store, now| store.prune(retention, limit, now))
    }
}
