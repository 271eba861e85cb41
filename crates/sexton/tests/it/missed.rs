//! Ticks that nobody came to in time: the fleet was down, one instance was, the machine was suspended, the store away.

use std::time::Duration;

use jiff::SignedDuration;
use sexton::lock::{ExecutionState, Reason};
use sexton::policy::Missed;
use sexton_testkit::faulty::Fault;

use crate::fleet::{Fleet, FleetBuilder, SUCCEEDED, begin, every, pass_seconds};

const WINDOW: Duration = Duration::from_secs(35);

/// An instance with a task that is due every 10 s.
fn with_task(missed: Missed) -> FleetBuilder {
    Fleet::of(1).task(move |diary| every("t", 10).missed(missed).run(diary.noting()))
}

const MISSED: (ExecutionState, Option<Reason>) = (ExecutionState::Missed, Some(Reason::TooLate));
const SKIPPED: (ExecutionState, Option<Reason>) = (ExecutionState::Skipped, Some(Reason::CatchUp));

/// Runs ticks 10 and 20, is down from 25 to 76, and up again to 85.
async fn fleet_down(missed: Missed) -> Fleet {
    let mut fleet = with_task(missed).start().await;
    pass_seconds(25.0).await;
    fleet.shut_down().await;
    pass_seconds(51.0).await;
    fleet.join(1).await;
    pass_seconds(9.0).await;
    fleet
}

#[tokio::test(start_paused = true)]
async fn skip_after_the_fleet_was_down_records_what_was_missed() {
    let mut fleet = fleet_down(Missed::Skip).await;
    // 70 was due 6 s ago and its successor is not due yet: it is late, not missed.
    assert_eq!(fleet.diary.seconds(), [10, 20, 70, 80]);
    let lines = fleet.lines("t").await;
    let missed = |second| (second, MISSED.0, MISSED.1);
    let ran = |second| (second, SUCCEEDED, None);
    assert_eq!(
        lines,
        [
            ran(10),
            ran(20),
            missed(30),
            missed(40),
            missed(50),
            missed(60),
            ran(70),
            ran(80)
        ]
    );
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn the_latest_after_the_fleet_was_down_runs_once() {
    let mut fleet = fleet_down(Missed::Latest { window: WINDOW }).await;
    assert_eq!(fleet.diary.seconds(), [10, 20, 70, 80]);
    let lines = fleet.lines("t").await;
    let skipped = |second| (second, SKIPPED.0, SKIPPED.1);
    let ran = |second| (second, SUCCEEDED, None);
    assert_eq!(
        lines,
        [
            ran(10),
            ran(20),
            skipped(30),
            skipped(40),
            skipped(50),
            skipped(60),
            ran(70),
            ran(80)
        ]
    );
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn all_within_the_window_after_the_fleet_was_down_run_in_order() {
    let mut fleet = fleet_down(Missed::All { window: WINDOW }).await;
    // At 76: 50, 60 and 70 lie within 35 s.
    assert_eq!(fleet.diary.seconds(), [10, 20, 50, 60, 70, 80]);
    let lines = fleet.lines("t").await;
    let skipped = |second| (second, SKIPPED.0, SKIPPED.1);
    let ran = |second| (second, SUCCEEDED, None);
    assert_eq!(
        lines,
        [
            ran(10),
            ran(20),
            skipped(30),
            skipped(40),
            ran(50),
            ran(60),
            ran(70),
            ran(80)
        ]
    );
    fleet.shut_down().await;
}

/// The first tick would be 10; whoever knows the task is gone by then, and nobody comes before 76.
#[tokio::test(start_paused = true)]
async fn ticks_since_the_task_is_known_are_missed_though_none_was_ever_claimed() {
    let mut fleet = with_task(Missed::All { window: WINDOW }).start().await;
    pass_seconds(5.0).await;
    fleet.shut_down().await;
    assert_eq!(fleet.lines("t").await, []);
    pass_seconds(71.0).await;
    fleet.join(1).await;
    pass_seconds(9.0).await;
    assert_eq!(fleet.diary.seconds(), [50, 60, 70, 80]);
    let skipped = [10, 20, 30, 40].map(|second| (second, SKIPPED.0, SKIPPED.1));
    assert_eq!(fleet.lines("t").await[..4], skipped);
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn while_one_instance_is_down_the_others_miss_nothing() {
    for missed in [
        Missed::Skip,
        Missed::Latest { window: WINDOW },
        Missed::All { window: WINDOW },
    ] {
        let mut fleet = with_task(missed).start().await;
        fleet.join(1).await;
        pass_seconds(25.0).await;
        fleet.crash(1);
        pass_seconds(51.0).await;
        fleet.join(1).await;
        pass_seconds(9.0).await;
        assert_eq!(
            fleet.diary.seconds(),
            [10, 20, 30, 40, 50, 60, 70, 80],
            "{missed:?}"
        );
        assert!(
            fleet
                .lines("t")
                .await
                .iter()
                .all(|line| line.1 == SUCCEEDED)
        );
        fleet.shut_down().await;
    }
}

/// Runs ticks 10 and 20; at 25 the machine is suspended for 51 s, in which our monotonic time stands still.
async fn machine_suspended(missed: Missed) -> Fleet {
    let clock = begin();
    let store_clock = clock.skewed_by(SignedDuration::ZERO);
    let fleet = with_task(missed).clock(&clock).store_clock(&store_clock);
    let fleet = fleet.start().await;
    pass_seconds(25.0).await;
    clock.jump(SignedDuration::from_secs(51));
    store_clock.jump(SignedDuration::from_secs(51));
    pass_seconds(9.0).await;
    fleet
}

#[tokio::test(start_paused = true)]
async fn skip_after_the_machine_was_suspended() {
    let mut fleet = machine_suspended(Missed::Skip).await;
    assert_eq!(fleet.diary.seconds(), [10, 20, 70, 80]);
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn the_latest_after_the_machine_was_suspended() {
    let mut fleet = machine_suspended(Missed::Latest { window: WINDOW }).await;
    assert_eq!(fleet.diary.seconds(), [10, 20, 70, 80]);
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn all_after_the_machine_was_suspended() {
    let mut fleet = machine_suspended(Missed::All { window: WINDOW }).await;
    assert_eq!(fleet.diary.seconds(), [10, 20, 50, 60, 70, 80]);
    fleet.shut_down().await;
}

/// Runs ticks 10 and 20; from 25 to 76 the store is away.
async fn store_away(missed: Missed) -> Fleet {
    let fleet = with_task(missed).with_faults().start().await;
    pass_seconds(25.0).await;
    fleet.faults().all(Fault::Unreachable);
    pass_seconds(51.0).await;
    fleet.faults().all(Fault::None);
    pass_seconds(9.0).await;
    fleet
}

#[tokio::test(start_paused = true)]
async fn skip_after_the_store_was_away_gives_the_reason() {
    let mut fleet = store_away(Missed::Skip).await;
    assert_eq!(fleet.diary.seconds(), [10, 20, 70, 80]);
    let lines = fleet.lines("t").await;
    assert_eq!(lines.len(), 8);
    for line in &lines[2..6] {
        assert_eq!(
            (line.1, line.2),
            (ExecutionState::Missed, Some(Reason::StoreUnreachable))
        );
    }
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn the_latest_after_the_store_was_away() {
    let mut fleet = store_away(Missed::Latest { window: WINDOW }).await;
    assert_eq!(fleet.diary.seconds(), [10, 20, 70, 80]);
    let lines = fleet.lines("t").await;
    for line in &lines[2..6] {
        assert_eq!((line.1, line.2), SKIPPED);
    }
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn all_after_the_store_was_away() {
    let mut fleet = store_away(Missed::All { window: WINDOW }).await;
    assert_eq!(fleet.diary.seconds(), [10, 20, 50, 60, 70, 80]);
    fleet.shut_down().await;
}
