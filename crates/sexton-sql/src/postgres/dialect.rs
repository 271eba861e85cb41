//! PostgreSQL, as the manager sees it. Each call stands in the file that does it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use futures::stream::BoxStream;
use jiff::Timestamp;
use sexton_core::lock::rules::Changes;
use sexton_core::lock::{
    ExecutionRecord, HistoryQuery, InstanceRecord, InstanceReport, Pause, Register,
};
use sexton_core::name::{Incarnation, InstanceId, TaskName};
use sexton_core::tick::ConcurrencyIndex;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Database, Postgres, Row, SqlSafeStr, query};
use sqlx_core::transaction::TransactionManager;

use super::PostgresLockManager as Manager;
use super::load::{load, load_candidates, text};
use super::sql::Sql;
use super::store_back::store_back;
use super::{changes, fleet, history, schema, tasks, url};
use crate::error::OpenError;
use crate::lent::Lent;
use crate::record_row::tick;
use crate::said::Said;
use crate::server::dialect::{CandidatesPage, Dialect, Kept, Prepared, Prune, Reported};
use crate::server::error::Trouble;
use crate::server::loaded::{Loaded, Pair};
use crate::server::names::{Dictionary, Names};
use crate::wanted::Wanted;
use sexton_core::lock::stored::{Defining, Definitions};

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

/// How long a client may be silent within a transaction of ours, and how long it may take no
/// answers: its row locks keep others of the fleet waiting. Far more than lies between two
/// statements, less than others wait at most.
const SILENCE_MAX: Duration = Duration::from_secs(3);

impl Dialect for Postgres {
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

    const STORES_BACK_AT_ONCE: bool = true;

    const TELLS: bool = true;

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
    async fn arrive(_: &mut PgConnection, _: Duration) -> Result<(), sqlx::Error> {
        Ok(())
    }

    /// A statement that is its own transaction has begun with it. That is so by the simple protocol
    /// alone, which `raw_sql` speaks.
    async fn is_in_no_transaction(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let row = sqlx::raw_sql("SELECT now() = statement_timestamp()");
        row.fetch_one(connection).await?.try_get(0)
    }

    async fn depart(_: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn prepare(
        connection: &mut PgConnection,
        prepared: Prepared<'_>,
    ) -> Result<Sql, Trouble> {
        Ok(Sql::new(&schema::prepare(connection, prepared).await?))
    }

    fn migration_script(names: &Names, from: i64) -> String {
        schema::script(names, from)
    }

    fn text(given: &str) -> Cow<'_, str> {
        text(given)
    }

    /// Neither a row that somebody holds nor this client falling silent may make others wait for
    /// longer than the limit of a call.
    async fn begin(manager: &Manager, connection: &mut PgConnection) -> Result<(), Trouble> {
        Count::begin(connection, Some(BEGIN.into_sql_str())).await?;
        let patience = manager.sql().patience.query();
        patience
            .bind(patience_ms(manager))
            .bind(silence_ms())
            .execute(connection)
            .await?;
        Ok(())
    }

    async fn begin_snapshot(connection: &mut PgConnection) -> Result<(), Trouble> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
            SET LOCAL idle_in_transaction_session_timeout = '3s'";
        Ok(Count::begin(connection, Some(begin.into_sql_str())).await?)
    }

    async fn commit(connection: &mut PgConnection) -> Result<(), Trouble> {
        Ok(Count::commit(connection).await?)
    }

    async fn roll_back(connection: &mut PgConnection) -> Result<(), Trouble> {
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
    async fn depart_from_handler(_: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn clock_now(
        manager: &Manager,
        connection: &mut PgConnection,
    ) -> Result<Timestamp, Trouble> {
        let row = manager.sql().clock.query().fetch_one(connection).await?;
        Ok(tick(row.try_get(0)?)?.timestamp())
    }

    async fn tell(manager: &Manager, connection: &mut PgConnection) -> Result<(), Trouble> {
        changes::tell(manager, connection).await
    }

    fn changes(manager: &Manager) -> Option<BoxStream<'static, ()>> {
        Some(changes::changes(manager))
    }

    async fn load(
        manager: &Manager,
        connection: &mut PgConnection,
        wanted: &Wanted,
        pairs: &BTreeSet<Pair>,
    ) -> Result<Loaded, Trouble> {
        load(manager, connection, wanted, pairs).await
    }

    async fn store_back(
        manager: &Manager,
        connection: &mut PgConnection,
        loaded: &Loaded,
        pairs: &BTreeSet<Pair>,
        changes: &Changes,
    ) -> Result<Kept, Trouble> {
        store_back(manager, connection, loaded, pairs, changes).await
    }

    async fn load_candidates(
        manager: &Manager,
        connection: &mut PgConnection,
        page: CandidatesPage<'_>,
    ) -> Result<Loaded, Trouble> {
        load_candidates(manager, connection, page).await
    }

    async fn report(
        manager: &Manager,
        connection: &mut PgConnection,
        report: &InstanceReport,
    ) -> Result<Reported, Trouble> {
        fleet::report(manager, connection, report).await
    }

    async fn leave(
        manager: &Manager,
        connection: &mut PgConnection,
        instance: &InstanceId,
        incarnation: Incarnation,
    ) -> Result<(), Trouble> {
        fleet::leave(manager, connection, instance, incarnation).await
    }

    async fn instances(
        manager: &Manager,
        connection: &mut PgConnection,
    ) -> Result<Vec<InstanceRecord>, Trouble> {
        fleet::instances(manager, connection).await
    }

    async fn lock_tasks(
        manager: &Manager,
        connection: &mut PgConnection,
        tasks: &BTreeSet<&TaskName>,
    ) -> Result<Definitions, Trouble> {
        tasks::lock(manager, connection, tasks).await
    }

    async fn store_definitions(
        manager: &Manager,
        connection: &mut PgConnection,
        definitions: &[&Defining],
        instance: &InstanceId,
    ) -> Result<(), Trouble> {
        tasks::store_definitions(manager, connection, definitions, instance).await
    }

    async fn raise_revision(
        manager: &Manager,
        connection: &mut PgConnection,
        by: i64,
    ) -> Result<(), Trouble> {
        tasks::raise_revision(manager, connection, by).await
    }

    async fn set_pause(
        manager: &Manager,
        connection: &mut PgConnection,
        tasks: &BTreeSet<&TaskName>,
        pause: Option<&Pause>,
    ) -> Result<(), Trouble> {
        tasks::set_pause(manager, connection, tasks, pause).await
    }

    async fn raise_versions(
        manager: &Manager,
        connection: &mut PgConnection,
        tasks: &BTreeSet<&TaskName>,
    ) -> Result<(), Trouble> {
        tasks::raise_versions(manager, connection, tasks).await
    }

    async fn task_names(
        manager: &Manager,
        connection: &mut PgConnection,
        after: Option<&TaskName>,
        limit: i64,
    ) -> Result<Vec<TaskName>, Trouble> {
        tasks::names(manager, connection, after, limit).await
    }

    async fn task_states(
        manager: &Manager,
        connection: &mut PgConnection,
        tasks: &BTreeSet<&TaskName>,
    ) -> Result<Vec<(TaskName, Said)>, Trouble> {
        tasks::states(manager, connection, tasks).await
    }

    async fn task_registers(
        manager: &Manager,
        connection: &mut PgConnection,
        tasks: &BTreeSet<&TaskName>,
    ) -> Result<Vec<(TaskName, ConcurrencyIndex, Register)>, Trouble> {
        tasks::registers(manager, connection, tasks).await
    }

    async fn history(
        manager: &Manager,
        connection: &mut PgConnection,
        query: &HistoryQuery,
    ) -> Result<Vec<ExecutionRecord>, Trouble> {
        history::page(manager, connection, query).await
    }

    async fn prune(
        manager: &Manager,
        connection: &mut PgConnection,
        prune: Prune,
        limit: i64,
    ) -> Result<usize, Trouble> {
        history::prune(manager, connection, prune, limit).await
    }
}

/// The driver's count of a connection's transactions.
type Count = <Postgres as Database>::TransactionManager;

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// With a mark, to be found at the end.
const BEGIN_FOR_HANDLER: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL sexton.run = 'begun'";

/// How long the server waits for a client within a transaction of ours, in ms.
pub(super) fn silence_ms() -> String {
    as_setting(SILENCE_MAX)
}

/// The limit of a call as a setting of the server's, in ms.
pub(super) fn patience_ms(manager: &Manager) -> String {
    as_setting(manager.wait_max())
}

/// A limit in whole milliseconds, at least one: 0 would be none.
pub(super) fn as_setting(limit: Duration) -> String {
    let most = u128::from(i32::MAX.unsigned_abs());
    limit.as_millis().clamp(1, most).to_string()
}
