//! A replica of the Kotlin system, played by bare SQL on a connection of its own.

use sexton_core::lock::Execution;
use sqlx::Database;

use crate::on_servers::TestServer;

pub(crate) type Connection<S> = <<S as TestServer>::DB as Database>::Connection;

/// What that system says to a server.
pub(crate) trait KotlinSide: TestServer {
    /// Makes its table as it does.
    const TABLE: &'static str;
    /// Makes a user `replica` who may do all with Sexton's tables, but make none.
    const REPLICA: &'static str;
    /// Lets that user share the locks.
    const SHARE: &'static str;

    /// Notes at its start that a task is there.
    async fn register(connection: &mut Connection<Self>, execution: &Execution);
    /// Its claim.
    async fn take(connection: &mut Connection<Self>, execution: &Execution) -> bool;
    /// What stands in the table for a (task, index), in ms; panics if it has no row.
    async fn locked_ms(connection: &mut Connection<Self>, execution: &Execution) -> Option<i64>;
}

/// An instant as Java's drivers write it for a column without a time zone.
fn written(execution: &Execution) -> String {
    execution
        .tick
        .to_string()
        .replace('T', " ")
        .replace('Z', "")
}

#[cfg(feature = "postgres")]
impl KotlinSide for sexton_testkit::postgres::Server {
    const TABLE: &'static str = "CREATE TABLE IF NOT EXISTS task_locks (_name TEXT, concurrency_index INT, \
        locked_at TIMESTAMP NULL, CONSTRAINT pk_task_locks PRIMARY KEY (_name, concurrency_index))";
    const REPLICA: &'static str = "CREATE ROLE replica LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC; \
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO replica";
    const SHARE: &'static str = "GRANT SELECT, INSERT, UPDATE ON task_locks TO replica";

    async fn register(connection: &mut Connection<Self>, execution: &Execution) {
        let insert = "INSERT INTO task_locks (_name, concurrency_index) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let insert = sqlx::query(insert).bind(execution.task.as_str());
        let insert = insert.bind(i32::from(execution.index.get()));
        insert.execute(connection).await.unwrap();
    }

    async fn take(connection: &mut Connection<Self>, execution: &Execution) -> bool {
        let update = "UPDATE task_locks SET locked_at = CAST($1 AS TIMESTAMP) WHERE _name = $2 AND concurrency_index = $3 \
            AND (locked_at IS NULL OR locked_at < CAST($1 AS TIMESTAMP))";
        let update = sqlx::query(update).bind(written(execution));
        let update = update.bind(execution.task.as_str());
        let update = update.bind(i32::from(execution.index.get()));
        update.execute(connection).await.unwrap().rows_affected() == 1
    }

    async fn locked_ms(connection: &mut Connection<Self>, execution: &Execution) -> Option<i64> {
        let select = "SELECT (extract(epoch FROM locked_at) * 1000)::bigint FROM task_locks \
            WHERE _name = $1 AND concurrency_index = $2";
        let select = sqlx::query_scalar(select).bind(execution.task.as_str());
        let select = select.bind(i32::from(execution.index.get()));
        select.fetch_one(connection).await.unwrap()
    }
}

#[cfg(feature = "mysql")]
impl KotlinSide for sexton_testkit::mariadb::Server {
    const TABLE: &'static str = "CREATE TABLE IF NOT EXISTS task_locks (_name VARCHAR(255), concurrency_index INT, \
        locked_at TIMESTAMP(6) NULL, CONSTRAINT pk_task_locks PRIMARY KEY (_name, concurrency_index))";
    const REPLICA: &'static str = "CREATE USER replica@'%' IDENTIFIED BY 'correct horse'; \
        GRANT SELECT, INSERT, UPDATE, DELETE ON bells.sexton_versions TO replica@'%'; \
        GRANT SELECT, INSERT, UPDATE, DELETE ON bells.sexton_registers TO replica@'%'";
    const SHARE: &'static str = "GRANT SELECT, INSERT, UPDATE ON bells.task_locks TO replica@'%'";

    async fn register(connection: &mut Connection<Self>, execution: &Execution) {
        let insert = "INSERT IGNORE INTO task_locks (_name, concurrency_index) VALUES (?, ?)";
        let insert = sqlx::query(insert).bind(execution.task.as_str());
        let insert = insert.bind(execution.index.get());
        insert.execute(connection).await.unwrap();
    }

    async fn take(connection: &mut Connection<Self>, execution: &Execution) -> bool {
        let update = "UPDATE task_locks SET locked_at = ? WHERE _name = ? AND concurrency_index = ? \
            AND (locked_at IS NULL OR locked_at < ?)";
        let update = sqlx::query(update).bind(written(execution));
        let update = update.bind(execution.task.as_str());
        let update = update.bind(execution.index.get()).bind(written(execution));
        update.execute(connection).await.unwrap().rows_affected() == 1
    }

    async fn locked_ms(connection: &mut Connection<Self>, execution: &Execution) -> Option<i64> {
        let select = "SELECT CAST(UNIX_TIMESTAMP(locked_at) * 1000 AS SIGNED) FROM task_locks \
            WHERE _name = ? AND concurrency_index = ?";
        let select = sqlx::query_scalar(select).bind(execution.task.as_str());
        let select = select.bind(execution.index.get());
        select.fetch_one(connection).await.unwrap()
    }
}
