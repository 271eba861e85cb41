//! An application's connections, whose session is as it was when they come back.

use std::sync::Arc;

use sexton_core::lock::{ClaimLead, LockManager, TransactionEnd, TransactionSlot};
use sexton_sql::Tx;
use sexton_sql::mysql::MySqlLockManager;
use sexton_testkit::fixtures::{claim, grant};
use sexton_testkit::mariadb::{Maker, Server};
use sqlx::pool::PoolOptions;
use sqlx::{MySql, MySqlPool};

const SET: &str = "SET SESSION idle_transaction_timeout = 71, SESSION net_write_timeout = 72, \
    SESSION innodb_lock_wait_timeout = 73, SESSION lock_wait_timeout = 74, SESSION wait_timeout = 75, \
    SESSION time_zone = '+01:00'";
const GET: &str = "SELECT CONCAT_WS(' ', CONNECTION_ID(), @@SESSION.idle_transaction_timeout, \
    @@SESSION.net_write_timeout, @@SESSION.innodb_lock_wait_timeout, @@SESSION.lock_wait_timeout, \
    @@SESSION.wait_timeout, @@SESSION.time_zone)";

async fn session(pool: &MySqlPool) -> String {
    sqlx::query_scalar(GET).fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_comes_back_as_it_was_lent() {
    let Some(server) = Server::start() else {
        return;
    };
    if matches!(Maker::here(), Maker::MySql { .. }) {
        eprintln!("not run: MySQL has no idle_transaction_timeout");
        return;
    }
    let pool = PoolOptions::<MySql>::new().max_connections(1);
    let pool = pool.connect(&server.url()).await.unwrap();
    let manager = MySqlLockManager::with_pool(pool.clone()).await.unwrap();
    sqlx::raw_sql(SET).execute(&pool).await.unwrap();
    let before = session(&pool).await;
    assert!(before.ends_with(" 71 72 73 74 75 +01:00"), "{before}");
    let claims = [claim("digest", 0, "one")];
    let answer = manager
        .claim(ClaimLead::default(), &claims)
        .await
        .unwrap()
        .whole()
        .unwrap();
    grant(&answer.value[0]);
    assert_eq!(session(&pool).await, before);
    let slot = TransactionSlot::new(Arc::new(manager));
    let mut tx = Tx::<MySql>::of(slot.clone())
        .unwrap()
        .begin()
        .await
        .unwrap();
    // A lease is how long it may be silent; nothing else is other than the application has it.
    let during: String = sqlx::query_scalar(GET).fetch_one(&mut *tx).await.unwrap();
    assert!(during.ends_with(" 30 72 73 74 75 +01:00"), "{during}");
    drop(tx);
    let TransactionEnd::Transaction(transaction) = slot.close() else {
        panic!("no transaction was handed over");
    };
    transaction.roll_back().await.unwrap();
    assert_eq!(session(&pool).await, before);
}
