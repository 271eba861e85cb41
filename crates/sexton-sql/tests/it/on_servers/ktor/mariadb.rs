//! What only MySQL and MariaDB can do to a table.

use sexton_core::lock::LockManager;
use sexton_sql::KtorTable;
use sexton_sql::mysql::MySqlOptions;
use sexton_testkit::fixtures::NOON_MS;
use sexton_testkit::mariadb::Server;
use sqlx::mysql::MySqlPoolOptions;

use super::opening::refused;
use super::{KotlinSide, at, of, open, started, won};
use crate::on_servers::TestServer;

#[tokio::test]
async fn a_pool_in_another_time_zone_writes_utc_and_keeps_its_zone() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut kotlin = server.raw().await;
    server.run(Server::TABLE).await;
    let pool = MySqlPoolOptions::new().max_connections(1);
    let pool = pool.after_connect(|connection, _| {
        Box::pin(async move {
            let set = sqlx::query("SET time_zone = '+05:30'");
            set.execute(connection).await.map(|_| ())
        })
    });
    let pool = pool.connect(&server.url()).await.unwrap();
    let store = MySqlOptions::new().with_pool(pool.clone()).await.unwrap();
    let manager = store.ktor_compatible(&KtorTable::new()).await.unwrap();
    Server::register(&mut kotlin, &at(0)).await;
    assert!(Server::take(&mut kotlin, &at(5)).await);
    let batch = [at(5), at(6)];
    assert_eq!(won(&manager, &batch).await, [at(6)]);
    let locked_ms = Server::locked_ms(&mut kotlin, &at(0)).await;
    assert_eq!(locked_ms, Some(NOON_MS + 6));
    let zone = sqlx::query_scalar::<_, String>("SELECT @@SESSION.time_zone");
    assert_eq!(zone.fetch_one(&pool).await.unwrap(), "+05:30");
}

#[tokio::test]
async fn names_that_a_collation_takes_for_one_are_refused() {
    let Some(server) = Server::start() else {
        return;
    };
    let table = "CREATE TABLE task_locks (_name VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, \
        concurrency_index INT, locked_at TIMESTAMP(3) NULL, PRIMARY KEY (_name, concurrency_index))";
    server.run(table).await;
    let manager = open(&server).await;
    let tick = at(0).tick;
    assert_eq!(won(&manager, &[of("digest", 1, tick)]).await.len(), 1);
    let error = refused(&manager, &[of("Digest", 1, at(1).tick)]).await;
    let said = error.to_string();
    assert!(said.contains(r#"takes "digest" for "Digest""#), "{said}");
    // And has taken nothing.
    assert_eq!(won(&manager, &[of("digest", 1, at(1).tick)]).await.len(), 1);
}

#[tokio::test]
async fn a_key_of_the_beginnings_of_names_serves_until_two_begin_alike() {
    let Some(server) = Server::start() else {
        return;
    };
    let table = "CREATE TABLE task_locks (_name TEXT CHARACTER SET latin1, concurrency_index INT NOT NULL, \
        locked_at TIMESTAMP NULL, PRIMARY KEY (_name(5), concurrency_index))";
    server.run(table).await;
    let manager = open(&server).await;
    let tick = at(0).tick;
    let batch = [of("délai", 1, tick), of("other", 1, tick)];
    assert_eq!(won(&manager, &batch).await, batch);
    assert!(won(&manager, &batch).await.is_empty());
    let error = refused(&manager, &[of("otherwise", 1, tick)]).await;
    let said = error.to_string();
    assert!(said.contains("takes another's for it"), "{said}");
    // What the column's characters cannot say becomes a `?`.
    let error = refused(&manager, &[of("тест", 1, tick)]).await;
    assert!(!error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_tick_beyond_what_a_timestamp_holds_is_refused() {
    let Some((_server, manager)) = started::<Server>().await else {
        return;
    };
    // A manager's clock never comes there: a tick that was given up can be anywhere.
    let ancient = of("t", 1, at(-NOON_MS).tick);
    let error = refused(&manager, &[ancient]).await;
    let said = error.to_string();
    assert!(said.contains("ends before or begins after"), "{said}");
    assert!(!manager.location().is_empty());
}

#[tokio::test]
async fn a_table_whose_engine_locks_no_rows_is_refused() {
    let Some(server) = Server::start() else {
        return;
    };
    let table = "CREATE TABLE task_locks (_name VARCHAR(100), concurrency_index INT, locked_at TIMESTAMP NULL, \
        PRIMARY KEY (_name, concurrency_index)) ENGINE=MyISAM";
    server.run(table).await;
    let store = server.open().await;
    let opened = store.ktor_compatible(&KtorTable::new()).await;
    let said = opened.unwrap_err().to_string();
    assert!(said.contains("its engine is MyISAM"), "{said}");
}
