//! What a file remembers.

use sexton_core::lock::{ClaimLead, Denial, LockManager, PauseChange, Verdict};
use sexton_testkit::fixtures::{claim, grant, task};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::place::Place;

#[tokio::test]
async fn a_reopened_file_denies_what_it_granted_and_knows_its_owner() {
    let place = Place::new();
    let manager = place.open().await;
    let (ours, theirs) = (claim("digest", 0, "one"), claim("digest", 0, "two"));
    let first = manager
        .claim(ClaimLead::default(), std::slice::from_ref(&ours))
        .await
        .unwrap()
        .whole()
        .unwrap();
    manager.close().await.unwrap();
    drop(manager);

    let manager = place.open().await;
    let batch = [ours, theirs];
    let again = manager
        .claim(ClaimLead::default(), &batch)
        .await
        .unwrap()
        .whole()
        .unwrap();
    assert_eq!(
        grant(&again.value[0]),
        grant(&first.value[0]),
        "the first answer was lost"
    );
    assert!(matches!(again.value[1], Verdict::Denied(_)));
    manager.close().await.unwrap();
}

#[tokio::test]
async fn a_writer_that_dies_before_its_commit_leaves_nothing() {
    let place = Place::new();
    let manager = place.open().await;
    let options = SqliteConnectOptions::new().filename(place.path());
    let mut dying = options.connect().await.unwrap();
    sqlx::raw_sql(
        "BEGIN IMMEDIATE; INSERT INTO sexton_registers VALUES ('default', 'digest', 1, 9999999999999, 7)",
    )
    .execute(&mut dying)
    .await
    .unwrap();
    dying.close_hard().await.unwrap();

    let batch = [claim("digest", 0, "one")];
    let answer = manager
        .claim(ClaimLead::default(), &batch)
        .await
        .unwrap()
        .whole()
        .unwrap();
    assert_eq!(grant(&answer.value[0]).fence.get(), 1);
    manager.close().await.unwrap();
}

/// The last parameter of the statement that loads a batch was once left unbound, and no pause was
/// ever seen.
#[tokio::test]
async fn a_pause_holds_for_whoever_opens_the_file_later() {
    let place = Place::new();
    let manager = place.open().await;
    let change = PauseChange::Pause {
        note: "lunch".to_owned(),
        by: "ops".to_owned(),
    };
    manager
        .change_pause(&[task("digest")], &change)
        .await
        .unwrap();
    manager.close().await.unwrap();

    let manager = place.open().await;
    let batch = [claim("digest", 0, "one")];
    let answer = manager
        .claim(ClaimLead::default(), &batch)
        .await
        .unwrap()
        .whole()
        .unwrap();
    assert_eq!(answer.value, [Verdict::Denied(Denial::Paused)]);
    manager.close().await.unwrap();
}
