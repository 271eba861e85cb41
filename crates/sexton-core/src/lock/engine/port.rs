//! What a store has to do for the engine: about a dozen calls, none of which decides anything.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use futures::stream::BoxStream;
use jiff::Timestamp;

use super::{IndexReservation, PortError, ReadSet, Rows, Snapshot};
use crate::lock::rules::WriteSet;
use crate::lock::stored::DefineBatch;
use crate::lock::{
    Answer, Execution, ExecutionRecord, HistoryQuery, InstanceRecord, InstanceReport, LockKey,
    Pause, TaskQuery, TaskState,
};
use crate::name::{Incarnation, InstanceId, Namespace, TaskName};

/// A store under the engine, for one namespace: all that the traits below ask for, each of which has
/// its file in a store's crate.
///
/// # For implementers
/// - Nothing is decided here: what [`Load`] brings is decided by the rules, and [`CompareAndSwap`]
///   writes what they changed, or nothing of a key whose version has risen.
/// - A call that fails may have taken effect. Each may be repeated as it was.
/// - A call does not try again by itself: it answers a conflict with
///   [`Unavailable::Conflict`](super::Unavailable::Conflict) and anything else with what its driver
///   says. The engine bounds its time and may drop its future at any await.
pub trait Port: Load + CompareAndSwap + Fleet + Tasks + History {}

impl<P: Load + CompareAndSwap + Fleet + Tasks + History> Port for P {}

/// Where a store's connections come from, and what the store bears.
pub trait Connect: fmt::Debug + Send + Sync + 'static {
    /// What calls work on; `()` where the driver hands out connections by itself.
    type Connection: Send;
    /// A connection that a call has taken. Dropped, it is closed.
    type Checkout<'p>: Send;
    /// What can go wrong.
    type Error: PortError;

    /// The store for people to read, without secrets.
    fn location(&self) -> &str;

    /// Whose rows these are.
    fn namespace(&self) -> &Namespace;

    /// What the store bears.
    fn limits(&self) -> &Limits;

    /// A text as the store can hold it.
    fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        Cow::Borrowed(text)
    }

    /// Takes a connection, within `limit`.
    fn check_out(
        &self,
        limit: Duration,
    ) -> impl Future<Output = Result<Self::Checkout<'_>, Self::Error>> + Send;

    /// The connection of a checkout.
    fn connection<'c>(checkout: &'c mut Self::Checkout<'_>) -> &'c mut Self::Connection;

    /// Gives a connection back after a call that ended well.
    fn give_back<'p>(&'p self, checkout: Self::Checkout<'p>) -> impl Future<Output = ()> + Send;

    /// Undoes what a try left open that ended as [`ErrorClass::Busy`](super::ErrorClass::Busy).
    fn undo(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Notes that a call ran into its limit: connections that are not in use may be as dead as its
    /// own.
    fn suspect_connections(&self) {}
}

/// Loads what decides.
pub trait Load: Connect {
    /// What the port remembers of the rows of a snapshot.
    type Rows: Rows;

    /// The store's clock. A store that only reads is an error: its clock may be another's.
    fn now(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Timestamp, Self::Error>> + Send;

    /// Loads what a batch touches, as of one moment.
    fn load(
        &self,
        connection: &mut Self::Connection,
        read_set: &ReadSet,
    ) -> impl Future<Output = Result<Snapshot<Self::Rows>, Self::Error>> + Send;

    /// Loads a page of candidates with all that decides them. It may bring too much, never too
    /// little.
    fn candidates(
        &self,
        connection: &mut Self::Connection,
        page: &CandidatesPage<'_>,
    ) -> impl Future<Output = Result<Found<Self::Rows>, Self::Error>> + Send;
}

/// Writes where nobody else has.
pub trait CompareAndSwap: Load {
    /// Writes where nobody has written since the snapshot was loaded, each key for itself, and
    /// answers those keys. A key without a change gets a new version. Of the tasks of reservations,
    /// no key is written that was decided on what another key no longer is.
    ///
    /// Within a transaction that is open on the connection, it writes there.
    fn swap(
        &self,
        connection: &mut Self::Connection,
        snapshot: &mut Snapshot<Self::Rows>,
        swap: &Swap<'_>,
    ) -> impl Future<Output = Result<BTreeSet<LockKey>, Self::Error>> + Send;
}

/// Keeps the instances, and carries word between them.
pub trait Fleet: Connect {
    /// Records a report by [`report`](crate::lock::stored::report), and forgets instances that are
    /// long gone.
    fn beat(
        &self,
        connection: &mut Self::Connection,
        report: &InstanceReport,
    ) -> impl Future<Output = Result<Beat, Self::Error>> + Send;

    /// Records that this incarnation of an instance has left.
    fn leave(
        &self,
        connection: &mut Self::Connection,
        instance: &InstanceId,
        incarnation: Incarnation,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// All instances, by id.
    fn instances(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Vec<InstanceRecord>, Self::Error>> + Send;

    /// Notifies other clients that something has changed, where [`Limits::notifies`].
    fn notify(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send {
        let _ = connection;
        async { Ok(()) }
    }

    /// The notifications of other clients, if the store has any.
    fn notifications(&self) -> Option<BoxStream<'static, ()>> {
        None
    }
}

/// Keeps what instances and operators say of tasks.
pub trait Tasks: Connect {
    /// Lets a batch of definitions decide on those that are there, and writes what it changes. What
    /// another client has changed meanwhile is left undecided, and is a conflict.
    fn define(
        &self,
        connection: &mut Self::Connection,
        batch: &mut DefineBatch,
    ) -> impl Future<Output = Result<Timestamp, Self::Error>> + Send;

    /// Pauses tasks, or resumes them (`None`), at the store's now. Once that can be seen, the
    /// versions of all registers of these tasks rise: a client that has loaded them without it runs
    /// into a conflict.
    fn change_pause(
        &self,
        connection: &mut Self::Connection,
        tasks: &BTreeSet<&TaskName>,
        pause: Option<&NewPause>,
    ) -> impl Future<Output = Result<Timestamp, Self::Error>> + Send;

    /// What is known of tasks. A page's limit is in range.
    fn tasks(
        &self,
        connection: &mut Self::Connection,
        query: &TaskQuery,
    ) -> impl Future<Output = Result<Answer<Vec<TaskState>>, Self::Error>> + Send;
}

/// Keeps what is over.
pub trait History: Connect {
    /// A page of the history. Its limit is in range.
    fn history(
        &self,
        connection: &mut Self::Connection,
        query: &HistoryQuery,
    ) -> impl Future<Output = Result<Vec<ExecutionRecord>, Self::Error>> + Send;

    /// Drops at most `limit` records that are over, and answers how many.
    fn prune(
        &self,
        connection: &mut Self::Connection,
        prune: Prune,
        limit: usize,
    ) -> impl Future<Output = Result<usize, Self::Error>> + Send;
}

/// What a store bears, and what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How long a call may take in all.
    pub call: Duration,
    /// How often a call whose connection broke tries another: after a server's restart every
    /// connection that was kept is broken.
    pub broken_max: u32,
    /// How long a call waits before it tries again while the store is out of order; `None` where
    /// the call fails at once.
    pub outage_wait: Option<Duration>,
    /// How many candidates are loaded together.
    pub candidates_page: usize,
    /// How many bytes of errors and outputs are settled together, at the most.
    pub settled_bytes_max: usize,
    /// How many records one call prunes, at the most.
    pub pruned_max: usize,
    /// Whether a register is written even where nothing has changed before a holder is told that
    /// it lost its lock: a primary that has been replaced may not know it yet, and says what was.
    pub confirms_by_write: bool,
    /// Whether clients can be notified.
    pub notifies: bool,
}

impl Limits {
    /// A store that bears everything, with this limit of a call.
    #[must_use]
    pub fn new(call: Duration) -> Limits {
        Limits {
            call,
            broken_max: 0,
            outage_wait: None,
            candidates_page: 1_000,
            settled_bytes_max: usize::MAX,
            pruned_max: 1_000,
            confirms_by_write: false,
            notifies: false,
        }
    }
}

/// What a swap writes.
#[derive(Debug)]
pub struct Swap<'s> {
    /// Every key that gets a new version: those of `writes`, and those that are only touched.
    pub keys: BTreeSet<LockKey>,
    /// What the rules changed.
    pub writes: &'s WriteSet,
    /// What instances take of ticks of which they may take one index.
    pub reservations: &'s BTreeSet<IndexReservation>,
}

impl Swap<'_> {
    /// The keys, and the first key of each task that is written as a whole: its version stands for
    /// the task.
    #[must_use]
    pub fn with_first_keys(&self) -> BTreeSet<LockKey> {
        let firsts = IndexReservation::first_keys(self.reservations);
        self.keys.iter().cloned().chain(firsts).collect()
    }
}

/// What of the open executions a walk is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Candidates {
    /// All that may be claimed or closed.
    Open,
    /// What waits.
    Waiting,
    /// What runs under a lease that is over. A port that brings these along with what waits answers
    /// with an empty page.
    LeaseOver,
}

/// A page of candidates, in the order of (task, index, tick).
#[derive(Debug, Clone, Copy)]
pub struct CandidatesPage<'p> {
    /// Which.
    pub candidates: Candidates,
    /// Only what lies behind this one.
    pub after: Option<&'p Execution>,
    /// For how long after its grant an execution without a lease is no candidate.
    pub abandoned_after: Duration,
}

/// A page as it was found.
#[derive(Debug)]
pub struct Found<R> {
    /// The candidates, and all that decides them.
    pub snapshot: Snapshot<R>,
    /// The instances that are present, and since when in their incarnation.
    pub present: HashMap<InstanceId, Timestamp>,
    /// The last candidate: the next page lies behind it. If there is none, what this page lies
    /// behind. Where candidates come by key, the last key's at [`Tick::MAX`](crate::tick::Tick::MAX).
    pub last: Option<Execution>,
    /// Whether no page follows.
    pub is_last: bool,
}

/// What a report brings back.
#[derive(Debug)]
pub struct Beat {
    /// The store's clock.
    pub now: Timestamp,
    /// Executions of the instance that somebody asked to be cancelled.
    pub cancel: Vec<Execution>,
    /// Another incarnation that has the instance's id: nothing was recorded.
    pub held_by: Option<InstanceRecord>,
}

/// A pause that an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPause {
    /// Why.
    pub note: String,
    /// Who asks.
    pub by: String,
}

impl NewPause {
    /// The pause, from now on.
    #[must_use]
    pub fn since(&self, now: Timestamp) -> Pause {
        Pause {
            note: self.note.clone(),
            by: self.by.clone(),
            since: now,
        }
    }
}

/// Which records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prune {
    /// Those whose tick is earlier.
    Before(Timestamp),
    /// Those that are not among this many newest of their task.
    Beyond(u32),
}
