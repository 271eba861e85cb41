//! An instance's id, given by the user: of another instance, or its own before a crash.

use std::time::Duration;

use sexton::clock::Clock;
use sexton::lock::{ExecutionState, Outcome};
use sexton::name::InstanceId;
use sexton::policy::Placement;
use sexton::{BuildError, Event, MemoryLockManager, ReadyTask, Tick};
use sexton_testkit::faulty::{Fault, FaultyManager};

use crate::fleet::{Diary, Fleet, drain, every, pass_seconds, replica, second, seconds, shut_down};

/// An id is kept for so long after a heartbeat.
const KEPT: Duration = Duration::from_secs(10);

fn web_0() -> InstanceId {
    InstanceId::new("web-0").unwrap()
}

/// Two indices, each on another instance.
fn distinct(diary: &Diary) -> ReadyTask {
    let task = every("t", 1).concurrency(2);
    task.placement(Placement::Distinct).run(diary.noting())
}

fn is_taken(error: &BuildError) -> bool {
    matches!(error, BuildError::InstanceIdTaken { instance, .. } if *instance == web_0())
}

#[tokio::test(start_paused = true)]
async fn a_second_instance_with_an_id_is_refused_while_the_first_lives() {
    let fleet = Fleet::of(1).task(distinct);
    let fleet = fleet.with(|builder| builder.instance(web_0()));
    let mut fleet = fleet.start().await;
    pass_seconds(1.0).await;
    let error = fleet.replica().start().await.unwrap_err();
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
    fleet.leave(0, seconds(1)).await;
    fleet.join(1).await;
    assert!(
        started.elapsed() < seconds(1),
        "after a shutdown it need not wait"
    );
    fleet.leave(0, seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_crashed_instance_starts_again_under_its_id() {
    let fleet = Fleet::of(0).with(|builder| builder.instance(web_0()));
    let mut fleet = fleet.start().await;
    for away in [0_u32, 3, 15] {
        fleet.join(1).await;
        pass_seconds(1.0).await;
        fleet.crash(0);
        pass_seconds(f64::from(away)).await;
        let started = tokio::time::Instant::now();
        fleet.join(1).await;
        let longest = KEPT.saturating_sub(seconds(away.into())) + Duration::from_millis(100);
        assert!(started.elapsed() <= longest, "{:?}", started.elapsed());
        fleet.leave(0, seconds(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_instances_that_start_at_once_with_one_id_one_goes_on() {
    for seed in 0..40 {
        fastrand::seed(seed);
        let fleet = Fleet::of(0).with(|builder| builder.instance(web_0()));
        let mut fleet = fleet.start().await;
        if seed % 2 == 0 {
            fleet.join(1).await;
            fleet.crash(0);
        }
        let starts = (0..3).map(|_| fleet.replica().start());
        let started = futures::future::join_all(starts).await;
        let (on, refused): (Vec<_>, Vec<_>) = started.into_iter().partition(Result::is_ok);
        assert_eq!(on.len(), 1, "seed {seed}");
        assert!(refused.iter().all(|one| one.as_ref().is_err_and(is_taken)));
        shut_down(on.into_iter().flatten()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_finds_its_id_taken_starts_nothing_more_and_disturbs_nobody() {
    let fleet = Fleet::of(0).task(distinct).start().await;
    let cut_off = FaultyManager::new(fleet.store.clone());
    let of_first = Diary::by(&fleet.clock);
    let first = replica(&fleet.clock, cut_off.clone()).instance(web_0());
    let first = first.task(distinct(&of_first)).start().await.unwrap();
    let mut events = first.events();
    pass_seconds(3.5).await;
    cut_off.all(Fault::Unreachable);
    pass_seconds(12.0).await;
    let mut others = Vec::new();
    for id in [web_0(), InstanceId::new("web-1").unwrap()] {
        let other = fleet.replica().instance(id).start();
        others.push(other.await.unwrap());
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
        second(Tick::at_or_before(fleet.clock.now())),
    );
    pass_seconds(10.0).await;
    assert_eq!(of_first.entries().len(), before);
    let ticks = fleet.diary.by_tick("t");
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
    assert!(
        is_listed(fleet.store.clone()).await,
        "it leaves for itself alone"
    );
    shut_down(others).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_crashed_instance_left_running_is_lost_although_it_is_back() {
    let task = |diary: &Diary| every("t", 600).run(diary.working(seconds(300)));
    let fleet = Fleet::of(1).task(task);
    let fleet = fleet.with(|builder| builder.instance(web_0()));
    let mut fleet = fleet.start().await;
    pass_seconds(601.0).await;
    assert_eq!(fleet.diary.entries().len(), 1);
    fleet.crash(0);
    fleet.join(1).await;
    pass_seconds(120.0).await;
    let records = fleet.history("t").await;
    assert_eq!(records[0].state, ExecutionState::Ended(Outcome::Lost));
    fleet.leave(0, seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_gives_the_id_back() {
    let fleet = Fleet::of(0).task(|_| every("t", 60).run(async || {}));
    let fleet = fleet.with(|builder| builder.instance(web_0()));
    let mut fleet = fleet.start().await;
    let broken = FaultyManager::new(fleet.store.clone());
    broken.plan(|method| match method {
        "tasks" => Fault::Unreachable,
        _ => Fault::None,
    });
    fleet.replica_on(broken).start().await.unwrap_err();
    let started = tokio::time::Instant::now();
    fleet.join(1).await;
    assert_eq!(started.elapsed(), Duration::ZERO);
    fleet.leave(0, seconds(1)).await;
}
