//! Managers that only look at a file.

use std::collections::BTreeSet;
use std::fs;

use sexton_core::lock::{ClaimLead, HistoryQuery, LockError, LockManager};
use sexton_sql::SqliteLockManager;
use sexton_sql::sqlite::Missing;
use sexton_testkit::fixtures::claim;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::place::Place;

async fn claimed(manager: &SqliteLockManager, after_noon_ms: i64) {
    let batch = [claim("digest", after_noon_ms, "one")];
    let answer = manager.claim(ClaimLead::default(), &batch).await.unwrap();
    answer.whole().unwrap();
}

async fn looked(place: &Place) -> SqliteLockManager {
    place
        .options()
        .read_only()
        .open(place.path())
        .await
        .unwrap()
}

async fn executions(manager: &SqliteLockManager) -> usize {
    let query = HistoryQuery {
        limit: 100,
        ..HistoryQuery::default()
    };
    manager.history(&query).await.unwrap().value.len()
}

fn names(place: &Place) -> BTreeSet<String> {
    let entries = fs::read_dir(place.directory.path()).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Given: a file that nobody has open. When: it is looked at, then written to by another, then left
/// alone again. Then: the looker makes nothing beside it, and sees each state as it is.
#[tokio::test]
async fn a_looker_makes_nothing_and_sees_what_others_write_meanwhile() {
    let place = Place::new();
    let writer = place.open().await;
    claimed(&writer, -3_000).await;
    writer.close().await.unwrap();

    let looker = looked(&place).await;
    assert_eq!(executions(&looker).await, 1);
    assert_eq!(names(&place), BTreeSet::from(["sexton.db".to_owned()]));

    let writer = place.open().await;
    claimed(&writer, -2_000).await;
    assert_eq!(executions(&looker).await, 2, "with a log beside the file");
    writer.close().await.unwrap();
    claimed(&place.open().await, -1_000).await;
    assert_eq!(executions(&looker).await, 3);
    looker.close().await.unwrap();
}

#[tokio::test]
async fn a_looker_is_refused_what_would_write() {
    let place = Place::new();
    place.open().await.close().await.unwrap();
    let looker = looked(&place).await;
    let batch = [claim("digest", 0, "one")];
    let error = looker
        .claim(ClaimLead::default(), &batch)
        .await
        .unwrap_err();
    assert!(matches!(error, LockError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("read-only"), "{error}");
}

#[tokio::test]
async fn an_empty_file_is_no_store_unless_one_may_be_made() {
    let place = Place::new();
    fs::write(place.path(), "").unwrap();
    for options in [
        place.options().read_only(),
        place.options().missing(Missing::Refuse),
    ] {
        let error = options.open(place.path()).await.unwrap_err();
        assert!(error.to_string().contains("is an empty file"), "{error}");
        assert_eq!(fs::metadata(place.path()).unwrap().len(), 0);
    }
    place.open().await.close().await.unwrap();
}

/// Given: a file in which somebody has put SQL that would run when ours does. Then: it is refused
/// to writers and lookers.
#[tokio::test]
async fn a_file_with_triggers_or_views_in_the_tables_is_refused() {
    for (code, named) in [
        (
            "CREATE TRIGGER evil AFTER UPDATE ON SEXTON_tasks BEGIN DELETE FROM sexton_registers; END",
            "trigger evil",
        ),
        (
            "ALTER TABLE sexton_tasks RENAME TO kept; CREATE VIEW Sexton_tasks AS SELECT * FROM kept",
            "view Sexton_tasks",
        ),
    ] {
        let place = Place::new();
        place.open().await.close().await.unwrap();
        let options = SqliteConnectOptions::new().filename(place.path());
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(code))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        for options in [place.options(), place.options().read_only()] {
            let error = options.open(place.path()).await.unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
