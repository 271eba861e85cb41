//! What can be done while the scheduler runs: to its own tasks, and to those of the fleet.

use std::time::Duration;

use sexton::lock::{
    CancelRequested, ExecutionState, HistoryQuery, LockError, Outcome, Reason, TaskQuery,
};
use sexton::name::{ManagerName, TaskName};
use sexton::schedule::Every;
use sexton::{Event, HandleError, Task};

use crate::fleet::{
    Diary, End, Fleet, FleetBuilder, SUCCEEDED, drain, every, name, pass_seconds, replica, seconds,
};

/// A fleet with a task that is due every 10 s.
fn with_task(replicas: usize) -> FleetBuilder {
    Fleet::of(replicas).task(|diary| every("t", 10).run(diary.noting()))
}

#[tokio::test(start_paused = true)]
async fn a_task_added_while_it_runs_is_due_from_now_on() {
    let mut fleet = Fleet::of(1).start().await;
    pass_seconds(25.0).await;
    let task = every("t", 10).run(fleet.diary.noting());
    fleet.handle().add(task).await.unwrap();
    pass_seconds(20.0).await;
    assert_eq!(fleet.diary.seconds(), [30, 40]);
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_in_use_is_refused_by_add_and_taken_over_by_replace() {
    let mut fleet = with_task(1).start().await;
    let new = Diary::by(&fleet.clock);
    let handle = fleet.handle();
    pass_seconds(15.0).await;
    let error = handle
        .add(every("t", 10).run(new.noting()))
        .await
        .unwrap_err();
    assert!(matches!(&error, HandleError::NameUsedTwice { task } if task.as_str() == "t"));
    let other = every("t", 5).run(new.noting());
    handle.replace(other).await.unwrap();
    pass_seconds(11.0).await;
    assert_eq!(fleet.diary.seconds(), [10]);
    assert_eq!(new.seconds(), [20, 25]);
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_removed_is_not_due_any_more() {
    let mut fleet = with_task(1).start().await;
    let handle = fleet.handle();
    pass_seconds(15.0).await;
    handle.remove("t").await.unwrap();
    assert!(matches!(
        handle.remove("t").await,
        Err(HandleError::NoSuchTask { .. })
    ));
    pass_seconds(30.0).await;
    assert_eq!(fleet.diary.seconds(), [10]);
    fleet.shut_down().await;
    let late = handle.add(every("u", 10).run(fleet.diary.noting())).await;
    assert!(matches!(late, Err(HandleError::ShuttingDown)));
}

#[tokio::test(start_paused = true)]
async fn a_task_paused_by_one_instance_is_skipped_by_all_until_it_is_resumed() {
    let mut fleet = with_task(2).start().await;
    pass_seconds(15.0).await;
    fleet
        .handle()
        .pause(&name("t"), "while the bell is mended")
        .await
        .unwrap();
    pass_seconds(20.0).await;
    let query = TaskQuery::Named(vec![name("t")]);
    let states = fleet[1]
        .handle()
        .tasks(&ManagerName::default(), &query)
        .await
        .unwrap();
    let pause = states[0].pause.as_ref().unwrap();
    assert_eq!(pause.note, "while the bell is mended");
    assert_eq!(pause.by, fleet[0].instance().to_string());
    fleet[1].handle().resume(&name("t")).await.unwrap();
    pass_seconds(10.0).await;
    assert_eq!(fleet.diary.seconds(), [10, 40]);
    let skipped = (ExecutionState::Skipped, Some(Reason::Paused));
    let lines = fleet.lines("t").await;
    assert_eq!(
        lines[1..3],
        [(20, skipped.0, skipped.1), (30, skipped.0, skipped.1)]
    );
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_triggered_task_runs_once_over_the_fleet_besides_its_schedule() {
    let mut fleet = with_task(2).start().await;
    pass_seconds(13.0).await;
    let tick = fleet.trigger("t").await;
    pass_seconds(9.0).await;
    assert_eq!(fleet.diary.seconds(), [10, 13, 20]);
    let entries = fleet.diary.entries();
    assert_eq!(entries[1].tick, tick);
    // Here, where it was asked for, it starts at once.
    assert!(
        entries[1].late_ms() < 100,
        "late by {} ms",
        entries[1].late_ms()
    );
    assert!(
        fleet
            .history("t")
            .await
            .iter()
            .all(|record| record.state == SUCCEEDED)
    );
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_only_others_have_is_triggered_there() {
    let mut fleet = with_task(1).start().await;
    let operator = replica(&fleet.clock, fleet.store.clone()).start();
    let operator = operator.await.unwrap();
    pass_seconds(13.0).await;
    let main = ManagerName::default();
    operator.handle().trigger(&main, &name("t")).await.unwrap();
    // Until the next heartbeat.
    pass_seconds(5.5).await;
    assert_eq!(fleet.diary.seconds(), [10, 13]);
    let elsewhere = ManagerName::new("elsewhere").unwrap();
    let error = operator.handle().trigger(&elsewhere, &name("t")).await;
    let refused = matches!(error, Err(HandleError::Store(LockError::Refused { .. })));
    assert!(refused);
    operator.shutdown(Duration::ZERO).await;
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_is_cancelled_on_whichever_instance_it_is() {
    let task = |diary: &Diary| every("t", 60).run(diary.working(seconds(50)));
    let mut fleet = Fleet::of(1).task(task).start().await;
    let operator = replica(&fleet.clock, fleet.store.clone()).start();
    let operator = operator.await.unwrap();
    pass_seconds(61.0).await;
    let running = fleet.history("t").await[0].execution.clone();
    let answer = operator.handle().cancel(&running).await.unwrap();
    assert_eq!(answer, CancelRequested::Told);
    // Until the next heartbeat.
    pass_seconds(5.5).await;
    assert_eq!(fleet.diary.entries()[0].end, End::Cancelled);
    let records = fleet.history("t").await;
    assert_eq!(records[0].state, ExecutionState::Ended(Outcome::Cancelled));
    assert_eq!(
        operator.handle().cancel(&running).await.unwrap(),
        CancelRequested::NotRunning
    );
    operator.shutdown(Duration::ZERO).await;
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn replicas_that_define_a_task_differently_are_noticed_and_told() {
    type Change = fn(Task<Every>) -> Task<Every>;
    let changes: [(Change, &str); 2] = [
        (|task| task.concurrency(2), "concurrency 2"),
        (|task| task.work("another"), "; work another"),
    ];
    for (change, expected) in changes {
        let task = |diary: &Diary| every("t", 10).work("one").run(diary.noting());
        let mut fleet = Fleet::of(1).task(task).start().await;
        pass_seconds(1.0).await;
        let task = change(every("t", 10).work("one")).run(fleet.diary.noting());
        let new = replica(&fleet.clock, fleet.store.clone())
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
        assert_eq!((task, by), (name("t"), fleet[0].instance().clone()));
        assert!(ours.contains(expected), "{ours}");
        fleet.shut_down().await;
        new.shutdown(Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_history_is_pruned_by_a_task_of_sextons_own() {
    let retention = sexton::lock::Retention {
        age_max: Some(seconds(60)),
        per_task_max: None,
    };
    let fleet = with_task(1).with(move |builder| builder.retention(Some(retention)));
    let mut fleet = fleet.start().await;
    pass_seconds(601.0).await;
    let records = fleet.history("t").await;
    assert!((6..=8).contains(&records.len()), "{}", records.len());
    let own = fleet.history("sexton:prune").await;
    assert_eq!(own.last().unwrap().state, SUCCEEDED);
    assert!(
        own.last()
            .unwrap()
            .output
            .as_deref()
            .unwrap()
            .ends_with("records pruned")
    );
    fleet.shut_down().await;
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
