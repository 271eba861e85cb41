//! What is triggered through a handle: tasks that there are, as they are defined, and in time.

use std::time::Duration;

use sexton::lock::{ExecutionState, HistoryQuery, LockManager, Reason};
use sexton::name::ManagerName;
use sexton::{HandleError, Task};

use crate::fleet::{Diary, begin, history, name, pass_seconds, replica, seconds, store};

fn yearly(name: &str) -> Task<sexton::schedule::Cron> {
    Task::new(name).cron("@yearly").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_task_that_nobody_has_cannot_be_triggered() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let scheduler = replica(&clock, store.clone()).start().await.unwrap();
    let (handle, main) = (scheduler.handle(), ManagerName::default());
    let error = handle.trigger(&main, &name("t")).await.unwrap_err();
    assert!(matches!(&error, HandleError::NoSuchTask { task } if task == "t"));
    assert_eq!(error.to_string(), "there is no task called \"t\"");
    handle
        .add(yearly("t").run(diary.noting(&clock)))
        .await
        .unwrap();
    pass_seconds(60.0).await;
    assert!(diary.entries().is_empty());
    let all = store.history(&HistoryQuery::default()).await.unwrap();
    assert!(all.value.is_empty());
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_triggered_task_has_as_many_executions_as_its_definition_says() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let task = yearly("t").concurrency(3).run(diary.noting(&clock));
    let worker = replica(&clock, store.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    let (main, own) = (ManagerName::default(), worker.handle());
    // Before the store has heard of the task.
    own.trigger(&main, &name("t")).await.unwrap();
    pass_seconds(1.0).await;
    assert_eq!(diary.entries().len(), 3);
    let other = replica(&clock, store.clone()).start().await.unwrap();
    let tick = other.handle().trigger(&main, &name("t")).await.unwrap();
    pass_seconds(10.0).await;
    assert_eq!(diary.by_tick("t").remove(&tick), Some(vec![1, 2, 3]));
    assert_eq!(history(&store, "t").await.len(), 6);
    worker.shutdown(Duration::ZERO).await;
    other.shutdown(Duration::ZERO).await;
}

/// A task that was defined once, and that nobody has by now.
#[tokio::test(start_paused = true)]
async fn what_is_triggered_and_not_started_within_an_hour_is_missed() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let task = || yearly("t").run(diary.noting(&clock));
    let start = || replica(&clock, store.clone()).start();
    let worker = start().await.unwrap();
    worker.handle().add(task()).await.unwrap();
    worker.shutdown(Duration::ZERO).await;
    let other = start().await.unwrap();
    let main = ManagerName::default();
    other.handle().trigger(&main, &name("t")).await.unwrap();
    pass_seconds(3_660.0).await;
    other.handle().add(task()).await.unwrap();
    pass_seconds(60.0).await;
    assert!(diary.entries().is_empty());
    let record = &history(&store, "t").await[0];
    let ended = (record.state, record.reason);
    assert_eq!(ended, (ExecutionState::Missed, Some(Reason::TooLate)));
    other.shutdown(seconds(1)).await;
}
