//! Connections to PostgreSQL: how one is opened, what a transaction on it is.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Database, Postgres, Row, SqlSafeStr, query};
use sqlx_core::transaction::TransactionManager;

use super::load::text;
use super::settings::{as_setting, patience_ms, silence_ms};
use super::sql::Sql;
use super::{Port, schema, url};
use crate::error::OpenError;
use crate::lent::Lent;
use crate::server::driver::{Prepare, ServerDriver};
use crate::server::error::StoreError;
use crate::server::names::{Dictionary, Names};

/// The columns of an execution in the order in which they are read.
const RECORD: &str = "e.tick_ms, e.task, e.concurrency_index, e.concurrency, e.state, e.reason, \
    e.claim_id, e.instance, e.attempt, e.fence, e.delivery, e.attempts_max, e.overlap, \
    e.lease_until_ms, e.cancel_requested, e.granted_at_ms, e.started_at_ms, e.finished_at_ms, \
    e.error, e.output, e.origin, e.deadline_ms, e.former_holders";
/// The database's clock in whole milliseconds, rounded down.
const CLOCK_MS: &str = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
/// The first row of a look at the tables: the clock, and whether nothing can be written.
const CLOCK_PART: &str = "\
    SELECT 0 AS part, \
        CASE WHEN current_setting('transaction_read_only') = 'on' THEN 1 ELSE 0 END::bigint AS version, \
        {clock_ms} AS tick_ms, {no_more}";
const CLOCK_PART_OF_CLOCK: &str = "\
    SELECT 0 AS part, \
        CASE WHEN current_setting('transaction_read_only') = 'on' THEN 1 ELSE 0 END::bigint AS version, \
        (SELECT now_ms FROM clock) AS tick_ms, {no_more}";
const NO_MORE: &str = "NULL::text AS task, NULL::integer, NULL::integer, NULL::text, NULL::text, \
    NULL::uuid, NULL::text, NULL::bigint, NULL::bigint, NULL::text, NULL::bigint, NULL::text, \
    NULL::bigint, NULL::boolean, NULL::bigint, NULL::bigint, NULL::bigint, NULL::text, NULL::text, \
    NULL::text, NULL::bigint, NULL::text";

impl ServerDriver for Postgres {
    type Sql = Sql;

    const DICTIONARY: &'static Dictionary = &Dictionary {
        quote: '"',
        indexes: &[
            "executions_by_task",
            "executions_open",
            "executions_waiting",
            "executions_leased",
            "executions_to_cancel",
        ],
        pieces: &[
            ("record", RECORD),
            ("clock_ms", CLOCK_MS),
            ("clock_part", CLOCK_PART),
            ("clock_part_of_clock", CLOCK_PART_OF_CLOCK),
            ("no_more", NO_MORE),
        ],
    };

    const NOTIFIES: bool = true;

    fn parse_url(url: &str) -> Result<PgConnectOptions, OpenError> {
        url::parse(url)
    }

    fn location(options: &PgConnectOptions) -> String {
        let database = options.get_database().unwrap_or(options.get_username());
        match options.get_socket() {
            Some(socket) => format!("postgres://{}/{database}", socket.display()),
            None => {
                let (host, port) = (options.get_host(), options.get_port());
                format!("postgres://{host}:{port}/{database}")
            }
        }
    }

    /// Limits are set for each statement or transaction.
    async fn configure(_: &mut PgConnection, _: Duration) -> Result<(), sqlx::Error> {
        Ok(())
    }

    /// A statement that is its own transaction has begun with it. That is so by the simple protocol
    /// alone, which `raw_sql` speaks.
    async fn is_in_no_transaction(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let row = sqlx::raw_sql("SELECT now() = statement_timestamp()");
        row.fetch_one(connection).await?.try_get(0)
    }

    async fn restore(_: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn prepare(
        connection: &mut PgConnection,
        prepare: Prepare<'_>,
    ) -> Result<Sql, StoreError> {
        Ok(Sql::new(&schema::prepare(connection, prepare).await?))
    }

    fn migration_script(names: &Names, from: i64) -> String {
        schema::script(names, from)
    }

    fn text(given: &str) -> Cow<'_, str> {
        text(given)
    }

    async fn roll_back(connection: &mut PgConnection) -> Result<(), StoreError> {
        Ok(Count::rollback(connection).await?)
    }

    async fn begin_for_handler(
        connection: &mut Lent<Postgres>,
        silence: Duration,
    ) -> Result<(), sqlx::Error> {
        connection.begin(BEGIN_FOR_HANDLER).await?;
        let limit = query("SELECT set_config('idle_in_transaction_session_timeout', $1, true)");
        limit
            .bind(as_setting(silence))
            .execute(&mut **connection)
            .await?;
        Ok(())
    }

    /// A transaction that was ended by hand takes its settings with it. One in which a statement
    /// has failed refuses to answer.
    async fn is_as_begun(
        connection: &mut PgConnection,
        limit: Duration,
    ) -> Result<bool, sqlx::Error> {
        let ask = query(
            "SELECT coalesce(current_setting('sexton.run', true), '') = 'begun', \
                set_config('lock_timeout', $1, true), set_config('tcp_user_timeout', $2, true), \
                set_config('idle_in_transaction_session_timeout', $2, true)",
        );
        let ask = ask.bind(as_setting(limit)).bind(silence_ms());
        ask.fetch_one(connection).await?.try_get(0)
    }

    /// What was set went with the transaction.
    async fn restore_after_handler(_: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

/// The driver's count of a connection's transactions.
type Count = <Postgres as Database>::TransactionManager;

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// Sees one moment, and changes nothing.
const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
    SET LOCAL idle_in_transaction_session_timeout = '3s'";
/// With a mark, to be found at the end.
const BEGIN_FOR_HANDLER: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL sexton.run = 'begun'";

/// Begins a transaction in which each statement sees what is committed by then. Neither a row that
/// another client holds nor this client falling silent makes others wait for longer than the limit
/// of a call. A caller that does not end it closes the connection.
pub(super) async fn begin(port: &Port, connection: &mut PgConnection) -> Result<(), StoreError> {
    Count::begin(connection, Some(BEGIN.into_sql_str())).await?;
    let patience = port.sql().patience.query();
    patience
        .bind(patience_ms(port))
        .bind(silence_ms())
        .execute(connection)
        .await?;
    Ok(())
}

/// Begins a transaction that sees one moment, and changes nothing.
pub(super) async fn begin_snapshot(connection: &mut PgConnection) -> Result<(), StoreError> {
    Ok(Count::begin(connection, Some(BEGIN_SNAPSHOT.into_sql_str())).await?)
}

/// Commits what one of these two began.
pub(super) async fn commit(connection: &mut PgConnection) -> Result<(), StoreError> {
    Ok(Count::commit(connection).await?)
}
