//! Every call, cut off at each of its requests.

use std::time::Duration;

use futures::{StreamExt, stream};
use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{
    Claim, Consumption, Enqueue, HeldLock, HistoryQuery, LockError, LockManager, Outcome,
    PauseChange, Reason, Release, Renewal, Retention, Settlement, SweepQuery, TaskQuery,
};
use sexton_core::name::Incarnation;
use sexton_core::policy::{Lease, Placement};
use sexton_core::tick::Concurrency;
use sexton_testkit::fixtures::{execution, instance, task};
use sexton_testkit::process::Disk;
use sexton_testkit::proxy::Cut;
use tokio::time::Instant;

use super::{AT_ONCE, From, LEASE, Pair, WAIT_MAX, cuts, definition, leased, report, verdict};
use crate::on_servers::{TestServer, on_each_server};

on_each_server!(
    whoever_falls_silent_in_a_call_of_its_own_connections_keeps_nobody_waiting,
    whoever_falls_silent_in_a_call_of_a_lent_connection_keeps_nobody_waiting,
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Claim,
    ClaimDistinct,
    Renew,
    Settle,
    Release,
    Consume,
    Enqueue,
    Cancel,
    Sweep,
    Heartbeat,
    Leave,
    Define,
    Pause,
    Prune,
    Tasks,
    History,
}

const CALLS: [Call; 16] = [
    Call::Claim,
    Call::ClaimDistinct,
    Call::Renew,
    Call::Settle,
    Call::Release,
    Call::Consume,
    Call::Enqueue,
    Call::Cancel,
    Call::Sweep,
    Call::Heartbeat,
    Call::Leave,
    Call::Define,
    Call::Pause,
    Call::Prune,
    Call::Tasks,
    Call::History,
];
/// One instance makes the call, by what it was granted.
async fn make(call: Call, manager: &dyn LockManager, lock: &HeldLock) -> Result<(), LockError> {
    let now = SystemClock.now();
    match call {
        Call::Claim => verdict(manager, &leased(2, "one")).await.map(drop),
        Call::ClaimDistinct => {
            let distinct = Claim {
                placement: Placement::Distinct,
                ..leased(2, "one")
            };
            verdict(manager, &distinct).await.map(drop)
        }
        Call::Renew => {
            let lease = Lease::new(LEASE * 2).unwrap();
            let lock = lock.clone();
            manager.renew(&[Renewal { lock, lease }]).await.map(drop)
        }
        Call::Settle => {
            let settlement = Settlement::new(lock.clone(), Outcome::Succeeded, now, now);
            manager.settle(&[settlement]).await.map(drop)
        }
        Call::Release => {
            let (lock, deadline) = (lock.clone(), None);
            manager
                .release(&[Release { lock, deadline }])
                .await
                .map(drop)
        }
        Call::Consume => {
            let due = execution("digest", 2);
            let one = Consumption::new(due, Concurrency::ONE, Reason::TooLate, instance("one"));
            manager.consume(&[one]).await.map(drop)
        }
        Call::Enqueue => {
            let enqueue = Enqueue {
                execution: execution("digest", 2),
                concurrency: Concurrency::ONE,
                deadline: None,
            };
            manager.enqueue(&[enqueue]).await.map(drop)
        }
        Call::Cancel => manager.request_cancel(&lock.execution).await.map(drop),
        Call::Sweep => manager.sweep(&SweepQuery::default()).await.map(drop),
        Call::Heartbeat => manager.heartbeat(&report("one")).await.map(drop),
        Call::Leave => manager
            .leave(&instance("one"), Incarnation::from_u128(1))
            .await
            .map(drop),
        Call::Define => {
            let batch = [definition("one")];
            manager.define(&instance("one"), &batch).await.map(drop)
        }
        Call::Pause => {
            let (note, by) = ("stop".to_owned(), "anna".to_owned());
            let pause = PauseChange::Pause { note, by };
            manager
                .change_pause(&[task("digest")], &pause)
                .await
                .map(drop)
        }
        Call::Prune => {
            let retention = Retention {
                age_max: Some(Duration::ZERO),
                per_task_max: Some(0),
            };
            manager.prune(&retention, 1_000).await.map(drop)
        }
        Call::Tasks => {
            let query = TaskQuery::Named(vec![task("digest")]);
            manager.tasks(&query).await.map(drop)
        }
        Call::History => manager.history(&HistoryQuery::default()).await.map(drop),
    }
}

/// Another instance goes about its work with the same task.
async fn go_on(manager: &dyn LockManager) -> Result<(), LockError> {
    verdict(manager, &leased(3, "two")).await?;
    manager.heartbeat(&report("two")).await?;
    manager
        .leave(&instance("one"), Incarnation::from_u128(1))
        .await?;
    manager
        .define(&instance("two"), &[definition("two")])
        .await?;
    manager
        .change_pause(&[task("digest")], &PauseChange::Resume)
        .await?;
    manager.sweep(&SweepQuery::default()).await?;
    Ok(())
}
/// Whoever was cut off is back as soon as its network is.
async fn is_back<S: TestServer>(pair: &Pair<S>, call: Call, what: &str) {
    let mended = Instant::now();
    loop {
        match make(call, &pair.cut_off, &pair.lock).await {
            Ok(()) => return,
            Err(error) => {
                assert!(error.is_transient(), "{what}: {error:?}");
                assert!(mended.elapsed() < WAIT_MAX, "{what}: {error:?}");
            }
        }
    }
}

/// How many requests it takes where nobody is in the way.
async fn requests_of<S: TestServer>(server: &S, from: From, call: Call) -> u32 {
    let namespace = format!("{call:?}-{from:?}");
    let pair = Pair::open(server, from, &namespace).await;
    let before = pair.proxy.requests();
    make(call, &pair.cut_off, &pair.lock).await.unwrap();
    pair.proxy.requests() - before
}

/// Cuts one call off after so many requests. Answers how long another instance took for its work
/// meanwhile.
async fn cut_off<S: TestServer>(
    server: &S,
    from: From,
    call: Call,
    requests: u32,
    cut: Cut,
) -> Duration {
    let what = format!("{call:?}-{from:?}-{requests}-{cut:?}");
    let pair = Pair::open(server, from, &what).await;
    pair.proxy.cut_after_requests(requests, cut);
    let calling = async {
        let called = make(call, &pair.cut_off, &pair.lock).await;
        pair.proxy.cut_no_more();
        called
    };
    let meanwhile = async {
        pair.proxy.has_cut().await;
        let began = Instant::now();
        let gone_on = go_on(&pair.other).await;
        let waited = began.elapsed();
        gone_on.unwrap_or_else(|error| panic!("{what}: after {waited:?}: {error:?}"));
        assert!(waited < WAIT_MAX, "{what}: waited for {waited:?}");
        pair.proxy.mend();
        waited
    };
    let (called, waited) = tokio::join!(calling, meanwhile);
    if let Err(error) = called {
        assert!(error.is_transient(), "{what}: {error:?}");
    }
    is_back(&pair, call, &what).await;
    pair.cut_off.close().await;
    pair.other.close().await;
    waited
}

async fn at_every_request_of_every_call<S: TestServer>(from: From) {
    let Some(server) = S::start_with(Disk::Lazy, S::MANY_CONNECTIONS) else {
        return;
    };
    server.make_tables().await;
    let mut cases = Vec::new();
    for call in CALLS {
        let requests = requests_of(&server, from, call).await;
        assert!(requests > 0, "{call:?} asks for nothing");
        for (requests, cut) in
            (1..=requests).flat_map(|one| cuts().iter().map(move |cut| (one, *cut)))
        {
            cases.push(cut_off(&server, from, call, requests, cut));
        }
    }
    let waits = stream::iter(cases).buffer_unordered(AT_ONCE);
    let waits: Vec<Duration> = waits.collect().await;
    let longest = waits.iter().max().unwrap();
    assert!(*longest < WAIT_MAX, "{longest:?}");
}

async fn whoever_falls_silent_in_a_call_of_its_own_connections_keeps_nobody_waiting<
    S: TestServer,
>() {
    at_every_request_of_every_call::<S>(From::Own).await;
}

async fn whoever_falls_silent_in_a_call_of_a_lent_connection_keeps_nobody_waiting<S: TestServer>() {
    at_every_request_of_every_call::<S>(From::Lent).await;
}
