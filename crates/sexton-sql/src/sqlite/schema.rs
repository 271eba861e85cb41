//! The tables, and how they come to be.
//!
//! The version stands in the table `sexton_schema`, not in `PRAGMA user_version`, so that the
//! tables may live in an application's database beside its own. A file of Sexton's own is marked by
//! `PRAGMA application_id` as well, for `file(1)` and for us to know it by. Nothing is written to a
//! database before it is known to be ours or empty.

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};

use super::begin::begin_write;
use super::error::Trouble;
use crate::error::OpenError;

/// `PRAGMA application_id` of a file of ours: `Sxtn`.
pub const APPLICATION_ID: i64 = 0x5378_746e;

/// Every step of the schema, oldest first. A step that was ever released is never changed.
const MIGRATIONS: [(i64, &str); 2] = [
    (1, include_str!("migrations/0001_locks.sql")),
    (2, include_str!("migrations/0002_known_since.sql")),
];

/// The newest version known.
pub(super) const VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// Whose database the tables stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    OwnFile,
    Memory,
    /// An application's, with tables of its own.
    Shared,
}

/// Brings the schema to [`VERSION`]. Safe when many processes do so at once: the first one does it,
/// the others find it done.
pub(super) async fn prepare(
    connection: &mut SqliteConnection,
    place: Place,
    location: &str,
) -> Result<(), Trouble> {
    let found = look(connection).await?;
    if place == Place::OwnFile {
        found.check_ours(location)?;
        found.check_no_foreign_code(location)?;
        keep_write_ahead_log(connection, location).await?;
    }
    if found.version(location)? == VERSION {
        return Ok(());
    }
    let mut transaction = begin_write(connection).await?;
    let found = look(&mut transaction).await?;
    if place == Place::OwnFile {
        found.check_ours(location)?;
        found.check_no_foreign_code(location)?;
    }
    let version = found.version(location)?;
    for step in steps(version) {
        let step = AssertSqlSafe(step);
        sqlx::raw_sql(step).execute(&mut *transaction).await?;
    }
    if place != Place::Shared && found.foreign_table.is_none() {
        sqlx::raw_sql(MARK_AS_OURS)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Checks the tables of a file that is only looked at.
pub(super) async fn inspect(
    connection: &mut SqliteConnection,
    location: &str,
) -> Result<(), Trouble> {
    let found = look(connection).await?;
    found.check_ours(location)?;
    found.check_no_foreign_code(location)?;
    let version = found.version(location)?;
    if version == VERSION {
        return Ok(());
    }
    let store = location.to_owned();
    Err(OpenError::OlderSchema {
        store,
        found: version,
        needed: VERSION,
    }
    .into())
}

/// What leads from a version to the newest, step by step.
fn steps(from: i64) -> impl Iterator<Item = String> {
    let steps = MIGRATIONS
        .into_iter()
        .filter(move |(number, _)| *number > from);
    steps.map(|(number, script)| {
        format!(
            "{script}\nINSERT INTO sexton_schema (version, applied_at_ms) \
             VALUES ({number}, CAST(unixepoch('subsec') * 1000 AS INTEGER));\n"
        )
    })
}

/// The script that brings the tables in a SQLite database from `version` to the newest one, 0 for a
/// database without them: for those who keep the migrations of an application's database
/// themselves. Opening a [`SqliteLockManager`](super::SqliteLockManager) does the same.
///
/// ```
/// use sexton_sql::sqlite::migration_sql;
///
/// assert!(migration_sql(0).contains("CREATE TABLE sexton_registers"));
/// ```
#[must_use]
pub fn migration_sql(version: i64) -> String {
    let head =
        format!("-- Sexton's tables, from version {version} to version {VERSION}.\nBEGIN;\n\n");
    let steps = steps(version).collect::<String>();
    [&head, steps.as_str(), "\nCOMMIT;\n"].concat()
}

/// A pragma takes no parameters; a test keeps the number equal to [`APPLICATION_ID`].
const MARK_AS_OURS: &str = "PRAGMA application_id = 0x5378746e";

/// What is known of a database before anything is written to it.
#[derive(Debug)]
struct Found {
    application_id: i64,
    foreign_table: Option<String>,
    /// A trigger on a table of ours, or a view in the place of one.
    foreign_code: Option<String>,
    version: Option<i64>,
}

async fn look(connection: &mut SqliteConnection) -> Result<Found, Trouble> {
    let row = sqlx::query(
        "SELECT (SELECT application_id FROM pragma_application_id), \
                (SELECT min(name) FROM sqlite_schema WHERE type = 'table' \
                    AND substr(name, 1, 7) <> 'sexton_' AND substr(name, 1, 7) <> 'sqlite_'), \
                EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'sexton_schema'), \
                (SELECT min(type || ' ' || name) FROM sqlite_schema \
                    WHERE (type = 'trigger' AND lower(substr(tbl_name, 1, 7)) = 'sexton_') \
                    OR (type = 'view' AND lower(substr(name, 1, 7)) = 'sexton_'))",
    )
    .fetch_one(&mut *connection)
    .await?;
    let has_schema: bool = row.try_get(2)?;
    let version = if has_schema {
        sqlx::query_scalar("SELECT max(version) FROM sexton_schema")
            .fetch_one(connection)
            .await?
    } else {
        None
    };
    Ok(Found {
        application_id: row.try_get(0)?,
        foreign_table: row.try_get(1)?,
        foreign_code: row.try_get(3)?,
        version,
    })
}

impl Found {
    /// A file is ours if it says so, has our tables (an application made it, and shares it), or is
    /// empty.
    fn check_ours(&self, location: &str) -> Result<(), OpenError> {
        let is_empty = self.application_id == 0 && self.foreign_table.is_none();
        if self.application_id == APPLICATION_ID || self.version.is_some() || is_empty {
            return Ok(());
        }
        Err(OpenError::NotOurs {
            store: location.to_owned(),
            application_id: self.application_id,
            table: self.foreign_table.clone(),
        })
    }

    /// No migration of ours makes a trigger or a view: what is there would run somebody else's SQL
    /// with our rights.
    fn check_no_foreign_code(&self, location: &str) -> Result<(), OpenError> {
        match &self.foreign_code {
            None => Ok(()),
            Some(what) => Err(OpenError::ForeignCode {
                store: location.to_owned(),
                what: what.clone(),
            }),
        }
    }

    fn version(&self, location: &str) -> Result<i64, OpenError> {
        match self.version {
            Some(found) if found > VERSION => Err(OpenError::NewerSchema {
                store: location.to_owned(),
                found,
                known: VERSION,
            }),
            found => Ok(found.unwrap_or(0)),
        }
    }
}

async fn keep_write_ahead_log(
    connection: &mut SqliteConnection,
    location: &str,
) -> Result<(), Trouble> {
    let is: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut *connection)
        .await?;
    if is == "wal" {
        return Ok(());
    }
    let becomes: String = sqlx::query_scalar("PRAGMA journal_mode = WAL")
        .fetch_one(connection)
        .await?;
    if becomes == "wal" {
        return Ok(());
    }
    let store = location.to_owned();
    Err(OpenError::NoWriteAheadLog {
        store,
        mode: becomes,
    }
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_in_order_and_the_mark_is_the_application_id() {
        for (place, (number, script)) in (1..).zip(MIGRATIONS) {
            assert_eq!(number, place);
            assert!(script.contains("sexton_"));
        }
        assert_eq!(
            MARK_AS_OURS,
            format!("PRAGMA application_id = {APPLICATION_ID:#x}")
        );
        assert_eq!(&0x5378_746e_u32.to_be_bytes(), b"Sxtn");
    }
}
