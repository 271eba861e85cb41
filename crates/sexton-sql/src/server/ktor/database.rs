//! What a database says its own way of the Kotlin system's table.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use sexton_core::name::TaskName;
use sexton_core::store_time::StoreTime;
use sexton_core::tick::{ConcurrencyIndex, Tick};
use sqlx::Database;

use crate::error::OpenError;
use crate::server::error::StoreError;
use crate::server::names::Names;

/// A row of the table, and the tick that is to stand in it, or to stand in it no more.
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    pub task: &'r TaskName,
    pub index: ConcurrencyIndex,
    pub tick: Tick,
}

/// A row that was there, locked until what is done with it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Which of the rows asked for, from 0.
    pub place: usize,
    /// The tick that stood in it, if any: Kotlin's are not always whole milliseconds.
    pub before: Option<StoreTime>,
}

/// A column as the catalogue has it.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    /// The name of its type, without any length.
    pub kind: String,
    /// How many digits of a second it holds.
    pub digits: Option<u32>,
    /// How many characters it holds at most.
    pub chars_max: Option<usize>,
    pub is_nullable: bool,
    pub charset: Option<String>,
    pub collation: Option<String>,
}

/// The table as the catalogue has it.
#[derive(Debug)]
pub struct Found {
    /// Quoted, with its schema.
    pub table: String,
    /// The same for people, and where it stands.
    pub label: String,
    pub columns: Vec<Column>,
    /// The name of a unique index on `_name` and `concurrency_index`.
    pub key: Option<String>,
}

/// What a database says its own way of that table. Rows are locked in the order in which they are asked for.
pub trait KtorDatabase: Database {
    /// The statements, with the table's name in them.
    type KtorSql: fmt::Debug + Send + Sync + 'static;

    /// The types that `locked_at` may have, and the instants that they all can hold, in ms since the Unix epoch.
    const INSTANTS: &'static [(&'static str, std::ops::RangeInclusive<i64>)];

    /// The statement that makes the table.
    fn create_statement(table: &str) -> String;

    /// Runs that statement.
    fn create(
        connection: &mut Self::Connection,
        statement: &str,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The statements for a table that was found good.
    fn statements(found: &Found) -> Self::KtorSql;

    /// Looks for the table: in a schema, or where the connection looks, which is at `location`.
    fn find(
        connection: &mut Self::Connection,
        names: &Names,
        table: &str,
        location: &str,
    ) -> impl Future<Output = Result<Option<Found>, StoreError>> + Send;

    /// Raises those of the rows that are lower. Answers all that are there.
    fn raise(
        connection: &mut Self::Connection,
        sql: &Self::KtorSql,
        limit: Duration,
        rows: &[Row<'_>],
    ) -> impl Future<Output = Result<Vec<Held>, StoreError>> + Send;

    /// Makes those of the rows that are missing, with no tick in them.
    fn insert(
        connection: &mut Self::Connection,
        sql: &Self::KtorSql,
        limit: Duration,
        rows: &[Row<'_>],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Lowers by so many ms those of the rows in which their tick stands. Answers the places of those.
    fn lower(
        connection: &mut Self::Connection,
        sql: &Self::KtorSql,
        limit: Duration,
        rows: &[Row<'_>],
        by_ms: i64,
    ) -> impl Future<Output = Result<Vec<usize>, StoreError>> + Send;
}

/// Checks that a row is the one that was asked for, which place (from 1) it has among them, and reads the rest of it:
/// `before` is what stood in it, in microseconds since the Unix epoch.
///
/// # Errors
/// A row that a collation took for that of the task, though its name is written otherwise: the two would share every tick.
pub(crate) fn held(
    label: &str,
    rows: &[Row<'_>],
    place: i64,
    name: &str,
    before: Option<i64>,
) -> Result<Held, StoreError> {
    let place = usize::try_from(place - 1).unwrap_or(usize::MAX);
    match rows.get(place) {
        Some(row) if row.task.as_str() == name => Ok(Held {
            place,
            before: before.map(StoreTime::from_micros),
        }),
        asked => Err(OpenError::BadTaskLocks {
            table: label.to_owned(),
            problem: format!(
                "the collation of _name takes {name:?} for {:?}: they would share their ticks. Rename one of them",
                asked.map_or("", |row| row.task.as_str()),
            ),
        }
        .into()),
    }
}
