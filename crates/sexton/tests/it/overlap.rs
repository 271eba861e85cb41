//! A tick that comes due while an earlier execution of the same (task, index) runs, here or
//! elsewhere.

use sexton::lock::{ExecutionState, Outcome, Reason};
use sexton::policy::Overlap;

use crate::fleet::{Diary, End, Fleet, SUCCEEDED, every, pass_seconds, seconds};

/// Due every 10 s, from second 10 on; each run takes 25 s.
async fn fleet(replicas: usize, overlap: Overlap) -> Fleet {
    let task = move |diary: &Diary| {
        let task = every("t", 10).overlap(overlap).lease(seconds(40));
        task.run(diary.working(seconds(25)))
    };
    let fleet = Fleet::of(replicas).task(task);
    // Heartbeats and renewals are out of step with the ticks, so that nothing goes well by chance.
    let fleet = fleet.with(|builder| builder.heartbeat(seconds(7)));
    fleet.start().await
}

#[tokio::test(start_paused = true)]
async fn allow_runs_both() {
    for replicas in [1, 3] {
        let mut fleet = fleet(replicas, Overlap::Allow).await;
        pass_seconds(31.0).await;
        assert_eq!(fleet.diary.seconds(), [10, 20, 30]);
        fleet.shut_down().await;
    }
}

#[tokio::test(start_paused = true)]
async fn skip_leaves_the_new_tick_out_and_says_so() {
    for replicas in [1, 3] {
        let mut fleet = fleet(replicas, Overlap::Skip).await;
        pass_seconds(66.0).await;
        assert_eq!(fleet.diary.seconds(), [10, 40], "{replicas} replicas");
        let skipped = (ExecutionState::Skipped, Some(Reason::Overlap));
        let lines = fleet.lines("t").await;
        let expected = [
            (10, SUCCEEDED, None),
            (20, skipped.0, skipped.1),
            (30, skipped.0, skipped.1),
            (40, SUCCEEDED, None),
            (50, skipped.0, skipped.1),
            (60, skipped.0, skipped.1),
        ];
        assert_eq!(lines, expected, "{replicas} replicas");
        fleet.shut_down().await;
    }
}

#[tokio::test(start_paused = true)]
async fn queue_one_runs_the_newest_of_those_that_wait_when_the_earlier_ends() {
    for replicas in [1, 3] {
        let mut fleet = fleet(replicas, Overlap::QueueOne).await;
        pass_seconds(61.5).await;
        // 10 runs to 35; 30, which took 20's place, to 60; then 50 or, if that came first, 60.
        let seconds = fleet.diary.seconds();
        assert_eq!(seconds[..2], [10, 30], "{replicas} replicas: {seconds:?}");
        assert!(
            [50, 60].contains(&seconds[2]),
            "{replicas} replicas: {seconds:?}"
        );
        let entries = fleet.diary.entries();
        assert!((35_000..36_000).contains(&(entries[1].at_ms - entries[0].at_ms + 10_000)));
        let lines = fleet.lines("t").await;
        assert_eq!(
            lines[1],
            (20, ExecutionState::Skipped, Some(Reason::Superseded))
        );
        fleet.shut_down().await;
    }
}

#[tokio::test(start_paused = true)]
async fn cancel_the_earlier_runs_the_new_tick_once_the_earlier_has_stopped() {
    for replicas in [1, 3] {
        let mut fleet = fleet(replicas, Overlap::CancelEarlier).await;
        pass_seconds(36.0).await;
        let entries = fleet.diary.entries();
        assert_eq!(fleet.diary.seconds(), [10, 20, 30], "{replicas} replicas");
        assert_eq!(entries[0].end, End::Cancelled);
        assert_eq!(entries[1].end, End::Cancelled);
        // Whoever runs the earlier one learns of the new tick when it claims that itself.
        assert!(
            entries[1].late_ms() < 100,
            "{replicas} replicas: {entries:?}"
        );
        let states: Vec<_> = fleet.lines("t").await.iter().map(|line| line.1).collect();
        assert_eq!(states[0], ExecutionState::Ended(Outcome::Cancelled));
        assert_eq!(states[1], ExecutionState::Ended(Outcome::Cancelled));
        fleet.shut_down().await;
    }
}

#[tokio::test(start_paused = true)]
async fn indices_of_one_tick_do_not_overlap_each_other() {
    let task = |diary: &Diary| {
        let task = every("t", 10).concurrency(3).overlap(Overlap::Skip);
        task.run(diary.working(seconds(5)))
    };
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(21.0).await;
    assert!(
        fleet
            .diary
            .by_tick("t")
            .values()
            .all(|indices| indices == &[1, 2, 3])
    );
    assert_eq!(fleet.diary.entries().len(), 6);
    fleet.leave(0, seconds(10)).await;
}
