//! A schedule that has no tick left is told, and one that had one is dealt with by its policy.

use sexton::lock::{ExecutionState, Reason};
use sexton::policy::Missed;
use sexton::{Event, ReadyTask, Scheduler, Task};

use crate::fleet::{Diary, Fleet, SUCCEEDED, drain, every, pass_seconds, seconds};

const AT: &str = "2024-01-30T10:21:00Z";

fn once(missed: Missed, diary: &Diary) -> ReadyTask {
    let task = Task::new("t").once(AT.parse().unwrap()).missed(missed);
    task.run(diary.noting())
}

/// The schedules that a starting scheduler says are never due.
async fn told(scheduler: &Scheduler) -> Vec<String> {
    let mut events = scheduler.events();
    pass_seconds(1.0).await;
    let told = drain(&mut events)
        .into_iter()
        .filter_map(|event| match event {
            Event::NeverDue {
                task,
                schedule,
                advice,
                ..
            } => Some(format!(
                "{task}: {schedule}: {}",
                advice.unwrap_or_default()
            )),
            _ => None,
        });
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_has_ended_is_told_at_the_start_and_when_it_is_added() {
    let mut fleet = Fleet::of(0)
        .task(|diary| {
            let window = seconds(3_600);
            once(Missed::All { window }, diary)
        })
        .task(|_| {
            let ended = every("ended", 1).ending(AT.parse().unwrap());
            ended.concurrency(3).run(async || {})
        })
        .task(|_| {
            Task::new("monday")
                .kron("0 0 9 * * 1")
                .unwrap()
                .run(async || {})
        })
        .task(|_| every("alive", 1).run(async || {}))
        .start()
        .await;
    pass_seconds(61.0).await;
    fleet.join(1).await;
    let never = [
        "t: once at 2024-01-30T10:21:00.000Z: its time has passed",
        "ended: every second, before 2024-01-30T10:21:00.000Z: its end, 2024-01-30T10:21:00.000Z, has passed",
        "monday: at 09:00 every day, in 1, UTC: its last year is the year 1: a part without a letter is a year; \
         Monday is written 1w",
    ];
    assert_eq!(told(&fleet[0]).await, never);
    let mut events = fleet[0].events();
    let late = Task::new("late").once(AT.parse().unwrap());
    fleet.handle().add(late.run(async || {})).await.unwrap();
    pass_seconds(1.0).await;
    let events = drain(&mut events);
    let is_told =
        |event: &Event| matches!(event, Event::NeverDue { task, .. } if task.as_str() == "late");
    assert!(events.iter().any(is_told), "{events:?}");
    pass_seconds(120.0).await;
    // It counts from when it was first defined, which was after its time.
    assert!(fleet.diary.entries().is_empty());
    assert_eq!(fleet.lines("t").await, []);
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_once_counts_from_when_it_was_first_defined() {
    let window = seconds(3_600);
    let missed = (60, ExecutionState::Missed, Some(Reason::TooLate));
    for (policy, line) in [
        (Missed::Skip, missed),
        (Missed::Latest { window }, (60, SUCCEEDED, None)),
        (Missed::All { window }, (60, SUCCEEDED, None)),
    ] {
        let fleet = Fleet::of(1).task(move |diary| once(policy, diary));
        let mut fleet = fleet.start().await;
        assert_eq!(told(&fleet[0]).await, [""; 0], "{policy:?}");
        fleet.shut_down().await;
        pass_seconds(300.0).await;
        fleet.join(1).await;
        assert_eq!(told(&fleet[0]).await, [""; 0], "{policy:?}");
        fleet.leave(0, seconds(1)).await;
        assert_eq!(fleet.lines("t").await, [line], "{policy:?}");
        // From here on it has nothing to do, and says so.
        fleet.join(1).await;
        assert_eq!(told(&fleet[0]).await.len(), 1, "{policy:?}");
        fleet.shut_down().await;
        assert_eq!(fleet.lines("t").await, [line], "{policy:?}");
    }
}
