//! A part of the store in trouble while the rest of it answers.

use std::time::Duration;

use sexton::lock::{ExecutionState, Outcome, Reason};
use sexton::policy::Overlap;
use sexton::schedule::Every;
use sexton::{Event, ReadyTask, Task};
use sexton_testkit::parted::Trouble;

use crate::fleet::{Diary, Entry, Fleet, drain, every, pass};

const SECOND: Duration = Duration::from_secs(1);

/// One replica with a task in each of two parts of its store, which are due each second.
async fn fleet(task: impl Fn(Task<Every>, &Diary) -> ReadyTask + 'static) -> Fleet {
    let tasks = move |diary: &Diary| ["a", "b"].map(|name| task(every(name, 1), diary));
    Fleet::of(1).tasks(tasks).with_faults().start().await
}

fn noting(task: Task<Every>, diary: &Diary) -> ReadyTask {
    task.run(diary.noting())
}

fn of(diary: &Diary, task: &str) -> Vec<Entry> {
    let entries = diary.entries().into_iter();
    entries.filter(|entry| entry.task == task).collect()
}

fn count(events: &[Event], is_meant: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| is_meant(event)).count()
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_away_costs_the_tasks_of_the_others_nothing() {
    let mut fleet = fleet(noting).await;
    let mut told = fleet[0].events();
    pass(Duration::from_millis(2_500)).await;
    fleet.faults().part(Some((Trouble::Unreachable, &["a"])));
    pass(Duration::from_secs(10)).await;
    fleet.faults().part(None);
    pass(Duration::from_secs(10)).await;
    let of_a = fleet.history("a").await;
    fleet.shut_down().await;
    let of_b = of(&fleet.diary, "b");
    assert_eq!(of_b.len(), 22, "{of_b:#?}");
    assert!(of_b.iter().all(|one| one.at_ms == one.tick.as_millis()));
    let missed: Vec<_> = of_a
        .iter()
        .filter(|record| record.state == ExecutionState::Missed)
        .collect();
    assert!((8..=11).contains(&missed.len()), "{missed:#?}");
    let why = missed.iter().map(|record| record.reason);
    assert!(
        why.into_iter()
            .all(|why| why == Some(Reason::StoreUnreachable))
    );
    // All of them are accounted for, and none is there twice.
    assert_eq!(of_a.len(), 22, "{of_a:#?}");
    let events = drain(&mut told);
    assert_eq!(
        count(&events, |one| matches!(one, Event::StorePartLost { .. })),
        1
    );
    assert_eq!(
        count(&events, |one| matches!(one, Event::StorePartBack { .. })),
        1
    );
    assert_eq!(
        count(&events, |one| matches!(one, Event::StoreLost { .. })),
        0
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_part_granted_and_did_not_tell_is_run_once() {
    let fleet = fleet(|task, diary| noting(task.overlap(Overlap::Skip), diary));
    let mut fleet = fleet.await;
    pass(Duration::from_millis(1_500)).await;
    fleet.faults().part(Some((Trouble::AnswerLost, &["a"])));
    pass(Duration::from_millis(700)).await;
    fleet.faults().part(None);
    pass(Duration::from_secs(5)).await;
    fleet.shut_down().await;
    for task in ["a", "b"] {
        let by_tick = fleet.diary.by_tick(task);
        assert_eq!(by_tick.len(), 7, "{task}: {by_tick:#?}");
        assert!(
            by_tick.values().all(|indices| indices == &[1]),
            "{task}: {by_tick:#?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn leases_of_the_others_are_kept() {
    let mut fleet = fleet(|task, _| {
        let task = task.overlap(Overlap::Skip).lease(Duration::from_secs(6));
        task.run(async || tokio::time::sleep(Duration::from_secs(20)).await)
    })
    .await;
    let mut told = fleet[0].events();
    pass(Duration::from_millis(1_500)).await;
    fleet.faults().part(Some((Trouble::Unreachable, &["a"])));
    pass(Duration::from_secs(10)).await;
    let events = drain(&mut told);
    let lost = |name: &'static str| move |event: &Event| matches!(event, Event::LeaseLost { execution } if execution.task.as_str() == name);
    assert_eq!(
        (count(&events, lost("a")), count(&events, lost("b"))),
        (1, 0)
    );
    // And a lease that is tried in vain is kept once its part is back.
    fleet.faults().part(Some((Trouble::Unreachable, &["b"])));
    pass(Duration::from_secs(2)).await;
    fleet.faults().part(None);
    pass(Duration::from_secs(4)).await;
    let events = drain(&mut told);
    assert_eq!(count(&events, lost("b")), 0);
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_is_refused_is_set_aside_and_told_again() {
    for trouble in [Trouble::Refused, Trouble::BatchRefused] {
        let mut fleet =
            fleet(|task, _| task.run(async || tokio::time::sleep(SECOND / 2).await)).await;
        let mut told = fleet[0].events();
        pass(Duration::from_millis(1_200)).await;
        fleet.faults().part(Some((trouble, &["a"])));
        pass(Duration::from_millis(500)).await;
        // The claims of what is due meanwhile are refused as well, and missed.
        pass(Duration::from_secs(8)).await;
        let first = |records: &[sexton::lock::ExecutionRecord]| {
            let first = records.iter().min_by_key(|record| record.execution.tick);
            first.map(|record| record.state)
        };
        let succeeded = Some(ExecutionState::Ended(Outcome::Succeeded));
        let (of_a, of_b) = (fleet.history("a").await, fleet.history("b").await);
        assert_eq!(first(&of_a), Some(ExecutionState::Running), "{trouble:?}");
        assert_eq!(first(&of_b), succeeded, "{trouble:?}");
        let events = drain(&mut told);
        let refused = |one: &Event| matches!(one, Event::SettlementRefused { .. });
        assert_eq!(count(&events, refused), 1, "{trouble:?}");
        fleet.faults().part(None);
        pass(Duration::from_secs(60)).await;
        assert_eq!(first(&fleet.history("a").await), succeeded, "{trouble:?}");
        let report = fleet.leave(0, SECOND).await;
        assert!(report.all_settled);
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_stays_refused_is_given_up_and_told() {
    let mut fleet = fleet(|task, _| task.run(async || tokio::time::sleep(SECOND / 2).await)).await;
    let mut told = fleet[0].events();
    pass(Duration::from_millis(1_200)).await;
    fleet.faults().part(Some((Trouble::Refused, &["a"])));
    pass(SECOND).await;
    drain(&mut told);
    fleet.leave(0, SECOND).await;
    let events = drain(&mut told);
    let dropped = |one: &Event| matches!(one, Event::SettlementDropped { .. });
    assert_eq!(count(&events, dropped), 1, "{events:#?}");
}
