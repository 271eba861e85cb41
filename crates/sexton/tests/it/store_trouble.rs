//! A store that is away, slow, or loses its answers.

use std::time::Duration;

use sexton::lock::{ExecutionState, Outcome, Reason};
use sexton::{Event, Task};
use sexton_testkit::faulty::Fault;

use crate::fleet::{Diary, Fleet, drain, every, pass_seconds, seconds};

/// An instance with one periodic task, on a store that fails as planned.
async fn instance(period_s: u64) -> Fleet {
    let task = move |diary: &Diary| every("t", period_s).run(diary.noting());
    Fleet::of(1).task(task).with_faults().start().await
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_makes_no_run_late() {
    let mut fleet = Fleet::of(1)
        .task(|diary| every("t", 1).run(diary.noting()))
        .failing(|_| Fault::Slow(Duration::from_millis(200)))
        .start()
        .await;
    pass_seconds(10.3).await;
    fleet.shut_down().await;
    let entries = fleet.diary.entries();
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
    let mut count = 0;
    let faults = move |method| {
        let is_counted = method == "claim" || method == "settle";
        count += usize::from(is_counted);
        if is_counted && count % 2 == 1 {
            Fault::AnswerLost
        } else {
            Fault::None
        }
    };
    let task = |diary: &Diary| {
        let task = Task::new("t").every(Duration::from_millis(200)).unwrap();
        task.run(diary.noting())
    };
    let mut fleet = Fleet::of(1).task(task).failing(faults).start().await;
    pass_seconds(4.1).await;
    let records = fleet.history("t").await;
    let report = fleet.leave(0, Duration::ZERO).await;
    assert!(report.all_settled);
    let by_tick = fleet.diary.by_tick("t");
    assert_eq!(by_tick.len(), 20);
    assert!(
        by_tick.values().all(|indices| indices == &[1]),
        "{by_tick:#?}"
    );
    assert!(records.len() >= 20);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_waited_for_and_never_a_denial() {
    let mut fleet = instance(10).await;
    let mut events = fleet[0].events();
    pass_seconds(5.0).await;
    fleet.faults().all(Fault::Unreachable);
    // Through the tick, and back before its successor is due.
    pass_seconds(8.0).await;
    fleet.faults().all(Fault::None);
    pass_seconds(3.0).await;
    let entries = fleet.diary.entries();
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
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn ticks_of_a_long_outage_are_recorded_as_missed_with_the_reason() {
    let mut fleet = instance(1).await;
    pass_seconds(2.9).await;
    fleet.faults().all(Fault::Unreachable);
    pass_seconds(10.0).await;
    fleet.faults().all(Fault::None);
    pass_seconds(5.0).await;
    let records = fleet.history("t").await;
    fleet.shut_down().await;
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
        fleet.diary.entries().len(),
        records
            .iter()
            .filter(|record| record.state == ExecutionState::Ended(Outcome::Succeeded))
            .count()
    );
}

#[tokio::test(start_paused = true)]
async fn a_grant_whose_answer_was_lost_until_too_late_is_closed_and_not_stranded() {
    let mut fleet = instance(1).await;
    pass_seconds(0.1).await;
    let mut claims = 0;
    fleet.faults().plan(move |method| {
        claims += usize::from(method == "claim");
        if method == "claim" && claims == 1 {
            Fault::AnswerLost
        } else {
            Fault::Unreachable
        }
    });
    pass_seconds(5.0).await;
    fleet.faults().all(Fault::None);
    pass_seconds(3.0).await;
    let records = fleet.history("t").await;
    fleet.shut_down().await;
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
    assert!(
        !fleet
            .diary
            .by_tick("t")
            .contains_key(&records[0].execution.tick)
    );
    assert!(
        records
            .iter()
            .all(|record| record.state != ExecutionState::Running),
        "{records:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_counts_as_unreachable_within_the_limit() {
    let mut fleet = Fleet::of(1)
        .task(|diary| every("t", 10).run(diary.noting()))
        .with(|builder| builder.call_limit(seconds(1)))
        .with_faults()
        .start()
        .await;
    let mut events = fleet[0].events();
    pass_seconds(9.0).await;
    fleet.faults().all(Fault::Hangs);
    pass_seconds(2.0).await;
    fleet.faults().all(Fault::None);
    pass_seconds(3.0).await;
    assert!(
        drain(&mut events)
            .iter()
            .any(|event| matches!(event, Event::StoreLost { .. }))
    );
    assert_eq!(fleet.diary.entries().len(), 1);
    fleet.shut_down().await;
}

/// It hangs for less than a call may take: no call has failed yet when ticks become too late.
#[tokio::test(start_paused = true)]
async fn what_a_store_that_hangs_makes_missed_was_missed_because_of_the_store() {
    let mut fleet = instance(1).await;
    pass_seconds(5.4).await;
    fleet.faults().all(Fault::Hangs);
    pass_seconds(4.0).await;
    fleet.faults().all(Fault::None);
    pass_seconds(10.0).await;
    fleet.shut_down().await;
    let records = fleet.history("t").await;
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
    let task = |number, diary: &Diary| every(&format!("t{number}"), 60).run(diary.noting());
    let mut fleet = Fleet::of(1)
        .tasks(move |diary| {
            (0..999)
                .map(|number| task(number, diary))
                .collect::<Vec<_>>()
        })
        .with_faults()
        .start()
        .await;
    pass_seconds(61.0).await;
    assert_eq!(fleet.diary.entries().len(), 999);
    assert_eq!(fleet.faults().calls("claim"), 1);
    assert!(
        fleet.faults().calls("settle") <= 2,
        "{}",
        fleet.faults().calls("settle")
    );
    fleet.shut_down().await;
}

/// Nothing but its answer tells whether it was granted, and at most once has no lease that ends.
#[tokio::test(start_paused = true)]
async fn a_trigger_whose_answer_is_lost_runs_when_the_store_is_back_however_long_that_takes() {
    let mut fleet = instance(3_600).await;
    pass_seconds(1.0).await;
    let mut is_lost = false;
    fleet.faults().plan(move |method| match method {
        "claim" if !is_lost => {
            is_lost = true;
            Fault::AnswerLost
        }
        _ if is_lost => Fault::Unreachable,
        _ => Fault::None,
    });
    let tick = fleet.trigger("t").await;
    pass_seconds(60.0).await;
    assert!(fleet.diary.entries().is_empty());
    fleet.faults().all(Fault::None);
    pass_seconds(30.0).await;
    let ticks: Vec<_> = fleet
        .diary
        .entries()
        .iter()
        .map(|entry| entry.tick)
        .collect();
    assert_eq!(ticks, [tick]);
    fleet.shut_down().await;
}
