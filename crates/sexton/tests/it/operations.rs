//! What can be done while the scheduler runs: to its own tasks, and to those of the fleet.

use std::time::Duration;

use sexton::lock::{
    CancelRequested, ExecutionState, HistoryQuery, LockError, Outcome, Reason, TaskQuery,
};
use sexton::name::{ManagerName, TaskName};
use sexton::schedule::Every;
use sexton::{Event, HandleError, Task};

use crate::fleet::{
    Diary, End, SUCCEEDED, begin, drain, history, lines, name, pass_seconds, replica, seconds,
    store,
};

fn every_10_s(name: &str) -> Task<Every> {
    Task::new(name).every(seconds(10)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_task_added_while_it_runs_is_due_from_now_on() {
    let (clock, diary) = (begin(), Diary::default());
    let scheduler = replica(&clock, store(&clock)).start().await.unwrap();
    pass_seconds(25.0).await;
    scheduler
        .handle()
        .add(every_10_s("t").run(diary.noting(&clock)))
        .await
        .unwrap();
    pass_seconds(20.0).await;
    assert_eq!(diary.seconds(), [30, 40]);
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_name_in_use_is_refused_by_add_and_taken_over_by_replace() {
    let (clock, old, new) = (begin(), Diary::default(), Diary::default());
    let task = every_10_s("t").run(old.noting(&clock));
    let scheduler = replica(&clock, store(&clock))
        .task(task)
        .start()
        .await
        .unwrap();
    let handle = scheduler.handle();
    pass_seconds(15.0).await;
    let error = handle
        .add(every_10_s("t").run(new.noting(&clock)))
        .await
        .unwrap_err();
    assert!(matches!(&error, HandleError::NameUsedTwice { task } if task.as_str() == "t"));
    let other = Task::new("t")
        .every(seconds(5))
        .unwrap()
        .run(new.noting(&clock));
    handle.replace(other).await.unwrap();
    pass_seconds(11.0).await;
    assert_eq!(old.seconds(), [10]);
    assert_eq!(new.seconds(), [20, 25]);
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_removed_is_not_due_any_more() {
    let (clock, diary) = (begin(), Diary::default());
    let task = every_10_s("t").run(diary.noting(&clock));
    let scheduler = replica(&clock, store(&clock))
        .task(task)
        .start()
        .await
        .unwrap();
    let handle = scheduler.handle();
    pass_seconds(15.0).await;
    handle.remove("t").await.unwrap();
    assert!(matches!(
        handle.remove("t").await,
        Err(HandleError::NoSuchTask { .. })
    ));
    pass_seconds(30.0).await;
    assert_eq!(diary.seconds(), [10]);
    scheduler.shutdown(Duration::ZERO).await;
    let late = handle.add(every_10_s("u").run(diary.noting(&clock))).await;
    assert!(matches!(late, Err(HandleError::ShuttingDown)));
}

#[tokio::test(start_paused = true)]
async fn a_task_paused_by_one_instance_is_skipped_by_all_until_it_is_resumed() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let start = || replica(&clock, store.clone()).task(every_10_s("t").run(diary.noting(&clock)));
    let first = start().start().await.unwrap();
    let second = start().start().await.unwrap();
    pass_seconds(15.0).await;
    first
        .handle()
        .pause(&name("t"), "while the bell is mended")
        .await
        .unwrap();
    pass_seconds(20.0).await;
    let query = TaskQuery::Named(vec![name("t")]);
    let states = second
        .handle()
        .tasks(&ManagerName::default(), &query)
        .await
        .unwrap();
    let pause = states[0].pause.as_ref().unwrap();
    assert_eq!(pause.note, "while the bell is mended");
    assert_eq!(pause.by, first.instance().to_string());
    second.handle().resume(&name("t")).await.unwrap();
    pass_seconds(10.0).await;
    assert_eq!(diary.seconds(), [10, 40]);
    let skipped = (ExecutionState::Skipped, Some(Reason::Paused));
    let lines = lines(&store, "t").await;
    assert_eq!(
        lines[1..3],
        [(20, skipped.0, skipped.1), (30, skipped.0, skipped.1)]
    );
    first.shutdown(Duration::ZERO).await;
    second.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_triggered_task_runs_once_over_the_fleet_besides_its_schedule() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let start = || replica(&clock, store.clone()).task(every_10_s("t").run(diary.noting(&clock)));
    let first = start().start().await.unwrap();
    let second = start().start().await.unwrap();
    pass_seconds(13.0).await;
    let main = ManagerName::default();
    let tick = first.handle().trigger(&main, &name("t")).await.unwrap();
    pass_seconds(9.0).await;
    assert_eq!(diary.seconds(), [10, 13, 20]);
    let entries = diary.entries();
    assert_eq!(entries[1].tick, tick);
    // Here, where it was asked for, it starts at once.
    assert!(
        entries[1].late_ms() < 100,
        "late by {} ms",
        entries[1].late_ms()
    );
    assert!(
        history(&store, "t")
            .await
            .iter()
            .all(|record| record.state == SUCCEEDED)
    );
    first.shutdown(Duration::ZERO).await;
    second.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_only_others_have_is_triggered_there() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let operator = replica(&clock, store.clone()).start().await.unwrap();
    let task = every_10_s("t").run(diary.noting(&clock));
    let worker = replica(&clock, store.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    pass_seconds(13.0).await;
    let main = ManagerName::default();
    operator.handle().trigger(&main, &name("t")).await.unwrap();
    // Until the next heartbeat.
    pass_seconds(5.5).await;
    assert_eq!(diary.seconds(), [10, 13]);
    let elsewhere = ManagerName::new("elsewhere").unwrap();
    let error = operator.handle().trigger(&elsewhere, &name("t")).await;
    let refused = matches!(error, Err(HandleError::Store(LockError::Refused { .. })));
    assert!(refused);
    operator.shutdown(Duration::ZERO).await;
    worker.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_is_cancelled_on_whichever_instance_it_is() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let operator = replica(&clock, store.clone()).start().await.unwrap();
    let task = Task::new("t")
        .every(seconds(60))
        .unwrap()
        .run(diary.working(&clock, seconds(50)));
    let worker = replica(&clock, store.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    pass_seconds(61.0).await;
    let running = history(&store, "t").await[0].execution.clone();
    let answer = operator.handle().cancel(&running).await.unwrap();
    assert_eq!(answer, CancelRequested::Told);
    // Until the next heartbeat.
    pass_seconds(5.5).await;
    assert_eq!(diary.entries()[0].end, End::Cancelled);
    let records = history(&store, "t").await;
    assert_eq!(records[0].state, ExecutionState::Ended(Outcome::Cancelled));
    assert_eq!(
        operator.handle().cancel(&running).await.unwrap(),
        CancelRequested::NotRunning
    );
    operator.shutdown(Duration::ZERO).await;
    worker.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn replicas_that_define_a_task_differently_are_noticed_and_told() {
    type Change = fn(Task<Every>) -> Task<Every>;
    let changes: [(Change, &str); 2] = [
        (|task| task.concurrency(2), "concurrency 2"),
        (|task| task.work("another"), "; work another"),
    ];
    for (change, expected) in changes {
        let (clock, diary) = (begin(), Diary::default());
        let store = store(&clock);
        let task = every_10_s("t").work("one").run(diary.noting(&clock));
        let old = replica(&clock, store.clone())
            .task(task)
            .start()
            .await
            .unwrap();
        pass_seconds(1.0).await;
        let task = change(every_10_s("t").work("one")).run(diary.noting(&clock));
        let new = replica(&clock, store.clone())
            .task(task)
            .start()
            .await
            .unwrap();
        let mut events = new.events();
        pass_seconds(1.0).await;
        let differs = drain(&mut events)
            .into_iter()
            .find_map(|event| match event {
                Event::DefinitionDiffers { task, by, ours, .. } => Some((task, by, ours)),
                _ => None,
            });
        let (task, by, ours) = differs.unwrap();
        assert_eq!((task, by), (name("t"), old.instance().clone()));
        assert!(ours.contains(expected), "{ours}");
        old.shutdown(Duration::ZERO).await;
        new.shutdown(Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_history_is_pruned_by_a_task_of_sextons_own() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let retention = sexton::lock::Retention {
        age_max: Some(seconds(60)),
        per_task_max: None,
    };
    let task = every_10_s("t").run(diary.noting(&clock));
    let builder = replica(&clock, store.clone()).retention(Some(retention));
    let scheduler = builder.task(task).start().await.unwrap();
    pass_seconds(601.0).await;
    let records = history(&store, "t").await;
    assert!((6..=8).contains(&records.len()), "{}", records.len());
    let own = history(&store, "sexton:prune").await;
    assert_eq!(own.last().unwrap().state, SUCCEEDED);
    assert!(
        own.last()
            .unwrap()
            .output
            .as_deref()
            .unwrap()
            .ends_with("records pruned")
    );
    scheduler.shutdown(Duration::ZERO).await;
}

#[test]
fn what_a_handle_does_can_be_spawned() {
    fn can_be_spawned<T: Send>(_: impl FnOnce(&'static sexton::SchedulerHandle) -> T) {}
    can_be_spawned(|handle| async {
        let (manager, name) = (ManagerName::default(), TaskName::new("t")?);
        handle.trigger(&manager, &name).await?;
        handle.pause(&name, "").await?;
        handle.resume(&name).await?;
        handle.history(&manager, &HistoryQuery::default()).await?;
        Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    });
}
