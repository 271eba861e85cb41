//! What a sweep looks at besides what it finds, and sweeps of more than a store looks at together.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::SignedDuration;
use sexton_core::lock::{
    Answer, Claim, ClaimLead, Denial, Enqueue, Execution, ExecutionState, HistoryQuery,
    LockManager, PauseChange, Sweep, SweepQuery, Verdict,
};
use sexton_core::policy::{Delivery, Lease, Overlap};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Tick};
use sexton_testkit::fixtures::{NOON_MS, claim, execution, grant, task};

/// How many candidates a store looks at together.
const PAGE: usize = 1_000;
/// How many of them cannot be claimed yet, so that a page is not an answer.
const HELD_UP: u64 = 30;
const LEASE: Duration = Duration::from_millis(100);

async fn claimed(manager: &dyn LockManager, batch: &[Claim]) -> Vec<Verdict> {
    let answer = manager
        .claim(ClaimLead::default(), batch)
        .await
        .and_then(Answer::whole);
    answer.unwrap().value
}

/// One claim for each index, for an hour where it is granted.
fn held_up(tick: i64) -> Vec<Claim> {
    let concurrency = Concurrency::new(HELD_UP).unwrap();
    let one = |index| Claim {
        execution: Execution {
            index,
            ..execution("a", tick)
        },
        concurrency,
        overlap: Overlap::QueueOne,
        lease: Lease::new(Duration::from_secs(3_600)).unwrap(),
        ..claim("a", tick, "one")
    };
    (1..=HELD_UP)
        .map(|index| one(ConcurrencyIndex::new(index).unwrap()))
        .collect()
}

/// The first page ends amid the ticks of one task, all of which are looked at with its first.
pub(crate) async fn what_lies_beyond_a_page_is_told_once(
    manager: &dyn LockManager,
    let_pass: impl AsyncFn(Duration),
) {
    for verdict in claimed(manager, &held_up(-2_000)).await {
        grant(&verdict);
    }
    for verdict in claimed(manager, &held_up(-1_000)).await {
        assert_eq!(verdict, Verdict::Denied(Denial::Overlap));
    }
    let attempts_max = NonZeroU32::new(2).unwrap();
    let lost = |tick| Claim {
        delivery: Delivery::AtLeastOnce { attempts_max },
        lease: Lease::new(LEASE).unwrap(),
        ..claim("b", tick, "one")
    };
    let lost: Vec<Claim> = (-980..0).map(lost).collect();
    assert!(lost.len() + usize::try_from(HELD_UP).unwrap() > PAGE);
    for verdict in claimed(manager, &lost).await {
        grant(&verdict);
    }
    let_pass(LEASE).await;
    let answer = manager.sweep(&SweepQuery::default()).await.unwrap();
    let claimable = answer.value.claimable.into_iter();
    let found: Vec<Execution> = claimable.map(|one| one.execution).collect();
    let expected: Vec<Execution> = lost.into_iter().map(|one| one.execution).collect();
    assert_eq!(found, expected);
}

/// Of several that sweep at the same time one closes each execution.
pub(crate) async fn what_waited_too_long_is_closed_by_one(managers: &[&dyn LockManager]) {
    let enqueue = |tick: i64| Enqueue {
        execution: execution(&format!("task-{}", tick % 50), -tick),
        concurrency: Concurrency::ONE,
        deadline: Some(Tick::from_millis(NOON_MS).unwrap().timestamp()),
    };
    let batch: Vec<Enqueue> = (1..=PAGE)
        .map(|tick| enqueue(tick.try_into().unwrap()))
        .collect();
    managers[0].enqueue(&batch).await.unwrap();
    let query = SweepQuery::default();
    let sweeps = managers.iter().map(|manager| manager.sweep(&query));
    let mut closed = BTreeSet::new();
    for answer in futures::future::join_all(sweeps).await {
        let Sweep {
            claimable,
            lost,
            missed,
        } = answer.unwrap().value;
        assert!(claimable.is_empty() && lost.is_empty());
        for execution in missed {
            assert!(closed.insert(execution.clone()), "{execution} twice");
        }
    }
    assert_eq!(closed.len(), PAGE);
    assert!(managers[0].sweep(&query).await.unwrap().value.is_empty());
}

/// What waits of a paused task is no candidate of a sweep, but closing what it waits for changes
/// it.
pub(crate) async fn what_is_queued_has_time_after_a_lost_one_though_its_task_is_paused(
    manager: &dyn LockManager,
    let_pass: impl AsyncFn(Duration),
) {
    let lost = Claim {
        delivery: Delivery::AtLeastOnce {
            attempts_max: NonZeroU32::MIN,
        },
        lease: Lease::new(LEASE).unwrap(),
        ..claim("t", -2_000, "one")
    };
    let tick = execution("t", -1_000).tick.timestamp();
    let granted = SignedDuration::from_secs(10);
    let queued = Claim {
        overlap: Overlap::QueueOne,
        deadline: Some(tick + granted),
        ..claim("t", -1_000, "one")
    };
    // Both in one batch, and so before the lease is over.
    let verdicts = claimed(manager, &[lost.clone(), queued]).await;
    let lease_until = grant(&verdicts[0]).lease_until.unwrap();
    assert_eq!(verdicts[1], Verdict::Denied(Denial::Overlap));
    let pause = PauseChange::Pause {
        note: "lunch".to_owned(),
        by: "ops".to_owned(),
    };
    manager.change_pause(&[task("t")], &pause).await.unwrap();
    let_pass(LEASE).await;
    let answer = manager.sweep(&SweepQuery::default()).await.unwrap();
    assert_eq!(answer.value.lost, [lost.execution]);
    let waiting = HistoryQuery {
        states: vec![ExecutionState::Waiting],
        ..HistoryQuery::default()
    };
    let records = manager.history(&waiting).await.unwrap().value;
    let deadlines: Vec<_> = records.into_iter().map(|record| record.deadline).collect();
    assert_eq!(deadlines, [Some(lease_until + granted)]);
}

#[cfg(feature = "sqlite")]
mod in_a_file {
    use sexton_core::lock::LockManager;

    use crate::place::Place;

    #[tokio::test]
    async fn what_lies_beyond_a_page_is_told_once() {
        let place = Place::new();
        let manager = place.open().await;
        let let_pass = async |time| place.clock.advance(time);
        super::what_lies_beyond_a_page_is_told_once(&manager, let_pass).await;
    }

    #[tokio::test]
    async fn what_is_queued_has_time_after_a_lost_one_though_its_task_is_paused() {
        let place = Place::new();
        let manager = place.open().await;
        let let_pass = async |time| place.clock.advance(time);
        super::what_is_queued_has_time_after_a_lost_one_though_its_task_is_paused(
            &manager, let_pass,
        )
        .await;
    }

    #[tokio::test]
    async fn what_waited_too_long_is_closed_by_one() {
        let place = Place::new();
        let managers = [place.open().await, place.open().await, place.open().await];
        let managers: Vec<_> = managers.iter().map(|one| one as &dyn LockManager).collect();
        super::what_waited_too_long_is_closed_by_one(&managers).await;
    }
}
