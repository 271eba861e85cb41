//! What waits, and what it leaves behind: deadlines, and ticks above the watermark that have had
//! their turn.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton_core::clock::{Clock, ManualClock};
use sexton_core::lock::{
    Answer, Claim, ClaimLead, Consumed, Consumption, Denial, Enqueue, Enqueued, Execution,
    ExecutionRecord, ExecutionState, HeldLock, HistoryQuery, InstanceReport, LockManager, Outcome,
    PauseChange, Reason, Register, Release, Released, Settlement, Sweep, SweepQuery, TaskQuery,
    Verdict,
};
use sexton_core::name::Incarnation;
use sexton_core::policy::{Delivery, Lease, Placement};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Fence};
use sexton_testkit::fixtures::{claim, execution, grant, instance, noon, task};

use super::held_up::HeldUp;
use super::server::Server;
use crate::MongoLockManager;

/// The length of the leases here, and of the time that what waits has.
const A_MINUTE: Duration = Duration::from_secs(60);

fn server() -> (ManualClock, Arc<Server>) {
    let clock = noon();
    clock.advance(Duration::from_secs(3_600));
    let server = Server::with_clock(Arc::new(clock.clone()));
    (clock, server)
}

/// A minute from now, and then past.
fn soon(clock: &ManualClock) -> Option<Timestamp> {
    Some(clock.now() + SignedDuration::try_from(A_MINUTE).unwrap())
}

async fn claimed(manager: &MongoLockManager, claim: &Claim) -> Verdict {
    let batch = std::slice::from_ref(claim);
    let answer = manager
        .claim(ClaimLead::default(), batch)
        .await
        .and_then(Answer::whole);
    answer.unwrap().value.remove(0)
}

/// What is held of a claim that is granted.
async fn held(manager: &MongoLockManager, claim: &Claim) -> HeldLock {
    HeldLock {
        execution: claim.execution.clone(),
        claim_id: claim.claim_id,
        fence: grant(&claimed(manager, claim).await).fence,
    }
}

async fn succeed(manager: &MongoLockManager, lock: HeldLock) {
    let at = lock.execution.tick.timestamp();
    let settlement = Settlement::new(lock, Outcome::Succeeded, at, at);
    manager
        .settle(&[settlement])
        .await
        .unwrap()
        .whole()
        .unwrap();
}

async fn release(
    manager: &MongoLockManager,
    lock: HeldLock,
    deadline: Option<Timestamp>,
) -> Released {
    let released = manager
        .release(&[Release { lock, deadline }])
        .await
        .and_then(Answer::whole);
    released.unwrap().value.remove(0)
}

async fn enqueue(
    manager: &MongoLockManager,
    after_noon_ms: i64,
    deadline: Option<Timestamp>,
) -> Enqueued {
    let enqueue = Enqueue {
        execution: execution("t", after_noon_ms),
        concurrency: Concurrency::ONE,
        deadline,
    };
    let enqueued = manager.enqueue(&[enqueue]).await;
    enqueued.unwrap().value.remove(0)
}

async fn consume(manager: &MongoLockManager, after_noon_ms: i64) -> Consumed {
    let (execution, one) = (execution("t", after_noon_ms), instance("one"));
    let consumption = Consumption::new(execution, Concurrency::ONE, Reason::CatchUp, one);
    let consumed = manager
        .consume(&[consumption])
        .await
        .and_then(Answer::whole);
    consumed.unwrap().value.remove(0)
}

async fn sweep(manager: &MongoLockManager) -> Sweep {
    manager.sweep(&SweepQuery::default()).await.unwrap().value
}

/// Whether an instance is told that a sweep is worth while.
async fn is_told_to_sweep(manager: &MongoLockManager) -> bool {
    let report = InstanceReport {
        instance: instance("one"),
        incarnation: Incarnation::from_u128(1),
        started_at: Timestamp::UNIX_EPOCH,
        version: "1.2.3".to_owned(),
        clock_offset: None,
        running: 0,
        presence: A_MINUTE,
    };
    manager.heartbeat(&report).await.unwrap().value.sweep
}

async fn change_pause(manager: &MongoLockManager, change: PauseChange) {
    manager.change_pause(&[task("t")], &change).await.unwrap();
}

fn pause() -> PauseChange {
    let (note, by) = ("stop".to_owned(), "anna".to_owned());
    PauseChange::Pause { note, by }
}

async fn history(manager: &MongoLockManager) -> Vec<ExecutionRecord> {
    let everything = HistoryQuery::default();
    manager.history(&everything).await.unwrap().value
}

/// What the one record is that there is, and whether it is in the history alone.
async fn assert_is_missed(server: &Server, manager: &MongoLockManager, now: Timestamp) {
    let records = history(manager).await;
    let [record] = &records[..] else {
        panic!("{records:?}");
    };
    assert_eq!(record.state, ExecutionState::Missed);
    assert_eq!(record.reason, Some(Reason::TooLate));
    assert_eq!(record.finished_at, Some(now));
    assert_eq!(server.documents("sexton_executions").len(), 1);
    assert_is_empty(server);
}

/// No register holds an execution.
fn assert_is_empty(server: &Server) {
    for register in server.documents("sexton_registers") {
        let is_empty = !register.contains_key("open") && !register.contains_key("ended");
        assert!(is_empty, "{register}");
    }
}

async fn registers(manager: &MongoLockManager) -> Vec<(ConcurrencyIndex, Register)> {
    let page = TaskQuery::Page {
        after: None,
        limit: 10,
    };
    let mut tasks = manager.tasks(&page).await.unwrap().value;
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    tasks.remove(0).registers
}

#[tokio::test]
async fn what_was_triggered_above_the_watermark_stays_taken_when_its_register_forgets_it() {
    for is_scheduled in [false, true] {
        let (_, server) = server();
        let manager = server.manager().await;
        let mut watermark = None;
        if is_scheduled {
            let first = claim("t", 0, "one");
            succeed(&manager, held(&manager, &first).await).await;
            watermark = Some(first.execution.tick);
        }
        for tick in [10, 30] {
            assert_eq!(enqueue(&manager, tick, None).await, Enqueued::Waiting);
            let lock = held(&manager, &claim("t", tick, "one")).await;
            succeed(&manager, lock).await;
        }
        assert_is_empty(&server);
        let fence = Fence::new(2 + u64::from(is_scheduled));
        let register = Register { watermark, fence };
        assert_eq!(
            registers(&manager).await,
            [(ConcurrencyIndex::ONE, register)]
        );
        for tick in [10, 30] {
            let verdict = claimed(&manager, &claim("t", tick, "two")).await;
            assert_eq!(verdict, Verdict::Denied(Denial::Taken), "{tick}");
            assert_eq!(enqueue(&manager, tick, None).await, Enqueued::Already);
            let already = Consumed::Already { watermark };
            assert_eq!(consume(&manager, tick).await, already);
        }
        // What nobody triggered is as new as ever.
        let between = claim("t", 20, "two");
        assert_eq!(held(&manager, &between).await.fence, fence.next());
        let register = Register {
            watermark: Some(between.execution.tick),
            fence: fence.next(),
        };
        assert_eq!(
            registers(&manager).await,
            [(ConcurrencyIndex::ONE, register)]
        );
        let verdict = claimed(&manager, &claim("t", 30, "two")).await;
        assert_eq!(verdict, Verdict::Denied(Denial::Taken));
    }
}

#[tokio::test]
async fn a_claim_past_its_deadline_closes_what_waits() {
    let (clock, server) = server();
    let manager = server.manager().await;
    let ours = claim("t", 0, "one");
    let lock = held(&manager, &ours).await;
    assert_eq!(release(&manager, lock, soon(&clock)).await, Released::Open);
    clock.advance(A_MINUTE);
    let verdict = claimed(&manager, &claim("t", 0, "two")).await;
    assert_eq!(verdict, Verdict::Denied(Denial::TooLate));
    assert_is_missed(&server, &manager, clock.now()).await;
    let verdict = claimed(&manager, &claim("t", 0, "two")).await;
    assert_eq!(verdict, Verdict::Denied(Denial::Taken));
}

#[tokio::test]
async fn a_release_past_its_deadline_closes_what_would_wait() {
    let (clock, server) = server();
    let manager = server.manager().await;
    let deadline = soon(&clock);
    enqueue(&manager, 0, deadline).await;
    let ours = claim("t", 0, "one");
    let lock = held(&manager, &ours).await;
    clock.advance(A_MINUTE);
    // What waited before keeps its deadline.
    let later = soon(&clock);
    assert_eq!(release(&manager, lock, later).await, Released::TooLate);
    assert_is_missed(&server, &manager, clock.now()).await;
}

#[tokio::test]
async fn a_sweep_closes_what_waits_past_its_deadline_unless_its_task_is_paused() {
    let (clock, server) = server();
    let manager = server.manager().await;
    enqueue(&manager, 0, soon(&clock)).await;
    change_pause(&manager, pause()).await;
    clock.advance(A_MINUTE);
    assert!(!is_told_to_sweep(&manager).await);
    assert_eq!(sweep(&manager).await, Sweep::default());
    change_pause(&manager, PauseChange::Resume).await;
    assert!(is_told_to_sweep(&manager).await);
    let missed = Sweep {
        missed: vec![execution("t", 0)],
        ..Sweep::default()
    };
    assert_eq!(sweep(&manager).await, missed);
    assert_is_missed(&server, &manager, clock.now()).await;
    assert!(!is_told_to_sweep(&manager).await);
    assert_eq!(sweep(&manager).await, Sweep::default());
}

/// What a sweep answers that is about to close what waits when something else happens.
async fn swept_around(
    happens: impl AsyncFnOnce(&MongoLockManager),
) -> (Sweep, Vec<ExecutionRecord>) {
    let (clock, server) = server();
    let manager = server.manager().await;
    enqueue(&manager, 0, soon(&clock)).await;
    clock.advance(A_MINUTE);
    let (held_up, sweeper) = HeldUp::new(&server, ("update", "sexton_registers", 0)).await;
    let sweeping = tokio::spawn(async move { sweep(&sweeper).await });
    held_up.reached.notified().await;
    happens(&manager).await;
    held_up.go_on.notify_one();
    (sweeping.await.unwrap(), history(&manager).await)
}

#[tokio::test]
async fn a_sweep_names_as_missed_only_what_it_has_closed_itself() {
    let (found, records) = swept_around(async |manager| {
        let verdict = claimed(manager, &claim("t", 0, "two")).await;
        assert_eq!(verdict, Verdict::Denied(Denial::TooLate));
    })
    .await;
    assert_eq!(found, Sweep::default());
    assert_eq!(records[0].state, ExecutionState::Missed);
    let (found, records) = swept_around(async |manager| change_pause(manager, pause()).await).await;
    assert_eq!(found, Sweep::default());
    assert_eq!(records[0].state, ExecutionState::Waiting);
}

fn distinct(index: u64, by: &str) -> Claim {
    let mut claim = Claim {
        placement: Placement::Distinct,
        concurrency: Concurrency::new(2).unwrap(),
        delivery: Delivery::AtLeastOnce {
            attempts_max: 9.try_into().unwrap(),
        },
        lease: Lease::new(A_MINUTE).unwrap(),
        ..claim("t", 0, by)
    };
    claim.execution.index = ConcurrencyIndex::new(index).unwrap();
    claim
}

fn former_holders(records: &[ExecutionRecord], execution: &Execution) -> Vec<String> {
    let record = records.iter().find(|one| one.execution == *execution);
    let holders = record.unwrap().former_holders.iter();
    holders.map(ToString::to_string).collect()
}

#[tokio::test]
async fn who_lost_an_index_takes_no_other_of_its_tick_wherever_the_record_stands() {
    let (clock, server) = server();
    let manager = server.manager().await;
    let mut last = None;
    for by in ["one", "two", "three"] {
        last = Some(held(&manager, &distinct(1, by)).await);
        clock.advance(A_MINUTE);
    }
    let lock = last.unwrap();
    let first = lock.execution.clone();
    let assert_are_denied = async || {
        let records = history(&manager).await;
        assert_eq!(former_holders(&records, &first), ["one", "two"]);
        for by in ["one", "two", "three"] {
            let verdict = claimed(&manager, &distinct(2, by)).await;
            assert_eq!(verdict, Verdict::Denied(Denial::Placement), "{by}");
        }
    };
    assert_are_denied().await;
    succeed(&manager, lock).await;
    assert_is_empty(&server);
    assert_are_denied().await;
    held(&manager, &distinct(2, "four")).await;
}

#[tokio::test]
async fn who_gets_an_index_and_loses_it_does_not_get_the_other_that_it_asked_for_before() {
    for at in [
        ("find", "sexton_reservations", 0),
        ("update", "sexton_reservations", 0),
    ] {
        let (clock, server) = server();
        let manager = server.manager().await;
        // It has read the registers, and nobody holds anything yet.
        let (held_up, slow) = HeldUp::new(&server, at).await;
        let claiming = tokio::spawn(async move { claimed(&slow, &distinct(2, "one")).await });
        held_up.reached.notified().await;
        held(&manager, &distinct(1, "one")).await;
        clock.advance(A_MINUTE);
        held(&manager, &distinct(1, "two")).await;
        held_up.go_on.notify_one();
        let verdict = claiming.await.unwrap();
        assert_eq!(verdict, Verdict::Denied(Denial::Placement), "{at:?}");
    }
}

#[tokio::test]
async fn a_batch_that_changes_a_reservation_writes_the_register_that_it_was_for() {
    let (_, server) = server();
    let manager = server.manager().await;
    let lock = held(&manager, &distinct(1, "one")).await;
    assert_eq!(release(&manager, lock, None).await, Released::Open);
    assert_eq!(enqueue(&manager, -1, None).await, Enqueued::Waiting);
    // The first is decided before the instance has the other index, and by what waits before it.
    let earlier = claim("t", -1, "two");
    let earliest = earlier.execution.tick;
    let batch = [distinct(1, "one"), distinct(2, "one"), earlier];
    let answer = manager
        .claim(ClaimLead::default(), &batch)
        .await
        .unwrap()
        .whole()
        .unwrap();
    let [first, second, third] = &answer.value[..] else {
        panic!("{answer:?}");
    };
    assert_eq!(*first, Verdict::Denied(Denial::EarlierWaits(earliest)));
    assert!(second.grant().is_some(), "{second:?}");
    assert!(third.grant().is_some(), "{third:?}");
}
