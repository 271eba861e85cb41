//! Failovers by Sentinels: what claims lose that do not wait for replicas, and that those lose
//! nothing that do.

use std::time::Duration;

use sexton_core::lock::Verdict;
use sexton_redis::RedisOptions;
use sexton_testkit::redis::{Watched, is_declared_absent};

use crate::asking::{Grants, ask, ask_until_answered, claim, claim_all, patient, quick};

fn waiting() -> RedisOptions {
    quick().wait_for_replicas(1, Duration::from_millis(300))
}

/// More than the buffers of a connection hold, so that nothing behind it reaches a replica that
/// does not read.
const STUFFING: usize = 32 << 20;

/// Grants that the replica never hears of, then a failover to it, then the same claims by others.
/// Claims that were not answered are sent again, as an instance does. Returns all grants, and how
/// many claims were not answered before the failover.
async fn fail_over_to_a_replica_that_was_frozen(options: RedisOptions) -> (Grants, usize) {
    const TICKS: i64 = 10;
    let mut watched = Watched::start().await;
    let before = options.clone().connect(&watched.url()).await.unwrap();
    let after = options.connect(&watched.url()).await.unwrap();
    let master = watched.master().await;
    watched.servers[1 - master].signal("STOP");
    let mut client = watched.servers[master].client().await;
    let mut stuff = redis::cmd("SET");
    stuff.arg("stuffing").arg(vec![b'x'; STUFFING]);
    stuff.exec_async(&mut client).await.unwrap();
    let (mut grants, mut unanswered) = (Grants::default(), Vec::new());
    for number in 0..TICKS {
        let claim = claim(number);
        match ask(&before, &claim).await {
            Ok(verdict) => grants.note(&claim, &verdict),
            Err(error) => {
                assert!(error.is_transient(), "{error:?}");
                unanswered.push(claim);
            }
        }
    }
    watched.servers[master].kill();
    watched.servers[1 - master].signal("CONT");
    watched.wait_for_another_master_than(master).await;
    // Claims that wait need a replica again.
    watched.servers[master].begin().await;
    watched.wait_for_the_replica().await;
    for number in 0..TICKS {
        let claim = claim(number);
        let verdict = ask_until_answered(&after, &claim).await;
        grants.note(&claim, &verdict);
    }
    for claim in &unanswered {
        let verdict = ask_until_answered(&before, claim).await;
        grants.note(claim, &verdict);
    }
    (grants, unanswered.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grants_that_a_replica_had_not_heard_of_are_granted_again_after_a_failover_to_it() {
    if is_declared_absent() {
        return;
    }
    let (grants, unanswered) = fail_over_to_a_replica_that_was_frozen(patient()).await;
    assert_eq!(unanswered, 0);
    // This is the loss that GUARANTEES.md admits, and that the check below is able to see.
    let broken = grants.broken();
    assert_eq!(broken.len(), 10, "{broken:?}");
    assert!(
        broken.iter().all(|line| line.ends_with("granted 2 times")),
        "{broken:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grants_that_wait_for_a_replica_are_told_as_an_outage_instead_and_never_given_twice() {
    if is_declared_absent() {
        return;
    }
    let (grants, unanswered) = fail_over_to_a_replica_that_was_frozen(waiting()).await;
    assert_eq!(unanswered, 10);
    assert_eq!(grants.broken(), Vec::<String>::new());
    assert_eq!(grants.count(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_granted_twice_while_the_master_is_killed_under_load_and_a_waited_for_replica_takes_over()
 {
    if is_declared_absent() {
        return;
    }
    let mut watched = Watched::start().await;
    let mut claimants = Vec::new();
    for _ in 0..4 {
        let manager = waiting().connect(&watched.url()).await.unwrap();
        claimants.push(tokio::spawn(claim_all(manager, &["t", "u"], 400)));
    }
    for _ in 0..2 {
        // Some claims are under way.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let master = watched.master().await;
        watched.servers[master].kill();
        watched.wait_for_another_master_than(master).await;
        watched.servers[master].begin().await;
        watched.wait_for_the_replica().await;
    }
    let mut all = Grants::default();
    for claimant in claimants {
        all.extend(claimant.await.unwrap());
    }
    assert_eq!(all.broken(), Vec::<String>::new());
    assert_eq!(all.count(), 800);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_stands_still_is_left_for_the_new_one() {
    if is_declared_absent() {
        return;
    }
    let watched = Watched::start().await;
    let manager = quick().connect(&watched.url()).await.unwrap();
    let granted = ask_until_answered(&manager, &claim(1)).await;
    assert!(matches!(granted, Verdict::Granted(_)), "{granted:?}");
    let master = watched.master().await;
    watched.servers[master].signal("STOP");
    watched.wait_for_another_master_than(master).await;
    let granted = ask_until_answered(&manager, &claim(2)).await;
    assert!(matches!(granted, Verdict::Granted(_)), "{granted:?}");
    watched.servers[master].signal("CONT");
}
