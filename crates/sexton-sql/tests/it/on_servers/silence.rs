//! An instance that loses its network, or stands still, at any moment of any call: nobody else waits for it for long, and it is back itself as
//! soon as its network is.
//!
//! The plain run goes through every request of every call with a network that swallows everything. `SEXTON_CUTS=all` adds connections that end and
//! clients that are stopped.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{
    Claim, ClaimLead, Committed, Consumption, Enqueue, Grant, Handed, HeldLock, HistoryQuery,
    InstanceReport, LockError, LockManager, Outcome, PauseChange, Reason, Release, Renewal,
    Retention, Settlement, SweepQuery, TaskDefinition, TaskQuery, TransactionSlot, Verdict,
};
use sexton_core::name::Namespace;
use sexton_core::policy::{Delivery, Lease, Placement};
use sexton_core::tick::Concurrency;
use sexton_sql::Tx;
use sqlx::pool::PoolOptions;

use super::{Manager, Options, TestServer, on_each_server};
use crate::fixtures::{claim, execution, grant, instance, task};
use crate::proxy::{Cut, Proxy};
use crate::servers::process::Disk;

on_each_server!(
    whoever_falls_silent_in_a_call_of_its_own_connections_keeps_nobody_waiting,
    whoever_falls_silent_in_a_call_of_a_lent_connection_keeps_nobody_waiting,
    whoever_falls_silent_in_a_handlers_transaction_keeps_its_lock_no_longer_than_its_lease,
    a_client_that_takes_no_answers_keeps_nobody_waiting,
);

/// How long anybody waits for somebody else, on a machine that is busy with other tests as well. A call takes 5 s at most, unless told
/// otherwise, and the server waits 3 s for a client.
const WAIT_MAX: Duration = Duration::from_secs(8);
/// How many are tried at once.
const AT_ONCE: usize = 24;
/// How long the instance that is cut off tries.
const PATIENCE: Duration = Duration::from_secs(2);
/// Long enough for all of it.
const LEASE: Duration = Duration::from_secs(600);

/// Where a manager's connections come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Own,
    Lent,
}

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

fn cuts() -> &'static [Cut] {
    match std::env::var("SEXTON_CUTS").as_deref() {
        Ok("all") => &[Cut::Silence, Cut::Freeze, Cut::End, Cut::Reset],
        _ => &[Cut::Silence],
    }
}

fn held(claim: &Claim, grant: &Grant) -> HeldLock {
    HeldLock {
        execution: claim.execution.clone(),
        claim_id: claim.claim_id,
        fence: grant.fence,
    }
}

async fn verdict(manager: &dyn LockManager, claim: &Claim) -> Result<Verdict, LockError> {
    let batch = std::slice::from_ref(claim);
    let answer = manager.claim(ClaimLead::default(), batch).await?;
    Ok(answer.value.into_iter().next().unwrap())
}

fn leased(after_noon_ms: i64, by: &str) -> Claim {
    Claim {
        delivery: Delivery::AtLeastOnce {
            attempts_max: NonZeroU32::new(3).unwrap(),
        },
        lease: Lease::new(LEASE).unwrap(),
        ..claim("digest", after_noon_ms, by)
    }
}

fn definition(by: &str) -> TaskDefinition {
    TaskDefinition {
        task: task("digest"),
        schedule: "now and then".to_owned(),
        canonical: "sometimes".to_owned(),
        concurrency: Concurrency::ONE,
        definition: by.to_owned(),
    }
}

fn report(by: &str) -> InstanceReport {
    InstanceReport {
        instance: instance(by),
        started_at: SystemClock.now(),
        version: "1".to_owned(),
        clock_offset: None,
        running: 0,
        presence: Duration::from_secs(60),
    }
}

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
        Call::Leave => manager.leave(&instance("one")).await.map(drop),
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
                age_max: Some(Duration::ZERO.try_into().unwrap()),
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
    manager.leave(&instance("one")).await?;
    manager
        .define(&instance("two"), &[definition("two")])
        .await?;
    manager
        .change_pause(&[task("digest")], &PauseChange::Resume)
        .await?;
    manager.sweep(&SweepQuery::default()).await?;
    Ok(())
}

/// A namespace of its own: a manager that may be cut off, and one that may not.
struct Pair<S: TestServer> {
    proxy: Proxy,
    cut_off: Manager<S>,
    other: Manager<S>,
    lock: HeldLock,
}

impl<S: TestServer> Pair<S> {
    async fn open(server: &S, from: From, namespace: &str) -> Pair<S> {
        let options = Options::<S>::new().namespace(Namespace::new(namespace).unwrap());
        let other = options.clone().wait_max(WAIT_MAX);
        let other = other.connect(&server.url()).await.unwrap();
        let proxy = Proxy::to(server.port()).await;
        let url = server.url_at(proxy.port);
        let options = options.wait_max(PATIENCE);
        let cut_off = match from {
            From::Own => options.connect(&url).await.unwrap(),
            From::Lent => {
                let pool = PoolOptions::<S::DB>::new().max_connections(3);
                options
                    .with_pool(pool.connect(&url).await.unwrap())
                    .await
                    .unwrap()
            }
        };
        let ours = leased(1, "one");
        let granted = verdict(&other, &ours).await.unwrap();
        let lock = held(&ours, grant(&granted));
        // Something for a sweep to close, for a prune to delete, and for a leave to find.
        let deadline = Some(SystemClock.now() - jiff::SignedDuration::from_secs(60));
        let late = Enqueue {
            execution: execution("late", 0),
            concurrency: Concurrency::ONE,
            deadline,
        };
        other.enqueue(&[late]).await.unwrap();
        let over = execution("over", 0);
        let by = instance("one");
        let over = Consumption::new(over, Concurrency::ONE, Reason::TooLate, by);
        other.consume(&[over]).await.unwrap();
        other.heartbeat(&report("one")).await.unwrap();
        Pair {
            proxy,
            cut_off,
            other,
            lock,
        }
    }

    /// Whoever was cut off is back as soon as its network is.
    async fn is_back(&self, call: Call, what: &str) {
        let mended = Instant::now();
        loop {
            match make(call, &self.cut_off, &self.lock).await {
                Ok(()) => return,
                Err(error) => {
                    assert!(error.is_transient(), "{what}: {error:?}");
                    assert!(mended.elapsed() < WAIT_MAX, "{what}: {error:?}");
                }
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

/// Cuts one call off after so many requests. Answers how long another instance took for its work meanwhile.
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
    pair.is_back(call, &what).await;
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
    println!("{} cases, {longest:?} at most", waits.len());
}

async fn whoever_falls_silent_in_a_call_of_its_own_connections_keeps_nobody_waiting<
    S: TestServer,
>() {
    at_every_request_of_every_call::<S>(From::Own).await;
}

async fn whoever_falls_silent_in_a_call_of_a_lent_connection_keeps_nobody_waiting<S: TestServer>() {
    at_every_request_of_every_call::<S>(From::Lent).await;
}

const EFFECTS: &str = "CREATE TABLE effects (id INTEGER PRIMARY KEY, who VARCHAR(10) NOT NULL)";

/// A run of its own, whose transaction writes one row. Answers whether that is committed, as far as it knows.
async fn run<S: TestServer>(
    manager: &Manager<S>,
    lock: &HeldLock,
    lease: Lease,
    (id, who): (i64, &str),
) -> Option<bool> {
    let slot = TransactionSlot::new(Arc::new(manager.clone()));
    let slot = slot.of_run(Renewal {
        lock: lock.clone(),
        lease,
    });
    let mut tx = Tx::<S::DB>::of(slot.clone()).unwrap().begin().await.ok()?;
    let write = format!("INSERT INTO effects VALUES ({id}, '{who}')");
    let written = tokio::time::timeout(WAIT_MAX, S::attempt(&mut tx, write)).await;
    drop(tx);
    let Handed::Transaction(transaction) = slot.close() else {
        panic!("no transaction was handed over");
    };
    if !matches!(written, Ok(Ok(()))) {
        let _ = transaction.roll_back().await;
        return Some(false);
    }
    let now = SystemClock.now();
    let settlement = Settlement::new(lock.clone(), Outcome::Succeeded, now, now);
    let committed = transaction.settle_and_commit(&settlement).await;
    match committed {
        Committed::Recorded => Some(true),
        Committed::Refused | Committed::RolledBack(_) => Some(false),
        Committed::Unknown(_) => None,
    }
}

fn transactional(lease: Lease, by: &str) -> Claim {
    Claim {
        delivery: Delivery::Transactional {
            attempts_max: NonZeroU32::new(5).unwrap(),
        },
        lease,
        ..claim("interest", 0, by)
    }
}

async fn run_cut_off<S: TestServer>(
    server: &S,
    from: From,
    id: i64,
    requests: u32,
    cut: Cut,
) -> bool {
    let what = format!("run-{from:?}-{requests}-{cut:?}");
    let pair = Pair::open(server, from, &what).await;
    let lease = Lease::new(Duration::from_secs(2)).unwrap();
    let ours = transactional(lease, "one");
    let granted = verdict(&pair.other, &ours).await.unwrap();
    let lock = held(&ours, grant(&granted));
    pair.proxy.cut_after_requests(requests, cut);
    let running = async {
        let ran = run::<S>(&pair.cut_off, &lock, lease, (id, "one")).await;
        pair.proxy.cut_no_more();
        ran
    };
    let is_over = async {
        pair.proxy.has_cut().await;
        let began = Instant::now();
        // The lease ends, and then another instance has its turn: unless the first one had committed.
        let theirs = transactional(lease, "two");
        let mut by_other = None;
        let longest = lease.duration() + WAIT_MAX;
        while by_other.is_none() && began.elapsed() < longest {
            match verdict(&pair.other, &theirs).await {
                Ok(Verdict::Granted(grant)) => {
                    let lock = held(&theirs, &grant);
                    by_other = run::<S>(&pair.other, &lock, lease, (id, "two")).await;
                    assert_eq!(by_other, Some(true), "{what}");
                }
                Ok(Verdict::Denied(_)) => {
                    let query = HistoryQuery {
                        task: Some(task("interest")),
                        ..HistoryQuery::default()
                    };
                    let records = pair.other.history(&query).await.unwrap().value;
                    if records.iter().all(|record| record.state.is_over()) {
                        break;
                    }
                }
                Err(error) => assert!(error.is_transient(), "{what}: {error:?}"),
            }
        }
        let waited = began.elapsed();
        assert!(waited < longest, "{what}: waited for {waited:?}");
        pair.proxy.mend();
        by_other
    };
    let (by_first, by_other) = tokio::join!(running, is_over);
    let whose = format!("SELECT count(*) FROM effects WHERE id = {id}");
    let effects = S::number_of(&mut server.raw().await, whose).await;
    assert_eq!(effects, 1, "{what}: {by_first:?}, {by_other:?}");
    assert!(
        by_first != Some(true) || by_other.is_none(),
        "{what}: committed twice"
    );
    // Its handlers begin transactions again.
    let mended = Instant::now();
    let mut begun = false;
    while !begun && mended.elapsed() < WAIT_MAX {
        let slot = TransactionSlot::new(Arc::new(pair.cut_off.clone()));
        begun = Tx::<S::DB>::of(slot).unwrap().begin().await.is_ok();
    }
    assert!(begun, "{what}: no transaction begins");
    pair.cut_off.close().await;
    pair.other.close().await;
    by_other.is_some()
}

async fn whoever_falls_silent_in_a_handlers_transaction_keeps_its_lock_no_longer_than_its_lease<
    S: TestServer,
>() {
    let Some(server) = S::start_with(Disk::Lazy, S::MANY_CONNECTIONS) else {
        return;
    };
    server.make_tables().await;
    S::execute(&mut server.raw().await, EFFECTS).await;
    let (mut cases, mut id) = (Vec::new(), 0);
    for from in [From::Own, From::Lent] {
        let pair = Pair::open(&server, from, &format!("run-{from:?}")).await;
        let lease = Lease::new(Duration::from_secs(2)).unwrap();
        let ours = transactional(lease, "one");
        let granted = verdict(&pair.other, &ours).await.unwrap();
        let lock = held(&ours, grant(&granted));
        id += 1;
        let before = pair.proxy.requests();
        let ran = run::<S>(&pair.cut_off, &lock, lease, (id, "one")).await;
        assert_eq!(ran, Some(true));
        let requests = pair.proxy.requests() - before;
        for (requests, cut) in
            (1..=requests).flat_map(|one| cuts().iter().map(move |cut| (one, *cut)))
        {
            id += 1;
            cases.push(run_cut_off(&server, from, id, requests, cut));
        }
    }
    let by_other = stream::iter(cases).buffer_unordered(AT_ONCE);
    let by_other: Vec<bool> = by_other.collect().await;
    let taken_over = by_other.iter().filter(|by_other| **by_other).count();
    assert!(
        taken_over > 4,
        "{taken_over} of {} were taken over",
        by_other.len()
    );
    println!("{} cases, {taken_over} taken over", by_other.len());
}

/// The server cannot get rid of what it answers, in the middle of a transaction.
async fn a_client_that_takes_no_answers_keeps_nobody_waiting<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, S::MANY_CONNECTIONS) else {
        return;
    };
    server.make_tables().await;
    let named = |number: u32, by: &str| TaskDefinition {
        task: task(&format!("task-{number}")),
        definition: by.repeat(60_000),
        ..definition(by)
    };
    let all = |by: &str| (0..400).map(|number| named(number, by)).collect::<Vec<_>>();
    let other = Options::<S>::new().wait_max(WAIT_MAX);
    let other = other.connect(&server.url()).await.unwrap();
    for part in all("a").chunks(20) {
        other.define(&instance("two"), part).await.unwrap();
    }
    let proxy = Proxy::to(server.port()).await;
    let options = Options::<S>::new().wait_max(PATIENCE * 5);
    let cut_off = options.connect(&server.url_at(proxy.port)).await.unwrap();
    let changed = all("b");
    // Past a new connection's greetings, until it is at the rows, which it locks in the order of their names.
    for requests in 1..=12 {
        proxy.cut_after_requests(requests, Cut::Silence);
        let (by, batch) = (instance("one"), changed.as_slice());
        let defining = cut_off.define(&by, batch);
        let meanwhile = async {
            proxy.has_cut().await;
            let began = Instant::now();
            let defined = other.define(&instance("two"), &[named(0, "c")]).await;
            let waited = began.elapsed();
            defined.unwrap_or_else(|error| panic!("{requests}: after {waited:?}: {error:?}"));
            assert!(waited < WAIT_MAX, "{requests}: waited for {waited:?}");
        };
        tokio::select! {
            defined = defining => panic!("{requests}: it was not cut off: {defined:?}"),
            () = meanwhile => {}
        }
        proxy.mend();
    }
}
