//! Locks as a Kotlin server framework keeps them in a database, so that replicas of both kinds share ticks during a migration.
//!
//! Its table has a row for each (task, index), and in it the latest tick that somebody took: a watermark. A tick is taken by raising
//! it: `UPDATE task_locks SET locked_at = TICK WHERE _name = NAME AND concurrency_index = INDEX AND (locked_at IS NULL OR locked_at < TICK)`.
//! Here the rows of a batch are locked in one order, what stands in each is read, and what is lower is raised. So nobody has to trust
//! the number of rows that a server says it has changed.

pub(crate) mod database;
mod opened;
mod operations;
mod table;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use sexton_core::lock::{
    Execution, LockError, LockKey, LockManager, Released, Taking, TickLockManager, TickLocks,
};
use sexton_core::tick::Tick;

use super::database::ServerDatabase;
use super::manager::ServerLockManager;
use super::names::{Names, PREFIX};
use crate::error::OpenError;

use database::Row;
use opened::Opened;
use operations::{Find, Open, Take};

pub use table::KtorTable;

/// Claims ticks by the very table of the Kotlin system, `task_locks`, for a migration in which replicas of both kinds run. Had by
/// [`ServerLockManager::ktor_compatible`].
///
/// It knows nothing but the latest tick that was taken of each (task, index): no leases, recovery or overlap policies, no history, no
/// pause. A task that asks for them is refused when a scheduler is built.
///
/// What that costs, compared with [`ServerLockManager`]:
/// - Namespaces do not exist. Names are what they are there; two that the column's collation takes for one are an error.
/// - All fences are 0. They do not rise, so they do not fence.
/// - A claim whose answer was lost cannot be recognised when it is sent again, by this manager itself or by its caller: it is denied,
///   and its tick is lost. So a tick is run at most once.
/// - An older tick of a (task, index) is never taken after a newer one. What is given back opens its own tick and nothing older; of several
///   ticks of one (task, index), the newest only. One whose answer was lost is not given back again.
/// - A tick that the column `locked_at` cannot hold is refused with an error, along with the batch it is in: MySQL's `TIMESTAMP` holds
///   whole seconds (as `TIMESTAMP(3)` it holds milliseconds) and ends in the year 2038.
///
/// Otherwise it is as good as the manager that it was had from: instants are UTC, whatever the time zone of server or session; the
/// database's clock says what is too early; connections, limits and outages are that manager's.
pub type KtorLockManager<DB> = TickLockManager<KtorLocks<DB>>;

/// The table of the Kotlin system. See [`KtorLockManager`].
pub struct KtorLocks<DB: ServerDatabase> {
    manager: ServerLockManager<DB>,
    table: Arc<Opened<DB>>,
}

impl<DB: ServerDatabase> Clone for KtorLocks<DB> {
    fn clone(&self) -> KtorLocks<DB> {
        KtorLocks {
            manager: self.manager.clone(),
            table: Arc::clone(&self.table),
        }
    }
}

impl<DB: ServerDatabase> fmt::Debug for KtorLocks<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KtorLocks")
            .field("location", &self.location())
            .field("table", &self.table.holds.label)
            .finish_non_exhaustive()
    }
}

impl<DB: ServerDatabase> ServerLockManager<DB> {
    /// The same database, used as the Kotlin system uses it: by its own table of locks, which is made if it is missing.
    ///
    /// # Errors
    /// [`OpenError::BadName`]; [`OpenError::NoTaskLocks`] with the statement to run, if the table is missing and this user may not make
    /// it; [`OpenError::BadTaskLocks`] for a table that will not do; whatever a call may meet.
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use sexton_sql::postgres::{KtorTable, PostgresLockManager};
    ///
    /// let postgres = PostgresLockManager::connect("postgres://app:secret@localhost/app").await?;
    /// let manager = postgres.ktor_compatible(&KtorTable::new()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ktor_compatible(
        &self,
        table: &KtorTable,
    ) -> Result<KtorLockManager<DB>, OpenError> {
        let names = Names::new(DB::DICTIONARY, table.in_schema(), PREFIX)?;
        let mut find = Find {
            name: table.checked()?,
            names: &names,
            database: PhantomData,
        };
        let found = self.engine.attempt(&mut find).await;
        let server = self.server();
        let opened =
            found.map_err(|error| error.into_open_error(&server.location, server.call_limit()))?;
        Ok(TickLockManager::new(KtorLocks {
            manager: self.clone(),
            table: Arc::new(opened),
        }))
    }
}

impl<DB: ServerDatabase> KtorLocks<DB> {
    fn check(&self, action: &'static str, executions: &[&Execution]) -> Result<(), LockError> {
        let problems = executions.iter().map(|one| self.table.holds.problem(one));
        match problems.flatten().next() {
            None => Ok(()),
            Some(advice) => Err(LockError::Refused {
                store: self.location(),
                action,
                advice,
                source: None,
            }),
        }
    }
}

#[async_trait]
impl<DB: ServerDatabase> TickLocks for KtorLocks<DB> {
    fn location(&self) -> String {
        self.manager.location()
    }

    async fn now(&self) -> Result<Timestamp, LockError> {
        self.manager.now().await
    }

    async fn take(
        &self,
        action: &'static str,
        executions: &[&Execution],
        _: Timestamp,
    ) -> Result<Vec<Taking>, LockError> {
        self.check(action, executions)?;
        let mut newest: BTreeMap<LockKey, Tick> = BTreeMap::new();
        for execution in executions {
            let tick = newest.entry(execution.key()).or_insert(execution.tick);
            *tick = execution.tick.max(*tick);
        }
        let mut take = Take {
            table: &self.table,
            newest,
            before: HashMap::new(),
        };
        self.manager.engine.call(action, &mut take).await?;
        // As if each had been asked for alone, in ascending order: raised from one tick to the next, up to the newest.
        let mut is_new = BTreeSet::new();
        let mut taking = |execution: &&Execution| {
            let before = take.before.get(&execution.key()).copied().flatten();
            let is_above = before.is_none_or(|before| before < execution.tick);
            if is_above && is_new.insert((*execution).clone()) {
                Taking::TakenNow
            } else {
                Taking::TakenBefore
            }
        };
        Ok(executions.iter().map(&mut taking).collect())
    }

    async fn open(&self, executions: &[&Execution]) -> Result<Vec<Released>, LockError> {
        self.check("release", executions)?;
        let asked: BTreeSet<&Execution> = executions.iter().copied().collect();
        let rows = asked.into_iter().map(|execution| Row {
            task: &execution.task,
            index: execution.index,
            tick: execution.tick,
        });
        let mut open = Open {
            table: &self.table,
            rows: rows.collect(),
            is_sent: false,
        };
        let mut opened = self.manager.engine.call("release", &mut open).await?;
        let released = |execution: &&Execution| {
            if opened.remove(execution) {
                Released::Open
            } else {
                Released::NotHeld
            }
        };
        Ok(executions.iter().map(released).collect())
    }
}
