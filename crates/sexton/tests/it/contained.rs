//! Code of the user's that panics outside of a handler's body ends what is its own, and is told.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use sexton::lock::{ExecutionState, Outcome};
use sexton::policy::Retry;
use sexton::schedule::{Every, Schedule};
use sexton::{BuildError, Event, FromRun, MissingArgument, ReadyTask, Run, Task, Tick};
use tower::util::MapRequestLayer;

use crate::fleet::{
    Diary, Fleet, SUCCEEDED, begin, drain, every, name, pass_seconds, second, seconds,
};

/// Due each second, and asked for anything after its last one it panics.
#[derive(Debug)]
struct Falls {
    last_s: i64,
}

impl Schedule for Falls {
    fn next_after(&self, after: Tick) -> Option<Tick> {
        assert!(second(after) < self.last_s, "the bell fell");
        Some(after.saturating_add_millis(1_000 - after.as_millis().rem_euclid(1_000)))
    }

    fn describe(&self) -> String {
        format!("each second until {}", self.last_s)
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_panics_ends_its_task_and_no_other() {
    let fallen = Diary::by(&begin());
    let of_fallen = fallen.clone();
    let mut fleet = Fleet::of(1)
        .task(move |_| {
            let task = Task::new("fallen").schedule(Falls { last_s: 5 });
            task.run(of_fallen.noting())
        })
        .task(|diary| every("standing", 1).run(diary.noting()))
        .start()
        .await;
    let mut events = fleet[0].events();
    pass_seconds(10.5).await;
    assert_eq!(fleet.diary.seconds(), Vec::from_iter(1..=10));
    // Every tick that was known has run.
    let ran = Vec::from_iter((1..=5).map(|second| (second, SUCCEEDED, None)));
    assert_eq!(fleet.lines("fallen").await, ran);
    let failed = drain(&mut events)
        .into_iter()
        .filter_map(|event| match event {
            Event::ScheduleFailed { task, after, error } => Some((task, second(after), error)),
            _ => None,
        });
    let failed = Vec::from_iter(failed);
    let error = "panicked: the bell fell".to_owned();
    assert_eq!(failed, [(name("fallen"), 5, error)]);

    fleet.trigger("fallen").await;
    pass_seconds(1.0).await;
    assert_eq!(fallen.entries().len(), 6);
    let mended = every("fallen", 1).run(fallen.noting());
    fleet.handle().replace(mended).await.unwrap();
    pass_seconds(2.0).await;
    assert_eq!(fallen.seconds()[6..], [12, 13]);
    assert!(fleet.leave(0, seconds(1)).await.all_settled);
}

/// Never moves on from one of its ticks.
#[derive(Debug)]
struct Sticks;

impl Schedule for Sticks {
    fn next_after(&self, after: Tick) -> Option<Tick> {
        match second(after) {
            3 => Some(after),
            _ => Every::new(Duration::from_secs(1)).ok()?.next_after(after),
        }
    }

    fn describe(&self) -> String {
        "until it sticks".to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_does_not_move_on_ends_its_task_and_no_other() {
    let stuck = Diary::by(&begin());
    let of_stuck = stuck.clone();
    let mut fleet = Fleet::of(1)
        .task(move |_| {
            let task = Task::new("stuck").schedule(Sticks);
            task.run(of_stuck.noting())
        })
        .task(|diary| every("moving", 1).run(diary.noting()))
        .start()
        .await;
    let mut events = fleet[0].events();
    pass_seconds(6.5).await;
    assert_eq!(stuck.seconds(), [1, 2, 3]);
    assert_eq!(fleet.diary.seconds(), [1, 2, 3, 4, 5, 6]);
    let told = drain(&mut events).into_iter();
    let told = told.filter(
        |event| matches!(event, Event::ScheduleFailed { error, .. } if error.contains("not after")),
    );
    assert_eq!(told.count(), 1);
    fleet.shut_down().await;
}

#[derive(Debug)]
struct Nameless;

impl Schedule for Nameless {
    fn next_after(&self, _: Tick) -> Option<Tick> {
        None
    }

    fn describe(&self) -> String {
        panic!("no words for it")
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_cannot_say_what_it_is_is_refused() {
    let fleet = Fleet::of(0).start().await;
    let task = Task::new("t").schedule(Nameless).run(async |_: Run| {});
    let error = fleet.replica().task(task).start().await;
    let error = error.unwrap_err();
    assert!(matches!(error, BuildError::Tasks(_)), "{error:?}");
    let told = error.to_string();
    assert_eq!(told, "task \"t\": its schedule panicked: no words for it");
    let bounded = Task::new("t").schedule(Falls { last_s: i64::MIN });
    let bounded = bounded.starting(Tick::MIN.timestamp());
    let bounded = bounded.run(async |_: Run| {});
    let error = fleet.replica().task(bounded).start().await;
    assert!(error.unwrap_err().to_string().contains("the bell fell"));
}

/// Panics when it is dropped.
struct DropsHard;

impl Drop for DropsHard {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped hard");
    }
}

#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("unspeakable")
    }
}

impl std::error::Error for Unspeakable {}

struct Extracted;

impl FromRun for Extracted {
    fn from_run(_: &Run) -> Result<Extracted, MissingArgument> {
        panic!("not extracted")
    }
}

fn each_10_s(name: &str) -> Task<Every> {
    every(name, 10)
}

/// A task for each place in which a run meets the user's code, and what it panics with there.
fn panicking() -> Vec<(ReadyTask, &'static str)> {
    let retry = || Retry::times(3).unwrap();
    let asked = retry().when(|_| panic!("asked too much"));
    let asked = each_10_s("retry").retry(asked);
    let asked = asked.run(async || Err::<(), _>("failed"));
    let dropped = each_10_s("drop").timeout(seconds(1)).run(async || {
        let _held = DropsHard;
        std::future::pending::<()>().await;
    });
    let unspeakable = each_10_s("error").run(async || Err::<(), _>(Unspeakable));
    let retried = each_10_s("retried error").retry(retry());
    let retried = retried.run(async || Err::<(), _>(Unspeakable));
    let extracted = each_10_s("extractor").run(async |_: Extracted| {});
    let layered = each_10_s("layer").run(async || {});
    let layered = layered.layer(MapRequestLayer::new(|_: Run| -> Run { panic!("peeled") }));
    vec![
        (asked, "panicked: asked too much"),
        (
            dropped,
            "panicked: dropped hard (when it was dropped, took longer than its timeout of 1s)",
        ),
        (unspeakable, "panicked: unspeakable"),
        (retried, "panicked: unspeakable"),
        (extracted, "panicked: not extracted"),
        (layered, "panicked: peeled"),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_as_panicked_wherever_it_meets_a_panic() {
    for (task, error) in panicking() {
        let case = task.name().to_owned();
        let fleet = Fleet::of(0).task(|diary| each_10_s("other").run(diary.noting()));
        let fleet = fleet.with(|builder| builder.cancel_grace(seconds(1)));
        let fleet = fleet.start().await;
        let scheduler = fleet.replica().task(task).start().await.unwrap();
        let mut events = scheduler.events();
        pass_seconds(24.0).await;
        assert_eq!(fleet.diary.seconds(), [10, 20], "{case}");
        let records = fleet.history(&case).await;
        assert_eq!(records.len(), 2, "{case}");
        for record in records {
            let panicked = ExecutionState::Ended(Outcome::Panicked);
            assert_eq!(record.state, panicked, "{case}");
            assert_eq!(record.error.as_deref(), Some(error), "{case}");
        }
        let finished = drain(&mut events).into_iter().filter(|event| {
            matches!(event, Event::Finished { execution, outcome: Outcome::Panicked, .. } if execution.task.as_str() == case)
        });
        assert_eq!(finished.count(), 2, "{case}");
        assert!(scheduler.shutdown(seconds(1)).await.all_settled, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_when_its_task_is_removed_harms_no_other() {
    let mut fleet = Fleet::of(1)
        .task(|_| {
            let held = Arc::new(DropsHard);
            each_10_s("t").run(move || {
                let _held = Arc::clone(&held);
                async {}
            })
        })
        .task(|diary| each_10_s("other").run(diary.noting()))
        .start()
        .await;
    pass_seconds(15.0).await;
    fleet.handle().remove("t").await.unwrap();
    pass_seconds(10.0).await;
    assert_eq!(fleet.diary.seconds(), [10, 20]);
    assert!(fleet.leave(0, seconds(1)).await.all_settled);
}

struct NoCounting;

impl Recorder for NoCounting {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        panic!("no counters")
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        panic!("no gauges")
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("no histograms")
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorder_of_metrics_that_panics_stops_nothing() {
    let _local = metrics::set_default_local_recorder(&NoCounting);
    let task = |diary: &Diary| each_10_s("t").run(diary.noting());
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(25.0).await;
    assert_eq!(fleet.diary.seconds(), [10, 20]);
    assert!(fleet.leave(0, seconds(1)).await.all_settled);
    let ran = [(10, SUCCEEDED, None), (20, SUCCEEDED, None)];
    assert_eq!(fleet.lines("t").await, ran);
}
