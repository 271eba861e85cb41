//! The tables, and how they come to be.
//!
//! The version stands in the table `sexton_versions`. Many replicas may start at once: whoever
//! finds the tables missing or old takes a named lock, looks again, and does what is left to do.
//! Whoever finds them as they should be asks for no privilege but to read that one table. MySQL
//! commits after each table that is made: a migration that breaks off is taken up by the next one.

use std::time::Duration;

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, query_scalar, raw_sql};

use crate::error::OpenError;
use crate::server::Migrations;
use crate::server::cause::Cause;
use crate::server::driver::Prepare;
use crate::server::error::{StoreError, cause};
use crate::server::names::Names;
use sexton_core::lock::engine::Unavailable;

/// Every step of the schema, oldest first. A step that was ever released is never changed.
const MIGRATIONS: [(i64, &str); 1] = [(1, include_str!("migrations/0001_locks.sql"))];

/// The newest version known.
const VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// The oldest servers that do, as (major, minor, patch).
const MARIADB_MIN: (u32, u32, u32) = (10, 6, 0);
const MYSQL_MIN: (u32, u32, u32) = (8, 0, 19);

/// Brings the schema to [`VERSION`], and answers the tables' names with their database.
pub(super) async fn prepare(
    connection: &mut MySqlConnection,
    prepared: Prepare<'_>,
) -> Result<Names, StoreError> {
    let Prepare {
        names,
        migrations,
        limit,
        location,
    } = prepared;
    let server: String = query_scalar("SELECT VERSION()")
        .fetch_one(&mut *connection)
        .await?;
    if let Some(lacks) = lacks(&server) {
        return Err(unknown(location, server, lacks));
    }
    if !is_new_enough(&server) {
        return Err(OpenError::OldServer {
            store: location.to_owned(),
            found: server,
            needed: "MySQL 8.0.19 or MariaDB 10.6",
        }
        .into());
    }
    let has_lists = query_scalar::<_, i64>(LISTS).fetch_one(&mut *connection);
    if let Err(error) = has_lists.await {
        return Err(match cause(&error) {
            Cause::Permanent(_) => unknown(location, server, JSON_TABLE),
            _ => error.into(),
        });
    }
    let current: Option<String> = query_scalar("SELECT DATABASE()")
        .fetch_one(&mut *connection)
        .await?;
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
        return Err(OpenError::OlderSchema {
            store: location.to_owned(),
            found,
            needed: VERSION,
        }
        .into());
    }
    // Of the session: it ends with the connection if this does not come to its end.
    let lock = format!("sexton_migration_{:016x}", names.lock_key());
    let is_locked: Option<i64> = query_scalar("SELECT GET_LOCK(?, ?)")
        .bind(&lock)
        .bind(whole_seconds(limit))
        .fetch_one(&mut *connection)
        .await?;
    if is_locked != Some(1) {
        return Err(Unavailable::Stalled { limit }.into());
    }
    let migrated = migrate(connection, &names, location).await;
    migrated.map_err(|trouble| trouble.in_migrating(location, found, VERSION))?;
    query_scalar::<_, Option<i64>>("SELECT RELEASE_LOCK(?)")
        .bind(&lock)
        .fetch_one(connection)
        .await?;
    Ok(names)
}

/// What lists are read by, and what is missing where that is not known.
const LISTS: &str = "SELECT COUNT(*) FROM JSON_TABLE('[1]', '$[*]' COLUMNS (n INT PATH '$')) AS j";
const JSON_TABLE: &str = "JSON_TABLE";

/// What a service lacks that calls itself a MySQL, by its version.
fn lacks(server: &str) -> Option<&'static str> {
    let known = ["TiDB", "Vitess", "PlanetScale"];
    let is_known = known.iter().any(|name| server.contains(name));
    is_known.then_some(JSON_TABLE)
}

fn unknown(location: &str, found: String, lacks: &'static str) -> StoreError {
    OpenError::UnknownServer {
        store: location.to_owned(),
        found,
        lacks,
        page: "mysql",
    }
    .into()
}

fn whole_seconds(limit: Duration) -> i64 {
    i64::try_from(limit.as_secs()).unwrap_or(i64::MAX).max(1)
}

async fn migrate(
    connection: &mut MySqlConnection,
    names: &Names,
    location: &str,
) -> Result<(), StoreError> {
    let found = version(connection, names, location).await?;
    if let Some(schema) = names.schema() {
        let is_there: i64 =
            query_scalar("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = ?")
                .bind(schema)
                .fetch_one(&mut *connection)
                .await?;
        if is_there == 0 {
            raw_sql(AssertSqlSafe(create_schema(names, schema)))
                .execute(&mut *connection)
                .await?;
        }
    }
    for script in scripts(names, found) {
        raw_sql(AssertSqlSafe(script))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// The version of the tables, 0 if there are none.
async fn version(
    connection: &mut MySqlConnection,
    names: &Names,
    location: &str,
) -> Result<i64, StoreError> {
    let is_there: i64 = query_scalar(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ? AND table_name = ?",
    )
    .bind(names.schema())
    .bind(names.unquoted("versions"))
    .fetch_one(&mut *connection)
    .await?;
    if is_there == 0 {
        return Ok(0);
    }
    let newest = format!("SELECT MAX(version) FROM {}", names.table("versions"));
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

/// `8.0.36-0ubuntu1`, `10.11.6-MariaDB-…`, and `5.5.5-10.6.1-MariaDB` as some say for old clients'
/// sake.
fn is_new_enough(server: &str) -> bool {
    let is_mariadb = server.contains("MariaDB");
    let version = match server.strip_prefix("5.5.5-") {
        Some(version) if is_mariadb => version,
        _ => server,
    };
    let end = version.find(|c: char| c != '.' && !c.is_ascii_digit());
    let version = &version[..end.unwrap_or(version.len())];
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut number = || numbers.next().unwrap_or(0);
    let found = (number(), number(), number());
    found >= if is_mariadb { MARIADB_MIN } else { MYSQL_MIN }
}

fn create_schema(names: &Names, schema: &str) -> String {
    let schema = names.quoted(schema);
    format!("CREATE DATABASE IF NOT EXISTS {schema};\n\n")
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
    let mut script = format!("-- Sexton's tables, from version {from} to version {VERSION}.\n\n");
    if let Some(schema) = names.schema()
        && from == 0
    {
        script.push_str(&create_schema(names, schema));
    }
    script.extend(scripts(names, from));
    script
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::driver::ServerDriver;

    fn names(schema: Option<&str>) -> Names {
        Names::new(sqlx::MySql::DICTIONARY, schema, "app_").unwrap()
    }

    #[test]
    fn migrations_are_numbered_in_order_and_all_their_names_are_known() {
        for (place, (number, script)) in (1..).zip(MIGRATIONS) {
            assert_eq!(number, place);
            let filled = names(None).fill(script);
            assert!(
                filled.contains("`app_") && !filled.contains('{'),
                "{filled}"
            );
        }
    }

    #[test]
    fn whoever_is_at_the_newest_version_has_nothing_to_run() {
        let script = script(&names(Some("billing")), VERSION);
        assert!(!script.contains("CREATE"), "{script}");
    }

    #[test]
    fn a_server_is_told_by_its_version_whether_it_will_do() {
        let known = [
            ("8.0.36-0ubuntu0.22.04.1", true),
            ("8.4.0", true),
            ("8.0.18", false),
            ("5.7.44-log", false),
            ("10.11.19-MariaDB-0+deb12u1", true),
            ("5.5.5-10.6.1-MariaDB-log", true),
            ("10.5.23-MariaDB", false),
            ("11.4.2-MariaDB", true),
        ];
        for (server, expected) in known {
            assert_eq!(is_new_enough(server), expected, "{server}");
        }
    }
}
