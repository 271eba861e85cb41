//! Pages of the history while executions move into it.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{
    Claim, ClaimLead, Execution, ExecutionState, HeldLock, HistoryQuery, LockManager, Outcome,
    Retention, Settlement, SweepQuery,
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
    settlements(manager, &batch).await
}

/// Claims a batch, and says how to settle it.
async fn settlements(manager: &MongoLockManager, batch: &[Claim]) -> Vec<Settlement> {
    let answer = manager
        .claim(ClaimLead::default(), batch)
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

/// Settles runs of a task, a thousand at most.
async fn end(manager: &MongoLockManager, name: &str, ticks: std::ops::Range<i64>) {
    let batch: Vec<Claim> = ticks.map(|tick| claim(name, tick, "one")).collect();
    let settlements = settlements(manager, &batch).await;
    let settled = manager.settle(&settlements).await;
    settled.unwrap().whole().unwrap();
}

async fn prune(manager: &MongoLockManager, retention: Retention, limit: usize) -> usize {
    manager.prune(&retention, limit).await.unwrap().value
}

#[tokio::test]
async fn a_prune_of_many_records_looks_for_crowded_tasks_once() {
    let server = server();
    let manager = server.manager().await;
    for (name, thousands) in [("a", 2), ("b", 1), ("c", 0)] {
        for thousand in 0..=thousands {
            let first = thousand * 1_000;
            end(&manager, name, first..first + 500).await;
        }
    }
    server.commands();
    let retention = Retention {
        age_max: None,
        per_task_max: Some(500),
    };
    // Of `a` a thousand are too many, of `b` five hundred.
    assert_eq!(prune(&manager, retention, 1_200).await, 1_200);
    let of_a = ["find", "delete", "find"];
    let of_b = ["find", "delete"];
    let commands = [&["hello", "aggregate"], &of_a[..], &of_b].concat();
    assert_eq!(server.commands(), commands);
    assert_eq!(prune(&manager, retention, 5_000).await, 300);
    assert_eq!(server.documents("sexton_executions").len(), 1_500);
    let newest = first(&manager, Outcome::Succeeded).await;
    assert_eq!(newest, [execution("a", 2_499)]);
}

#[tokio::test]
async fn old_records_are_pruned_in_portions_up_to_the_limit() {
    let server = server();
    let manager = server.manager().await;
    for thousand in 0..3 {
        let first = thousand * 1_000;
        end(&manager, "t", first..first + 1_000).await;
    }
    server.commands();
    // It is an hour past noon, and the last tick was three seconds past noon.
    let retention = Retention {
        age_max: Some(Duration::from_secs(60)),
        per_task_max: None,
    };
    assert_eq!(prune(&manager, retention, 2_500).await, 2_500);
    let portions = [["find", "delete"]; 3].concat();
    assert_eq!(server.commands(), [&["hello"], &portions[..]].concat());
    assert_eq!(prune(&manager, retention, 5_000).await, 500);
    assert_eq!(server.documents("sexton_executions").len(), 0);
}
