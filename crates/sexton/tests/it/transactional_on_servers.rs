//! Transactional delivery on servers that are in the way of a run: what is not the handler's fault
//! has another attempt.

use std::time::Duration;

use jiff::SignedDuration;
use sexton::clock::{Clock, SystemClock};
use sexton::lock::{ExecutionRecord, ExecutionState, Outcome};
use sexton::{Attempt, ReadyTask, Run, Task, Tx};

use crate::ended::record_of;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What a handler does whose connection was ended.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// It returns, and learns nothing of it.
    Returns,
    /// It writes once more, and fails.
    WritesOn,
}

const WAYS: [Way; 2] = [Way::Returns, Way::WritesOn];
const TABLE: &str = "CREATE TABLE entries (what INT NOT NULL)";
const ENTER: &str = "INSERT INTO entries VALUES (1)";
const COUNT: &str = "SELECT count(*) FROM entries";

fn task<M: 'static>(way: Way, handler: impl sexton::Handler<M>) -> ReadyTask {
    let due = SystemClock.now() + SignedDuration::from_millis(300);
    let task = Task::new(format!("{way:?}")).once(due).transactional(3);
    task.lease(Duration::from_millis(500)).run(handler)
}

#[track_caller]
fn succeeded_at_the_second_attempt(record: &ExecutionRecord) {
    let ended = ExecutionState::Ended(Outcome::Succeeded);
    assert_eq!(record.state, ended, "{record:?}");
    assert_eq!(record.attempt.map(Attempt::get), Some(2), "{record:?}");
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_connection_postgresql_ends_has_another_attempt() {
    for way in WAYS {
        let Some(server) = sexton_testkit::postgres::Server::start() else {
            return;
        };
        let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
        sqlx::query(TABLE).execute(&pool).await.unwrap();
        let of_handler = pool.clone();
        let handler = move |run: Run, tx: Tx<sqlx::Postgres>| {
            let pool = of_handler.clone();
            async move {
                let mut tx = tx.begin().await?;
                sqlx::query(ENTER).execute(&mut *tx).await?;
                if run.attempt().get() == 1 {
                    let own = sqlx::query_scalar("SELECT pg_backend_pid()");
                    let own: i32 = own.fetch_one(&mut *tx).await?;
                    let end = sqlx::query("SELECT pg_terminate_backend($1, 10000)");
                    end.bind(own).execute(&pool).await?;
                    if matches!(way, Way::WritesOn) {
                        sqlx::query(ENTER).execute(&mut *tx).await?;
                    }
                }
                Ok::<(), Error>(())
            }
        };
        let manager = sexton::PostgresLockManager::with_pool(pool.clone())
            .await
            .unwrap();
        let record = record_of(manager, task(way, handler)).await;
        succeeded_at_the_second_attempt(&record);
        let entries: i64 = sqlx::query_scalar(COUNT).fetch_one(&pool).await.unwrap();
        assert_eq!(entries, 1, "{way:?}");
    }
}

#[cfg(feature = "mysql")]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_connection_mariadb_ends_has_another_attempt() {
    for way in WAYS {
        let Some(server) = sexton_testkit::mariadb::Server::start() else {
            return;
        };
        let pool = sqlx::MySqlPool::connect(&server.url()).await.unwrap();
        sqlx::query(TABLE).execute(&pool).await.unwrap();
        let of_handler = pool.clone();
        let handler = move |run: Run, tx: Tx<sqlx::MySql>| {
            let pool = of_handler.clone();
            async move {
                let mut tx = tx.begin().await?;
                sqlx::query(ENTER).execute(&mut *tx).await?;
                if run.attempt().get() == 1 {
                    let own = sqlx::query_scalar("SELECT CONNECTION_ID()");
                    let own: u64 = own.fetch_one(&mut *tx).await?;
                    // MySQL prepares no such statement.
                    let kill = sqlx::AssertSqlSafe(format!("KILL {own}"));
                    sqlx::raw_sql(kill).execute(&pool).await?;
                    if matches!(way, Way::WritesOn) {
                        sqlx::query(ENTER).execute(&mut *tx).await?;
                    }
                }
                Ok::<(), Error>(())
            }
        };
        let manager = sexton::MySqlLockManager::with_pool(pool.clone())
            .await
            .unwrap();
        let record = record_of(manager, task(way, handler)).await;
        succeeded_at_the_second_attempt(&record);
        let entries: i64 = sqlx::query_scalar(COUNT).fetch_one(&pool).await.unwrap();
        assert_eq!(entries, 1, "{way:?}");
    }
}
