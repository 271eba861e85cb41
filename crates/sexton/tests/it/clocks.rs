//! Clocks that are wrong, and clocks that are set.

use jiff::SignedDuration;
use sexton::{Event, ReadyTask};

use crate::fleet::{Diary, Fleet, begin, drain, every, pass_seconds, shut_down};

fn every_10_s(diary: &Diary) -> ReadyTask {
    every("t", 10).run(diary.noting())
}

#[tokio::test(start_paused = true)]
async fn replicas_whose_clocks_are_hours_off_run_every_tick_once_and_on_time() {
    // Lateness is measured by the right clock, the diary's.
    let fleet = Fleet::of(0).task(every_10_s).start().await;
    let mut replicas = Vec::new();
    for hours in [-2, -1, 0, 1, 2] {
        let skewed = fleet.clock.skewed_by(SignedDuration::from_hours(hours));
        let replica = fleet.replica().clock(skewed).start();
        replicas.push(replica.await.unwrap());
    }
    pass_seconds(95.0).await;
    assert_eq!(fleet.diary.seconds(), [10, 20, 30, 40, 50, 60, 70, 80, 90]);
    assert!(
        fleet
            .diary
            .entries()
            .iter()
            .all(|entry| entry.late_ms() == 0)
    );
    shut_down(replicas).await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_whose_clock_is_set_changes_nothing() {
    for by in [
        SignedDuration::from_hours(1),
        SignedDuration::from_hours(-1),
    ] {
        let ours = begin().skewed_by(SignedDuration::ZERO);
        let fleet = Fleet::of(1).task(every_10_s).clock(&ours);
        let mut fleet = fleet.start().await;
        let mut events = fleet[0].events();
        pass_seconds(15.0).await;
        ours.jump(by);
        pass_seconds(30.0).await;
        assert_eq!(fleet.diary.seconds(), [10, 20, 30, 40], "{by:#}");
        assert!(
            fleet
                .diary
                .entries()
                .iter()
                .all(|entry| entry.late_ms() == 0),
            "{by:#}"
        );
        assert!(
            !drain(&mut events)
                .iter()
                .any(|event| matches!(event, Event::Unrun { .. }))
        );
        fleet.shut_down().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_stores_clock_is_followed_when_it_is_set_and_the_difference_is_told() {
    let store_clock = begin().skewed_by(SignedDuration::ZERO);
    let fleet = Fleet::of(1).task(every_10_s).store_clock(&store_clock);
    let mut fleet = fleet.start().await;
    let mut events = fleet[0].events();
    pass_seconds(15.0).await;
    store_clock.jump(SignedDuration::from_secs(100));
    // It learns of it with its next call: the heartbeat.
    pass_seconds(6.0).await;
    pass_seconds(20.0).await;
    let seconds = fleet.diary.seconds();
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
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_stores_clock_set_back_grants_nothing_twice_and_nothing_early() {
    let store_clock = begin().skewed_by(SignedDuration::ZERO);
    let fleet = Fleet::of(1).task(every_10_s).store_clock(&store_clock);
    let mut fleet = fleet.start().await;
    let mut events = fleet[0].events();
    pass_seconds(45.0).await;
    store_clock.jump(SignedDuration::from_secs(-30));
    pass_seconds(60.0).await;
    let leaps: Vec<i64> = drain(&mut events)
        .iter()
        .filter_map(|event| match event {
            Event::ClockLeapt { by, .. } => Some(by.as_secs()),
            _ => None,
        })
        .collect();
    assert_eq!(leaps, [-30]);
    let seconds = fleet.diary.seconds();
    let mut once = seconds.clone();
    once.dedup();
    assert_eq!(seconds, once);
    assert!(seconds.starts_with(&[10, 20, 30, 40, 50]), "{seconds:?}");
    assert!(
        fleet
            .diary
            .entries()
            .iter()
            .all(|entry| entry.late_ms() >= 0),
        "{:#?}",
        fleet.diary.entries()
    );
    fleet.shut_down().await;
}
