//! Handlers that go on after their transaction was ended under them, and settlings that wait for
//! their rows.

use std::sync::Arc;

use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{
    ClaimLead, Committed, HeldLock, LockError, LockManager, Outcome, Settlement, TransactionEnd,
    TransactionSlot,
};
use sexton_sql::Tx;
use sexton_testkit::fixtures::{claim, grant};
use sexton_testkit::mariadb::Server;
use sqlx::{Connection, MySql, Row};

use crate::on_servers::TestServer;

/// How a transaction ends while its handler is at work.
#[derive(Debug, Clone, Copy)]
enum End {
    Deadlock,
    Commit,
    CreateTable,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_after_the_transaction_has_ended_does_not_settle_the_run() {
    for end in [End::Deadlock, End::Commit, End::CreateTable] {
        let Some(server) = Server::start() else {
            return;
        };
        server.run(ROWS).await;
        let manager = server.open().await;
        let claim = claim("interest", 0, "one");
        let batch = std::slice::from_ref(&claim);
        let answer = manager
            .claim(ClaimLead::default(), batch)
            .await
            .unwrap()
            .whole()
            .unwrap();
        let slot = TransactionSlot::new(Arc::new(manager.clone()));
        let begin = Tx::<MySql>::of(slot.clone()).unwrap().begin();
        let mut tx = begin.await.unwrap();
        let write = "UPDATE rows_of SET said = 1 WHERE id = 1";
        sqlx::query(write).execute(&mut *tx).await.unwrap();
        match end {
            End::Deadlock => deadlock(&server, &mut tx).await,
            End::Commit => drop(sqlx::raw_sql("COMMIT").execute(&mut *tx).await.unwrap()),
            End::CreateTable => {
                let create = sqlx::raw_sql("CREATE TABLE more (id INT)");
                create.execute(&mut *tx).await.unwrap();
            }
        }
        // As if nothing had been.
        let write = "UPDATE rows_of SET said = 3 WHERE id = 2";
        sqlx::query(write).execute(&mut *tx).await.unwrap();
        drop(tx);
        let TransactionEnd::Transaction(transaction) = slot.close() else {
            panic!("no transaction was handed over");
        };
        let lock = HeldLock {
            execution: claim.execution.clone(),
            claim_id: claim.claim_id,
            fence: grant(&answer.value[0]).fence,
        };
        let now = SystemClock.now();
        let settlement = Settlement::new(lock, Outcome::Succeeded, now, now);
        let committed = transaction.settle_and_commit(&settlement).await;
        let Committed::RolledBack(error @ LockError::Refused { .. }) = committed else {
            panic!("{end:?}: {committed:?}");
        };
        let told = error.to_string();
        assert!(told.contains("ended before its handler did"), "{told}");
    }
}

const ROWS: &str = "CREATE TABLE rows_of (id INT PRIMARY KEY, said INT NOT NULL); \
    INSERT INTO rows_of VALUES (1, 0), (2, 0)";
const HOLD: &str = "SELECT version FROM sexton_registers \
    WHERE namespace = 'default' AND task = 'interest' FOR UPDATE";
/// It holds what its handler wrote, and waits for no row: it asks again until the row is free.
#[tokio::test(flavor = "multi_thread")]
async fn a_settling_asks_again_for_its_row() {
    let Some(server) = Server::start() else {
        return;
    };
    server.run(ROWS).await;
    let manager = server.open().await;
    let claim = claim("interest", 0, "one");
    let batch = std::slice::from_ref(&claim);
    let answer = manager.claim(ClaimLead::default(), batch).await;
    let answer = answer.unwrap().whole().unwrap();
    let slot = TransactionSlot::new(Arc::new(manager.clone()));
    let begin = Tx::<MySql>::of(slot.clone()).unwrap().begin();
    let mut tx = begin.await.unwrap();
    let write = "UPDATE rows_of SET said = 1 WHERE id = 1";
    sqlx::query(write).execute(&mut *tx).await.unwrap();
    drop(tx);
    let TransactionEnd::Transaction(transaction) = slot.close() else {
        panic!("no transaction was handed over");
    };

    let mut other = server.raw().await;
    let mut holding = other.begin().await.unwrap();
    sqlx::raw_sql(HOLD).execute(&mut *holding).await.unwrap();
    let settling = tokio::spawn({
        let lock = HeldLock {
            execution: claim.execution.clone(),
            claim_id: claim.claim_id,
            fence: grant(&answer.value[0]).fence,
        };
        let now = SystemClock.now();
        let settlement = Settlement::new(lock, Outcome::Succeeded, now, now);
        async move { transaction.settle_and_commit(&settlement).await }
    });
    crate::on_servers::someone_waits(&server).await;
    assert!(!settling.is_finished(), "{:?}", settling.await.unwrap());
    holding.rollback().await.unwrap();
    let committed = settling.await.unwrap();
    assert!(matches!(committed, Committed::Recorded), "{committed:?}");
    let said = sqlx::query("SELECT said FROM rows_of WHERE id = 1");
    let said = said.fetch_one(&mut server.raw().await).await.unwrap();
    assert_eq!(said.get::<i32, _>(0), 1);
}

/// Lets the transaction, which holds row 1, lose against one that has done more.
async fn deadlock(server: &Server, tx: &mut sqlx::MySqlConnection) {
    let mut other = server.raw().await;
    for statement in [
        "START TRANSACTION",
        "INSERT INTO rows_of WITH RECURSIVE many AS (SELECT 10 AS id UNION ALL SELECT id + 1 FROM many WHERE id < 500) \
         SELECT id, 0 FROM many",
        "UPDATE rows_of SET said = 2 WHERE id = 2",
    ] {
        let statement = sqlx::raw_sql(statement).execute(&mut other);
        statement.await.unwrap();
    }
    let waiting = tokio::spawn(async move {
        let wait = "UPDATE rows_of SET said = 2 WHERE id = 1; COMMIT";
        sqlx::raw_sql(wait).execute(&mut other).await.unwrap();
    });
    crate::on_servers::someone_waits(server).await;
    let write = "UPDATE rows_of SET said = 1 WHERE id = 2";
    let error = sqlx::query(write).execute(tx).await.unwrap_err();
    assert!(error.to_string().contains("Deadlock"), "{error}");
    waiting.await.unwrap();
}
