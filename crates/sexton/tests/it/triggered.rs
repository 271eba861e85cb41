//! What is triggered through a handle: tasks that there are, as they are defined, and in time.

use std::time::Duration;

use sexton::lock::{ExecutionState, HistoryQuery, LockManager, Reason};
use sexton::name::ManagerName;
use sexton::{HandleError, Task};

use crate::fleet::{Diary, Fleet, name, pass_seconds, replica, seconds};

fn yearly(name: &str) -> Task<sexton::schedule::Cron> {
    Task::new(name).cron("@yearly").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_task_that_nobody_has_cannot_be_triggered() {
    let mut fleet = Fleet::of(1).start().await;
    let (handle, main) = (fleet.handle(), ManagerName::default());
    let error = handle.trigger(&main, &name("t")).await.unwrap_err();
    assert!(matches!(&error, HandleError::NoSuchTask { task } if task == "t"));
    assert_eq!(error.to_string(), "there is no task called \"t\"");
    handle
        .add(yearly("t").run(fleet.diary.noting()))
        .await
        .unwrap();
    pass_seconds(60.0).await;
    assert!(fleet.diary.entries().is_empty());
    let all = fleet.store.history(&HistoryQuery::default()).await.unwrap();
    assert!(all.value.is_empty());
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_triggered_task_has_as_many_executions_as_its_definition_says() {
    let task = |diary: &Diary| yearly("t").concurrency(3).run(diary.noting());
    let mut fleet = Fleet::of(1).task(task).start().await;
    // Before the store has heard of the task.
    fleet.trigger("t").await;
    pass_seconds(1.0).await;
    assert_eq!(fleet.diary.entries().len(), 3);
    let other = replica(&fleet.clock, fleet.store.clone())
        .start()
        .await
        .unwrap();
    let main = ManagerName::default();
    let tick = other.handle().trigger(&main, &name("t")).await.unwrap();
    pass_seconds(10.0).await;
    assert_eq!(fleet.diary.by_tick("t").remove(&tick), Some(vec![1, 2, 3]));
    assert_eq!(fleet.history("t").await.len(), 6);
    fleet.shut_down().await;
    other.shutdown(Duration::ZERO).await;
}

/// A task that was defined once, and that nobody has by now.
#[tokio::test(start_paused = true)]
async fn what_is_triggered_and_not_started_within_an_hour_is_missed() {
    let mut fleet = Fleet::of(1).start().await;
    let diary = fleet.diary.clone();
    let task = || yearly("t").run(diary.noting());
    fleet.handle().add(task()).await.unwrap();
    fleet.shut_down().await;
    fleet.join(1).await;
    fleet.trigger("t").await;
    pass_seconds(3_660.0).await;
    fleet.handle().add(task()).await.unwrap();
    pass_seconds(60.0).await;
    assert!(fleet.diary.entries().is_empty());
    let record = &fleet.history("t").await[0];
    let ended = (record.state, record.reason);
    assert_eq!(ended, (ExecutionState::Missed, Some(Reason::TooLate)));
    fleet.leave(0, seconds(1)).await;
}
