//! The Kotlin system's table in PostgreSQL. Its `TIMESTAMP` is without a time zone, and holds UTC.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use sexton_core::tick::Tick;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, Row as _, query, query_scalar, raw_sql};

use super::settings::as_setting;
use crate::server::error::StoreError;
use crate::server::ktor::database::{Column, Found, Held, KtorDatabase, Row, held};
use crate::server::names::{Names, filled};

/// From the year 1000 to the last tick.
const INSTANTS_MS: RangeInclusive<i64> = -30_610_224_000_000..=Tick::MAX.as_millis();
const TIMESTAMP: &str = "timestamp without time zone";
const TIMESTAMPTZ: &str = "timestamp with time zone";

const COLUMNS: &str = "SELECT attname::text, format_type(atttypid, NULL), atttypmod, NOT attnotnull \
    FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped";

/// The statements, with the table's name in them.
#[derive(Debug)]
pub struct KtorSql {
    label: String,
    raise: Arc<str>,
    insert: Arc<str>,
    lower: Arc<str>,
}

impl KtorDatabase for Postgres {
    type KtorSql = KtorSql;

    const INSTANTS: &'static [(&'static str, RangeInclusive<i64>)] =
        &[(TIMESTAMP, INSTANTS_MS), (TIMESTAMPTZ, INSTANTS_MS)];

    fn create_statement(table: &str) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {table} (_name TEXT NOT NULL, concurrency_index INTEGER NOT NULL, \
             locked_at TIMESTAMP NULL, PRIMARY KEY (_name, concurrency_index))"
        )
    }

    async fn create(connection: &mut PgConnection, statement: &str) -> Result<(), StoreError> {
        // Safe: a constant, and a name that is checked and quoted.
        let create = raw_sql(AssertSqlSafe(statement.to_owned()));
        create.execute(connection).await?;
        Ok(())
    }

    fn statements(found: &Found) -> KtorSql {
        let is_zoned = found
            .columns
            .iter()
            .any(|column| column.name == "locked_at" && column.kind == TIMESTAMPTZ);
        let epoch = if is_zoned { "TIMESTAMPTZ" } else { "TIMESTAMP" };
        let instant = format!("({epoch} 'epoch' + w.tick_ms * INTERVAL '1 millisecond')");
        let of = |template: &str| -> Arc<str> {
            let place = |word: &str| match word {
                "locks" => Some(found.table.clone()),
                "instant" => Some(instant.clone()),
                _ => None,
            };
            filled(template, &place).into()
        };
        KtorSql {
            label: found.label.clone(),
            raise: of(include_str!("sql/ktor/raise.sql")),
            insert: of(include_str!("sql/ktor/insert.sql")),
            lower: of(include_str!("sql/ktor/lower.sql")),
        }
    }

    async fn find(
        connection: &mut PgConnection,
        names: &Names,
        table: &str,
        location: &str,
    ) -> Result<Option<Found>, StoreError> {
        let named = query(
            "SELECT c.oid::bigint, n.nspname::text FROM pg_class AS c \
             JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)",
        );
        let named = named.bind(names.qualified(table));
        let Some(row) = named.fetch_optional(&mut *connection).await? else {
            return Ok(None);
        };
        let (oid, schema): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        let rows = query(COLUMNS).bind(oid).fetch_all(&mut *connection).await?;
        let columns = rows.iter().map(column).collect::<Result<_, StoreError>>()?;
        let key = query_scalar(include_str!("sql/ktor/key.sql")).bind(oid);
        let table = names.in_schema(schema).qualified(table);
        Ok(Some(Found {
            label: format!("{table} of {location}"),
            table,
            columns,
            key: key.fetch_optional(connection).await?,
        }))
    }

    async fn raise(
        connection: &mut PgConnection,
        sql: &KtorSql,
        limit: Duration,
        rows: &[Row<'_>],
    ) -> Result<Vec<Held>, StoreError> {
        let raise = of_rows(&sql.raise, rows).bind(ticks(rows));
        let raise = raise.bind(as_setting(limit));
        let found = raise.fetch_all(connection).await?;
        let read = |row: &PgRow| {
            let (place, name): (i64, &str) = (row.try_get(0)?, row.try_get(1)?);
            held(&sql.label, rows, place, name, row.try_get(2)?)
        };
        found.iter().map(read).collect()
    }

    async fn insert(
        connection: &mut PgConnection,
        sql: &KtorSql,
        limit: Duration,
        rows: &[Row<'_>],
    ) -> Result<(), StoreError> {
        let insert = of_rows(&sql.insert, rows).bind(as_setting(limit));
        insert.execute(connection).await?;
        Ok(())
    }

    async fn lower(
        connection: &mut PgConnection,
        sql: &KtorSql,
        limit: Duration,
        rows: &[Row<'_>],
        by_ms: i64,
    ) -> Result<Vec<usize>, StoreError> {
        let lower = of_rows(&sql.lower, rows).bind(ticks(rows));
        let lower = lower.bind(as_setting(limit)).bind(by_ms);
        let lowered = lower.fetch_all(connection).await?;
        let place = |row: &PgRow| {
            let place: i64 = row.try_get(0)?;
            Ok(usize::try_from(place - 1).unwrap_or(usize::MAX))
        };
        lowered.iter().map(place).collect()
    }
}

fn of_rows(text: &Arc<str>, rows: &[Row<'_>]) -> Query<'static, Postgres, PgArguments> {
    let names: Vec<String> = rows
        .iter()
        .map(|row| row.task.as_str().to_owned())
        .collect();
    let indices: Vec<i32> = rows.iter().map(|row| row.index.get().into()).collect();
    // Safe: constants of the files beside this one, and a name that is quoted.
    query(AssertSqlSafe(Arc::clone(text)))
        .bind(names)
        .bind(indices)
}

fn ticks(rows: &[Row<'_>]) -> Vec<i64> {
    rows.iter().map(|row| row.tick.as_millis()).collect()
}

/// A column, whose modifier says how long it may be: of a text the characters and 4, of an instant the digits.
fn column(row: &PgRow) -> Result<Column, StoreError> {
    let modifier: i32 = row.try_get(2)?;
    let kind: String = row.try_get(1)?;
    let is_text = kind == "character varying" || kind == "character";
    Ok(Column {
        name: row.try_get(0)?,
        digits: Some(u32::try_from(modifier).unwrap_or(6)),
        chars_max: usize::try_from(modifier - 4)
            .ok()
            .filter(|_| is_text && modifier >= 4),
        kind,
        is_nullable: row.try_get(3)?,
        charset: None,
        collation: None,
    })
}
