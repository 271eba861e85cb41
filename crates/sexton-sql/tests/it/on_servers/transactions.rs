//! A handler's writes and the settling of its execution: both or neither, whatever happens in
//! between.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{
    Claim, ClaimLead, Committed, Execution, ExecutionState, Grant, HeldLock, HistoryQuery,
    LockManager, OpenTransaction, Outcome, Renewal, Renewed, Settlement, TransactionEnd,
    TransactionSlot, Transactions, Verdict,
};
use sexton_core::policy::{Delivery, Lease};
use sexton_sql::{BeginError, Tx};
use sexton_testkit::fixtures::{claim, grant};
use sexton_testkit::process::Disk;
use sexton_testkit::proxy::Proxy;

use super::{Manager, Options, TestServer, on_each_server};

on_each_server!(
    what_was_written_is_there_with_the_outcome_and_not_before,
    whoever_has_lost_the_lock_has_written_nothing,
    a_claim_waits_for_the_commit_and_then_finds_the_execution_settled,
    whichever_answer_is_lost_both_are_there_or_neither,
    a_transaction_that_its_handler_ends_settles_nothing,
    a_run_has_one_transaction,
    as_many_are_open_at_once_as_the_manager_says,
);

const TABLE: &str = "CREATE TABLE effects (tick_ms BIGINT PRIMARY KEY)";
const COUNT: &str = "SELECT count(*) FROM effects";
const WRITE: &str = "INSERT INTO effects SELECT 1 + count(*) FROM effects";

async fn started<S: TestServer>() -> Option<S> {
    let server = S::start_with(Disk::Lazy, &[])?;
    S::execute(&mut server.raw().await, TABLE).await;
    Some(server)
}

fn transactional(after_noon_ms: i64, by: &str) -> Claim {
    let attempts_max = std::num::NonZeroU32::new(10).unwrap();
    Claim {
        delivery: Delivery::Transactional { attempts_max },
        lease: Lease::new(Duration::from_secs(1)).unwrap(),
        ..claim("interest", after_noon_ms, by)
    }
}

async fn claimed(manager: &dyn LockManager, claim: &Claim) -> Verdict {
    let batch = std::slice::from_ref(claim);
    let answer = manager
        .claim(ClaimLead::default(), batch)
        .await
        .unwrap()
        .whole()
        .unwrap();
    answer.value.into_iter().next().unwrap()
}

fn held(claim: &Claim, grant: &Grant) -> HeldLock {
    HeldLock {
        execution: claim.execution.clone(),
        claim_id: claim.claim_id,
        fence: grant.fence,
    }
}

fn succeeded(lock: &HeldLock) -> Settlement {
    let now = SystemClock.now();
    Settlement::new(lock.clone(), Outcome::Succeeded, now, now)
}

/// A handler that has written and returned.
async fn written<S: TestServer>(manager: &Manager<S>) -> Box<dyn OpenTransaction> {
    let slot = TransactionSlot::new(Arc::new(manager.clone()));
    let mut tx = Tx::<S::DB>::of(slot.clone())
        .unwrap()
        .begin()
        .await
        .unwrap();
    S::execute(&mut tx, WRITE).await;
    drop(tx);
    let TransactionEnd::Transaction(transaction) = slot.close() else {
        panic!("no transaction was handed over");
    };
    transaction
}

async fn effects<S: TestServer>(server: &S) -> i64 {
    S::number(&mut server.raw().await, COUNT).await
}

async fn state(manager: &dyn LockManager, execution: &Execution) -> ExecutionState {
    let history = manager.history(&HistoryQuery::default()).await.unwrap();
    let records = history.value.into_iter();
    let mut states = records
        .filter(|record| record.execution == *execution)
        .map(|record| record.state);
    states.next().unwrap()
}

async fn what_was_written_is_there_with_the_outcome_and_not_before<S: TestServer>() {
    let Some(server) = started::<S>().await else {
        return;
    };
    let manager = server.open().await;
    let claim = transactional(0, "one");
    let verdict = claimed(&manager, &claim).await;
    let lock = held(&claim, grant(&verdict));
    let transaction = written::<S>(&manager).await;
    assert_eq!(effects(&server).await, 0);
    assert_eq!(
        state(&manager, &claim.execution).await,
        ExecutionState::Running
    );
    let committed = transaction.settle_and_commit(&succeeded(&lock)).await;
    assert!(matches!(committed, Committed::Recorded), "{committed:?}");
    assert_eq!(effects(&server).await, 1);
    let ended = ExecutionState::Ended(Outcome::Succeeded);
    assert_eq!(state(&manager, &claim.execution).await, ended);

    let transaction = written::<S>(&manager).await;
    transaction.roll_back().await.unwrap();
    assert_eq!(effects(&server).await, 1);
}

async fn whoever_has_lost_the_lock_has_written_nothing<S: TestServer>() {
    let Some(server) = started::<S>().await else {
        return;
    };
    let manager = server.open().await;
    let ours = transactional(0, "one");
    let verdict = claimed(&manager, &ours).await;
    let lost = held(&ours, grant(&verdict));
    let transaction = written::<S>(&manager).await;
    // The lease runs out, and another instance recovers the execution.
    let theirs = transactional(0, "two");
    let recovered = loop {
        match claimed(&manager, &theirs).await {
            Verdict::Granted(grant) => break grant,
            Verdict::Denied(_) => tokio::task::yield_now().await,
        }
    };
    assert!(recovered.fence > lost.fence);
    let committed = transaction.settle_and_commit(&succeeded(&lost)).await;
    assert!(matches!(committed, Committed::Refused), "{committed:?}");
    assert_eq!(effects(&server).await, 0);

    let transaction = written::<S>(&manager).await;
    let holder = held(&theirs, &recovered);
    let renewal = Renewal {
        lock: holder.clone(),
        lease: theirs.lease,
    };
    let renewed = manager
        .renew(&[renewal])
        .await
        .unwrap()
        .whole()
        .unwrap()
        .value;
    assert!(
        matches!(renewed[..], [Renewed::Extended { .. }]),
        "{renewed:?}"
    );
    let committed = transaction.settle_and_commit(&succeeded(&holder)).await;
    assert!(matches!(committed, Committed::Recorded), "{committed:?}");
    assert_eq!(effects(&server).await, 1);
}

/// Settled, and not committed yet: who asks now, after the lease, must not be granted it.
async fn a_claim_waits_for_the_commit_and_then_finds_the_execution_settled<S: TestServer>() {
    let Some(server) = started::<S>().await else {
        return;
    };
    let manager = server.open().await;
    for round in 0..20 {
        let ours = transactional(round, "one");
        let verdict = claimed(&manager, &ours).await;
        let lock = held(&ours, grant(&verdict));
        let transaction = written::<S>(&manager).await;
        let racing = tokio::spawn({
            let manager = server.open().await;
            let theirs = transactional(round, "two");
            async move {
                loop {
                    if let Verdict::Granted(_) = claimed(&manager, &theirs).await {
                        return;
                    }
                }
            }
        });
        let committed = transaction.settle_and_commit(&succeeded(&lock)).await;
        racing.abort();
        let _ = racing.await;
        // Whoever came first, nobody else had it.
        let is_recorded = match committed {
            Committed::Recorded => true,
            Committed::Refused => false,
            other => panic!("{other:?}"),
        };
        let state = state(&manager, &ours.execution).await;
        assert_eq!(
            state == ExecutionState::Ended(Outcome::Succeeded),
            is_recorded
        );
    }
}

async fn whichever_answer_is_lost_both_are_there_or_neither<S: TestServer>() {
    let Some(server) = started::<S>().await else {
        return;
    };
    let proxy = Proxy::to(server.port()).await;
    let options = Options::<S>::new();
    let proxied = options.connect(&server.url_at(proxy.port)).await.unwrap();
    let manager = server.open().await;
    let (mut rolled_back, mut unknown, mut there) = (0, 0, 0);
    for answers in 0.. {
        let claim = transactional(i64::from(answers), "one");
        let verdict = claimed(&manager, &claim).await;
        let lock = held(&claim, grant(&verdict));
        let transaction = written::<S>(&proxied).await;
        proxy.cut_after(answers);
        let committed = transaction.settle_and_commit(&succeeded(&lock)).await;
        let is_whole = proxy.mend();
        let ended = ExecutionState::Ended(Outcome::Succeeded);
        let is_recorded = state(&manager, &claim.execution).await == ended;
        there += i64::from(is_recorded);
        assert_eq!(effects(&server).await, there, "{committed:?}");
        match committed {
            // What was cut off, if anything was, came behind the commit.
            Committed::Recorded => {
                assert!(is_recorded);
                break;
            }
            Committed::RolledBack(_) => {
                assert!(!is_recorded);
                rolled_back += 1;
            }
            Committed::Unknown(_) => unknown += i64::from(is_recorded),
            Committed::Refused => panic!("the lock was held"),
        }
        assert!(!is_whole, "{committed:?}, and nothing was lost");
    }
    // A look, a write, and the commit, at the least.
    assert!(rolled_back >= 2, "{rolled_back} were rolled back");
    assert_eq!(unknown, 1, "the answer to a commit is one");
}

/// By a statement of its own, after which it writes on.
async fn a_transaction_that_its_handler_ends_settles_nothing<S: TestServer>() {
    let Some(server) = started::<S>().await else {
        return;
    };
    let pool = server.pool(1).await;
    let manager = Options::<S>::new().with_pool(pool.clone()).await.unwrap();
    for (tick, end) in (0..).zip(["COMMIT", "ROLLBACK", "ROLLBACK; START TRANSACTION"]) {
        let claim = transactional(tick, "one");
        let verdict = claimed(&manager, &claim).await;
        let lock = held(&claim, grant(&verdict));
        let ended = async || {
            let slot = TransactionSlot::new(Arc::new(manager.clone()));
            let begin = Tx::<S::DB>::of(slot.clone()).unwrap().begin();
            let mut tx = begin.await.unwrap();
            S::execute(&mut tx, end).await;
            S::execute(&mut tx, WRITE).await;
            drop(tx);
            let TransactionEnd::Transaction(transaction) = slot.close() else {
                panic!("no transaction was handed over");
            };
            transaction
        };
        let committed = ended().await.settle_and_commit(&succeeded(&lock)).await;
        let Committed::RolledBack(error) = committed else {
            panic!("{end}: {committed:?}");
        };
        assert!(!error.is_transient(), "{end}: {error:?}");
        let running = ExecutionState::Running;
        assert_eq!(state(&manager, &claim.execution).await, running, "{end}");
        // Where its handler has failed there is nothing else to tell.
        ended().await.roll_back().await.unwrap();
        let mut next = pool.acquire().await.unwrap();
        assert!(!S::is_in_transaction(&mut next).await, "{end}");
    }
}

async fn a_run_has_one_transaction<S: TestServer>() {
    let Some(server) = started::<S>().await else {
        return;
    };
    let slot = TransactionSlot::new(Arc::new(server.open().await));
    let tx = || Tx::<S::DB>::of(slot.clone()).unwrap();
    let first = tx().begin().await.unwrap();
    assert!(matches!(tx().begin().await, Err(BeginError::Taken)));
    drop(first);
    assert!(matches!(tx().begin().await, Err(BeginError::Taken)));
    assert!(matches!(slot.close(), TransactionEnd::Transaction(_)));
    assert!(matches!(tx().begin().await, Err(BeginError::Taken)));
}

async fn as_many_are_open_at_once_as_the_manager_says<S: TestServer>() {
    let Some(server) = started::<S>().await else {
        return;
    };
    assert_eq!(server.open().await.at_once_max(), 16);
    // None waits for long but the one that does not begin.
    let options = Options::<S>::new().wait_max(Duration::from_secs(2));
    let own = options.clone().transactions_max(3);
    let own = own.connect(&server.url()).await.unwrap();
    let lent = options.with_pool(server.pool(2).await).await.unwrap();
    for (manager, most) in [(own, 3), (lent, 2)] {
        assert_eq!(manager.at_once_max(), most);
        let begin = async || {
            let slot = TransactionSlot::new(Arc::new(manager.clone()));
            Tx::<S::DB>::of(slot).unwrap().begin().await
        };
        let mut open = Vec::new();
        for _ in 0..most {
            open.push(begin().await.unwrap());
        }
        let refused = begin().await.unwrap_err();
        assert!(matches!(refused, BeginError::Store(_)), "{refused:?}");
    }
}
