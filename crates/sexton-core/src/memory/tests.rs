use futures::executor::block_on;

use super::*;
use crate::clock::ManualClock;
use crate::lock::rules::work;
use crate::lock::{Denial, Grant, HeldLock, Outcome};
use crate::tick::{Concurrency, ConcurrencyIndex, Tick};

fn now() -> Timestamp {
    "2024-01-30T10:20:30Z".parse().unwrap()
}

fn store() -> MemoryLockManager {
    MemoryLockManager::with_clock(Arc::new(ManualClock::at(now())))
}

fn instance() -> InstanceId {
    InstanceId::new("a").unwrap()
}

/// The tick `before` hundredths of a second before now.
fn tick(before: usize) -> Execution {
    let millis = i64::try_from(before).unwrap() * 10;
    Execution {
        task: TaskName::new("fast").unwrap(),
        index: ConcurrencyIndex::ONE,
        tick: Tick::at_or_before(now()).saturating_add_millis(-millis),
    }
}

fn claim(execution: &Execution) -> Claim {
    Claim::new(execution.clone(), Concurrency::ONE, instance())
}

fn ask(manager: &MemoryLockManager, claims: &[Claim]) -> Vec<Verdict> {
    let lead = ClaimLead::default();
    block_on(manager.claim(lead, claims))
        .unwrap()
        .whole()
        .unwrap()
        .value
}

fn lock(claim: &Claim, verdict: &Verdict) -> HeldLock {
    let Verdict::Granted(Grant { fence, .. }) = verdict else {
        panic!("{verdict:?}");
    };
    HeldLock {
        execution: claim.execution.clone(),
        claim_id: claim.claim_id,
        fence: *fence,
    }
}

/// Runs `count` ticks that were due before now, a thousand a call.
fn run(manager: &MemoryLockManager, count: usize) {
    let ticks: Vec<Execution> = (1..=count).rev().map(tick).collect();
    for some in ticks.chunks(1_000) {
        let claims: Vec<Claim> = some.iter().map(claim).collect();
        let verdicts = ask(manager, &claims);
        let settled = claims.iter().zip(&verdicts).map(|(claim, verdict)| {
            Settlement::new(lock(claim, verdict), Outcome::Succeeded, now(), now())
        });
        let settled: Vec<Settlement> = settled.collect();
        block_on(manager.settle(&settled)).unwrap();
    }
}

fn history(manager: &MemoryLockManager, query: &HistoryQuery) -> Vec<Execution> {
    let records = block_on(manager.history(query)).unwrap().value;
    records.into_iter().map(|record| record.execution).collect()
}

fn report() -> InstanceReport {
    InstanceReport {
        instance: instance(),
        incarnation: Incarnation::random(),
        started_at: now(),
        version: "1.2.3".to_owned(),
        clock_offset: None,
        running: 0,
        presence: std::time::Duration::from_secs(60),
    }
}

#[test]
fn an_hour_of_a_task_of_each_hundredth_is_bounded_and_costs_what_is_found() {
    let manager = store();
    run(&manager, 360_000);
    let task = Some(TaskName::new("fast").unwrap());
    let all = HistoryQuery {
        limit: usize::MAX,
        ..HistoryQuery::default()
    };
    let kept = history(&manager, &all);
    let newest: Vec<Execution> = (1..=MemoryLockManager::RECORDS_MAX).map(tick).collect();
    assert_eq!(kept, newest);
    let running = claim(&tick(0));
    let held = lock(&running, &ask(&manager, std::slice::from_ref(&running))[0]);
    block_on(manager.request_cancel(&held.execution)).unwrap();

    let costs = |at_most: usize, call: &dyn Fn()| {
        work::take_seen();
        call();
        let seen = work::take_seen();
        assert!(seen <= at_most, "{seen} records seen, not {at_most}");
    };
    costs(2, &|| {
        let signals = block_on(manager.heartbeat(&report())).unwrap().value;
        assert_eq!(signals.cancel, std::slice::from_ref(&held.execution));
    });
    let next = [claim(&Execution {
        tick: tick(0).tick.saturating_add_millis(10),
        ..tick(0)
    })];
    costs(0, &|| {
        assert!(matches!(ask(&manager, &next)[..], [Verdict::Granted(_)]));
    });
    costs(2, &|| {
        assert!(
            block_on(manager.sweep(&SweepQuery::default()))
                .unwrap()
                .value
                .is_empty()
        );
    });
    let page = HistoryQuery {
        after: Some(tick(20_000)),
        ..HistoryQuery::default()
    };
    for task in [None, task] {
        let page = HistoryQuery {
            task,
            ..page.clone()
        };
        costs(page.limit, &|| {
            let expected: Vec<Execution> = (20_001..=20_100).map(tick).collect();
            assert_eq!(history(&manager, &page), expected);
        });
    }
    let failed = HistoryQuery {
        states: vec![ExecutionState::Ended(Outcome::Failed)],
        ..HistoryQuery::default()
    };
    costs(0, &|| assert_eq!(history(&manager, &failed), []));
    costs(0, &|| {
        let retention = Retention::default();
        assert_eq!(block_on(manager.prune(&retention, 1_000)).unwrap().value, 0);
    });
    costs(10, &|| {
        let retention = Retention {
            age_max: None,
            per_task_max: Some(7),
        };
        assert_eq!(block_on(manager.prune(&retention, 10)).unwrap().value, 10);
    });
}

#[test]
fn what_went_is_not_granted_again() {
    let manager = store().records_max(0);
    let triggered = tick(5_000);
    let enqueue = Enqueue {
        execution: triggered.clone(),
        concurrency: Concurrency::ONE,
        deadline: None,
    };
    block_on(manager.enqueue(&[enqueue])).unwrap();
    let mut found = claim(&triggered);
    found.needs_record = true;
    let granted = ask(&manager, std::slice::from_ref(&found)).remove(0);
    let settled = Settlement::new(lock(&found, &granted), Outcome::Succeeded, now(), now());
    block_on(manager.settle(&[settled])).unwrap();
    run(&manager, 1_200);
    let all = HistoryQuery {
        limit: usize::MAX,
        ..HistoryQuery::default()
    };
    let kept = history(&manager, &all);
    assert_eq!(kept, (1..=1_000).map(tick).collect::<Vec<_>>());

    let mut late = claim(&triggered);
    late.needs_record = true;
    let again = [claim(&tick(1_100)), claim(&tick(500)), late];
    let taken = Verdict::Denied(Denial::Taken);
    assert_eq!(ask(&manager, &again), [taken.clone(), taken.clone(), taken]);
}

#[test]
fn what_runs_or_waits_stays() {
    let manager = store().records_max(0);
    let running: Vec<Execution> = (2_000..3_000).rev().map(tick).collect();
    let claims: Vec<Claim> = running.iter().map(claim).collect();
    let verdicts = ask(&manager, &claims);
    assert!(
        verdicts
            .iter()
            .all(|verdict| matches!(verdict, Verdict::Granted(_)))
    );
    let waiting = |before| Enqueue {
        execution: Execution {
            // As many tasks as it takes for all to wait.
            task: TaskName::new(format!("by hand {}", before % 10)).unwrap(),
            ..tick(before)
        },
        concurrency: Concurrency::ONE,
        deadline: None,
    };
    let enqueued: Vec<Enqueue> = (4_000..5_000).map(waiting).collect();
    block_on(manager.enqueue(&enqueued)).unwrap();
    run(&manager, 1_500);
    let in_state = |state| {
        let query = HistoryQuery {
            states: vec![state],
            limit: usize::MAX,
            ..HistoryQuery::default()
        };
        history(&manager, &query).len()
    };
    assert_eq!(in_state(ExecutionState::Running), 1_000);
    assert_eq!(in_state(ExecutionState::Waiting), 1_000);
    assert_eq!(in_state(ExecutionState::Ended(Outcome::Succeeded)), 1_000);
}
