//! Outputs as large as may be: what limits documents and commands have, no batch exceeds.

use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::{Document, doc};
use sexton_core::lock::{
    Answer, Claim, ClaimLead, ExecutionState, HeldLock, HistoryQuery, LockManager, Outcome,
    Settled, Settlement,
};
use sexton_testkit::fixtures::{claim, grant, noon};

use super::server::{Fault, Server};
use crate::MongoLockManager;
use crate::store::{Cause, Store};

fn server() -> Arc<Server> {
    let clock = noon();
    clock.advance(Duration::from_secs(3_600));
    Server::with_clock(Arc::new(clock))
}

/// Claims so many ticks of one (task, index), and says how each is to end: with all the output that
/// it may have.
async fn to_settle(manager: &MongoLockManager, ticks: std::ops::Range<i64>) -> Vec<Settlement> {
    let batch: Vec<Claim> = ticks.map(|tick| claim("t", tick, "one")).collect();
    let answer = manager
        .claim(ClaimLead::default(), &batch)
        .await
        .unwrap()
        .whole()
        .unwrap();
    let settlement = |(number, (claim, verdict)): (usize, (&Claim, _))| {
        let at = claim.execution.tick.timestamp();
        let lock = HeldLock {
            execution: claim.execution.clone(),
            claim_id: claim.claim_id,
            fence: grant(verdict).fence,
        };
        let output = format!(
            "{}{number:04}",
            "x".repeat(Settlement::OUTPUT_BYTES_MAX - 4)
        );
        Settlement::new(lock, Outcome::Succeeded, at, at).with_output(&output)
    };
    let claimed = batch.iter().zip(&answer.value);
    claimed.enumerate().map(settlement).collect()
}

/// What is in the history, and nowhere else.
async fn outputs_in_history(server: &Server, manager: &MongoLockManager) -> Vec<String> {
    let registers = server.documents("sexton_registers");
    let is_open =
        |register: &Document| register.contains_key("ended") || register.contains_key("open");
    assert!(!registers.iter().any(is_open));
    let query = HistoryQuery {
        limit: 1_000,
        ..HistoryQuery::default()
    };
    let mut records = manager.history(&query).await.unwrap().value;
    records.reverse();
    let succeeded = ExecutionState::Ended(Outcome::Succeeded);
    assert!(records.iter().all(|record| record.state == succeeded));
    records
        .into_iter()
        .filter_map(|record| record.output)
        .collect()
}

fn are_recorded(settled: &[Settled]) -> bool {
    settled
        .iter()
        .all(|one| matches!(one, Settled::Recorded { .. }))
}

#[tokio::test(start_paused = true)]
async fn a_thousand_of_the_largest_outputs_of_one_index_are_settled_by_one_call() {
    let server = server();
    let manager = server.manager().await;
    let mut settlements = to_settle(&manager, 0..1_000).await;
    // One that is not recorded: each answer stands in its settlement's place.
    settlements[700].lock.fence = settlements[0].lock.fence;
    let settled = manager
        .settle(&settlements)
        .await
        .unwrap()
        .whole()
        .unwrap()
        .value;
    assert_eq!(settled.len(), 1_000);
    assert!(
        matches!(settled[700], Settled::Refused),
        "{:?}",
        settled[700]
    );
    assert!(are_recorded(&settled[..700]) && are_recorded(&settled[701..]));
    settlements[700].lock.fence = sexton_core::tick::Fence::new(701);
    let again = manager
        .settle(&settlements)
        .await
        .unwrap()
        .whole()
        .unwrap()
        .value;
    assert!(are_recorded(&again));
    let outputs = settlements.iter().filter_map(|one| one.output());
    assert!(outputs.eq(outputs_in_history(&server, &manager).await));
}

#[tokio::test(start_paused = true)]
async fn outputs_that_do_not_get_into_the_history_leave_room_for_more() {
    let server = server();
    let manager = server.manager().await;
    let mut settlements = to_settle(&manager, 0..400).await;
    for (place, batch) in settlements.chunks(40).enumerate() {
        // The clock, the registers, their write, and then the history.
        server.fail([Fault::None, Fault::None, Fault::None, Fault::Unheard]);
        let settled = manager.settle(batch).await.and_then(Answer::whole);
        assert!(are_recorded(&settled.unwrap().value), "batch {place}");
        assert!(server.has_failed());
    }
    let last = settlements.split_off(399);
    manager.settle(&last).await.unwrap().whole().unwrap();
    settlements.extend(last);
    let outputs = settlements.iter().filter_map(|one| one.output());
    assert!(outputs.eq(outputs_in_history(&server, &manager).await));
}

#[tokio::test]
async fn a_command_too_large_for_a_server_is_refused_by_this_one() {
    let server = server();
    let statement = || {
        let with = doc! { "output": "x".repeat(6 * 1024 * 1024) };
        crate::commands::replace_or_insert(doc! { "_id": 1_i64 }, with)
    };
    let limit = Duration::from_secs(1);
    let update = |count| {
        let statements = (0..count).map(|_| statement()).collect();
        server.run(crate::commands::update("c", statements, limit))
    };
    update(2).await.unwrap();
    let refused = update(3).await.unwrap_err();
    assert!(matches!(refused.cause, Cause::Permanent(_)), "{refused:?}");
}
