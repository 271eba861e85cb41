//! Several managers on one server, as several processes would have.

use std::collections::HashMap;
use std::time::Duration;

use sexton_core::lock::{
    Claim, ClaimLead, HeldLock, LockManager, Outcome, PauseChange, Settlement, Verdict,
};
use sexton_testkit::fixtures::{claim, task};
use sexton_testkit::process::Disk;

use super::{Options, TestServer, on_each_server};

on_each_server!(
    every_tick_is_granted_once_and_no_two_batches_deadlock,
    a_server_whose_transactions_are_serializable_by_default_grants_every_tick_once,
    pauses_amid_claims_neither_deadlock_nor_lose_a_tick,
    eight_who_open_an_empty_database_at_once_all_find_it_ready,
);

const MANAGERS: usize = 8;
const TICKS: i64 = 20;
const TASKS: usize = 100;

/// Each in an order of its own: who locks rows as they come deadlocks here.
fn claims(tick: i64, racer: usize) -> Vec<Claim> {
    let place = |number: usize| (number * 37 + racer * 13) % TASKS;
    let names = (0..TASKS).map(|number| format!("task-{}", place(number)));
    let by = format!("instance-{racer}");
    names.map(|name| claim(&name, -tick, &by)).collect()
}

fn held(claim: Claim, verdict: &Verdict) -> Option<HeldLock> {
    verdict.grant().map(|grant| HeldLock {
        execution: claim.execution,
        claim_id: claim.claim_id,
        fence: grant.fence,
    })
}

/// Tried again they would go unnoticed, but the server tells of each.
pub(super) fn had_no_deadlock<S: TestServer>(server: S) {
    let log = server.stop();
    assert!(
        !log.iter()
            .any(|line| line.contains("deadlock detected") || line.contains("deadlocks")),
        "{log:#?}"
    );
}

async fn every_tick_is_granted_once_and_no_two_batches_deadlock<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    every_tick_is_granted_once(&server).await;
    had_no_deadlock(server);
}

/// What it then takes back is tried again, and nobody hears of it.
async fn a_server_whose_transactions_are_serializable_by_default_grants_every_tick_once<
    S: TestServer,
>() {
    let Some(server) = S::start_with(Disk::Lazy, &[S::SERIALIZABLE]) else {
        return;
    };
    every_tick_is_granted_once(&server).await;
}

async fn every_tick_is_granted_once<S: TestServer>(server: &S) {
    let mut racers = Vec::new();
    for racer in 0..MANAGERS {
        let options = Options::<S>::new().wait_max(Duration::from_secs(60));
        let manager = options.connect(&server.url()).await.unwrap();
        racers.push(tokio::spawn(async move {
            let mut granted = Vec::new();
            // Ticks rise: later ones lie closer to noon.
            for tick in (0..TICKS).rev() {
                let batch = claims(tick, racer);
                let answer = manager
                    .claim(ClaimLead::default(), &batch)
                    .await
                    .unwrap()
                    .whole()
                    .unwrap();
                let pairs = batch.into_iter().zip(&answer.value);
                let locks: Vec<_> = pairs
                    .filter_map(|(claim, verdict)| held(claim, verdict))
                    .collect();
                let settle = |lock: &HeldLock| {
                    Settlement::new(lock.clone(), Outcome::Succeeded, answer.now, answer.now)
                };
                let settlements: Vec<_> = locks.iter().map(settle).collect();
                manager.settle(&settlements).await.unwrap().whole().unwrap();
                granted.extend(locks.into_iter().map(|lock| (lock.execution, lock.fence)));
            }
            manager.close().await;
            granted
        }));
    }
    let mut owners = HashMap::new();
    for racer in racers {
        for (execution, fence) in racer.await.unwrap() {
            assert_eq!(owners.insert(execution, fence), None, "granted twice");
        }
    }
    // Whoever lags may never take a tick that the fastest has passed, and the fastest takes each.
    assert_eq!(owners.len(), TASKS * usize::try_from(TICKS).unwrap());
}

async fn pauses_amid_claims_neither_deadlock_nor_lose_a_tick<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let names: Vec<_> = (0..TASKS)
        .map(|number| task(&format!("task-{number}")))
        .collect();
    let operator = server.open().await;
    let operating = tokio::spawn(async move {
        for _ in 0..TICKS {
            let pause = PauseChange::Pause {
                note: "lunch".to_owned(),
                by: "ops".to_owned(),
            };
            operator.change_pause(&names, &pause).await.unwrap();
            operator
                .change_pause(&names, &PauseChange::Resume)
                .await
                .unwrap();
        }
    });
    let mut racers = Vec::new();
    for racer in 0..4 {
        let manager = server.open().await;
        racers.push(tokio::spawn(async move {
            for tick in (0..TICKS).rev() {
                let batch = claims(tick, racer);
                manager
                    .claim(ClaimLead::default(), &batch)
                    .await
                    .unwrap()
                    .whole()
                    .unwrap();
            }
        }));
    }
    operating.await.unwrap();
    for racer in racers {
        racer.await.unwrap();
    }
    // Granted or skipped, each tick of each task has one record.
    let count = "SELECT count(*) FROM sexton_executions";
    let found = S::number(&mut server.raw().await, count).await;
    assert_eq!(found, i64::try_from(TASKS).unwrap() * TICKS);
    had_no_deadlock(server);
}

async fn eight_who_open_an_empty_database_at_once_all_find_it_ready<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let openings = (0..8).map(|_| {
        let url = server.url();
        let options = Options::<S>::new()
            .schema("new")
            .wait_max(Duration::from_secs(30));
        tokio::spawn(async move { options.connect(&url).await })
    });
    for opening in openings.collect::<Vec<_>>() {
        let manager = opening.await.unwrap().unwrap();
        assert!(manager.instances().await.unwrap().value.is_empty());
        manager.close().await;
    }
}
