//! What only PostgreSQL can do to a table.

use sexton_sql::KtorTable;
use sexton_testkit::fixtures::NOON_MS;
use sexton_testkit::postgres::Server;

use super::{KotlinSide, at, give_back, open, won};
use crate::on_servers::TestServer;

#[tokio::test]
async fn instants_are_utc_with_a_time_zone_and_without_wherever_the_sessions_are() {
    for column in ["TIMESTAMP", "TIMESTAMPTZ"] {
        let Some(server) = Server::start() else {
            return;
        };
        let table = format!(
            "CREATE TABLE task_locks (_name TEXT, concurrency_index INT, locked_at {column} NULL, \
             PRIMARY KEY (_name, concurrency_index))"
        );
        server.run(&table).await;
        let mut kotlin = server.raw().await;
        server
            .run("ALTER ROLE sexton SET timezone = 'Asia/Kolkata'")
            .await;
        let manager = open(&server).await;
        assert_eq!(won(&manager, &[at(5)]).await, [at(5)]);
        let locked_ms = Server::locked_ms(&mut kotlin, &at(5)).await;
        assert_eq!(locked_ms, Some(NOON_MS + 5), "{column}");
        give_back(&manager, &[at(5)]).await;
        let locked_ms = Server::locked_ms(&mut kotlin, &at(5)).await;
        assert_eq!(locked_ms, Some(NOON_MS + 4), "{column}");
        assert!(won(&manager, &[at(4)]).await.is_empty());
    }
}

#[tokio::test]
async fn a_table_is_found_behind_the_first_schema_of_the_search_path() {
    let Some(server) = Server::start() else {
        return;
    };
    let script = "CREATE SCHEMA app; CREATE SCHEMA jobs; \
        CREATE TABLE app.task_locks (_name TEXT, concurrency_index INT, locked_at TIMESTAMP(3) NULL, \
        PRIMARY KEY (_name, concurrency_index)); ALTER ROLE sexton SET search_path = jobs, app";
    server.run(script).await;
    let mut kotlin = server.raw().await;
    let manager = open(&server).await;
    assert_eq!(won(&manager, &[at(0)]).await, [at(0)]);
    assert!(!Server::take(&mut kotlin, &at(0)).await);
    let table = KtorTable::new().schema("app");
    let named = server.open().await.ktor_compatible(&table).await.unwrap();
    assert!(won(&named, &[at(0)]).await.is_empty());
}
