//! A part of the store in trouble while the rest of it answers.

use std::sync::Arc;
use std::time::Duration;

use sexton::clock::TokioClock;
use sexton::lock::{ExecutionState, Outcome, Reason};
use sexton::policy::Overlap;
use sexton::schedule::Every;
use sexton::{Event, ReadyTask, Scheduler, Task};
use sexton_testkit::faulty::FaultyManager;
use sexton_testkit::parted::Trouble;
use tokio::sync::broadcast::Receiver;

use crate::fleet::{Diary, Entry, begin, drain, history, pass, replica, store};

const SECOND: Duration = Duration::from_secs(1);

struct Fleet {
    faulty: FaultyManager,
    diary: Diary,
    scheduler: Scheduler,
    events: Receiver<Arc<Event>>,
}

/// One replica with a task in each of two parts of its store, which are due each second.
async fn fleet(task: impl Fn(Task<Every>, &Diary, &TokioClock) -> ReadyTask) -> Fleet {
    let clock = begin();
    let faulty = FaultyManager::new(store(&clock));
    let diary = Diary::default();
    let task = |name: &str| task(Task::new(name).every(SECOND).unwrap(), &diary, &clock);
    let (a, b) = (task("a"), task("b"));
    let scheduler = replica(&clock, faulty.clone()).task(a).task(b);
    let scheduler = scheduler.start().await.unwrap();
    let events = scheduler.events();
    Fleet {
        faulty,
        diary,
        scheduler,
        events,
    }
}

fn noting(task: Task<Every>, diary: &Diary, clock: &TokioClock) -> ReadyTask {
    task.run(diary.noting(clock))
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
    pass(Duration::from_millis(2_500)).await;
    fleet.faulty.part(Some((Trouble::Unreachable, &["a"])));
    pass(Duration::from_secs(10)).await;
    fleet.faulty.part(None);
    pass(Duration::from_secs(10)).await;
    let of_a = history(&fleet.faulty, "a").await;
    fleet.scheduler.shutdown(Duration::ZERO).await;
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
    let events = drain(&mut fleet.events);
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
    let fleet = fleet(|task, diary, clock| noting(task.overlap(Overlap::Skip), diary, clock));
    let fleet = fleet.await;
    pass(Duration::from_millis(1_500)).await;
    fleet.faulty.part(Some((Trouble::AnswerLost, &["a"])));
    pass(Duration::from_millis(700)).await;
    fleet.faulty.part(None);
    pass(Duration::from_secs(5)).await;
    fleet.scheduler.shutdown(Duration::ZERO).await;
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
    let mut fleet = fleet(|task, _, _| {
        let task = task.overlap(Overlap::Skip).lease(Duration::from_secs(6));
        task.run(async || tokio::time::sleep(Duration::from_secs(20)).await)
    })
    .await;
    pass(Duration::from_millis(1_500)).await;
    fleet.faulty.part(Some((Trouble::Unreachable, &["a"])));
    pass(Duration::from_secs(10)).await;
    let events = drain(&mut fleet.events);
    let lost = |name: &'static str| move |event: &Event| matches!(event, Event::LeaseLost { execution } if execution.task.as_str() == name);
    assert_eq!(
        (count(&events, lost("a")), count(&events, lost("b"))),
        (1, 0)
    );
    // And a lease that is tried in vain is kept once its part is back.
    fleet.faulty.part(Some((Trouble::Unreachable, &["b"])));
    pass(Duration::from_secs(2)).await;
    fleet.faulty.part(None);
    pass(Duration::from_secs(4)).await;
    let events = drain(&mut fleet.events);
    assert_eq!(count(&events, lost("b")), 0);
    fleet.scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_is_refused_is_set_aside_and_told_again() {
    for trouble in [Trouble::Refused, Trouble::BatchRefused] {
        let mut fleet =
            fleet(|task, _, _| task.run(async || tokio::time::sleep(SECOND / 2).await)).await;
        pass(Duration::from_millis(1_200)).await;
        fleet.faulty.part(Some((trouble, &["a"])));
        pass(Duration::from_millis(500)).await;
        // The claims of what is due meanwhile are refused as well, and missed.
        pass(Duration::from_secs(8)).await;
        let first = |records: &[sexton::lock::ExecutionRecord]| {
            let first = records.iter().min_by_key(|record| record.execution.tick);
            first.map(|record| record.state)
        };
        let succeeded = Some(ExecutionState::Ended(Outcome::Succeeded));
        let (of_a, of_b) = (
            history(&fleet.faulty, "a").await,
            history(&fleet.faulty, "b").await,
        );
        assert_eq!(first(&of_a), Some(ExecutionState::Running), "{trouble:?}");
        assert_eq!(first(&of_b), succeeded, "{trouble:?}");
        let events = drain(&mut fleet.events);
        let refused = |one: &Event| matches!(one, Event::SettlementRefused { .. });
        assert_eq!(count(&events, refused), 1, "{trouble:?}");
        fleet.faulty.part(None);
        pass(Duration::from_secs(60)).await;
        assert_eq!(
            first(&history(&fleet.faulty, "a").await),
            succeeded,
            "{trouble:?}"
        );
        let report = fleet.scheduler.shutdown(SECOND).await;
        assert!(report.all_settled);
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_stays_refused_is_given_up_and_told() {
    let mut fleet =
        fleet(|task, _, _| task.run(async || tokio::time::sleep(SECOND / 2).await)).await;
    pass(Duration::from_millis(1_200)).await;
    fleet.faulty.part(Some((Trouble::Refused, &["a"])));
    pass(SECOND).await;
    drain(&mut fleet.events);
    fleet.scheduler.shutdown(SECOND).await;
    let events = drain(&mut fleet.events);
    let dropped = |one: &Event| matches!(one, Event::SettlementDropped { .. });
    assert_eq!(count(&events, dropped), 1, "{events:#?}");
}
