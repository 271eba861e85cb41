//! Ending well, and not so well.

use std::time::Duration;

use sexton::lock::{ExecutionState, Outcome};
use sexton::{Event, Task};
use sexton_testkit::faulty::Fault;

use crate::fleet::{
    End, Fleet, FleetBuilder, SUCCEEDED, drain, every, history, pass_seconds, seconds,
};

/// A fleet with a task that is due each minute.
fn minutely(replicas: usize, work_s: u64) -> FleetBuilder {
    Fleet::of(replicas).task(move |diary| every("t", 60).run(diary.working(seconds(work_s))))
}

#[tokio::test(start_paused = true)]
async fn what_runs_may_end_within_the_grace_period() {
    let mut fleet = minutely(1, 10).start().await;
    pass_seconds(61.0).await;
    let report = fleet.leave(0, seconds(30)).await;
    assert!(
        report.cut_off.is_empty() && report.all_settled,
        "{report:?}"
    );
    assert_eq!(fleet.diary.entries()[0].end, End::Done);
    assert_eq!(fleet.history("t").await[0].state, SUCCEEDED);
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_is_cancelled_and_told_as_cut_off() {
    let mut fleet = minutely(1, 50).start().await;
    pass_seconds(61.0).await;
    let report = fleet.leave(0, seconds(5)).await;
    let record = &fleet.history("t").await[0];
    assert_eq!(report.cut_off, std::slice::from_ref(&record.execution));
    assert!(report.all_settled);
    assert_eq!(fleet.diary.entries()[0].end, End::Cancelled);
    assert_eq!(record.state, ExecutionState::Ended(Outcome::CutOff));
}

#[tokio::test(start_paused = true)]
async fn what_is_granted_and_not_started_is_given_back_for_others_to_run() {
    let mut fleet = minutely(1, 0).start().await;
    let mut events = fleet[0].events();
    // The claim goes out half a second ahead at the most, and 200 ms ahead at the least.
    pass_seconds(59.85).await;
    assert!(
        drain(&mut events)
            .iter()
            .any(|event| matches!(event, Event::Granted { .. }))
    );
    fleet.join(1).await;
    fleet.leave(0, Duration::ZERO).await;
    assert!(
        drain(&mut events)
            .iter()
            .any(|event| matches!(event, Event::Released { .. }))
    );
    // At the latest, the next heartbeat finds it.
    pass_seconds(10.0).await;
    let entries = fleet.diary.entries();
    assert_eq!(entries.len(), 1, "{entries:#?}");
    assert_eq!(entries[0].instance, fleet[0].instance().to_string());
    let records = fleet.history("t").await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].state, SUCCEEDED);
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn with_the_store_away_shutdown_ends_within_its_limits_and_admits_what_it_could_not_tell() {
    let mut fleet = minutely(1, 10).with_faults().start().await;
    pass_seconds(61.0).await;
    fleet.faults().all(Fault::Hangs);
    let before = tokio::time::Instant::now();
    let report = fleet.leave(0, seconds(20)).await;
    assert!(before.elapsed() < seconds(40), "{:?}", before.elapsed());
    assert!(!report.all_settled);
    assert_eq!(fleet.diary.entries()[0].end, End::Done);
}

#[tokio::test(start_paused = true)]
async fn the_shutdown_signal_completes_when_the_scheduler_shuts_down() {
    let mut fleet = Fleet::of(1).start().await;
    let signal = tokio::spawn(fleet[0].shutdown_signal());
    fleet.shut_down().await;
    signal.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn dropping_a_scheduler_stops_everything_at_once() {
    let mut fleet = minutely(1, 10).start().await;
    pass_seconds(61.0).await;
    fleet.crash(0);
    pass_seconds(120.0).await;
    assert_eq!(fleet.diary.entries().len(), 1);
    assert_eq!(fleet.diary.entries()[0].end, End::None);
    assert_eq!(fleet.history("t").await[0].state, ExecutionState::Running);
}

/// A handler that never lets go of its thread cannot be cancelled, dropped or settled.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_blocks_its_thread_is_not_settled() {
    let store = sexton::MemoryLockManager::new();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Arc::new(std::sync::Mutex::new(released));
    let task = Task::new("t").every(Duration::from_millis(100)).unwrap();
    let task = task.running_max(1).run(move || {
        let released = std::sync::Arc::clone(&released);
        // Ends when the test does.
        async move {
            let _ = released.lock().unwrap().recv();
        }
    });
    let scheduler = sexton::Scheduler::builder()
        .manager(store.clone())
        .cancel_grace(Duration::from_millis(50))
        .task(task);
    let scheduler = scheduler.start().await.unwrap();
    let mut events = scheduler.events();
    while !matches!(&*events.recv().await.unwrap(), Event::Started { .. }) {}
    let report = scheduler.shutdown(Duration::from_millis(50)).await;
    assert!(!report.all_settled, "{report:?}");
    assert_eq!(report.cut_off.len(), 1, "{report:?}");
    let records = history(&store, "t").await;
    let record = records
        .iter()
        .find(|record| record.execution == report.cut_off[0]);
    assert_eq!(record.unwrap().state, ExecutionState::Running);
    drop(release);
}
