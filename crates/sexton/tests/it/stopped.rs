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
use sexton_testkit::faulty::{Fault, FaultyManager};

use crate::fleet::{
    Diary, End, SUCCEEDED, begin, drain, history, lines, name, pass_seconds, replica, seconds,
    store,
};

fn each_10_s() -> Task<sexton::schedule::Every> {
    Task::new("t").every(seconds(10)).unwrap()
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

async fn all_calls_say_stopped(scheduler: &Scheduler, diary: &Diary, clock: &TokioClock) {
    let (handle, main) = (scheduler.handle(), ManagerName::default());
    let query = sexton::lock::HistoryQuery::default();
    let added = Task::new("u").every(seconds(10)).unwrap();
    let added = added.run(diary.noting(clock));
    let replaced = each_10_s().run(diary.noting(clock));
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
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let is_broken = Arc::new(AtomicBool::new(false));
    let brittle = BrittleClock {
        clock: clock.clone(),
        is_broken: Arc::clone(&is_broken),
    };
    let scheduler = replica(&clock, store.clone())
        .clock(brittle)
        .task(each_10_s().run(diary.noting(&clock)));
    let scheduler = scheduler.start().await.unwrap();
    let mut events = scheduler.events();
    pass_seconds(15.0).await;
    assert_eq!(present(&store).await, 1);
    assert!(scheduler.shutdown_signal().now_or_never().is_none());
    assert!(scheduler.stopped().now_or_never().is_none());
    is_broken.store(true, Ordering::Relaxed);
    pass_seconds(10.0).await;
    let stopped = stopped(&drain(&mut events));
    assert!(
        stopped
            .iter()
            .any(|(part, error)| (*part, error.as_str()) == ("driver", "the clock broke")),
        "{stopped:?}"
    );
    assert_eq!(scheduler.shutdown_signal().now_or_never(), Some(()));
    assert_eq!(scheduler.stopped().now_or_never(), Some(()));
    assert_eq!(present(&store).await, 0);
    all_calls_say_stopped(&scheduler, &diary, &clock).await;
    let report = scheduler.shutdown(seconds(5)).await;
    assert!(!report.all_settled);
    assert_eq!(diary.seconds(), [10]);
}

/// A stream of the store's notifications that panics when it is polled.
#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_panics_stops_the_scheduler() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let faulty = FaultyManager::new(store.clone());
    faulty.plan(|method| match method {
        "changes" => Fault::Panics,
        _ => Fault::None,
    });
    let scheduler = replica(&clock, faulty.clone()).task(each_10_s().run(diary.noting(&clock)));
    let scheduler = scheduler.start().await.unwrap();
    let mut events = scheduler.events();
    pass_seconds(1.0).await;
    let stopped = stopped(&drain(&mut events));
    assert_eq!(stopped, [("heartbeat", "changes fell over".to_owned())]);
    // One at the start, by which it took its id.
    assert_eq!((faulty.calls("heartbeat"), faulty.calls("leave")), (2, 1));
    assert_eq!(scheduler.shutdown_signal().now_or_never(), Some(()));
    assert_eq!(present(&store).await, 0);
    pass_seconds(30.0).await;
    assert!(diary.entries().is_empty());
    assert!(!scheduler.shutdown(seconds(5)).await.all_settled);
}

/// What runs when the scheduler stops ends as it would, and the instance is there until then.
#[tokio::test(start_paused = true)]
async fn what_runs_when_a_part_panics_goes_on_and_is_settled() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let faulty = FaultyManager::new(store.clone());
    let short = Task::new("short").every(seconds(1)).unwrap();
    let short = short.jitter(Duration::from_millis(1));
    let long = each_10_s().run(diary.working(&clock, seconds(7)));
    let scheduler = replica(&clock, faulty.clone())
        .task(short.run(async || {}))
        .task(long);
    let scheduler = scheduler.start().await.unwrap();
    let mut events = scheduler.events();
    pass_seconds(12.0).await;
    // The driver asks for it to delay a run.
    faulty.lose_namespace();
    pass_seconds(3.0).await;
    let stopped = stopped(&drain(&mut events));
    assert_eq!(stopped, [("driver", "no such place".to_owned())]);
    assert_eq!(history(&store, "t").await[0].state, ExecutionState::Running);
    assert_eq!(present(&store).await, 1);
    pass_seconds(3.0).await;
    assert_eq!(lines(&store, "t").await, [(10, SUCCEEDED, None)]);
    assert_eq!(diary.entries()[0].end, End::Done);
    assert_eq!(present(&store).await, 0);
    assert!(!scheduler.shutdown(seconds(5)).await.all_settled);
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
        let (clock, diary) = (begin(), Diary::default());
        let store = store(&clock);
        let faulty = FaultyManager::new(store.clone());
        let task = each_10_s().overlap(Overlap::Skip).lease(seconds(3));
        let task = task.run(diary.working(&clock, seconds(4)));
        let scheduler = replica(&clock, faulty.clone()).task(task);
        let scheduler = scheduler.start().await.unwrap();
        let mut events = scheduler.events();
        let mut left = 2;
        faulty.plan(move |called| match called == method && left > 0 {
            true => {
                left -= 1;
                Fault::Panics
            }
            false => Fault::None,
        });
        pass_seconds(25.0).await;
        let ran = [(10, SUCCEEDED, None), (20, SUCCEEDED, None)];
        assert_eq!(lines(&store, "t").await, ran, "{method}");
        let events = drain(&mut events);
        assert_eq!(stopped(&events), [], "{method}");
        let is_told = events.iter().any(
            |event| matches!(event, Event::StoreLost { error, .. } if error.contains("fell over")),
        );
        let is_called = !["tasks", "now", "release"].contains(&method);
        assert_eq!(is_told, is_called, "{method}: {events:#?}");
        let report = scheduler.shutdown(seconds(5)).await;
        assert!(report.all_settled, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_manager_that_panics_when_it_is_first_asked_is_refused() {
    let clock = begin();
    for method in ["now", "tasks"] {
        let faulty = FaultyManager::new(store(&clock));
        faulty.plan(move |called| match called == method {
            true => Fault::Panics,
            false => Fault::None,
        });
        let task = each_10_s().run(async || {});
        let error = replica(&clock, faulty).task(task).start().await;
        let error = error.unwrap_err();
        let is_store = matches!(error, sexton::BuildError::Store { .. });
        assert!(is_store, "{method}: {error:?}");
    }
}
