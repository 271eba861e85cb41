//! What a database has to be able to say. Everything else is the same for all of them.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures::stream::BoxStream;
use jiff::Timestamp;
use sexton_core::lock::rules::Changes;
use sexton_core::lock::{
    Execution, ExecutionRecord, HistoryQuery, InstanceRecord, InstanceReport, Pause, Register,
};
use sexton_core::name::{Incarnation, InstanceId, TaskName};
use sexton_core::tick::ConcurrencyIndex;
use sqlx::{Connection, Database};

use super::error::Trouble;
use super::ktor::dialect::KtorDialect;
use super::loaded::{Loaded, Pair};
use super::names::{Dictionary, Names};
use super::{Migrations, ServerLockManager};
use crate::error::OpenError;
use crate::lent::Lent;
use crate::said::Said;
use crate::wanted::Wanted;
use sexton_core::lock::stored::{Defining, Definitions};

/// How to connect to a database.
pub(crate) type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// What it takes to make a database's tables, or to find them.
#[derive(Debug, Clone, Copy)]
pub struct Prepared<'p> {
    pub names: &'p Names,
    pub migrations: Migrations,
    pub limit: Duration,
    pub location: &'p str,
}

/// What of the open executions a sweep is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Candidates {
    /// Whatever may be claimed or closed.
    Open,
    /// What waits.
    Waiting,
    /// What runs under a lease that is over.
    LeaseOver,
}

/// A page of candidates.
#[derive(Debug, Clone, Copy)]
pub struct CandidatesPage<'p> {
    pub candidates: Candidates,
    pub after: Option<&'p Execution>,
    pub size: i64,
    /// For how long a grant without a lease is not asked for, in ms.
    pub abandoned_after_ms: i64,
}

/// What a report brings back.
#[derive(Debug)]
pub struct Reported {
    pub now: Timestamp,
    pub revision: u64,
    pub cancel: Vec<Execution>,
    pub held_by: Option<InstanceRecord>,
}

/// Which records go.
#[derive(Debug, Clone, Copy)]
pub enum Prune {
    Old { kept_from: Timestamp },
    TooMany { kept: u32 },
}

/// What a write has come to.
pub(crate) type Kept = HashSet<Pair>;

/// What a database says its own way. Every call is for one namespace, the manager's.
pub trait Dialect: Database<Connection: Connection<Options: Clone>> + KtorDialect {
    /// All its statements, with the tables' names in them.
    type Sql: fmt::Debug + Send + Sync + 'static;

    /// The names of its tables and what else stands in its statements.
    const DICTIONARY: &'static Dictionary;

    /// Whether [`Dialect::store_back`] is one statement, and so needs no transaction around it.
    const STORES_BACK_AT_ONCE: bool;

    /// Whether clients can be told of changes.
    const TELLS: bool;

    /// Reads a URL.
    fn parse_url(url: &str) -> Result<Options<Self>, OpenError>;

    /// Where options lead to, without user or password.
    fn location(options: &Options<Self>) -> String;

    /// Makes a new connection fit for calls that may take so long, or one that was lent to us for a
    /// call.
    fn arrive(
        connection: &mut Self::Connection,
        limit: Duration,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Whether a connection that was lent to us is in no transaction that somebody has left open:
    /// an application that drops the future of a `begin` leaves one on its pool's connection, of
    /// which the driver does not know.
    fn is_in_no_transaction(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Makes a connection that was lent to us as it was before.
    fn depart(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Makes the tables if they are missing, and may be made.
    fn prepare(
        connection: &mut Self::Connection,
        prepared: Prepared<'_>,
    ) -> impl Future<Output = Result<Self::Sql, Trouble>> + Send;

    /// The script that leads from a version of the tables to the newest.
    fn migration_script(names: &Names, from: i64) -> String;

    /// A text as the database can hold it.
    fn text(text: &str) -> std::borrow::Cow<'_, str>;

    /// Begins a transaction in which each statement sees what is committed by then. The server ends
    /// it when its client is silent, for 3 s on PostgreSQL and 2 s on MySQL. A caller that does not
    /// end it closes the connection.
    fn begin(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Begins a transaction that sees one moment, and changes nothing.
    fn begin_snapshot(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Ends what one of these two began.
    fn commit(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Undoes what one of the two began, if it did.
    fn roll_back(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// As [`Dialect::begin`], for a handler, which may be silent for longer.
    fn begin_for_handler(
        connection: &mut Lent<Self>,
        silence: Duration,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Whether a handler's transaction is still the one that was begun, with all that was written
    /// in it. To be asked once, at its end: now it is ours, and the server waits no longer for it
    /// than for any other.
    fn is_as_begun(
        connection: &mut Self::Connection,
        limit: Duration,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Makes a connection as it was before a handler's transaction, which is over.
    fn depart_from_handler(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// The database's clock, in whole milliseconds.
    fn clock_now(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Timestamp, Trouble>> + Send;

    /// Tells other clients that something of the namespace has changed, if [`Dialect::TELLS`].
    fn tell(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// What other clients tell, by a connection of its own, if [`Dialect::TELLS`].
    fn changes(manager: &ServerLockManager<Self>) -> Option<BoxStream<'static, ()>>;

    /// Loads what a batch touches, in one statement and so from one snapshot.
    fn load(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
        wanted: &Wanted,
        pairs: &BTreeSet<Pair>,
    ) -> impl Future<Output = Result<Loaded, Trouble>> + Send;

    /// Writes back registers and records where nobody has changed anything of the (task, index)
    /// since it was loaded. Answers where that was. What is among `pairs` without a change is only
    /// kept from changing.
    fn store_back(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
        loaded: &Loaded,
        pairs: &BTreeSet<Pair>,
        changes: &Changes,
    ) -> impl Future<Output = Result<Kept, Trouble>> + Send;

    /// Loads a page of candidates with all that decides them. It may bring too much, never too
    /// little.
    fn load_candidates(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
        page: CandidatesPage<'_>,
    ) -> impl Future<Output = Result<Loaded, Trouble>> + Send;

    /// Notes that an instance is there, unless another incarnation has its id; forgets those that
    /// are long gone.
    fn report(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
        report: &InstanceReport,
    ) -> impl Future<Output = Result<Reported, Trouble>> + Send;

    /// Notes that this incarnation of an instance is gone.
    fn leave(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
        instance: &InstanceId,
        incarnation: Incarnation,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// All instances, by id.
    fn instances(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Vec<InstanceRecord>, Trouble>> + Send;

    /// Makes the rows of tasks that are missing, locks all in their order, and answers the
    /// definitions that are there.
    fn lock_tasks(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
        tasks: &BTreeSet<&TaskName>,
    ) -> impl Future<Output = Result<Definitions, Trouble>> + Send;

    /// Writes definitions into rows that are there, as the instance's.
    fn store_definitions(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
        definitions: &[&Defining],
        instance: &InstanceId,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Raises the namespace's revision.
    fn raise_revision(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
        by: i64,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Pauses or resumes tasks that have rows.
    fn set_pause(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
        tasks: &BTreeSet<&TaskName>,
        pause: Option<&Pause>,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Raises the versions of tasks' registers, so that whoever has read them and not written yet
    /// reads again.
    fn raise_versions(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
        tasks: &BTreeSet<&TaskName>,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// A page of the names of tasks that anything is known of.
    fn task_names(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
        after: Option<&TaskName>,
        limit: i64,
    ) -> impl Future<Output = Result<Vec<TaskName>, Trouble>> + Send;

    /// What is said of tasks.
    fn task_states(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
        tasks: &BTreeSet<&TaskName>,
    ) -> impl Future<Output = Result<Vec<(TaskName, Said)>, Trouble>> + Send;

    /// The registers of tasks, by task and index.
    fn task_registers(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
        tasks: &BTreeSet<&TaskName>,
    ) -> impl Future<Output = Result<Vec<(TaskName, ConcurrencyIndex, Register)>, Trouble>> + Send;

    /// A page of the history. Its limit is in range.
    fn history(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
        query: &HistoryQuery,
    ) -> impl Future<Output = Result<Vec<ExecutionRecord>, Trouble>> + Send;

    /// Drops records that are over, and says how many.
    fn prune(
        manager: &ServerLockManager<Self>,
        connection: &mut Self::Connection,
        prune: Prune,
        limit: i64,
    ) -> impl Future<Output = Result<usize, Trouble>> + Send;
}
