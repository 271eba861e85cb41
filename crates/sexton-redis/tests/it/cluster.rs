//! A cluster: batches that reach into all its masters, and masters that go.

use std::time::Duration;

use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{Answer, Claim, ClaimLead, LockManager, Verdict};
use sexton_redis::{ConnectError, RedisLockManager, RedisOptions};
use sexton_testkit::redis::{Cluster, Server, is_declared_absent};

use crate::asking::{Grants, claim_all, claim_of, quick};

const TASKS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_reaches_into_all_masters_is_answered_in_its_order() {
    if is_declared_absent() {
        return;
    }
    let cluster = Cluster::start().await;
    let manager = quick().connect(&cluster.url()).await.unwrap();
    let taken: Vec<Claim> = TASKS
        .iter()
        .step_by(2)
        .map(|task| claim_of(task, 1))
        .collect();
    let answer = manager
        .claim(ClaimLead::default(), &taken)
        .await
        .unwrap()
        .whole()
        .unwrap();
    assert!(
        answer
            .value
            .iter()
            .all(|verdict| matches!(verdict, Verdict::Granted(_)))
    );
    let all: Vec<Claim> = TASKS.iter().map(|task| claim_of(task, 1)).collect();
    let answer = manager
        .claim(ClaimLead::default(), &all)
        .await
        .unwrap()
        .whole()
        .unwrap();
    for (number, verdict) in answer.value.iter().enumerate() {
        let is_granted = matches!(verdict, Verdict::Granted(_));
        assert_eq!(is_granted, number % 2 == 1, "{number}: {verdict:?}");
    }
    // They are really divided among the masters.
    for master in &cluster.masters {
        let mut client = master.client().await;
        let keys: usize = redis::cmd("DBSIZE").query_async(&mut client).await.unwrap();
        assert!(keys > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_granted_twice_while_masters_are_killed_under_load() {
    if is_declared_absent() {
        return;
    }
    const TICKS: i64 = 60;
    let mut cluster = Cluster::start().await;
    let mut claimants = Vec::new();
    for _ in 0..4 {
        let manager = quick().connect(&cluster.url()).await.unwrap();
        claimants.push(tokio::spawn(claim_all(manager, &TASKS, TICKS)));
    }
    for number in 0..3 {
        // Some claims are under way each time.
        tokio::time::sleep(Duration::from_millis(200)).await;
        cluster.masters[number].kill();
        tokio::time::sleep(Duration::from_millis(200)).await;
        cluster.masters[number].begin().await;
        cluster.wait_until_it_agrees().await;
    }
    let mut all = Grants::default();
    for claimant in claimants {
        all.extend(claimant.await.unwrap());
    }
    assert_eq!(all.broken(), Vec::<String>::new());
    assert_eq!(all.count(), TASKS.len() * usize::try_from(TICKS).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_not_for_sharing_with_the_kotlin_system() {
    if is_declared_absent() {
        return;
    }
    let cluster = Cluster::start().await;
    let manager = RedisLockManager::connect(&cluster.url()).await.unwrap();
    let error = manager
        .ktor_compatible(Duration::from_secs(60))
        .unwrap_err();
    assert_eq!(error, sexton_redis::KtorError::Cluster);
}

#[tokio::test]
async fn replicas_that_would_count_buckets_differently_are_refused() {
    if is_declared_absent() {
        return;
    }
    let server = Server::start().await;
    let url = server.url();
    let connect = |options: RedisOptions| options.connect(&url);
    connect(RedisOptions::new().buckets(5)).await.unwrap();
    // Who does not ask takes what is there.
    let manager = connect(RedisOptions::new()).await.unwrap();
    let claims: Vec<Claim> = TASKS.iter().map(|task| claim_of(task, 1)).collect();
    let answer = manager
        .claim(ClaimLead::default(), &claims)
        .await
        .unwrap()
        .whole()
        .unwrap();
    assert_eq!(answer.value.len(), TASKS.len());
    let error = connect(RedisOptions::new().buckets(6)).await.unwrap_err();
    let ConnectError::Unusable { advice, .. } = error else {
        panic!("{error:?}");
    };
    assert!(advice.contains("kept in 5 buckets, not in 6"), "{advice}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_stands_still_keeps_nothing_of_what_the_others_answer() {
    if is_declared_absent() {
        return;
    }
    let cluster = Cluster::start().await;
    cluster.serve_what_is_left().await;
    // Longer than anybody waits for a part that straggles.
    let limit = Duration::from_secs(20);
    let options = RedisOptions::new().response_timeout(limit);
    let manager = options.connect(&cluster.url()).await.unwrap();
    let claims: Vec<Claim> = TASKS.iter().map(|task| claim_of(task, 1)).collect();
    cluster.masters[1].signal("STOP");
    let asked = SystemClock.monotonic();
    let answer = manager.claim(ClaimLead::default(), &claims).await.unwrap();
    let took = SystemClock.monotonic() - asked;
    cluster.masters[1].signal("CONT");
    cluster.wait_until_it_agrees().await;
    assert!(took < limit / 2, "{took:?}");
    let lost: Vec<usize> = (0..TASKS.len())
        .filter(|number| answer.value[*number].is_err())
        .collect();
    assert!(!lost.is_empty() && lost.len() < TASKS.len(), "{lost:?}");
    for verdict in &answer.value {
        match verdict {
            Ok(verdict) => assert!(matches!(verdict, Verdict::Granted(_)), "{verdict:?}"),
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    }
    // What was granted stays so, and what was not answered is answered now.
    let again = manager.claim(ClaimLead::default(), &claims).await;
    let again = again.and_then(Answer::whole).unwrap().value;
    for (number, verdict) in again.iter().enumerate() {
        assert!(
            matches!(verdict, Verdict::Granted(_)),
            "{number}: {verdict:?}"
        );
        if let Ok(first) = &answer.value[number] {
            assert_eq!(first, verdict);
        }
    }
}
