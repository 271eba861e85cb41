//! The tables as the migrations leave them.

use sexton_testkit::fixtures::{instance, task};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use sexton_core::lock::{LockManager, TaskDefinition, TaskQuery, TaskState};
use sexton_core::tick::Concurrency;
use sexton_sql::SqliteLockManager;

use crate::place::Place;

const FIRST_VERSION: &str = include_str!("../../src/sqlite/migrations/0001_locks.sql");
const FIRST_DEFINITION: &str = "\
    INSERT INTO sexton_schema (version, applied_at_ms) VALUES (1, 0); \
    INSERT INTO sexton_tasks (namespace, task, schedule, canonical, concurrency, definition, defined_by) \
        VALUES ('default', 'digest', 'every minute', 'every 60000ms', 1, 'every 60s', 'somebody');";

#[tokio::test]
async fn the_migrated_schema_is_the_one_on_record() {
    let place = Place::new();
    place.open().await.close().await.unwrap();
    let options = SqliteConnectOptions::new().filename(place.path());
    let mut connection = options.connect().await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    insta::assert_snapshot!(tables.join(";\n\n"));
}

#[tokio::test]
async fn tables_of_the_first_version_are_brought_up_to_date_with_what_they_hold() {
    let place = Place::new();
    let options = SqliteConnectOptions::new().filename(place.path());
    let mut connection = options.create_if_missing(true).connect().await.unwrap();
    for script in [FIRST_VERSION, FIRST_DEFINITION] {
        sqlx::raw_sql(script)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    connection.close().await.unwrap();
    let manager = place.open().await;
    let before = known(&manager).await;
    let definition = TaskDefinition {
        task: task("digest"),
        schedule: "every minute".to_owned(),
        canonical: "every 60000ms".to_owned(),
        concurrency: Concurrency::ONE,
        definition: "every 60s".to_owned(),
    };
    assert_eq!(before.definition.as_ref(), Some(&definition));
    assert_eq!((before.known_since, before.schedule_since), (None, None));
    let me = instance("me");
    manager.define(&me, &[definition]).await.unwrap();
    let after = known(&manager).await;
    assert!(after.known_since.is_some() && after.schedule_since.is_some());
}

async fn known(manager: &SqliteLockManager) -> TaskState {
    let query = TaskQuery::Named(vec![task("digest")]);
    manager.tasks(&query).await.unwrap().value.remove(0)
}
