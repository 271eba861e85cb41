//! Files that cannot be used, and stores that do not answer: each has an error of its own.

use std::time::Duration;

use sexton_core::lock::{ClaimLead, InstanceReport, LockError, LockManager};
use sexton_core::name::Incarnation;
use sexton_sql::OpenError;
use sexton_testkit::fixtures::claim;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use crate::place::Place;

async fn raw(place: &Place) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(place.path());
    options.create_if_missing(true).connect().await.unwrap()
}

async fn refusal(place: &Place) -> OpenError {
    place.options().open(place.path()).await.unwrap_err()
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let place = Place::new();
    place.open().await.close().await.unwrap();
    let mut connection = raw(&place).await;
    sqlx::query("INSERT INTO sexton_schema VALUES (99, 0)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let error = refusal(&place).await;
    assert!(
        matches!(
            error,
            OpenError::NewerSchema {
                found: 99,
                known: 2,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_text_file_is_no_database() {
    let place = Place::new();
    let text = "no database at all\n".repeat(100);
    std::fs::write(place.path(), &text).unwrap();
    let error = refusal(&place).await;
    assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(place.path()).unwrap(), text);
}

#[tokio::test]
async fn another_applications_database_is_left_alone() {
    let place = Place::new();
    let mut connection = raw(&place).await;
    sqlx::raw_sql("CREATE TABLE invoices (id INTEGER)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let error = refusal(&place).await;
    assert!(
        matches!(&error, OpenError::NotOurs { table: Some(table), .. } if table == "invoices"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let place = Place::new();
    let path = place.directory.path().join("nowhere").join("sexton.db");
    let error = place.options().open(path).await.unwrap_err();
    assert!(matches!(error, OpenError::NoDirectory { .. }), "{error:?}");
}

#[tokio::test]
async fn a_directory_is_no_file() {
    let place = Place::new();
    let error = place
        .options()
        .open(place.directory.path())
        .await
        .unwrap_err();
    assert!(matches!(error, OpenError::IsDirectory { .. }), "{error:?}");
}

#[tokio::test]
async fn a_database_busy_beyond_patience_is_an_outage_not_a_denial() {
    let place = Place::new();
    let options = place.options().wait_max(Duration::from_millis(150));
    let manager = options.open(place.path()).await.unwrap();
    let mut holder = raw(&place).await;
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut holder)
        .await
        .unwrap();
    let batch = [claim("digest", 0, "one")];
    let error = manager
        .claim(ClaimLead::default(), &batch)
        .await
        .unwrap_err();
    assert!(matches!(error, LockError::Unavailable { .. }), "{error:?}");

    holder.close().await.unwrap();
    manager.claim(ClaimLead::default(), &batch).await.unwrap();
    manager.close().await.unwrap();
}

/// What a report brings back may be unreadable: the instance is there all the same.
#[tokio::test]
async fn an_instance_is_present_although_what_it_should_hear_cannot_be_read() {
    let place = Place::new();
    let manager = place.open().await;
    let claims = [claim("t", 0, "one")];
    let granted = manager.claim(ClaimLead::default(), &claims).await.unwrap();
    assert!(granted.value[0].is_ok());
    let execution = &claims[0].execution;
    manager.request_cancel(execution).await.unwrap();
    let mut connection = raw(&place).await;
    sqlx::query("UPDATE sexton_executions SET task = ''")
        .execute(&mut connection)
        .await
        .unwrap();
    let report = InstanceReport {
        instance: claims[0].instance.clone(),
        incarnation: Incarnation::random(),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        version: "1".to_owned(),
        clock_offset: None,
        running: 1,
        presence: Duration::from_secs(60),
    };
    let error = manager.heartbeat(&report).await.unwrap_err();
    assert!(matches!(error, LockError::Unreadable { .. }), "{error:?}");
    let there = manager.instances().await.unwrap();
    assert_eq!(there.value.len(), 1);
    assert!(there.value[0].is_present_at(there.now));
}
