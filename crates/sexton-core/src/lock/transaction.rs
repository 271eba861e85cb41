//! Transactional delivery: an execution settled in the transaction of what its handler wrote.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{LockError, Renewal, Settlement};

/// Begins transactions in the database that keeps the locks, as a lock manager offers it by
/// [`LockManager::transactions`](super::LockManager::transactions). What a transaction is, only the
/// manager's own crate knows, which finds itself by [`Transactions::as_any`].
pub trait Transactions: fmt::Debug + Send + Sync + 'static {
    /// The kind of database, for people to read: `PostgreSQL`.
    fn database(&self) -> &'static str;

    /// How many transactions of this manager may be open at once in this instance, at least 1. A
    /// handler that would begin one more waits until another has ended, and its wait is bounded
    /// like a call of the lock manager.
    fn at_once_max(&self) -> usize;

    /// The manager itself.
    fn as_any(&self) -> &(dyn Any + Send + Sync);
}

/// A transaction that a handler has written in.
#[async_trait]
pub trait OpenTransaction: Send {
    /// Settles the execution in the transaction, if its lock is still held, and commits; rolls back
    /// if not. Bounded, like a call of a lock manager.
    async fn settle_and_commit(self: Box<Self>, settlement: &Settlement) -> Committed;

    /// Undoes what was written.
    async fn roll_back(self: Box<Self>) -> Result<(), LockError>;
}

/// How a transaction ended that was to settle its execution.
#[derive(Debug)]
pub enum Committed {
    /// The writes and the outcome are there.
    Recorded,
    /// The lock is not held any more: nothing of it is there.
    Refused,
    /// Something went wrong: nothing of it is there.
    RolledBack(LockError),
    /// The answer to the commit was lost: all of it is there, or nothing.
    Unknown(LockError),
}

/// Where a run's handler takes its transaction from, and gives it back to. Clones are the same
/// place.
#[derive(Clone)]
pub struct TransactionSlot {
    transactions: Arc<dyn Transactions>,
    run: Option<Renewal>,
    state: Arc<Mutex<SlotState>>,
}

enum SlotState {
    Unused,
    /// The store could not begin one. It may be tried again.
    Unavailable,
    InUse,
    Ready(Box<dyn OpenTransaction>),
    Closed,
}

/// What a handler left behind when it ended.
pub enum TransactionEnd {
    /// It began no transaction.
    Nothing,
    /// It wanted one, and the store could not begin it.
    Unavailable,
    /// It still holds its transaction somewhere.
    InUse,
    /// A transaction, to be ended.
    Transaction(Box<dyn OpenTransaction>),
}

impl TransactionSlot {
    /// A place that nothing was taken from yet.
    #[must_use]
    pub fn new(transactions: Arc<dyn Transactions>) -> TransactionSlot {
        TransactionSlot {
            transactions,
            run: None,
            state: Arc::new(Mutex::new(SlotState::Unused)),
        }
    }

    /// The same place, of the run that holds this lock under this lease: how long its transaction
    /// may be silent, and whose lease waits for that transaction where one keeps all others from
    /// writing.
    #[must_use]
    pub fn of_run(self, run: Renewal) -> TransactionSlot {
        TransactionSlot {
            run: Some(run),
            ..self
        }
    }

    /// Whose it is, if that was said.
    #[must_use]
    pub fn run(&self) -> Option<&Renewal> {
        self.run.as_ref()
    }

    /// What begins transactions here.
    #[must_use]
    pub fn transactions(&self) -> &dyn Transactions {
        &*self.transactions
    }

    /// Whether the run's transaction may begin: once, and not after its handler has ended.
    #[must_use]
    pub fn take(&self) -> bool {
        let mut state = self.lock();
        let may = matches!(*state, SlotState::Unused | SlotState::Unavailable);
        if may {
            *state = SlotState::InUse;
        }
        may
    }

    /// It did not begin, and may be tried again.
    pub fn not_begun(&self) {
        self.no_longer_in_use(SlotState::Unused);
    }

    /// The same, since the store did not do its work: should the handler fail now, that is not its
    /// fault.
    pub fn unavailable(&self) {
        self.no_longer_in_use(SlotState::Unavailable);
    }

    fn no_longer_in_use(&self, next: SlotState) {
        let mut state = self.lock();
        if matches!(*state, SlotState::InUse) {
            *state = next;
        }
    }

    /// The handler is done with it. After the handler's end it is dropped, which undoes what was
    /// written.
    pub fn give_back(&self, transaction: Box<dyn OpenTransaction>) {
        let mut state = self.lock();
        if matches!(*state, SlotState::InUse) {
            *state = SlotState::Ready(transaction);
        }
    }

    /// The handler has ended: what it left, and nothing is taken any more.
    #[must_use]
    pub fn close(&self) -> TransactionEnd {
        match std::mem::replace(&mut *self.lock(), SlotState::Closed) {
            SlotState::Unused | SlotState::Closed => TransactionEnd::Nothing,
            SlotState::Unavailable => TransactionEnd::Unavailable,
            SlotState::InUse => TransactionEnd::InUse,
            SlotState::Ready(transaction) => TransactionEnd::Transaction(transaction),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TransactionSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionSlot")
            .field("transactions", &self.transactions)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TransactionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TransactionEnd::Nothing => "Nothing",
            TransactionEnd::Unavailable => "Unavailable",
            TransactionEnd::InUse => "InUse",
            TransactionEnd::Transaction(_) => "Transaction",
        })
    }
}
