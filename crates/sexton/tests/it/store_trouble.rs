//! A store that is away, slow, or loses its answers.

use std::time::Duration;

use sexton::clock::TokioClock;
use sexton::lock::{ExecutionState, Outcome, Reason};
use sexton::{Event, ReadyTask, Task};
use sexton_testkit::faulty::{Fault, FaultyManager};

use crate::fleet::{Diary, begin, drain, history, name, pass, replica, store};

fn every_second(diary: &Diary, clock: &TokioClock) -> ReadyTask {
    every(Duration::from_secs(1), diary, clock)
}

fn every(period: Duration, diary: &Diary, clock: &TokioClock) -> ReadyTask {
    Task::new("t")
        .every(period)
        .unwrap()
        .run(diary.noting(clock))
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_makes_no_run_late() {
    let clock = begin();
    let faulty = FaultyManager::new(store(&clock));
    faulty.all(Fault::Slow(Duration::from_millis(200)));
    let diary = Diary::default();
    let task = every_second(&diary, &clock);
    let scheduler = replica(&clock, faulty.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    pass(Duration::from_millis(10_300)).await;
    scheduler.shutdown(Duration::ZERO).await;
    let entries = diary.entries();
    assert_eq!(entries.len(), 10);
    assert!(
        entries
            .iter()
            .all(|entry| entry.at_ms == entry.tick.as_millis()),
        "{entries:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_loses_no_tick_and_repeats_none() {
    let clock = begin();
    let faulty = FaultyManager::new(store(&clock));
    let mut count = 0;
    faulty.plan(move |method| {
        let is_counted = method == "claim" || method == "settle";
        count += usize::from(is_counted);
        if is_counted && count % 2 == 1 {
            Fault::AnswerLost
        } else {
            Fault::None
        }
    });
    let diary = Diary::default();
    let task = every(Duration::from_millis(200), &diary, &clock);
    let scheduler = replica(&clock, faulty.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    pass(Duration::from_millis(4_100)).await;
    let records = history(&faulty, "t").await;
    let report = scheduler.shutdown(Duration::ZERO).await;
    assert!(report.all_settled);
    let by_tick = diary.by_tick("t");
    assert_eq!(by_tick.len(), 20);
    assert!(
        by_tick.values().all(|indices| indices == &[1]),
        "{by_tick:#?}"
    );
    assert!(records.len() >= 20);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_waited_for_and_never_a_denial() {
    let clock = begin();
    let faulty = FaultyManager::new(store(&clock));
    let diary = Diary::default();
    let task = every(Duration::from_secs(10), &diary, &clock);
    let scheduler = replica(&clock, faulty.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    let mut events = scheduler.events();
    pass(Duration::from_secs(5)).await;
    faulty.all(Fault::Unreachable);
    // Through the tick, and back before its successor is due.
    pass(Duration::from_secs(8)).await;
    faulty.all(Fault::None);
    pass(Duration::from_secs(3)).await;
    let entries = diary.entries();
    assert_eq!(entries.len(), 1, "{entries:#?}");
    let late_ms = entries[0].at_ms - entries[0].tick.as_millis();
    assert!((3_000..=5_100).contains(&late_ms), "late by {late_ms} ms");
    let events = drain(&mut events);
    assert_eq!(
        events
            .iter()
            .filter(|event| matches!(event, Event::StoreLost { .. }))
            .count(),
        1
    );
    assert_eq!(
        events
            .iter()
            .filter(|event| matches!(event, Event::StoreBack { .. }))
            .count(),
        1
    );
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, Event::Denied { .. }))
    );
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn ticks_of_a_long_outage_are_recorded_as_missed_with_the_reason() {
    let clock = begin();
    let faulty = FaultyManager::new(store(&clock));
    let diary = Diary::default();
    let task = every_second(&diary, &clock);
    let scheduler = replica(&clock, faulty.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    pass(Duration::from_millis(2_900)).await;
    faulty.all(Fault::Unreachable);
    pass(Duration::from_secs(10)).await;
    faulty.all(Fault::None);
    pass(Duration::from_secs(5)).await;
    let records = history(&faulty, "t").await;
    scheduler.shutdown(Duration::ZERO).await;
    let missed: Vec<_> = records
        .iter()
        .filter(|record| record.state == ExecutionState::Missed)
        .collect();
    assert!((8..=10).contains(&missed.len()), "{missed:#?}");
    let by_outage =
        |record: &&&sexton::lock::ExecutionRecord| record.reason == Some(Reason::StoreUnreachable);
    assert_eq!(
        missed.iter().filter(by_outage).count(),
        missed.len(),
        "{missed:#?}"
    );
    // Every tick has a record, and each either ran or was missed.
    let ticks: Vec<i64> = records
        .iter()
        .map(|record| record.execution.tick.as_millis())
        .collect();
    assert!(
        ticks.windows(2).all(|pair| pair[1] - pair[0] == 1_000),
        "{ticks:?}"
    );
    assert!(ticks.len() >= 17);
    assert_eq!(
        diary.entries().len(),
        records
            .iter()
            .filter(|record| record.state == ExecutionState::Ended(Outcome::Succeeded))
            .count()
    );
}

#[tokio::test(start_paused = true)]
async fn a_grant_whose_answer_was_lost_until_too_late_is_closed_and_not_stranded() {
    let clock = begin();
    let faulty = FaultyManager::new(store(&clock));
    let diary = Diary::default();
    let task = every_second(&diary, &clock);
    let scheduler = replica(&clock, faulty.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    pass(Duration::from_millis(100)).await;
    let mut claims = 0;
    faulty.plan(move |method| {
        claims += usize::from(method == "claim");
        if method == "claim" && claims == 1 {
            Fault::AnswerLost
        } else {
            Fault::Unreachable
        }
    });
    pass(Duration::from_secs(5)).await;
    faulty.all(Fault::None);
    pass(Duration::from_secs(3)).await;
    let records = history(&faulty, "t").await;
    scheduler.shutdown(Duration::ZERO).await;
    assert_eq!(
        records[0].state,
        ExecutionState::Ended(Outcome::Lost),
        "{:#?}",
        records[0]
    );
    assert!(
        records[0]
            .error
            .as_deref()
            .unwrap()
            .starts_with("never started")
    );
    assert!(!diary.by_tick("t").contains_key(&records[0].execution.tick));
    assert!(
        records
            .iter()
            .all(|record| record.state != ExecutionState::Running),
        "{records:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_counts_as_unreachable_within_the_limit() {
    let clock = begin();
    let faulty = FaultyManager::new(store(&clock));
    let diary = Diary::default();
    let task = every(Duration::from_secs(10), &diary, &clock);
    let builder = replica(&clock, faulty.clone()).call_limit(Duration::from_secs(1));
    let scheduler = builder.task(task).start().await.unwrap();
    let mut events = scheduler.events();
    pass(Duration::from_secs(9)).await;
    faulty.all(Fault::Hangs);
    pass(Duration::from_secs(2)).await;
    faulty.all(Fault::None);
    pass(Duration::from_secs(3)).await;
    assert!(
        drain(&mut events)
            .iter()
            .any(|event| matches!(event, Event::StoreLost { .. }))
    );
    assert_eq!(diary.entries().len(), 1);
    scheduler.shutdown(Duration::ZERO).await;
}

/// It hangs for less than a call may take: no call has failed yet when ticks become too late.
#[tokio::test(start_paused = true)]
async fn what_a_store_that_hangs_makes_missed_was_missed_because_of_the_store() {
    let clock = begin();
    let store = store(&clock);
    let faulty = FaultyManager::new(store.clone());
    let diary = Diary::default();
    let task = every(Duration::from_secs(1), &diary, &clock);
    let scheduler = replica(&clock, faulty.clone()).task(task).start();
    let scheduler = scheduler.await.unwrap();
    pass(Duration::from_millis(5_400)).await;
    faulty.all(Fault::Hangs);
    pass(Duration::from_secs(4)).await;
    faulty.all(Fault::None);
    pass(Duration::from_secs(10)).await;
    scheduler.shutdown(Duration::ZERO).await;
    let records = history(&store, "t").await;
    let missed: Vec<_> = records
        .iter()
        .filter(|record| record.state == ExecutionState::Missed)
        .collect();
    assert!(missed.len() >= 3, "{records:#?}");
    let for_the_store =
        |record: &&sexton::lock::ExecutionRecord| record.reason == Some(Reason::StoreUnreachable);
    assert!(missed.iter().all(for_the_store), "{missed:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_tasks_due_at_once_are_claimed_in_one_round_trip() {
    let clock = begin();
    let faulty = FaultyManager::new(store(&clock));
    let diary = Diary::default();
    let tasks = (0..999).map(|number| {
        let minute = Task::new(format!("t{number}"))
            .every(Duration::from_secs(60))
            .unwrap();
        minute.run(diary.noting(&clock))
    });
    let scheduler = replica(&clock, faulty.clone())
        .tasks(tasks)
        .start()
        .await
        .unwrap();
    pass(Duration::from_secs(61)).await;
    assert_eq!(diary.entries().len(), 999);
    assert_eq!(faulty.calls("claim"), 1);
    assert!(faulty.calls("settle") <= 2, "{}", faulty.calls("settle"));
    scheduler.shutdown(Duration::ZERO).await;
}

/// Nothing but its answer tells whether it was granted, and at most once has no lease that ends.
#[tokio::test(start_paused = true)]
async fn a_trigger_whose_answer_is_lost_runs_when_the_store_is_back_however_long_that_takes() {
    let clock = begin();
    let store = store(&clock);
    let faulty = FaultyManager::new(store.clone());
    let diary = Diary::default();
    let task = every(Duration::from_secs(3_600), &diary, &clock);
    let scheduler = replica(&clock, faulty.clone()).task(task).start();
    let scheduler = scheduler.await.unwrap();
    pass(Duration::from_secs(1)).await;
    let mut is_lost = false;
    faulty.plan(move |method| match method {
        "claim" if !is_lost => {
            is_lost = true;
            Fault::AnswerLost
        }
        _ if is_lost => Fault::Unreachable,
        _ => Fault::None,
    });
    let (handle, manager) = (scheduler.handle(), sexton::name::ManagerName::default());
    let tick = handle.trigger(&manager, &name("t")).await.unwrap();
    pass(Duration::from_secs(60)).await;
    assert!(diary.entries().is_empty());
    faulty.all(Fault::None);
    pass(Duration::from_secs(30)).await;
    let ticks: Vec<_> = diary.entries().iter().map(|entry| entry.tick).collect();
    assert_eq!(ticks, [tick]);
    scheduler.shutdown(Duration::ZERO).await;
}
