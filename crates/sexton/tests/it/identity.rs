//! An instance's id, given by the user: of another instance, or its own before a crash.

use std::time::Duration;

use sexton::clock::{Clock, TokioClock};
use sexton::lock::{ExecutionState, Outcome};
use sexton::name::InstanceId;
use sexton::policy::Placement;
use sexton::{BuildError, Event, MemoryLockManager, ReadyTask, SchedulerBuilder, Task, Tick};

use crate::faulty::{Fault, FaultyManager};
use crate::fleet::{
    Diary, begin, drain, history, pass_seconds, replica, second, seconds, shut_down, store,
};

/// An id is kept for so long after a heartbeat.
const KEPT: Duration = Duration::from_secs(10);

fn web_0() -> InstanceId {
    InstanceId::new("web-0").unwrap()
}

/// Two indices, each on an instance of its own.
fn distinct(diary: &Diary, clock: &TokioClock) -> ReadyTask {
    let task = Task::new("t").every(seconds(1)).unwrap().concurrency(2);
    task.placement(Placement::Distinct).run(diary.noting(clock))
}

fn is_taken(error: &BuildError) -> bool {
    matches!(error, BuildError::InstanceIdTaken { instance, .. } if *instance == web_0())
}

#[tokio::test(start_paused = true)]
async fn a_second_instance_with_an_id_is_refused_while_the_first_lives() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let builder = || -> SchedulerBuilder {
        let builder = replica(&clock, store.clone()).instance(web_0());
        builder.task(distinct(&diary, &clock))
    };
    let first = builder().start().await.unwrap();
    pass_seconds(1.0).await;
    let error = builder().start().await.unwrap_err();
    assert!(is_taken(&error), "{error}");
    let told = error.to_string();
    for word in [
        "web-0",
        "default",
        "memory:",
        "2024-01-30T10:20:00",
        "give each instance another id",
    ] {
        assert!(told.contains(word), "{told:?} does not tell {word:?}");
    }
    let started = tokio::time::Instant::now();
    first.shutdown(seconds(1)).await;
    let again = builder().start().await.unwrap();
    assert!(
        started.elapsed() < seconds(1),
        "after a shutdown it need not wait"
    );
    again.shutdown(seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_crashed_instance_starts_again_under_its_id() {
    let clock = begin();
    let store = store(&clock);
    for away in [0_u32, 3, 15] {
        let builder = || replica(&clock, store.clone()).instance(web_0());
        let first = builder().start().await.unwrap();
        pass_seconds(1.0).await;
        drop(first);
        pass_seconds(f64::from(away)).await;
        let started = tokio::time::Instant::now();
        let second = builder().start().await.unwrap();
        let longest = KEPT.saturating_sub(seconds(away.into())) + Duration::from_millis(100);
        assert!(started.elapsed() <= longest, "{:?}", started.elapsed());
        second.shutdown(seconds(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_instances_that_start_at_once_with_one_id_one_goes_on() {
    for seed in 0..40 {
        fastrand::seed(seed);
        let clock = begin();
        let store = store(&clock);
        let builder = || replica(&clock, store.clone()).instance(web_0());
        if seed % 2 == 0 {
            drop(builder().start().await.unwrap());
        }
        let starts = (0..3).map(|_| builder().start());
        let started = futures::future::join_all(starts).await;
        let (on, refused): (Vec<_>, Vec<_>) = started.into_iter().partition(Result::is_ok);
        assert_eq!(on.len(), 1, "seed {seed}");
        assert!(refused.iter().all(|one| one.as_ref().is_err_and(is_taken)));
        shut_down(on.into_iter().flatten()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_finds_its_id_taken_starts_nothing_more_and_disturbs_nobody() {
    let (clock, diary, of_first) = (begin(), Diary::default(), Diary::default());
    let store = store(&clock);
    let cut_off = FaultyManager::new(store.clone());
    let first = replica(&clock, cut_off.clone()).instance(web_0());
    let first = first
        .task(distinct(&of_first, &clock))
        .start()
        .await
        .unwrap();
    let mut events = first.events();
    pass_seconds(3.5).await;
    cut_off.all(Fault::Unreachable);
    pass_seconds(12.0).await;
    let mut fleet = Vec::new();
    for id in [web_0(), InstanceId::new("web-1").unwrap()] {
        let builder = replica(&clock, store.clone()).instance(id);
        let builder = builder.task(distinct(&diary, &clock));
        fleet.push(builder.start().await.unwrap());
    }
    pass_seconds(10.0).await;
    cut_off.all(Fault::None);
    first.shutdown_signal().await;
    let taken = |event: &Event| matches!(event, Event::IdTaken { .. });
    assert!(drain(&mut events).iter().any(taken));
    // What the first claimed before it knew.
    pass_seconds(2.0).await;
    let (before, began) = (
        of_first.entries().len(),
        second(Tick::at_or_before(clock.now())),
    );
    pass_seconds(10.0).await;
    assert_eq!(of_first.entries().len(), before);
    let ticks = diary.by_tick("t");
    let since: Vec<_> = ticks
        .iter()
        .filter(|(tick, _)| second(**tick) > began)
        .collect();
    assert!(since.len() >= 9, "{since:?}");
    assert!(
        since.iter().all(|(_, indices)| **indices == [1, 2]),
        "{since:?}"
    );
    first.shutdown(seconds(1)).await;
    let is_listed = |store: MemoryLockManager| async move {
        use sexton::lock::LockManager;
        let instances = store.instances().await.unwrap().value;
        instances
            .iter()
            .any(|record| record.report.instance == web_0())
    };
    assert!(is_listed(store.clone()).await, "it leaves for itself alone");
    shut_down(fleet).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_crashed_instance_left_running_is_lost_although_it_is_back() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let builder = || {
        let task = Task::new("t").every(seconds(600)).unwrap();
        let task = task.run(diary.working(&clock, seconds(300)));
        replica(&clock, store.clone()).instance(web_0()).task(task)
    };
    let first = builder().start().await.unwrap();
    pass_seconds(601.0).await;
    assert_eq!(diary.entries().len(), 1);
    drop(first);
    let second = builder().start().await.unwrap();
    pass_seconds(120.0).await;
    let records = history(&store, "t").await;
    assert_eq!(records[0].state, ExecutionState::Ended(Outcome::Lost));
    second.shutdown(seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_gives_the_id_back() {
    let clock = begin();
    let store = store(&clock);
    let broken = FaultyManager::new(store.clone());
    broken.plan(|method| match method {
        "tasks" => Fault::Unreachable,
        _ => Fault::None,
    });
    let task = || Task::new("t").every(seconds(60)).unwrap().run(async || {});
    let failing = replica(&clock, broken).instance(web_0()).task(task());
    failing.start().await.unwrap_err();
    let started = tokio::time::Instant::now();
    let second = replica(&clock, store.clone()).instance(web_0());
    let second = second.task(task()).start().await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
    second.shutdown(seconds(1)).await;
}
