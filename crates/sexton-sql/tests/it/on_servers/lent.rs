//! An application's pool: what its connections come back as, and what they were left as.

use std::time::Duration;

use sexton_core::lock::{Answer, Claim, ClaimLead, LockManager, TransactionSlot, Verdict};
use sexton_sql::Tx;
use sexton_testkit::fixtures::{claim, grant};
use sexton_testkit::process::Disk;
use sqlx::{Connection, Pool};

use super::{HELD_UP, Options, TestServer, on_each_server};
use crate::on_servers::faults::{HOLD_REGISTERS, someone_waits};

on_each_server!(
    a_call_that_is_dropped_takes_its_connection_with_it,
    a_connection_that_was_left_in_a_transaction_is_not_decided_on,
    a_begin_that_is_dropped_leaves_no_transaction_in_the_pool,
    a_handler_that_finds_every_connection_in_use_is_told_so,
);

async fn one(manager: &dyn LockManager, claim: Claim) -> Verdict {
    let answer = manager
        .claim(ClaimLead::default(), &[claim])
        .await
        .and_then(Answer::whole);
    answer.unwrap().value.remove(0)
}

async fn session<S: TestServer>(pool: &Pool<S::DB>) -> i64 {
    S::number(&mut *pool.acquire().await.unwrap(), S::SESSION).await
}

/// Whatever it is in the middle of, and whatever it has set: no one else gets it.
async fn a_call_that_is_dropped_takes_its_connection_with_it<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let pool = server.pool(1).await;
    let manager = Options::<S>::new().with_pool(pool.clone()).await.unwrap();
    one(&manager, claim("digest", 0, "one")).await;
    let before = session::<S>(&pool).await;
    let mut intruder = server.raw().await;
    let mut holding = intruder.begin().await.unwrap();
    S::execute(&mut holding, HOLD_REGISTERS).await;
    tokio::select! {
        verdict = one(&manager, claim("digest", 1, "one")) => panic!("{verdict:?}"),
        () = someone_waits(&server) => {}
    }
    holding.rollback().await.unwrap();
    assert_ne!(session::<S>(&pool).await, before);
    let verdict = one(&manager, claim("digest", 2, "one")).await;
    grant(&verdict);
}

/// As by a handler of the application's that was dropped while it began one.
async fn a_connection_that_was_left_in_a_transaction_is_not_decided_on<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let pool = server.pool(1).await;
    let manager = Options::<S>::new().with_pool(pool.clone()).await.unwrap();
    S::execute(&mut *pool.acquire().await.unwrap(), "START TRANSACTION").await;
    grant(&one(&manager, claim("digest", 0, "one")).await);
    // It is there for everybody, and not only for that connection.
    let granted = "SELECT count(*) FROM sexton_registers WHERE watermark_ms IS NOT NULL";
    assert_eq!(S::number(&mut server.raw().await, granted).await, 1);
}

/// Dropped at many moments: before the server hears of it, while it answers, after it has.
async fn a_begin_that_is_dropped_leaves_no_transaction_in_the_pool<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let pool = server.pool(2).await;
    let manager = Options::<S>::new().with_pool(pool.clone()).await.unwrap();
    for round in 0..200 {
        let slot = TransactionSlot::new(std::sync::Arc::new(manager.clone()));
        let begin = Tx::<S::DB>::of(slot).unwrap().begin();
        let moment = Duration::from_micros(round * 5);
        drop(tokio::time::timeout(moment, begin).await);
        let (mut first, mut second) =
            (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
        let is_open =
            S::is_in_transaction(&mut first).await || S::is_in_transaction(&mut second).await;
        assert!(!is_open, "dropped after {moment:?}");
    }
}

async fn a_handler_that_finds_every_connection_in_use_is_told_so<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    server.make_tables().await;
    let options = Options::<S>::new().wait_max(HELD_UP).transactions_max(2);
    let manager = options.connect(&server.url()).await.unwrap();
    let begin = async || {
        let slot = TransactionSlot::new(std::sync::Arc::new(manager.clone()));
        Tx::<S::DB>::of(slot).unwrap().begin().await
    };
    let (first, second) = (begin().await.unwrap(), begin().await.unwrap());
    let error = begin().await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    let told = format!("{error}: {source}");
    assert!(told.contains("all 2 are in use"), "{told}");
    // The manager's own calls are not held up.
    grant(&one(&manager, claim("digest", 0, "one")).await);
    drop((first, second));
    begin().await.unwrap();
}
