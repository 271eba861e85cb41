//! The claim protocol: how replicas agree, through a store, who runs a tick.
//!
//! A [`LockManager`] keeps the locks. Instances send it batches of [`Claim`]s; it answers each with
//! a [`Verdict`], by its own clock and by the rules below, which are the same in every store and
//! stand as code in [`rules`].
//!
//! # The rules of a claim
//!
//! The store keeps, per (task, index), a [`Register`]: a watermark (the latest tick granted or
//! consumed) and a fence, neither of which ever goes back; and per execution an
//! [`ExecutionRecord`]. A claim is decided by the first line that applies:
//!
//! | the case | the verdict |
//! |---|---|
//! | the execution runs under our own claim id | granted again, unchanged: our first answer was lost |
//! | tick > now + lead | denied: too early. Nothing is recorded |
//! | the task is paused | denied: paused. The tick is consumed and recorded as skipped, unless it already has a record or the claim needs one |
//! | its record waits, and its deadline has passed | denied: too late. It is recorded as missed |
//! | its record waits (released unstarted, queued or enqueued) | granted, fence + 1, unless a line below the watermark's forbids it |
//! | delivery recovers, it runs, its lease is over, attempts are left | granted, attempt + 1, fence + 1, unless placement or overlap forbid it |
//! | it has any other record | denied: taken |
//! | it has no record, and the claim needs one | denied: taken. Nothing is recorded |
//! | tick <= watermark | denied: taken |
//! | placement is distinct and the instance holds, or has held, another index of the tick | denied: placement. Nothing is recorded |
//! | overlap forbids it: another execution of this (task, index) is running under a lease | denied: overlap. Skip: consumed, recorded as skipped. Queue one, cancel the earlier: it waits, and supersedes what waited |
//! | an earlier tick of this (task, index) waits | denied: earlier waits. Nothing is recorded. Queue one, cancel the earlier: granted, and the earlier is superseded, unless it was triggered or may have begun |
//! | otherwise | granted: fence + 1; if it had no record: watermark = tick, attempt 1 |
//!
//! To *consume* a tick is to raise the watermark to it and record it without a grant. One tick may
//! be consumed for several in a row before it, whose records follow.
//!
//! What *waits* has a deadline, given by the call that makes it wait: the end of its task's
//! catch-up window, or an operator's choice. It does not count once its deadline has passed, and a
//! sweep, its holder's release or the next claim of it closes it as missed. What waits behind an
//! earlier execution has as long from the end of that one as its deadline was behind its tick, a
//! minute at most.
//!
//! What waits for a later attempt than the first may have begun already, so it is neither skipped
//! nor missed: it has no deadline, and no newer tick supersedes it.
//!
//! A claim of what was found in the store *needs a record* ([`Claim::needs_record`]): what was
//! triggered leaves the watermark where it is, so once its record is pruned nothing else tells that
//! it is over.
//!
//! The first line stands before the others, so that a task paused (or a clock set back) between a
//! grant and its repetition does not strand an execution that the store believes to be running.

mod capability;
mod claim;
pub mod engine;
mod error;
mod fleet;
mod hold;
mod key;
mod record;
pub mod rules;
pub mod stored;
mod task_lock;
mod tick_locks;
mod transaction;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;

pub use capability::Capability;
pub use claim::{
    BATCH_MAX, CALL_LIMIT_DEFAULT, Claim, ClaimLead, ClaimLeadError, Denial, Execution, Grant,
    PAGE_MAX, Verdict, check_batch_size,
};
pub use error::LockError;
pub use fleet::{
    CancelRequested, Claimable, Consumed, Consumption, Covered, Defined, Enqueue, Enqueued,
    InstanceRecord, InstanceReport, Pause, PauseChange, Register, Signals, Sweep, SweepQuery,
    TaskDefinition, TaskQuery, TaskState, WAITING_MAX,
};
pub use hold::{Release, Released, Renewal, Renewed, Settled, Settlement};
pub use key::LockKey;
pub use record::{
    ExecutionRecord, ExecutionState, HistoryQuery, Origin, Outcome, Reason, Retention, UnknownWord,
    history_order,
};
pub use task_lock::{HeldLock, TaskLock};
pub use tick_locks::{Taking, TickLockManager, TickLocks};
pub use transaction::{Committed, OpenTransaction, TransactionEnd, TransactionSlot, Transactions};

use crate::name::{Incarnation, InstanceId, NameError, Namespace, TaskName};

/// A store's answer, with the store's clock at the moment it decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The store's clock, to the millisecond or finer.
    pub now: Timestamp,
    /// What was answered.
    pub value: T,
}

/// The store's answers to a batch: one for each entry, in the order of the batch.
///
/// Where a part of the store is in trouble, the entries that it keeps are answered with its error,
/// and the others as they were decided.
pub type Answers<T> = Answer<Vec<Result<T, LockError>>>;

impl<T> Answer<Vec<T>> {
    /// Each of them as the answer to an entry.
    #[must_use]
    pub fn each(self) -> Answers<T> {
        let value = self.value.into_iter().map(Ok).collect();
        Answer {
            now: self.now,
            value,
        }
    }
}

impl<T> Answers<T> {
    /// All of them, or the first error among them.
    ///
    /// # Errors
    /// As the first entry that has one.
    pub fn whole(self) -> Result<Answer<Vec<T>>, LockError> {
        let value = self.value.into_iter().collect::<Result<_, _>>()?;
        Ok(Answer {
            now: self.now,
            value,
        })
    }
}

/// Keeps task locks in a store, for one namespace.
///
/// # For implementers
/// Put your manager to the `sexton-conformance` suite: it has a test for each sentence here.
///
/// - **Atomic.** Each entry of a batch is decided and recorded atomically, in the order of the
///   batch, against every other client of the store. A batch need not be atomic as a whole: if a
///   call fails halfway, what was recorded stays, and repeating the call finds it.
/// - **One round trip.** A batch of up to [`BATCH_MAX`] entries takes a bounded number of round
///   trips, one where the store allows it. A larger one is refused with
///   [`LockError::BatchTooLarge`]. An empty one succeeds.
/// - **The store's clock.** All decisions are made by one clock that all replicas share, and the
///   answer carries its reading.
/// - **In order.** Answers are in the order of the batch, one for each entry. If a part of the
///   store is in trouble, its entries are answered with its error: what other parts decided is
///   never thrown away. Entries of one (task, index) are in one part: none is decided behind one
///   that was answered with an error. A call fails as a whole where nothing of it was decided, or
///   nobody knows.
/// - **Repeatable.** Every call may be sent again with the same ids after an
///   [`LockError::Unavailable`], and then answers as if it had been sent once.
/// - **No setup.** The first claim works on an empty store.
/// - **Durable.** When a call answers, what it recorded is as durable as the store's documentation
///   says; `GUARANTEES.md` says what that is for each store of ours.
/// - **Cancel-safe.** Dropping a call's future is the same as losing its answer: it took effect or
///   it did not.
/// - **No panics, no unbounded waits.** A store that does not answer is [`LockError::Unavailable`]
///   within the manager's own timeout.
///
/// The rules are code in [`rules::LockState`]. A store that can load rows and write them where
/// nobody has written meanwhile needs a [port](engine::Port) only, and [the engine](engine) does the
/// rest; one that decides in the store (by a script) follows the table in the
/// [module's documentation](self).
#[async_trait]
pub trait LockManager: fmt::Debug + Send + Sync + 'static {
    /// The store for people to read, without secrets: `sqlite:/var/lib/app/sexton.db`.
    fn location(&self) -> String;

    /// The namespace whose tasks this manager keeps.
    fn namespace(&self) -> &Namespace;

    /// Whether the manager can do this. Asked when a scheduler is built, so that a task that cannot
    /// work fails before anything starts.
    fn supports(&self, capability: Capability) -> bool;

    /// Whether the manager can tell the locks of a task of this name from those of every other task.
    /// Asked when a scheduler is built, and when a task is added to it.
    ///
    /// # Errors
    /// A [`NameError`] that says which name to take instead.
    fn check_name(&self, _: &TaskName) -> Result<(), NameError> {
        Ok(())
    }

    /// Transactions for handlers whose writes are to commit together with the settling of their
    /// execution; needed for [`Capability::Transactions`].
    fn transactions(&self) -> Option<Arc<dyn Transactions>> {
        None
    }

    /// Notifications that other clients have changed something that instances should hear of: what
    /// waits to be claimed, a cancel, a pause, a definition. Each item is a hint to send a heartbeat
    /// now. Items may be merged, spurious or missing. `None` if the store has no notifications; then
    /// the next heartbeat finds what there is.
    ///
    /// Called within a Tokio runtime. The stream is cancel-safe and ends with its drop.
    fn notifications(&self) -> Option<BoxStream<'static, ()>> {
        None
    }

    /// The store's clock.
    async fn now(&self) -> Result<Timestamp, LockError>;

    /// Decides a batch of claims by [the rules](self). `lead` is how far ahead of the store's clock
    /// a tick may be granted.
    async fn claim(&self, lead: ClaimLead, batch: &[Claim]) -> Result<Answers<Verdict>, LockError>;

    /// Keeps locks for another lease.
    ///
    /// A lock whose lease is over but that nobody else was granted is extended, unless under an
    /// overlap policy a later execution of the same (task, index) was granted since. A lock without
    /// a lease is answered with `lease_until: None` as long as it is held.
    async fn renew(&self, batch: &[Renewal]) -> Result<Answers<Renewed>, LockError>;

    /// Records how executions ended. Refused if the execution was granted to another claim since.
    /// An execution that a sweep had closed as lost is corrected by its holder's own word.
    async fn settle(&self, batch: &[Settlement]) -> Result<Answers<Settled>, LockError>;

    /// Gives back locks whose execution was not started, for others to claim until their deadline.
    async fn release(&self, batch: &[Release]) -> Result<Answers<Released>, LockError>;

    /// Accounts for ticks that will not be run: records each with its reason and raises the
    /// watermark to it, unless it has a record or is not above the watermark.
    ///
    /// One consumption may cover the ticks in a row before it, if all of them are above the
    /// watermark: it says so in its record, and the watermark passes all of them. Their own records
    /// follow, as consumptions that are covered: these are recorded below the watermark, unless
    /// they have a record.
    async fn consume(&self, batch: &[Consumption]) -> Result<Answers<Consumed>, LockError>;

    /// Finds what may be claimed although no schedule brings it up: executions that wait, and those
    /// whose holder's lease is over with attempts left. Closes as lost those that no attempt is
    /// left for, and those without a lease whose instance is not present any more, or only in
    /// another incarnation; closes as missed those that waited until their deadline had passed,
    /// unless their task is paused.
    ///
    /// What is queued behind an earlier execution is found once the earlier one has ended or its
    /// lease is over.
    async fn sweep(&self, query: &SweepQuery) -> Result<Answer<Sweep>, LockError>;

    /// Tells the store that the instance is there, and brings back what it should know.
    ///
    /// One incarnation has an id at a time: while another [keeps
    /// it](InstanceRecord::keeps_its_id_at), nothing is recorded, and the answer says who that is.
    /// Otherwise this one has it from now on. [`stored::report`] decides it; a store does so
    /// atomically. An instance reports before it claims anything.
    async fn heartbeat(&self, report: &InstanceReport) -> Result<Answer<Signals>, LockError>;

    /// Tells the store that this incarnation of the instance has left. If another incarnation has the
    /// id by now, nothing changes.
    async fn leave(
        &self,
        instance: &InstanceId,
        incarnation: Incarnation,
    ) -> Result<Answer<()>, LockError>;

    /// The instances the store has heard of and not forgotten, by id, gone ones among them for a
    /// while.
    async fn instances(&self) -> Result<Answer<Vec<InstanceRecord>>, LockError>;

    /// Records how the instance defines its tasks, and answers what the store had before. When a
    /// task was first defined, or defined with a higher concurrency, is kept as
    /// [`TaskState::known_since`]: the instance that defined it may be gone before its first tick
    /// is claimed. When its schedule last changed, by its canonical text, is kept as
    /// [`TaskState::schedule_since`].
    async fn define(
        &self,
        instance: &InstanceId,
        batch: &[TaskDefinition],
    ) -> Result<Answer<Vec<Defined>>, LockError>;

    /// What the store knows of tasks: definition, since when it is known, pause, watermarks,
    /// fences. A named task it has never heard of is answered with nothing but its name.
    async fn tasks(&self, query: &TaskQuery) -> Result<Answer<Vec<TaskState>>, LockError>;

    /// Pauses or resumes tasks, known or not.
    async fn change_pause(
        &self,
        tasks: &[TaskName],
        change: &PauseChange,
    ) -> Result<Answer<()>, LockError>;

    /// Makes executions wait for the next claim, whatever the watermark says, until their deadline.
    /// Their grant leaves the watermark as it is. Where [`WAITING_MAX`] executions of the (task,
    /// index) wait already, one more is refused; what the store has a record of is answered first.
    async fn enqueue(&self, batch: &[Enqueue]) -> Result<Answer<Vec<Enqueued>>, LockError>;

    /// Asks for an execution to be cancelled, on whichever instance it runs.
    async fn request_cancel(
        &self,
        execution: &Execution,
    ) -> Result<Answer<CancelRequested>, LockError>;

    /// A page of the history.
    async fn history(
        &self,
        query: &HistoryQuery,
    ) -> Result<Answer<Vec<ExecutionRecord>>, LockError>;

    /// Drops records that `retention` does not keep, at most about `limit` of them, and says how
    /// many went.
    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Answer<usize>, LockError>;
}
