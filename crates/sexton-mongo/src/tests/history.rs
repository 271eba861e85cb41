//! Pages of the history while executions move into it.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{
    Claim, ClaimLead, Execution, ExecutionState, HeldLock, HistoryQuery, LockManager, Outcome,
    Settlement, SweepQuery,
};
use sexton_testkit::fixtures::{claim, execution, grant, noon};

use super::held_up::HeldUp;
use super::server::{Fault, Server};
use crate::MongoLockManager;

fn server() -> Arc<Server> {
    let clock = noon();
    clock.advance(Duration::from_secs(3_600));
    Server::with_clock(Arc::new(clock))
}

/// Claims a task's ticks, and says how to settle them.
async fn run(manager: &MongoLockManager, ticks: &[i64]) -> Vec<Settlement> {
    let batch: Vec<Claim> = ticks.iter().map(|tick| claim("t", *tick, "one")).collect();
    let answer = manager
        .claim(ClaimLead::default(), &batch)
        .await
        .unwrap()
        .whole()
        .unwrap();
    let settlement = |(claim, verdict): (&Claim, _)| {
        let at = claim.execution.tick.timestamp();
        let lock = HeldLock {
            execution: claim.execution.clone(),
            claim_id: claim.claim_id,
            fence: grant(verdict).fence,
        };
        Settlement::new(lock, Outcome::Succeeded, at, at)
    };
    batch.iter().zip(&answer.value).map(settlement).collect()
}

/// The first page of one record.
async fn first(manager: &MongoLockManager, outcome: Outcome) -> Vec<Execution> {
    let query = HistoryQuery {
        states: vec![ExecutionState::Ended(outcome)],
        limit: 1,
        ..HistoryQuery::default()
    };
    let page = manager.history(&query).await.unwrap().value;
    page.into_iter().map(|record| record.execution).collect()
}

#[tokio::test]
async fn what_ends_while_a_page_is_read_is_on_it() {
    let server = server();
    let manager = server.manager().await;
    let settlements = run(&manager, &[0, 1]).await;
    manager
        .settle(&settlements[..1])
        .await
        .unwrap()
        .whole()
        .unwrap();
    // Registers have been read, and the second still runs there.
    let (held_up, reader) = HeldUp::new(&server, ("find", "sexton_executions", 0)).await;
    let page = tokio::spawn(async move { first(&reader, Outcome::Succeeded).await });
    held_up.reached.notified().await;
    manager
        .settle(&settlements[1..])
        .await
        .unwrap()
        .whole()
        .unwrap();
    held_up.go_on.notify_one();
    assert_eq!(page.await.unwrap(), [execution("t", 1)]);
}

#[tokio::test]
async fn a_page_is_full_although_one_of_its_records_has_become_another() {
    let server = server();
    let manager = server.manager().await;
    let settlements = run(&manager, &[0, 1]).await;
    let sweep = SweepQuery {
        abandoned_after: Duration::ZERO,
        ..SweepQuery::default()
    };
    let lost = manager.sweep(&sweep).await.unwrap().value.lost;
    assert_eq!(lost.len(), 2);
    assert_eq!(first(&manager, Outcome::Lost).await, [execution("t", 1)]);
    // Its holder comes back, and that does not get into the history yet.
    server.fail([[Fault::None; 4].as_slice(), &[Fault::Unheard]].concat());
    manager
        .settle(&settlements[1..])
        .await
        .unwrap()
        .whole()
        .unwrap();
    assert!(server.has_failed());
    assert_eq!(first(&manager, Outcome::Lost).await, [execution("t", 0)]);
    assert_eq!(
        first(&manager, Outcome::Succeeded).await,
        [execution("t", 1)]
    );
}
