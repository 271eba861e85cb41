//! Handlers' transactions in an application's SQLite database.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{LockManager, TransactionEnd, TransactionSlot};
use sexton_sql::sqlite::SqliteOptions;
use sexton_sql::{BeginError, Tx};
use sqlx::Sqlite;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::place::Place;

#[tokio::test]
async fn as_many_are_open_at_once_as_the_manager_says_which_is_one() {
    let place = Place::new();
    let options = SqliteConnectOptions::new().filename(place.path());
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .connect_with(options.create_if_missing(true))
        .await
        .unwrap();
    let manager = SqliteOptions::new().wait_max(Duration::from_millis(200));
    let manager = manager.with_pool(pool).await.unwrap();
    let transactions = manager.transactions().unwrap();
    assert_eq!(transactions.at_once_max(), 1);
    let slot = || TransactionSlot::new(Arc::clone(&transactions));
    let (first, second) = (slot(), slot());
    let begin =
        async |slot: &TransactionSlot| Tx::<Sqlite>::of(slot.clone()).unwrap().begin().await;
    let open = begin(&first).await.unwrap();
    let refused = begin(&second).await.unwrap_err();
    assert!(
        matches!(&refused, BeginError::Store(error) if error.is_transient()),
        "{refused:?}"
    );
    drop(open);
    let TransactionEnd::Transaction(ended) = first.close() else {
        panic!("no transaction was handed over");
    };
    ended.roll_back().await.unwrap();
    begin(&second).await.unwrap();
}
