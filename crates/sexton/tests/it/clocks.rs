//! Clocks that are wrong, and clocks that are set.

use std::time::Duration;

use jiff::SignedDuration;
use sexton::{Event, Task};

use crate::fleet::{Diary, begin, drain, pass_seconds, replica, seconds, store};

fn every_10_s(diary: &Diary, clock: &sexton::clock::TokioClock) -> sexton::ReadyTask {
    Task::new("t")
        .every(seconds(10))
        .unwrap()
        .run(diary.noting(clock))
}

#[tokio::test(start_paused = true)]
async fn replicas_whose_clocks_are_hours_off_run_every_tick_once_and_on_time() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let mut fleet = Vec::new();
    for hours in [-2, -1, 0, 1, 2] {
        let skewed = clock.skewed_by(SignedDuration::from_hours(hours));
        // By the right clock: what the tick's lateness is measured by.
        let task = every_10_s(&diary, &clock);
        fleet.push(
            replica(&skewed, store.clone())
                .task(task)
                .start()
                .await
                .unwrap(),
        );
    }
    pass_seconds(95.0).await;
    assert_eq!(diary.seconds(), [10, 20, 30, 40, 50, 60, 70, 80, 90]);
    assert!(diary.entries().iter().all(|entry| entry.late_ms() == 0));
    for scheduler in fleet {
        scheduler.shutdown(Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_whose_clock_is_set_changes_nothing() {
    for by in [
        SignedDuration::from_hours(1),
        SignedDuration::from_hours(-1),
    ] {
        let (clock, diary) = (begin(), Diary::default());
        let ours = clock.skewed_by(SignedDuration::ZERO);
        let task = every_10_s(&diary, &clock);
        let scheduler = replica(&ours, store(&clock))
            .task(task)
            .start()
            .await
            .unwrap();
        let mut events = scheduler.events();
        pass_seconds(15.0).await;
        ours.jump(by);
        pass_seconds(30.0).await;
        assert_eq!(diary.seconds(), [10, 20, 30, 40], "{by:#}");
        assert!(
            diary.entries().iter().all(|entry| entry.late_ms() == 0),
            "{by:#}"
        );
        assert!(
            !drain(&mut events)
                .iter()
                .any(|event| matches!(event, Event::Unrun { .. }))
        );
        scheduler.shutdown(Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_stores_clock_is_followed_when_it_is_set_and_the_difference_is_told() {
    let (clock, diary) = (begin(), Diary::default());
    let stores_clock = clock.skewed_by(SignedDuration::ZERO);
    let task = every_10_s(&diary, &stores_clock);
    let scheduler = replica(&clock, store(&stores_clock))
        .task(task)
        .start()
        .await
        .unwrap();
    let mut events = scheduler.events();
    pass_seconds(15.0).await;
    stores_clock.jump(SignedDuration::from_secs(100));
    // It learns of it with its next call: the heartbeat.
    pass_seconds(6.0).await;
    pass_seconds(20.0).await;
    let seconds = diary.seconds();
    assert_eq!(seconds[0], 10);
    assert!(
        seconds.contains(&120) && seconds.contains(&140),
        "{seconds:?}"
    );
    let offset = drain(&mut events)
        .into_iter()
        .find_map(|event| match event {
            Event::ClockOffset { offset, .. } => Some(offset),
            _ => None,
        });
    assert_eq!(offset.map(|offset| offset.as_secs()), Some(100));
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_stores_clock_set_back_grants_nothing_twice_and_nothing_early() {
    let (clock, diary) = (begin(), Diary::default());
    let stores_clock = clock.skewed_by(SignedDuration::ZERO);
    let task = every_10_s(&diary, &stores_clock);
    let scheduler = replica(&clock, store(&stores_clock))
        .task(task)
        .start()
        .await
        .unwrap();
    let mut events = scheduler.events();
    pass_seconds(45.0).await;
    stores_clock.jump(SignedDuration::from_secs(-30));
    pass_seconds(60.0).await;
    let leaps: Vec<i64> = drain(&mut events)
        .iter()
        .filter_map(|event| match event {
            Event::ClockLeapt { by, .. } => Some(by.as_secs()),
            _ => None,
        })
        .collect();
    assert_eq!(leaps, [-30]);
    let seconds = diary.seconds();
    let mut once = seconds.clone();
    once.dedup();
    assert_eq!(seconds, once);
    assert!(seconds.starts_with(&[10, 20, 30, 40, 50]), "{seconds:?}");
    assert!(
        diary.entries().iter().all(|entry| entry.late_ms() >= 0),
        "{:#?}",
        diary.entries()
    );
    scheduler.shutdown(Duration::ZERO).await;
}
