//! Pauses that come in between.

use sexton_core::lock::{ClaimLead, Denial, LockManager, PauseChange, Verdict};
use sqlx::Connection;

use crate::fixtures::{claim, task};
use crate::servers::postgres::Server;

#[tokio::test]
async fn a_claim_that_a_pause_overtakes_is_not_granted_even_of_an_index_that_is_new() {
    let Some(server) = Server::start() else {
        return;
    };
    let (manager, operator) = (server.open().await, server.open().await);
    // Claims may read, and not write; pauses may.
    let mut intruder = server.raw().await;
    let mut holding = intruder.begin().await.unwrap();
    let hold = sqlx::query("LOCK TABLE sexton_executions IN SHARE MODE");
    hold.execute(&mut *holding).await.unwrap();
    let claiming = tokio::spawn(async move {
        let batch = [claim("t", 0, "one")];
        manager.claim(ClaimLead::default(), &batch).await.unwrap()
    });
    let mut raw = server.raw().await;
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting)
        .fetch_one(&mut raw)
        .await
        .unwrap()
        == 0
    {
        tokio::task::yield_now().await;
    }
    let (note, by) = ("stop".to_owned(), "anna".to_owned());
    let pause = PauseChange::Pause { note, by };
    operator.change_pause(&[task("t")], &pause).await.unwrap();
    holding.rollback().await.unwrap();
    let verdicts = claiming.await.unwrap().value;
    assert!(
        matches!(verdicts[..], [Verdict::Denied(Denial::Paused)]),
        "{verdicts:?}"
    );
}
