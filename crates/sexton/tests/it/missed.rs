//! Ticks that nobody came to in time: the fleet was down, one instance was, the machine was suspended, the store away.

use std::time::Duration;

use jiff::SignedDuration;
use sexton::clock::TokioClock;
use sexton::lock::{ExecutionState, Reason};
use sexton::policy::Missed;
use sexton::{MemoryLockManager, Scheduler, Task};
use sexton_testkit::faulty::{Fault, FaultyManager};

use crate::fleet::{Diary, SUCCEEDED, begin, lines, pass_seconds, replica, seconds, store};

const WINDOW: Duration = Duration::from_secs(35);

fn task(missed: Missed, diary: &Diary, clock: &TokioClock) -> sexton::ReadyTask {
    let task = Task::new("t").every(seconds(10)).unwrap().missed(missed);
    task.run(diary.noting(clock))
}

const MISSED: (ExecutionState, Option<Reason>) = (ExecutionState::Missed, Some(Reason::TooLate));
const SKIPPED: (ExecutionState, Option<Reason>) = (ExecutionState::Skipped, Some(Reason::CatchUp));

/// Runs ticks 10 and 20, is down from 25 to 76, and up again to 85.
async fn fleet_down(missed: Missed) -> (Diary, MemoryLockManager, Scheduler) {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let start = || {
        replica(&clock, store.clone())
            .task(task(missed, &diary, &clock))
            .start()
    };
    let scheduler = start().await.unwrap();
    pass_seconds(25.0).await;
    scheduler.shutdown(Duration::ZERO).await;
    pass_seconds(51.0).await;
    let scheduler = start().await.unwrap();
    pass_seconds(9.0).await;
    (diary, store, scheduler)
}

#[tokio::test(start_paused = true)]
async fn skip_after_the_fleet_was_down_records_what_was_missed() {
    let (diary, store, scheduler) = fleet_down(Missed::Skip).await;
    // 70 was due 6 s ago and its successor is not due yet: it is late, not missed.
    assert_eq!(diary.seconds(), [10, 20, 70, 80]);
    let lines = lines(&store, "t").await;
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
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn the_latest_after_the_fleet_was_down_runs_once() {
    let (diary, store, scheduler) = fleet_down(Missed::Latest { window: WINDOW }).await;
    assert_eq!(diary.seconds(), [10, 20, 70, 80]);
    let lines = lines(&store, "t").await;
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
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn all_within_the_window_after_the_fleet_was_down_run_in_order() {
    let (diary, store, scheduler) = fleet_down(Missed::All { window: WINDOW }).await;
    // At 76: 50, 60 and 70 lie within 35 s.
    assert_eq!(diary.seconds(), [10, 20, 50, 60, 70, 80]);
    let lines = lines(&store, "t").await;
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
    scheduler.shutdown(Duration::ZERO).await;
}

/// The first tick would be 10; whoever knows the task is gone by then, and nobody comes before 76.
#[tokio::test(start_paused = true)]
async fn ticks_since_the_task_is_known_are_missed_though_none_was_ever_claimed() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let start = || {
        let missed = Missed::All { window: WINDOW };
        replica(&clock, store.clone())
            .task(task(missed, &diary, &clock))
            .start()
    };
    let scheduler = start().await.unwrap();
    pass_seconds(5.0).await;
    scheduler.shutdown(Duration::ZERO).await;
    assert_eq!(lines(&store, "t").await, []);
    pass_seconds(71.0).await;
    let scheduler = start().await.unwrap();
    pass_seconds(9.0).await;
    assert_eq!(diary.seconds(), [50, 60, 70, 80]);
    let skipped = [10, 20, 30, 40].map(|second| (second, SKIPPED.0, SKIPPED.1));
    assert_eq!(lines(&store, "t").await[..4], skipped);
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn while_one_instance_is_down_the_others_miss_nothing() {
    for missed in [
        Missed::Skip,
        Missed::Latest { window: WINDOW },
        Missed::All { window: WINDOW },
    ] {
        let (clock, diary) = (begin(), Diary::default());
        let store = store(&clock);
        let start = || {
            replica(&clock, store.clone())
                .task(task(missed, &diary, &clock))
                .start()
        };
        let staying = start().await.unwrap();
        let leaving = start().await.unwrap();
        pass_seconds(25.0).await;
        drop(leaving);
        pass_seconds(51.0).await;
        let back = start().await.unwrap();
        pass_seconds(9.0).await;
        assert_eq!(
            diary.seconds(),
            [10, 20, 30, 40, 50, 60, 70, 80],
            "{missed:?}"
        );
        assert!(
            lines(&store, "t")
                .await
                .iter()
                .all(|line| line.1 == SUCCEEDED)
        );
        staying.shutdown(Duration::ZERO).await;
        back.shutdown(Duration::ZERO).await;
    }
}

/// Runs ticks 10 and 20; at 25 the machine is suspended for 51 s, in which our monotonic time stands still.
async fn machine_suspended(missed: Missed) -> (Vec<i64>, Scheduler) {
    let (clock, diary) = (begin(), Diary::default());
    let stores_clock = clock.skewed_by(SignedDuration::ZERO);
    let store = store(&stores_clock);
    let task = task(missed, &diary, &clock);
    let scheduler = replica(&clock, store).task(task).start().await.unwrap();
    pass_seconds(25.0).await;
    clock.jump(SignedDuration::from_secs(51));
    stores_clock.jump(SignedDuration::from_secs(51));
    pass_seconds(9.0).await;
    (diary.seconds(), scheduler)
}

#[tokio::test(start_paused = true)]
async fn skip_after_the_machine_was_suspended() {
    let (seconds, scheduler) = machine_suspended(Missed::Skip).await;
    assert_eq!(seconds, [10, 20, 70, 80]);
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn the_latest_after_the_machine_was_suspended() {
    let (seconds, scheduler) = machine_suspended(Missed::Latest { window: WINDOW }).await;
    assert_eq!(seconds, [10, 20, 70, 80]);
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn all_after_the_machine_was_suspended() {
    let (seconds, scheduler) = machine_suspended(Missed::All { window: WINDOW }).await;
    assert_eq!(seconds, [10, 20, 50, 60, 70, 80]);
    scheduler.shutdown(Duration::ZERO).await;
}

/// Runs ticks 10 and 20; from 25 to 76 the store is away.
async fn store_away(missed: Missed) -> (Diary, MemoryLockManager, Scheduler) {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let faulty = FaultyManager::new(store.clone());
    let task = task(missed, &diary, &clock);
    let scheduler = replica(&clock, faulty.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    pass_seconds(25.0).await;
    faulty.all(Fault::Unreachable);
    pass_seconds(51.0).await;
    faulty.all(Fault::None);
    pass_seconds(9.0).await;
    (diary, store, scheduler)
}

#[tokio::test(start_paused = true)]
async fn skip_after_the_store_was_away_gives_the_reason() {
    let (diary, store, scheduler) = store_away(Missed::Skip).await;
    assert_eq!(diary.seconds(), [10, 20, 70, 80]);
    let lines = lines(&store, "t").await;
    assert_eq!(lines.len(), 8);
    for line in &lines[2..6] {
        assert_eq!(
            (line.1, line.2),
            (ExecutionState::Missed, Some(Reason::StoreUnreachable))
        );
    }
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn the_latest_after_the_store_was_away() {
    let (diary, store, scheduler) = store_away(Missed::Latest { window: WINDOW }).await;
    assert_eq!(diary.seconds(), [10, 20, 70, 80]);
    let lines = lines(&store, "t").await;
    for line in &lines[2..6] {
        assert_eq!((line.1, line.2), SKIPPED);
    }
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn all_after_the_store_was_away() {
    let (diary, _, scheduler) = store_away(Missed::All { window: WINDOW }).await;
    assert_eq!(diary.seconds(), [10, 20, 50, 60, 70, 80]);
    scheduler.shutdown(Duration::ZERO).await;
}
