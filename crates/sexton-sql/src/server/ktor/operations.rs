//! What is done with a connection: finding the table, taking ticks, opening them again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::marker::PhantomData;

use sexton_core::lock::engine::{Connect, Engine, ErrorClass, Operation, PortError};
use sexton_core::lock::{Execution, LockKey};
use sexton_core::store_time::StoreTime;
use sexton_core::tick::Tick;

use super::database::{Found, Row};
use super::opened::Opened;
use super::table::Holds;
use crate::error::OpenError;
use crate::server::cause::Cause;
use crate::server::database::ServerDatabase;
use crate::server::error::{StoreError, cause};
use crate::server::names::Names;

/// Finds the table, or makes it.
pub(super) struct Find<'f, DB> {
    pub(super) name: &'f str,
    pub(super) names: &'f Names,
    pub(super) database: PhantomData<fn() -> DB>,
}

impl<DB: ServerDatabase> Operation<DB::Port> for Find<'_, DB> {
    type Output = Opened<DB>;

    async fn run(
        &mut self,
        engine: &Engine<DB::Port>,
        connection: &mut DB::Connection,
    ) -> Result<Opened<DB>, StoreError> {
        let location = engine.port().location();
        let found = DB::find(&mut *connection, self.names, self.name, location).await?;
        let found = match found {
            Some(found) => found,
            None => self.make(engine, &mut *connection).await?,
        };
        let holds = Holds::of::<DB>(&found)?;
        let sql = DB::statements(&found);
        // Touches no row, and shows that this user may do what is to be done.
        DB::raise(&mut *connection, &sql, engine.port().limits().call, &[]).await?;
        DB::insert(connection, &sql, engine.port().limits().call, &[]).await?;
        Ok(Opened { sql, holds })
    }
}

impl<DB: ServerDatabase> Find<'_, DB> {
    async fn make(
        &self,
        engine: &Engine<DB::Port>,
        connection: &mut DB::Connection,
    ) -> Result<Found, StoreError> {
        let store = engine.port().location().to_owned();
        let table = self.names.qualified(self.name);
        let statement = DB::create_statement(&table);
        let made = DB::create(&mut *connection, &statement).await;
        // Others may have made it at the same time.
        let found = DB::find(connection, self.names, self.name, &store).await?;
        match (found, made) {
            (Some(found), _) => Ok(found),
            (None, Err(StoreError::Driver(error))) if is_refusal(&error) => {
                let source = Box::new(error);
                Err(OpenError::NoTaskLocks {
                    store,
                    table,
                    statement,
                    source,
                }
                .into())
            }
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(OpenError::BadTaskLocks {
                table,
                problem: format!("{store} has made it, but does not show it"),
            }
            .into()),
        }
    }
}

fn is_refusal(error: &sqlx::Error) -> bool {
    matches!(cause(error), Cause::NotPrivileged(_) | Cause::Permanent(_))
}

/// Raises the row of each (task, index) to the newest of the ticks that are to be taken.
pub(super) struct Take<'t, DB: ServerDatabase> {
    pub(super) table: &'t Opened<DB>,
    pub(super) newest: BTreeMap<LockKey, Tick>,
    /// What stood in each row before, as soon as it is known. What is known is raised, if it had to be, and not raised again.
    pub(super) before: HashMap<LockKey, Option<StoreTime>>,
}

impl<DB: ServerDatabase> Operation<DB::Port> for Take<'_, DB> {
    type Output = ();

    /// If an answer is lost, what it has raised finds itself raised the next time, and so denied: run at most once.
    async fn run(
        &mut self,
        engine: &Engine<DB::Port>,
        connection: &mut DB::Connection,
    ) -> Result<(), StoreError> {
        let limit = engine.port().limits().call;
        let Opened { sql, holds } = self.table;
        self.raise(engine, &mut *connection).await?;
        let missing = rows(&self.newest, &self.before);
        if missing.is_empty() {
            return Ok(());
        }
        DB::insert(&mut *connection, sql, limit, &missing).await?;
        self.raise(engine, connection).await?;
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

impl<DB: ServerDatabase> Take<'_, DB> {
    async fn raise(
        &mut self,
        engine: &Engine<DB::Port>,
        connection: &mut DB::Connection,
    ) -> Result<(), StoreError> {
        let asked = rows(&self.newest, &self.before);
        let raising = DB::raise(
            connection,
            &self.table.sql,
            engine.port().limits().call,
            &asked,
        );
        for held in raising.await? {
            if let Some(row) = asked.get(held.place) {
                let key = LockKey::new(row.task.clone(), row.index);
                self.before.insert(key, held.before);
            }
        }
        Ok(())
    }
}

/// The rows that nothing is known of yet.
fn rows<'r>(
    newest: &'r BTreeMap<LockKey, Tick>,
    before: &HashMap<LockKey, Option<StoreTime>>,
) -> Vec<Row<'r>> {
    let unknown = newest.iter().filter(|(key, _)| !before.contains_key(*key));
    let row = |(key, tick): (&'r LockKey, &Tick)| Row {
        task: &key.task,
        index: key.index,
        tick: *tick,
    };
    unknown.map(row).collect()
}

/// Lowers rows in which a tick still stands to the last instant before it.
pub(super) struct Open<'o, DB: ServerDatabase> {
    pub(super) table: &'o Opened<DB>,
    pub(super) rows: Vec<Row<'o>>,
    /// Whether it was sent, with no answer that says it had no effect.
    pub(super) is_sent: bool,
}

impl<DB: ServerDatabase> Operation<DB::Port> for Open<'_, DB> {
    type Output = BTreeSet<Execution>;

    /// Once only: what the first sending opened may have been taken, by a system that leaves no word of who it was.
    async fn run(
        &mut self,
        engine: &Engine<DB::Port>,
        connection: &mut DB::Connection,
    ) -> Result<BTreeSet<Execution>, StoreError> {
        if self.is_sent {
            return Ok(BTreeSet::new());
        }
        self.is_sent = true;
        let Opened { sql, holds } = self.table;
        let limit = engine.port().limits().call;
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
            Err(error) => {
                // Then the server has undone it.
                self.is_sent = !matches!(error.class(), ErrorClass::Busy | ErrorClass::Conflict);
                Err(error)
            }
        }
    }
}
