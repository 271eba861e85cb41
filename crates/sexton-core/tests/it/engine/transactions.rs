//! An execution settled in the transaction that its handler wrote in.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::clock::Clock;
use sexton_core::lock::engine::{Connect, PortManager, Unavailable};
use sexton_core::lock::{
    Claim, ClaimLead, ExecutionState, HeldLock, LockManager, Outcome, Settled,
};
use sexton_testkit::fixtures::claim;
use sexton_testkit::memory_port::{Call, Fault, MemoryPort, MemoryPortManager};

use super::bench::{Bench, key, lock_of, recovering, settlement, taken, whole};

const LIMIT: Duration = Duration::from_secs(10);

/// An execution of `x` whose holder's lease is over, with an attempt left.
fn overdue(bench: &Bench) -> (Claim, HeldLock) {
    let leased = recovering(claim("x", 0, "a"), 2, 100);
    let verdict = bench
        .claim(&bench.manager(), std::slice::from_ref(&leased))
        .remove(0);
    bench.store.clock.advance(Duration::from_secs(1));
    let lock = lock_of(&leased, &verdict);
    (leased, lock)
}

fn state(bench: &Bench, claim: &Claim) -> ExecutionState {
    bench.record(&claim.execution).unwrap().state
}

async fn settle(by: &MemoryPortManager, lock: &HeldLock, pause: Duration, clock: &impl Clock) {
    let mut checkout = by.port().check_out(LIMIT).await.unwrap();
    let connection = MemoryPort::connection(&mut checkout);
    MemoryPort::begin(connection);
    let settled = by
        .engine()
        .settle_in_transaction(connection, &settlement(lock))
        .await;
    assert_eq!(settled.unwrap(), Settled::Recorded { waiting: None });
    let until = clock.monotonic() + pause;
    clock.sleep_until(until).await;
    by.port().commit(MemoryPort::connection(&mut checkout));
    by.port().give_back(checkout).await;
}

#[test]
fn who_would_claim_it_again_waits_for_the_commit_and_finds_what_was_committed() {
    let bench = Bench::new();
    let (leased, lock) = overdue(&bench);
    let (a, b) = (bench.manager(), bench.manager());
    let batch = [recovering(claim("x", 0, "b"), 2, 100)];
    b.port()
        .will(Call::Load, Fault::Takes(Duration::from_millis(1)));
    let pause = Duration::from_millis(200);
    let settling = settle(&a, &lock, pause, &bench.clock);
    let claiming = b.claim(ClaimLead::ZERO, &batch);
    let ((), verdicts) = bench.run(async { futures::join!(settling, claiming) });
    assert_eq!(whole(verdicts.unwrap()), [taken()]);
    assert!(bench.clock.monotonic() >= pause, "it waited for the commit");
    assert!(
        b.port().take_calls().contains(&Call::Undo),
        "and held nothing meanwhile"
    );
    assert_eq!(
        state(&bench, &leased),
        ExecutionState::Ended(Outcome::Succeeded)
    );
}

#[test]
fn nothing_of_it_is_seen_before_the_commit_or_after_a_rollback() {
    let bench = Bench::new();
    let (leased, lock) = overdue(&bench);
    let a = bench.manager();
    bench.run(async {
        let mut checkout = a.port().check_out(LIMIT).await.unwrap();
        let connection = MemoryPort::connection(&mut checkout);
        MemoryPort::begin(connection);
        let settled = a
            .engine()
            .settle_in_transaction(connection, &settlement(&lock))
            .await;
        assert!(matches!(settled, Ok(Settled::Recorded { .. })));
    });
    assert_eq!(state(&bench, &leased), ExecutionState::Running);
    let verdict = bench
        .claim(&a, &[recovering(claim("x", 0, "b"), 2, 100)])
        .remove(0);
    assert!(verdict.grant().is_some(), "the rollback freed its row");
}

#[test]
fn another_clients_write_is_no_error_within_the_limit_of_a_call() {
    let bench = Bench::new();
    let (leased, lock) = overdue(&bench);
    let a = bench.manager();
    for _ in 0..3 {
        let store = Arc::clone(&bench.store);
        a.port()
            .will(Call::Swap, Fault::meanwhile(move || store.touch(key("x"))));
    }
    bench.run(settle(&a, &lock, Duration::ZERO, &bench.clock));
    assert_eq!(a.port().faults_left(), 0);
    assert_eq!(
        state(&bench, &leased),
        ExecutionState::Ended(Outcome::Succeeded)
    );
}

#[test]
fn conflicts_beyond_the_limit_of_a_call_are_told() {
    let bench = Bench::new();
    let (leased, lock) = overdue(&bench);
    let a = bench.manager();
    for _ in 0..5_000 {
        let store = Arc::clone(&bench.store);
        a.port()
            .will(Call::Swap, Fault::meanwhile(move || store.touch(key("x"))));
    }
    let told = bench.run(async {
        let mut checkout = a.port().check_out(LIMIT).await.unwrap();
        let connection = MemoryPort::connection(&mut checkout);
        MemoryPort::begin(connection);
        let settled = a
            .engine()
            .settle_in_transaction(connection, &settlement(&lock))
            .await;
        settled.unwrap_err().to_string()
    });
    assert_eq!(told, Unavailable::Conflict.to_string());
    assert!(bench.clock.monotonic() < LIMIT);
    assert_eq!(state(&bench, &leased), ExecutionState::Running);
}

#[test]
fn who_has_lost_the_lock_is_refused() {
    let bench = Bench::new();
    let (leased, lock) = overdue(&bench);
    let a = bench.manager();
    bench.claim(
        &bench.manager(),
        &[recovering(claim("x", 0, "b"), 2, 60_000)],
    );
    bench.run(async {
        let mut checkout = a.port().check_out(LIMIT).await.unwrap();
        let connection = MemoryPort::connection(&mut checkout);
        MemoryPort::begin(connection);
        let settled = a
            .engine()
            .settle_in_transaction(connection, &settlement(&lock))
            .await;
        assert!(matches!(settled, Ok(Settled::Refused)));
    });
    assert_eq!(state(&bench, &leased), ExecutionState::Running);
}
