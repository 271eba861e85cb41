//! The tables, and how they come to be.
//!
//! The version stands in the table `sexton_versions`. Many replicas may start at once: whoever
//! finds the tables missing or old takes an advisory lock for one transaction, looks again, and
//! does what is left to do. Whoever finds them as they should be asks for no privilege but to read
//! that one table.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, query, query_as, query_scalar, raw_sql};

use super::settings::{as_setting, silence_ms};
use crate::error::OpenError;
use crate::server::Migrations;
use crate::server::driver::Prepare;
use crate::server::error::StoreError;
use crate::server::names::Names;

/// Every step of the schema, oldest first. A step that was ever released is never changed.
const MIGRATIONS: [(i64, &str); 1] = [(1, include_str!("migrations/0001_locks.sql"))];

/// The newest version known.
pub(super) const VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// The oldest server that does.
const MAJOR_MIN: u32 = 13;

/// Brings the schema to [`VERSION`], and answers the tables' names with their schema.
pub(super) async fn prepare(
    connection: &mut PgConnection,
    prepared: Prepare<'_>,
) -> Result<Names, StoreError> {
    let Prepare {
        names,
        migrations,
        limit,
        location,
    } = prepared;
    let (server, current): (String, Option<String>) =
        query_as("SELECT version(), current_schema()")
            .fetch_one(&mut *connection)
            .await?;
    check(&server, location)?;
    let names = match (names.schema(), current) {
        (Some(_), _) => names.clone(),
        (None, Some(current)) => names.in_schema(current),
        (None, None) => {
            let store = location.to_owned();
            return Err(OpenError::NoSchema { store }.into());
        }
    };
    let found = version(connection, &names, location).await?;
    if found == VERSION {
        return Ok(names);
    }
    if migrations == Migrations::Refuse {
        let store = location.to_owned();
        let needed = VERSION;
        return Err(OpenError::OlderSchema {
            store,
            found,
            needed,
        }
        .into());
    }
    let migrated = migrate(connection, &names, limit, location).await;
    migrated.map_err(|trouble| trouble.in_migrating(location, found, VERSION))?;
    Ok(names)
}

/// Recognises what speaks PostgreSQL's protocol and is something else, and what is too old.
fn check(server: &str, location: &str) -> Result<(), OpenError> {
    let (store, found) = (location.to_owned(), server.to_owned());
    let Some(version) = server.strip_prefix("PostgreSQL ") else {
        let lacks = if server.starts_with("CockroachDB") {
            "NOTIFY, and advisory locks that hold"
        } else {
            "what Sexton needs of PostgreSQL"
        };
        return Err(OpenError::UnknownServer {
            store,
            found,
            lacks,
            page: "postgres",
        });
    };
    let end = version.find(|c: char| !c.is_ascii_digit());
    let major = version[..end.unwrap_or(version.len())].parse::<u32>();
    match major {
        Ok(major) if major < MAJOR_MIN => Err(OpenError::OldServer {
            store,
            found,
            needed: "PostgreSQL 13",
        }),
        _ => Ok(()),
    }
}

async fn migrate(
    connection: &mut PgConnection,
    names: &Names,
    limit: Duration,
    location: &str,
) -> Result<(), StoreError> {
    let mut transaction = connection
        .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED")
        .await?;
    query(
        "SELECT set_config('lock_timeout', $1, true), \
         set_config('idle_in_transaction_session_timeout', $2, true)",
    )
    .bind(as_setting(limit))
    .bind(silence_ms())
    .execute(&mut *transaction)
    .await?;
    query("SELECT pg_advisory_xact_lock($1)")
        .bind(names.lock_key())
        .execute(&mut *transaction)
        .await?;
    let found = version(&mut transaction, names, location).await?;
    if let Some(schema) = names.schema() {
        let is_there: bool =
            query_scalar("SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)")
                .bind(schema)
                .fetch_one(&mut *transaction)
                .await?;
        if !is_there {
            let create = format!("CREATE SCHEMA {}", names.quoted(schema));
            raw_sql(AssertSqlSafe(create))
                .execute(&mut *transaction)
                .await?;
        }
    }
    for script in scripts(names, found) {
        raw_sql(AssertSqlSafe(script))
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// The version of the tables, 0 if there are none.
async fn version(
    connection: &mut PgConnection,
    names: &Names,
    location: &str,
) -> Result<i64, StoreError> {
    let table = names.table("versions");
    // By the catalogue's rows and not by `to_regclass`, which may remember from before the lock
    // that there was none.
    let is_there: bool = query_scalar(
        "SELECT EXISTS (SELECT 1 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relname = $2)",
    )
    .bind(names.schema())
    .bind(names.unquoted("versions"))
    .fetch_one(&mut *connection)
    .await?;
    if !is_there {
        return Ok(0);
    }
    let newest = format!("SELECT max(version) FROM {table}");
    let newest: Option<i64> = query_scalar(AssertSqlSafe(newest))
        .fetch_one(connection)
        .await?;
    match newest {
        Some(found) if found > VERSION => Err(OpenError::NewerSchema {
            store: location.to_owned(),
            found,
            known: VERSION,
        }
        .into()),
        found => Ok(found.unwrap_or(0)),
    }
}

/// What leads from a version to the newest, step by step.
fn scripts(names: &Names, from: i64) -> impl Iterator<Item = String> {
    let steps = MIGRATIONS
        .into_iter()
        .filter(move |(number, _)| *number > from);
    steps.map(|(number, script)| {
        let noted = format!("\nINSERT INTO {{versions}} (version) VALUES ({number});\n");
        names.fill(&[script, &noted].concat())
    })
}

/// The same as a script for somebody else to run.
pub(super) fn script(names: &Names, from: i64) -> String {
    let mut script =
        format!("-- Sexton's tables, from version {from} to version {VERSION}.\nBEGIN;\n\n");
    if let Some(schema) = names.schema()
        && from == 0
    {
        script.push_str(&format!(
            "CREATE SCHEMA IF NOT EXISTS {};\n\n",
            names.quoted(schema)
        ));
    }
    for step in scripts(names, from) {
        script.push_str(&step);
    }
    script.push_str("\nCOMMIT;\n");
    script
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::driver::ServerDriver;

    fn names(schema: Option<&str>) -> Names {
        Names::new(sqlx::Postgres::DICTIONARY, schema, "app_").unwrap()
    }

    #[test]
    fn migrations_are_numbered_in_order_and_all_their_names_are_known() {
        let names = names(None);
        for (place, (number, script)) in (1..).zip(MIGRATIONS) {
            assert_eq!(number, place);
            let filled = names.fill(script);
            assert!(
                filled.contains("\"app_") && !filled.contains('{'),
                "{filled}"
            );
        }
    }

    #[test]
    fn whoever_is_at_the_newest_version_has_nothing_to_run() {
        let names = names(Some("billing"));
        let script = script(&names, VERSION);
        assert!(!script.contains("CREATE"), "{script}");
    }
}
