//! How transactions begin.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Sqlite, Transaction};

use super::error::Trouble;

/// A transaction with the write lock, at once or not at all. It rolls back when it is dropped.
pub(super) async fn begin_write(
    connection: &mut SqliteConnection,
) -> Result<Transaction<'_, Sqlite>, Trouble> {
    let begun = connection.begin_with("BEGIN IMMEDIATE").await;
    begun.map_err(Trouble::of_begin)
}

/// A transaction that sees one moment, and keeps nobody from writing. Not to be dropped by who has
/// succeeded: a connection that is not known to be out of it is closed.
pub(super) async fn begin_read(
    connection: &mut SqliteConnection,
) -> Result<Transaction<'_, Sqlite>, Trouble> {
    // Said, or the driver would make a savepoint in a transaction that was left open.
    let begun = connection.begin_with("BEGIN").await;
    begun.map_err(Trouble::of_begin)
}
