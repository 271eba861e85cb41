//! Connections to MySQL and MariaDB: how one is opened, what a transaction on it is.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError};
use sqlx::{MySql, query, raw_sql};

use super::sql::Sql;
use super::{schema, url};
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
/// The database's clock in whole milliseconds, rounded down, whatever the session's time zone is.
/// It stands still during a statement, at its beginning: what was found then to last or to be too
/// early was so.
const CLOCK_MS: &str = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000";
/// The first row of a look at the tables: the clock, and whether nothing can be written.
const CLOCK_PART: &str = "\
    SELECT 0 AS part, \
        IF(CAST(@@GLOBAL.read_only AS CHAR) IN ('0', 'OFF'), 0, 1) AS version, \
        {clock_ms} AS tick_ms, NULL AS task, NULL AS c4, NULL AS c5, NULL AS c6, NULL AS c7, NULL AS c8, \
        NULL AS c9, NULL AS c10, NULL AS c11, NULL AS c12, NULL AS c13, NULL AS c14, NULL AS c15, \
        NULL AS c16, NULL AS c17, NULL AS c18, NULL AS c19, NULL AS c20, NULL AS c21, \
        NULL AS c22, NULL AS c23, NULL AS c24";
const TASK_OF_LIST: &str =
    "task VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$.task'";
const INDEX_OF_LIST: &str = "concurrency_index INT PATH '$.concurrency_index'";
const TICK_OF_LIST: &str = "tick_ms BIGINT PATH '$.tick_ms'";

// How long the server waits for a client within a transaction, in seconds: MariaDB has a setting
// for that, which MySQL takes for a comment, as `/*M!` says. MySQL only knows how long it waits for
// a client at all, and is told so for the length of a transaction, in what MariaDB takes for a
// comment. The 1 is how long a client may be silent; 2 where an attempt of a handler is at stake.
//
// A client that is gone leaves what it had asked for: a transaction that is idle, and others that
// wait for its rows. Nobody waits for a register (see `sql/lock_registers.sql`), and for other rows
// no longer than this, so that few of those others have the rows next.

/// Each statement sees what is committed by then, and locks no gaps between rows.
pub(super) const BEGIN: &str = "SET @sexton_begun = 1 /*!80000 , SESSION wait_timeout = 1 */; \
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION";
const BEGIN_SNAPSHOT: &str = "SET @sexton_begun = 1 /*!80000 , SESSION wait_timeout = 1 */; \
    SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
    START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
const COMMIT: &str =
    "COMMIT; SET @sexton_begun = 0 /*!80000 , SESSION wait_timeout = @sexton_wait */";
const ROLLBACK: &str =
    "ROLLBACK; SET @sexton_begun = 0 /*!80000 , SESSION wait_timeout = @sexton_wait */";
/// Limits of waiting: for rows and tables, for a client in a transaction, for one that takes no
/// answers and for one that stops in the middle of a statement. The time zone of `TIMESTAMP`s, and
/// how transactions end, may be set for all sessions of a server. Variables of the session keep
/// what there was before, for [`RESTORE`].
const CONFIGURE: &str = "SET @sexton_for_rows = @@SESSION.innodb_lock_wait_timeout, \
    @sexton_for_tables = @@SESSION.lock_wait_timeout, @sexton_time_zone = @@SESSION.time_zone, \
    @sexton_for_answers = @@SESSION.net_write_timeout, \
    @sexton_for_questions = @@SESSION.net_read_timeout, @sexton_wait = @@SESSION.wait_timeout, \
    @sexton_autocommit = @@SESSION.autocommit, @sexton_completion = @@SESSION.completion_type, \
    SESSION autocommit = 1, SESSION completion_type = 'NO_CHAIN', \
    SESSION time_zone = '+00:00', SESSION net_write_timeout = 2, \
    SESSION net_read_timeout = 2, SESSION innodb_lock_wait_timeout = ?, SESSION lock_wait_timeout = ? \
    /*M! , @sexton_idle = @@SESSION.idle_transaction_timeout, SESSION idle_transaction_timeout = 1 */";
const RESTORE: &str = "SET SESSION innodb_lock_wait_timeout = @sexton_for_rows, \
    SESSION lock_wait_timeout = @sexton_for_tables, SESSION time_zone = @sexton_time_zone, \
    SESSION net_write_timeout = @sexton_for_answers, \
    SESSION net_read_timeout = @sexton_for_questions, \
    SESSION autocommit = @sexton_autocommit, SESSION completion_type = @sexton_completion \
    /*M! , SESSION idle_transaction_timeout = @sexton_idle */";

/// What a handler's transaction needs to know, and what there was before.
const CONFIGURE_FOR_HANDLER: &str = "SET @sexton_silence = ?, \
    @sexton_for_rows = @@SESSION.innodb_lock_wait_timeout, @sexton_wait = @@SESSION.wait_timeout, \
    @sexton_for_answers = @@SESSION.net_write_timeout, \
    @sexton_for_questions = @@SESSION.net_read_timeout \
    /*M! , @sexton_idle = @@SESSION.idle_transaction_timeout */";
/// With a mark, to be found at the end. Where autocommit is off, what used the connection before
/// may have left a transaction, which would refuse the first of these.
const BEGIN_FOR_HANDLER: &str = "ROLLBACK AND NO CHAIN NO RELEASE; SET @sexton_begun = 1, \
    SESSION net_read_timeout = @sexton_silence \
    /*M! , SESSION idle_transaction_timeout = @sexton_silence */ \
    /*!80000 , SESSION wait_timeout = @sexton_silence */; \
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION; SAVEPOINT sexton_run";
const SETTLE_FOR_HANDLER: &str = "RELEASE SAVEPOINT sexton_run; \
    SET SESSION innodb_lock_wait_timeout = 1, SESSION net_write_timeout = 2, \
    SESSION net_read_timeout = 2 /*M! , SESSION idle_transaction_timeout = 2 */ /*!80000 , SESSION wait_timeout = 2 */";
const RESTORE_AFTER_HANDLER: &str = "SET SESSION innodb_lock_wait_timeout = @sexton_for_rows, \
    SESSION net_write_timeout = @sexton_for_answers, \
    SESSION net_read_timeout = @sexton_for_questions \
    /*M! , SESSION idle_transaction_timeout = @sexton_idle */ \
    /*!80000 , SESSION wait_timeout = @sexton_wait */";

/// How long a statement waits for rows that others have locked, before its call asks again.
const ROWS_WAIT_MAX: Duration = Duration::from_secs(1);

/// Whole seconds are all that the server knows.
fn seconds(limit: Duration) -> i64 {
    let seconds = limit.as_secs() + u64::from(limit.subsec_nanos() > 0);
    i64::try_from(seconds)
        .unwrap_or(i64::MAX)
        .clamp(1, 1_000_000)
}

impl ServerDriver for MySql {
    type Sql = Sql;

    const DICTIONARY: &'static Dictionary = &Dictionary {
        quote: '`',
        indexes: &["executions_by_task", "executions_open", "executions_leased"],
        pieces: &[
            ("record", RECORD),
            ("clock_ms", CLOCK_MS),
            ("clock_part", CLOCK_PART),
            ("task_of_list", TASK_OF_LIST),
            ("index_of_list", INDEX_OF_LIST),
            ("tick_of_list", TICK_OF_LIST),
        ],
    };

    const NOTIFIES: bool = false;

    fn parse_url(url: &str) -> Result<MySqlConnectOptions, OpenError> {
        url::parse(url)
    }

    fn location(options: &MySqlConnectOptions) -> String {
        let database = options.get_database().unwrap_or_default();
        match options.get_socket() {
            Some(socket) => format!("mysql://{}/{database}", socket.display()),
            None => {
                let (host, port) = (options.get_host(), options.get_port());
                format!("mysql://{host}:{port}/{database}")
            }
        }
    }

    async fn configure(
        connection: &mut MySqlConnection,
        limit: Duration,
    ) -> Result<(), sqlx::Error> {
        query(CONFIGURE)
            .bind(seconds(limit.min(ROWS_WAIT_MAX)))
            .bind(seconds(limit))
            .execute(connection)
            .await?;
        Ok(())
    }

    /// The server does not say: whatever it was in, it is in none now.
    async fn is_in_no_transaction(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
        let rollback = raw_sql("ROLLBACK AND NO CHAIN NO RELEASE");
        rollback.execute(connection).await?;
        Ok(true)
    }

    async fn restore(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        query(RESTORE).execute(connection).await?;
        Ok(())
    }

    async fn prepare(
        connection: &mut MySqlConnection,
        prepare: Prepare<'_>,
    ) -> Result<Sql, StoreError> {
        Ok(Sql::new(&schema::prepare(connection, prepare).await?))
    }

    fn migration_script(names: &Names, from: i64) -> String {
        schema::script(names, from)
    }

    fn text(text: &str) -> Cow<'_, str> {
        text.into()
    }

    async fn roll_back(connection: &mut MySqlConnection) -> Result<(), StoreError> {
        raw_sql(ROLLBACK).execute(connection).await?;
        Ok(())
    }

    async fn begin_for_handler(
        connection: &mut Lent<MySql>,
        silence: Duration,
    ) -> Result<(), sqlx::Error> {
        query(CONFIGURE_FOR_HANDLER)
            .bind(seconds(silence))
            .execute(&mut **connection)
            .await?;
        connection.begin(BEGIN_FOR_HANDLER).await
    }

    /// A deadlock ends the whole transaction, and what follows it would commit by itself; so do DDL
    /// and `COMMIT`. The savepoint is gone then.
    async fn is_as_begun(
        connection: &mut MySqlConnection,
        _: Duration,
    ) -> Result<bool, sqlx::Error> {
        let released = raw_sql(SETTLE_FOR_HANDLER);
        match released.execute(connection).await {
            Ok(_) => Ok(true),
            Err(sqlx::Error::Database(reported)) if is_no_such_savepoint(&*reported) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn restore_after_handler(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        raw_sql(RESTORE_AFTER_HANDLER).execute(connection).await?;
        Ok(())
    }
}

/// Begins a transaction in which each statement sees what is committed by then. The driver does not
/// count it. A caller that does not end it closes the connection.
pub(super) async fn begin(connection: &mut MySqlConnection) -> Result<(), StoreError> {
    raw_sql(BEGIN).execute(connection).await?;
    Ok(())
}

/// Begins a transaction that sees one moment, and changes nothing.
pub(super) async fn begin_snapshot(connection: &mut MySqlConnection) -> Result<(), StoreError> {
    raw_sql(BEGIN_SNAPSHOT).execute(connection).await?;
    Ok(())
}

/// Commits what one of these two began.
pub(super) async fn commit(connection: &mut MySqlConnection) -> Result<(), StoreError> {
    raw_sql(COMMIT).execute(connection).await?;
    Ok(())
}

fn is_no_such_savepoint(reported: &dyn sqlx::error::DatabaseError) -> bool {
    let reported = reported.try_downcast_ref::<MySqlDatabaseError>();
    reported.is_some_and(|reported| reported.number() == 1305)
}
