//! A part of the scheduler that panics stops the scheduler, which says so in every way that it has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use sexton::clock::{Clock, TokioClock};
use sexton::lock::{ExecutionState, LockManager};
use sexton::name::ManagerName;
use sexton::policy::Overlap;
use sexton::{Event, HandleError, MemoryLockManager, Scheduler, Task};
use sexton_testkit::faulty::Fault;

use crate::fleet::{
    Diary, End, Fleet, SUCCEEDED, begin, drain, every, name, pass_seconds, seconds,
};

fn each_10_s() -> Task<sexton::schedule::Every> {
    every("t", 10)
}

/// A clock that panics from when it breaks.
#[derive(Debug, Clone)]
struct BrittleClock {
    clock: TokioClock,
    is_broken: Arc<AtomicBool>,
}

impl BrittleClock {
    fn check(&self) {
        assert!(!self.is_broken.load(Ordering::Relaxed), "the clock broke");
    }
}

impl Clock for BrittleClock {
    fn now(&self) -> Timestamp {
        self.check();
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.check();
        self.clock.monotonic()
    }

    fn sleep_until(&self, deadline: Duration) -> BoxFuture<'static, ()> {
        self.check();
        self.clock.sleep_until(deadline)
    }
}

async fn present(store: &MemoryLockManager) -> usize {
    store.instances().await.unwrap().value.len()
}

/// The parts that stopped, with their panics.
fn stopped(events: &[Event]) -> Vec<(&'static str, String)> {
    let stopped = events.iter().filter_map(|event| match event {
        Event::Stopped { part, error } => Some((*part, error.clone())),
        _ => None,
    });
    stopped.collect()
}

async fn all_calls_say_stopped(scheduler: &Scheduler, diary: &Diary) {
    let (handle, main) = (scheduler.handle(), ManagerName::default());
    let query = sexton::lock::HistoryQuery::default();
    let added = every("u", 10).run(diary.noting());
    let replaced = each_10_s().run(diary.noting());
    let answers = [
        handle.add(added).await,
        handle.replace(replaced).await,
        handle.remove("t").await,
        handle.pause(&name("t"), "").await,
        handle.resume(&name("t")).await,
        handle.trigger(&main, &name("t")).await.map(|_| ()),
        handle.history(&main, &query).await.map(|_| ()),
    ];
    for (call, answer) in answers.into_iter().enumerate() {
        let is_stopped = matches!(answer, Err(HandleError::Stopped { .. }));
        assert!(is_stopped, "call {call}: {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_panics_stops_the_scheduler() {
    let is_broken = Arc::new(AtomicBool::new(false));
    let brittle = BrittleClock {
        clock: begin(),
        is_broken: Arc::clone(&is_broken),
    };
    let mut fleet = Fleet::of(1)
        .task(|diary| each_10_s().run(diary.noting()))
        .with(move |builder| builder.clock(brittle.clone()))
        .start()
        .await;
    let mut events = fleet[0].events();
    pass_seconds(15.0).await;
    assert_eq!(present(&fleet.store).await, 1);
    assert!(fleet[0].shutdown_signal().now_or_never().is_none());
    assert!(fleet[0].stopped().now_or_never().is_none());
    is_broken.store(true, Ordering::Relaxed);
    pass_seconds(10.0).await;
    let stopped = stopped(&drain(&mut events));
    assert!(
        stopped
            .iter()
            .any(|(part, error)| (*part, error.as_str()) == ("driver", "the clock broke")),
        "{stopped:?}"
    );
    assert_eq!(fleet[0].shutdown_signal().now_or_never(), Some(()));
    assert_eq!(fleet[0].stopped().now_or_never(), Some(()));
    assert_eq!(present(&fleet.store).await, 0);
    all_calls_say_stopped(&fleet[0], &fleet.diary).await;
    let report = fleet.leave(0, seconds(5)).await;
    assert!(!report.all_settled);
    assert_eq!(fleet.diary.seconds(), [10]);
}

/// A stream of the store's notifications that panics when it is polled.
#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_panics_stops_the_scheduler() {
    let faults = |method| match method {
        "changes" => Fault::Panics,
        _ => Fault::None,
    };
    let task = |diary: &Diary| each_10_s().run(diary.noting());
    let mut fleet = Fleet::of(1).task(task).failing(faults).start().await;
    let mut events = fleet[0].events();
    pass_seconds(1.0).await;
    let stopped = stopped(&drain(&mut events));
    assert_eq!(stopped, [("heartbeat", "changes fell over".to_owned())]);
    // One at the start, by which it took its id.
    assert_eq!(
        (
            fleet.faults().calls("heartbeat"),
            fleet.faults().calls("leave")
        ),
        (2, 1)
    );
    assert_eq!(fleet[0].shutdown_signal().now_or_never(), Some(()));
    assert_eq!(present(&fleet.store).await, 0);
    pass_seconds(30.0).await;
    assert!(fleet.diary.entries().is_empty());
    assert!(!fleet.leave(0, seconds(5)).await.all_settled);
}

/// What runs when the scheduler stops ends as it would, and the instance is there until then.
#[tokio::test(start_paused = true)]
async fn what_runs_when_a_part_panics_goes_on_and_is_settled() {
    let mut fleet = Fleet::of(1)
        .task(|_| {
            let short = every("short", 1).jitter(Duration::from_millis(1));
            short.run(async || {})
        })
        .task(|diary| each_10_s().run(diary.working(seconds(7))))
        .with_faults()
        .start()
        .await;
    let mut events = fleet[0].events();
    pass_seconds(12.0).await;
    // The driver asks for it to delay a run.
    fleet.faults().lose_namespace();
    pass_seconds(3.0).await;
    let stopped = stopped(&drain(&mut events));
    assert_eq!(stopped, [("driver", "no such place".to_owned())]);
    assert_eq!(fleet.history("t").await[0].state, ExecutionState::Running);
    assert_eq!(present(&fleet.store).await, 1);
    pass_seconds(3.0).await;
    assert_eq!(fleet.lines("t").await, [(10, SUCCEEDED, None)]);
    assert_eq!(fleet.diary.entries()[0].end, End::Done);
    assert_eq!(present(&fleet.store).await, 0);
    assert!(!fleet.leave(0, seconds(5)).await.all_settled);
}

/// A lock manager that panics in a call is one that does not answer: nothing stops, and the calls
/// are made again.
#[tokio::test(start_paused = true)]
async fn a_lock_manager_that_panics_in_a_call_is_an_outage() {
    for method in [
        "claim",
        "settle",
        "renew",
        "heartbeat",
        "define",
        "sweep",
        "tasks",
        "now",
        "release",
    ] {
        let task = |diary: &Diary| {
            let task = each_10_s().overlap(Overlap::Skip).lease(seconds(3));
            task.run(diary.working(seconds(4)))
        };
        let mut fleet = Fleet::of(1).task(task).with_faults().start().await;
        let mut events = fleet[0].events();
        let mut left = 2;
        fleet
            .faults()
            .plan(move |called| match called == method && left > 0 {
                true => {
                    left -= 1;
                    Fault::Panics
                }
                false => Fault::None,
            });
        pass_seconds(25.0).await;
        let ran = [(10, SUCCEEDED, None), (20, SUCCEEDED, None)];
        assert_eq!(fleet.lines("t").await, ran, "{method}");
        let events = drain(&mut events);
        assert_eq!(stopped(&events), [], "{method}");
        let is_told = events.iter().any(
            |event| matches!(event, Event::StoreLost { error, .. } if error.contains("fell over")),
        );
        let is_called = !["tasks", "now", "release"].contains(&method);
        assert_eq!(is_told, is_called, "{method}: {events:#?}");
        let report = fleet.leave(0, seconds(5)).await;
        assert!(report.all_settled, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_manager_that_panics_when_it_is_first_asked_is_refused() {
    for method in ["now", "tasks"] {
        let faults = move |called| match called == method {
            true => Fault::Panics,
            false => Fault::None,
        };
        let task = |_: &Diary| each_10_s().run(async || {});
        let fleet = Fleet::of(0).task(task).failing(faults).start().await;
        let error = fleet.replica().start().await.unwrap_err();
        let is_store = matches!(error, sexton::BuildError::Store { .. });
        assert!(is_store, "{method}: {error:?}");
    }
}
