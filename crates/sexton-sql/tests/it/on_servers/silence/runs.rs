//! Handlers' transactions, cut off at each of their requests.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{
    Claim, Committed, HeldLock, HistoryQuery, LockManager, Outcome, Renewal, Settlement,
    TransactionEnd, TransactionSlot, Verdict,
};
use sexton_core::policy::{Delivery, Lease};
use sexton_sql::Tx;
use sexton_testkit::fixtures::{claim, grant, task};
use sexton_testkit::process::Disk;
use sexton_testkit::proxy::Cut;
use tokio::time::Instant;

use super::{AT_ONCE, From, Pair, WAIT_MAX, cuts, held, verdict};
use crate::on_servers::{Manager, TestServer, on_each_server};

on_each_server!(
    whoever_falls_silent_in_a_handlers_transaction_keeps_its_lock_no_longer_than_its_lease,
);

const EFFECTS: &str = "CREATE TABLE effects (id INTEGER PRIMARY KEY, who VARCHAR(10) NOT NULL)";

/// A run of its own, whose transaction writes one row. Answers whether that is committed, as far as
/// it knows.
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
    let TransactionEnd::Transaction(transaction) = slot.close() else {
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
        // The lease ends, and then another instance has its turn: unless the first one had
        // committed.
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
}
