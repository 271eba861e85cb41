//! The Kotlin system's table in MySQL and MariaDB. Its `TIMESTAMP` goes by the session's time zone,
//! which is UTC in all of ours.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use sexton_core::tick::Tick;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, MySql, Row as _, query, query_scalar, raw_sql};

use super::connect::{begin, commit};
use super::lists;
use super::sql::{Bound, Statement};
use crate::error::OpenError;
use crate::server::error::StoreError;
use crate::server::ktor::database::{Column, Found, Held, KtorDatabase, Row, held};
use crate::server::names::Names;
use sexton_core::lock::engine::Unavailable;

/// From one second after its first instant, which is that of the epoch and a second, to the last in
/// 31 bits.
const TIMESTAMPS_MS: RangeInclusive<i64> = 2_000..=2_147_483_647_999;
/// From the year 1000 to the last tick.
const DATETIMES_MS: RangeInclusive<i64> = -30_610_224_000_000..=Tick::MAX.as_millis();

const COLUMNS: &str = "SELECT CAST(column_name AS CHAR), CAST(data_type AS CHAR), \
    CAST(datetime_precision AS SIGNED), CAST(character_maximum_length AS SIGNED), is_nullable = 'YES', \
    CAST(character_set_name AS CHAR), CAST(collation_name AS CHAR) \
    FROM information_schema.columns WHERE table_schema = ? AND table_name = ?";
const ENGINE: &str = "SELECT CAST(engine AS CHAR) FROM information_schema.tables \
    WHERE table_schema = ? AND table_name = ?";
const UNIQUE_KEYS: &str = "SELECT CAST(index_name AS CHAR), CAST(column_name AS CHAR) \
    FROM information_schema.statistics WHERE table_schema = ? AND table_name = ? AND non_unique = 0";

/// What the statements read rows from.
const LIST: &str = "JSON_TABLE(CONVERT($1 USING utf8mb4), '$[*]' COLUMNS (place FOR ORDINALITY, \
    task VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.task', \
    concurrency_index INT PATH '$.concurrency_index', tick_ms BIGINT PATH '$.tick_ms'))";

/// The statements, with the table's name in them.
#[derive(Debug)]
pub struct KtorSql {
    label: String,
    hold: Statement,
    set: Statement,
    insert: Statement,
}

impl KtorDatabase for MySql {
    type KtorSql = KtorSql;

    const INSTANTS: &'static [(&'static str, RangeInclusive<i64>)] =
        &[("timestamp", TIMESTAMPS_MS), ("datetime", DATETIMES_MS)];

    fn create_statement(table: &str) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {table} (\
             _name VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, concurrency_index INT NOT NULL, \
             locked_at TIMESTAMP(3) NULL DEFAULT NULL, PRIMARY KEY (_name, concurrency_index)) \
             ENGINE=InnoDB ROW_FORMAT=DYNAMIC"
        )
    }

    async fn create(connection: &mut MySqlConnection, statement: &str) -> Result<(), StoreError> {
        // Safe: a constant, and a name that is checked and quoted.
        let create = raw_sql(AssertSqlSafe(statement.to_owned()));
        create.execute(connection).await?;
        Ok(())
    }

    fn statements(found: &Found) -> KtorSql {
        let name = found.columns.iter().find(|column| column.name == "_name");
        let collation = name.and_then(|name| name.charset.as_ref().zip(name.collation.as_ref()));
        // The column's own, so that its index serves, and names are the same where the column says
        // so.
        let task = match collation {
            Some((charset, collation)) => {
                format!("CONVERT(w.task USING {charset}) COLLATE {collation}")
            }
            None => "w.task".to_owned(),
        };
        let is_same = format!("l._name = {task} AND l.concurrency_index = w.concurrency_index");
        let pieces = [("list", LIST), ("is_same", is_same.as_str())];
        let key = found.key.as_deref().unwrap_or_default();
        let names = [("locks", found.table.as_str()), ("key", key)];
        let of = |template: &str| Statement::filled(template, &pieces, &names);
        KtorSql {
            label: found.label.clone(),
            hold: of(include_str!("sql/ktor/hold.sql")),
            set: of(include_str!("sql/ktor/set.sql")),
            insert: of(include_str!("sql/ktor/insert.sql")),
        }
    }

    async fn find(
        connection: &mut MySqlConnection,
        names: &Names,
        name: &str,
        location: &str,
    ) -> Result<Option<Found>, StoreError> {
        let schema: Option<String> = query_scalar("SELECT COALESCE(?, DATABASE())")
            .bind(names.schema())
            .fetch_one(&mut *connection)
            .await?;
        let columns = query(COLUMNS).bind(&schema).bind(name);
        let columns = columns.fetch_all(&mut *connection).await?;
        if columns.is_empty() {
            return Ok(None);
        }
        let columns = columns
            .iter()
            .map(column)
            .collect::<Result<_, StoreError>>()?;
        let parts = query(UNIQUE_KEYS).bind(&schema).bind(name);
        let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in parts.fetch_all(&mut *connection).await? {
            let key = keys.entry(row.try_get_unchecked(0)?).or_default();
            key.push(row.try_get_unchecked(1)?);
        }
        let engine = query_scalar(ENGINE).bind(&schema).bind(name);
        let engine: Option<String> = engine.fetch_one(connection).await?;
        let is_ours = |columns: &mut Vec<String>| {
            columns.sort_unstable();
            *columns == ["_name", "concurrency_index"]
        };
        let mut keys = keys.into_iter();
        let key = keys.find_map(|(key, mut columns)| is_ours(&mut columns).then_some(key));
        let table = match schema {
            Some(schema) => names.in_schema(schema).qualified(name),
            None => names.qualified(name),
        };
        let label = format!("{table} of {location}");
        match engine.as_deref() {
            Some("InnoDB") => {}
            other => {
                let other = other.unwrap_or("unknown");
                let problem = format!(
                    "its engine is {other}, which locks no rows: ALTER TABLE {table} ENGINE=InnoDB"
                );
                let table = label;
                return Err(OpenError::BadTaskLocks { table, problem }.into());
            }
        }
        Ok(Some(Found {
            label,
            table,
            columns,
            key: key.map(|key| names.quoted(&key)),
        }))
    }

    /// Read and written in one transaction: how many rows a statement says that it has changed
    /// depends on how the client asked.
    async fn raise(
        connection: &mut MySqlConnection,
        sql: &KtorSql,
        _: Duration,
        rows: &[Row<'_>],
    ) -> Result<Vec<Held>, StoreError> {
        begin(connection).await?;
        let there = hold(connection, sql, rows).await?;
        let lower = there.iter().filter_map(|held| {
            let row = rows.get(held.place)?;
            let is_lower = held.before.is_none_or(|before| before < row.tick);
            is_lower.then_some((row, row.tick.as_millis()))
        });
        set(connection, sql, lower.collect(), rows.is_empty()).await?;
        commit(connection).await?;
        Ok(there)
    }

    async fn insert(
        connection: &mut MySqlConnection,
        sql: &KtorSql,
        _: Duration,
        rows: &[Row<'_>],
    ) -> Result<(), StoreError> {
        let list = lists::of_rows(rows.iter().map(|row| (row, row.tick.as_millis())));
        let insert = sql.insert.query(&[Bound::Text(&list)]);
        insert.execute(connection).await?;
        Ok(())
    }

    async fn lower(
        connection: &mut MySqlConnection,
        sql: &KtorSql,
        _: Duration,
        rows: &[Row<'_>],
        by_ms: i64,
    ) -> Result<Vec<usize>, StoreError> {
        begin(connection).await?;
        let there = hold(connection, sql, rows).await?;
        let still = |held: &&Held| {
            let row = rows.get(held.place);
            row.is_some_and(|row| held.before.is_some_and(|before| before == row.tick))
        };
        let still: Vec<usize> = there.iter().filter(still).map(|held| held.place).collect();
        let lowered = still.iter().filter_map(|place| rows.get(*place));
        let lowered = lowered.map(|row| (row, row.tick.as_millis() - by_ms));
        set(connection, sql, lowered.collect(), false).await?;
        commit(connection).await?;
        Ok(still)
    }
}

/// Locks the rows that are there.
async fn hold(
    connection: &mut MySqlConnection,
    sql: &KtorSql,
    rows: &[Row<'_>],
) -> Result<Vec<Held>, StoreError> {
    let list = lists::of_rows(rows.iter().map(|row| (row, row.tick.as_millis())));
    let hold = sql.hold.query(&[Bound::Text(&list)]);
    let there = hold.fetch_all(&mut *connection).await?;
    let read = |row: &MySqlRow| {
        let is_read_only: i64 = row.try_get_unchecked(3)?;
        if is_read_only != 0 {
            return Err(Unavailable::ReadOnly.into());
        }
        let (place, name): (i64, &str) = (row.try_get_unchecked(0)?, row.try_get_unchecked(1)?);
        held(&sql.label, rows, place, name, row.try_get_unchecked(2)?)
    };
    there.iter().map(read).collect()
}

/// Writes what shall stand in rows that are locked. If it is nothing, only when it is about whether
/// this user may.
async fn set(
    connection: &mut MySqlConnection,
    sql: &KtorSql,
    rows: Vec<(&Row<'_>, i64)>,
    is_trial: bool,
) -> Result<(), StoreError> {
    if rows.is_empty() && !is_trial {
        return Ok(());
    }
    let list = lists::of_rows(rows);
    let set = sql.set.query(&[Bound::Text(&list)]);
    set.execute(&mut *connection).await?;
    Ok(())
}

fn column(row: &MySqlRow) -> Result<Column, StoreError> {
    let digits: Option<i64> = row.try_get_unchecked(2)?;
    let chars_max: Option<i64> = row.try_get_unchecked(3)?;
    let is_nullable: i64 = row.try_get_unchecked(4)?;
    Ok(Column {
        name: row.try_get_unchecked(0)?,
        kind: row.try_get_unchecked(1)?,
        digits: digits.and_then(|digits| u32::try_from(digits).ok()),
        chars_max: chars_max.and_then(|chars_max| usize::try_from(chars_max).ok()),
        is_nullable: is_nullable != 0,
        charset: row.try_get_unchecked(5)?,
        collation: row.try_get_unchecked(6)?,
    })
}
