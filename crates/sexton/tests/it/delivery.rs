//! At most once, at least once: what happens to an execution whose holder is lost.

use std::time::Duration;

use sexton::clock::TokioClock;
use sexton::lock::{ExecutionState, Outcome};
use sexton::schedule::Every;
use sexton::{Event, ReadyTask, Task};
use sexton_testkit::faulty::{Fault, FaultyManager};

use crate::fleet::{
    Diary, End, SUCCEEDED, begin, drain, history, pass_seconds, replica, seconds, store,
};

const LEASE: Duration = Duration::from_secs(3);

fn minutely() -> Task<Every> {
    Task::new("t").every(seconds(60)).unwrap().lease(LEASE)
}

fn at_least_once(
    attempts_max: u32,
    diary: &Diary,
    clock: &TokioClock,
    work: Duration,
) -> ReadyTask {
    minutely()
        .at_least_once(attempts_max)
        .run(diary.working(clock, work))
}

#[tokio::test(start_paused = true)]
async fn at_most_once_a_crashed_holder_takes_its_execution_with_it_and_that_is_told() {
    let clock = begin();
    let store = store(&clock);
    let diary = Diary::default();
    let task = || minutely().run(diary.working(&clock, seconds(10)));
    let first = replica(&clock, store.clone())
        .task(task())
        .start()
        .await
        .unwrap();
    pass_seconds(62.0).await;
    assert_eq!(diary.entries().len(), 1);
    drop(first);
    let second = replica(&clock, store.clone())
        .task(task())
        .start()
        .await
        .unwrap();
    let mut events = second.events();
    // Its presence runs out, and so does the time after which it counts as abandoned.
    pass_seconds(110.0).await;
    let records = history(&store, "t").await;
    assert_eq!(records[0].state, ExecutionState::Ended(Outcome::Lost));
    assert_eq!(records[1].state, SUCCEEDED);
    let lost = |event: &Event| matches!(event, Event::Lost { execution } if *execution == records[0].execution);
    assert!(drain(&mut events).iter().any(lost));
    assert!(diary.by_tick("t").values().all(|indices| indices == &[1]));
    second.shutdown(seconds(20)).await;
}

#[tokio::test(start_paused = true)]
async fn at_least_once_a_crashed_holders_execution_is_granted_again_with_the_next_attempt() {
    let clock = begin();
    let store = store(&clock);
    let diary = Diary::default();
    let task = || at_least_once(3, &diary, &clock, seconds(10));
    let first = replica(&clock, store.clone())
        .task(task())
        .start()
        .await
        .unwrap();
    pass_seconds(62.0).await;
    drop(first);
    let second = replica(&clock, store.clone())
        .task(task())
        .start()
        .await
        .unwrap();
    // The lease, and a heartbeat to notice.
    pass_seconds(LEASE.as_secs_f64() + 5.1).await;
    let entries = diary.entries();
    assert_eq!(entries.len(), 2, "{entries:#?}");
    assert_eq!(entries[0].tick, entries[1].tick);
    assert_eq!((entries[0].attempt, entries[1].attempt), (1, 2));
    assert!(entries[1].fence > entries[0].fence);
    pass_seconds(11.0).await;
    let records = history(&store, "t").await;
    assert_eq!(records[0].state, SUCCEEDED);
    assert_eq!(records[0].attempt.map(|attempt| attempt.get()), Some(2));
    second.shutdown(seconds(20)).await;
}

#[tokio::test(start_paused = true)]
async fn at_least_once_a_run_longer_than_its_lease_keeps_it_by_renewing() {
    let clock = begin();
    let store = store(&clock);
    let diary = Diary::default();
    let task = || at_least_once(3, &diary, &clock, seconds(30));
    let first = replica(&clock, store.clone())
        .task(task())
        .start()
        .await
        .unwrap();
    let second = replica(&clock, store.clone())
        .task(task())
        .start()
        .await
        .unwrap();
    pass_seconds(95.0).await;
    let entries = diary.entries();
    assert_eq!(entries.len(), 1, "{entries:#?}");
    assert_eq!(entries[0].end, End::Done);
    assert_eq!(history(&store, "t").await[0].state, SUCCEEDED);
    first.shutdown(seconds(1)).await;
    second.shutdown(seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn at_least_once_a_holder_cut_off_from_the_store_stops_its_run_before_another_has_it() {
    let clock = begin();
    let store = store(&clock);
    let faulty = FaultyManager::new(store.clone());
    let diary = Diary::default();
    let task = || at_least_once(3, &diary, &clock, seconds(20));
    let cut_off = replica(&clock, faulty.clone())
        .task(task())
        .start()
        .await
        .unwrap();
    pass_seconds(61.0).await;
    let other = replica(&clock, store.clone())
        .task(task())
        .start()
        .await
        .unwrap();
    let mut events = cut_off.events();
    faulty.all(Fault::Unreachable);
    pass_seconds(LEASE.as_secs_f64() + 0.1).await;
    assert_eq!(diary.entries()[0].end, End::Cancelled);
    assert!(
        drain(&mut events)
            .iter()
            .any(|event| matches!(event, Event::LeaseLost { .. }))
    );
    pass_seconds(5.0).await;
    faulty.all(Fault::None);
    pass_seconds(22.0).await;
    let entries = diary.entries();
    assert_eq!(entries.len(), 2, "{entries:#?}");
    assert_eq!(entries[1].attempt, 2);
    let records = history(&store, "t").await;
    assert_eq!(records[0].state, SUCCEEDED);
    assert_eq!(records[0].instance.as_ref(), Some(other.instance()));
    cut_off.shutdown(seconds(1)).await;
    other.shutdown(seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn at_least_once_the_last_attempt_lost_ends_the_execution_as_lost_visibly() {
    let clock = begin();
    let store = store(&clock);
    let diary = Diary::default();
    let task = || at_least_once(2, &diary, &clock, seconds(30));
    let first = replica(&clock, store.clone())
        .task(task())
        .start()
        .await
        .unwrap();
    pass_seconds(61.0).await;
    drop(first);
    let second = replica(&clock, store.clone())
        .task(task())
        .start()
        .await
        .unwrap();
    pass_seconds(10.0).await;
    assert_eq!(diary.entries().len(), 2);
    drop(second);
    let third = replica(&clock, store.clone())
        .task(task())
        .start()
        .await
        .unwrap();
    let mut events = third.events();
    pass_seconds(35.0).await;
    assert_eq!(diary.entries().len(), 2);
    let records = history(&store, "t").await;
    assert_eq!(
        records[0].state,
        ExecutionState::Ended(Outcome::Lost),
        "{:#?}",
        records[0]
    );
    assert!(
        drain(&mut events)
            .iter()
            .any(|event| matches!(event, Event::Lost { .. }))
    );
    third.shutdown(seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_shorter_than_the_claim_lead_does_not_run_out_before_the_tick() {
    let clock = begin();
    let store = store(&clock);
    let diary = Diary::default();
    let task = Task::new("t")
        .every(seconds(10))
        .unwrap()
        .lease(Duration::from_millis(100))
        .at_least_once(3)
        .run(diary.working(&clock, Duration::from_millis(400)));
    let scheduler = replica(&clock, store.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    pass_seconds(35.0).await;
    let entries = diary.entries();
    assert_eq!(diary.seconds(), [10, 20, 30]);
    assert!(
        entries
            .iter()
            .all(|entry| entry.attempt == 1 && entry.late_ms() == 0),
        "{entries:#?}"
    );
    scheduler.shutdown(seconds(1)).await;
}
