//! What is done with a connection: finding the table, taking ticks, opening them again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sexton_core::lock::Execution;
use sexton_core::store_time::StoreTime;
use sexton_core::tick::Tick;

use super::Opened;
use super::dialect::{Found, Row};
use super::table::Holds;
use crate::error::OpenError;
use crate::server::ServerLockManager;
use crate::server::call::Errand;
use crate::server::dialect::Dialect;
use crate::server::error::{Kind, Trouble, kind};
use crate::server::loaded::Pair;
use crate::server::names::Names;

/// Finds the table, or makes it.
pub(super) struct Find<'f> {
    pub(super) name: &'f str,
    pub(super) names: &'f Names,
}

impl<DB: Dialect> Errand<DB> for Find<'_> {
    type Found = Opened<DB>;

    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<Opened<DB>, Trouble> {
        let location = &manager.inner.location;
        let found = DB::find(&mut *connection, self.names, self.name, location).await?;
        let found = match found {
            Some(found) => found,
            None => self.make(manager, &mut *connection).await?,
        };
        let holds = Holds::of::<DB>(&found)?;
        let sql = DB::statements(&found);
        // Touches no row, and shows that this user may do what is to be done.
        DB::raise(&mut *connection, &sql, manager.inner.wait_max, &[]).await?;
        DB::insert(connection, &sql, manager.inner.wait_max, &[]).await?;
        Ok(Opened { sql, holds })
    }
}

impl Find<'_> {
    async fn make<DB: Dialect>(
        &self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<Found, Trouble> {
        let store = manager.inner.location.clone();
        let table = self.names.qualified(self.name);
        let statement = DB::create_statement(&table);
        let made = DB::create(&mut *connection, &statement).await;
        // Others may have made it at the same time.
        let found = DB::find(connection, self.names, self.name, &store).await?;
        match (found, made) {
            (Some(found), _) => Ok(found),
            (None, Err(Trouble::Driver(error))) if is_refusal(&error) => {
                let source = Box::new(error);
                Err(OpenError::NoTaskLocks {
                    store,
                    table,
                    statement,
                    source,
                }
                .into())
            }
            (None, Err(trouble)) => Err(trouble),
            (None, Ok(())) => Err(OpenError::BadTaskLocks {
                table,
                problem: format!("{store} has made it, but does not show it"),
            }
            .into()),
        }
    }
}

fn is_refusal(error: &sqlx::Error) -> bool {
    matches!(kind(error), Kind::NotPrivileged(_) | Kind::Permanent(_))
}

/// Raises the row of each (task, index) to the newest of the ticks that are to be taken.
pub(super) struct Take<'t, DB: Dialect> {
    pub(super) table: &'t Opened<DB>,
    pub(super) newest: BTreeMap<Pair, Tick>,
    /// What stood in each row before, as soon as it is known. What is known is raised, if it had to be, and not raised again.
    pub(super) before: HashMap<Pair, Option<StoreTime>>,
}

impl<DB: Dialect> Errand<DB> for Take<'_, DB> {
    type Found = ();

    /// If an answer is lost, what it has raised finds itself raised the next time, and so denied: run at most once.
    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<(), Trouble> {
        let limit = manager.inner.wait_max;
        let Opened { sql, holds } = self.table;
        self.raise(manager, &mut *connection).await?;
        let missing = rows(&self.newest, &self.before);
        if missing.is_empty() {
            return Ok(());
        }
        DB::insert(&mut *connection, sql, limit, &missing).await?;
        self.raise(manager, connection).await?;
        match rows(&self.newest, &self.before).first() {
            None => Ok(()),
            Some(row) => Err(OpenError::BadTaskLocks {
                table: holds.label.clone(),
                problem: format!(
                    "the row of {:?}, index {}, is not there and cannot be made: its key takes another's for it, or rows are being deleted",
                    row.task.as_str(),
                    row.index
                ),
            }
            .into()),
        }
    }
}

impl<DB: Dialect> Take<'_, DB> {
    async fn raise(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<(), Trouble> {
        let asked = rows(&self.newest, &self.before);
        let raising = DB::raise(connection, &self.table.sql, manager.inner.wait_max, &asked);
        for held in raising.await? {
            if let Some(row) = asked.get(held.place) {
                let pair = (row.task.clone(), row.index);
                self.before.insert(pair, held.before);
            }
        }
        Ok(())
    }
}

/// The rows that nothing is known of yet.
fn rows<'r>(
    newest: &'r BTreeMap<Pair, Tick>,
    before: &HashMap<Pair, Option<StoreTime>>,
) -> Vec<Row<'r>> {
    let unknown = newest
        .iter()
        .filter(|(pair, _)| !before.contains_key(*pair));
    let row = |((task, index), tick): (&'r Pair, &Tick)| Row {
        task,
        index: *index,
        tick: *tick,
    };
    unknown.map(row).collect()
}

/// Lowers rows in which a tick still stands to the last instant before it.
pub(super) struct Open<'o, DB: Dialect> {
    pub(super) table: &'o Opened<DB>,
    pub(super) rows: Vec<Row<'o>>,
    /// Whether it was sent, with no answer that says it had no effect.
    pub(super) is_sent: bool,
}

impl<DB: Dialect> Errand<DB> for Open<'_, DB> {
    type Found = BTreeSet<Execution>;

    /// Once only: what the first sending opened may have been taken, by a system that leaves no word of who it was.
    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<BTreeSet<Execution>, Trouble> {
        if self.is_sent {
            return Ok(BTreeSet::new());
        }
        self.is_sent = true;
        let Opened { sql, holds } = self.table;
        let limit = manager.inner.wait_max;
        let lowering = DB::lower(connection, sql, limit, &self.rows, holds.unit_ms());
        match lowering.await {
            Ok(places) => {
                let lowered = places.into_iter().filter_map(|place| self.rows.get(place));
                let execution = |row: &Row<'_>| Execution {
                    task: row.task.clone(),
                    index: row.index,
                    tick: row.tick,
                };
                Ok(lowered.map(execution).collect())
            }
            Err(trouble) => {
                // Then the server has undone it.
                self.is_sent = !trouble.is_busy();
                Err(trouble)
            }
        }
    }
}
