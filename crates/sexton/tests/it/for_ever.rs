//! `Duration::MAX` means "never", wherever a duration can be given.

use std::time::Duration;

use futures::FutureExt;
use sexton::lock::{ExecutionState, Retention};
use sexton::name::ManagerName;
use sexton::policy::{Missed, Retry};
use sexton::{Event, Operator, Run, Task};
use sexton_testkit::faulty::Fault;

use crate::fleet::{Diary, End, Fleet, SUCCEEDED, drain, every, name, pass_seconds, seconds};

const NEVER: Duration = Duration::MAX;

fn each_10_s(name: &str) -> Task<sexton::schedule::Every> {
    every(name, 10)
}

#[tokio::test(start_paused = true)]
async fn every_duration_may_be_without_end() {
    for longest in [NEVER, Duration::from_secs(u64::MAX), NEVER / 2] {
        let retention = Retention {
            age_max: Some(longest),
            per_task_max: None,
        };
        let mut fleet = Fleet::of(1)
            .task(move |diary| {
                let task = each_10_s("t").missed(Missed::All { window: longest });
                task.timeout(longest).run(diary.working(seconds(4)))
            })
            .task(move |_| {
                let patient = Retry::times(3).unwrap().backoff(longest, longest);
                let failing = each_10_s("failing").retry(patient);
                failing.run(async || Err::<(), _>("not yet"))
            })
            .with(move |builder| {
                builder
                    .heartbeat(longest)
                    .call_limit(longest)
                    .cancel_grace(longest)
                    .retention(Some(retention))
            })
            .start()
            .await;
        let mut events = fleet[0].events();
        pass_seconds(22.0).await;
        let (handle, main) = (fleet.handle(), ManagerName::default());
        let within = handle.trigger_within(&main, &name("t"), longest).await;
        within.unwrap();
        pass_seconds(599.0).await;
        let records = fleet.lines("t").await;
        assert_eq!(records.len(), 63, "{longest:?}");
        assert!(records[..62].iter().all(|line| line.1 == SUCCEEDED));
        assert_eq!(fleet.history("sexton:prune").await[0].state, SUCCEEDED);
        // The first try failed, and the second never comes.
        let waiting = &fleet.history("failing").await[0];
        assert_eq!(waiting.state, ExecutionState::Running);
        let events = drain(&mut events);
        let stopped = events
            .iter()
            .any(|event| matches!(event, Event::Stopped { .. }));
        assert!(!stopped, "{longest:?}");
        fleet.crash(0);
    }
}

/// What has a longest length says so.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_without_end_is_refused() {
    assert!(Task::new("t").every(NEVER).is_err());
    let leased = each_10_s("leased").lease(NEVER).run(async || {});
    let spread = each_10_s("spread").jitter(NEVER).run(async || {});
    let fleet = Fleet::of(0).start().await;
    let builder = fleet.replica().task(leased).task(spread);
    let told = builder.start().await.unwrap_err().to_string();
    assert!(told.contains("lease must be"), "{told}");
    assert!(told.contains("jitter"), "{told}");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_store_may_be_waited_for_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let options = sexton::sqlite::SqliteOptions::new().wait_max(NEVER);
    let store = options.open(folder.path().join("locks.db")).await.unwrap();
    let operator = Operator::new(store, "anna");
    operator.pause(&name("t"), "").await.unwrap();
    assert!(operator.task(&name("t")).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_without_end_waits_for_all_that_runs() {
    let task = |diary: &Diary| each_10_s("t").run(diary.working(seconds(3_600)));
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(11.0).await;
    let report = fleet.leave(0, NEVER).await;
    assert!(
        report.all_settled && report.cut_off.is_empty(),
        "{report:?}"
    );
    assert_eq!(fleet.diary.entries()[0].end, End::Done);
    assert_eq!(fleet.lines("t").await[0], (10, SUCCEEDED, None));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_is_never_dropped_and_a_call_never_given_up() {
    let slow = |_: &Diary| {
        each_10_s("t").run(async |run: Run| {
            run.cancellation().cancelled().await;
            tokio::time::sleep(seconds(1_000)).await;
        })
    };
    let mut fleet = Fleet::of(1)
        .task(slow)
        .with(|builder| builder.call_limit(NEVER).cancel_grace(NEVER))
        .with_faults()
        .start()
        .await;
    let mut events = fleet[0].events();
    pass_seconds(11.0).await;
    let execution = fleet.history("t").await[0].execution.clone();
    let operator = Operator::new(fleet.store.clone(), "anna");
    operator.cancel(&execution).await.unwrap();
    pass_seconds(900.0).await;
    let record = &fleet.history("t").await[0];
    assert_eq!(record.state, ExecutionState::Running);

    pass_seconds(200.0).await;
    assert!(fleet.history("t").await[0].state.is_over());
    drain(&mut events);
    fleet.faults().all(Fault::Hangs);

    pass_seconds(600.0).await;

    let events = drain(&mut events);
    let lost = events
        .iter()
        .any(|event| matches!(event, Event::StoreLost { .. }));
    assert!(!lost, "{events:?}");
    assert!(fleet[0].shutdown_signal().now_or_never().is_none());
    fleet.crash(0);
}
