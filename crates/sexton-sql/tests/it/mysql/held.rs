//! A client that stands still in the middle of a transaction: who needs its rows asks again, and
//! nobody waits while holding rows of others.

use sexton_core::lock::{Claim, ClaimLead, LockManager, Verdict};
use sexton_testkit::fixtures::claim;
use sexton_testkit::mariadb::Server;
use sqlx::Connection;

use crate::on_servers::{HOLD_REGISTERS, TestServer, someone_waits};

async fn verdicts(manager: &dyn LockManager, batch: &[Claim]) -> Vec<Verdict> {
    let answer = manager.claim(ClaimLead::default(), batch).await;
    answer.unwrap().whole().unwrap().value
}

fn all_granted(verdicts: &[Verdict]) -> bool {
    let is_granted = |verdict: &Verdict| matches!(verdict, Verdict::Granted(_));
    verdicts.iter().all(is_granted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_needs_a_held_row_holds_no_other_row_meanwhile() {
    let Some(server) = Server::start() else {
        return;
    };
    let manager = server.open().await;
    // Rows to be held, in the order in which they are written.
    let first = ["alpha", "digest", "omega"].map(|task| claim(task, 0, "one"));
    assert!(all_granted(&verdicts(&manager, &first).await));
    let mut still = server.raw().await;
    let mut holding = still.begin().await.unwrap();
    Server::execute(&mut holding, HOLD_REGISTERS).await;

    let next = ["alpha", "digest", "omega"].map(|task| claim(task, 1, "one"));
    let held_up = tokio::spawn({
        let manager = server.open().await;
        async move { verdicts(&manager, &next).await }
    });
    someone_waits(&server).await;
    let mut watcher = server.raw().await;
    for tick in 2..10 {
        let others = ["alpha", "omega"].map(|task| claim(task, tick, "two"));
        assert!(all_granted(&verdicts(&manager, &others).await), "{tick}");
        let waiting = Server::number(&mut watcher, <Server as TestServer>::WAITING).await;
        assert_eq!(waiting, 0, "somebody waits for a row");
    }
    assert!(!held_up.is_finished());
    holding.rollback().await.unwrap();
    assert!(all_granted(&held_up.await.unwrap()));
}
