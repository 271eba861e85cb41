//! Handlers that lack something, and so do not begin.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sexton::lock::{ExecutionState, Outcome};
use sexton::policy::{Lease, Retry};
use sexton::schedule::Every;
use sexton::{Completion, Event, Run, Task};

use crate::fleet::{
    Diary, Fleet, SUCCEEDED, drain, every, pass_seconds, replica, seconds, shut_down,
};

const FAILED: ExecutionState = ExecutionState::Ended(Outcome::Failed);

fn every_ten_minutes() -> Task<Every> {
    every("t", 10 * 60)
}

/// A handler that cannot begin the first `failures` times, and counts its calls.
fn begins_after(
    failures: usize,
) -> (
    Arc<AtomicUsize>,
    impl Fn(Run) -> std::future::Ready<Completion> + Clone + Send + Sync,
) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let handler = move |_: Run| {
        let is_begun = counted.fetch_add(1, Ordering::Relaxed) >= failures;
        std::future::ready(match is_begun {
            true => Completion::succeeded(),
            false => Completion::not_begun("no descriptor is free"),
        })
    };
    (calls, handler)
}

#[tokio::test(start_paused = true)]
async fn what_could_not_begin_is_tried_again_and_spends_nothing() {
    let (calls, handler) = begins_after(3);
    let task = move |_: &Diary| every_ten_minutes().run(handler.clone());
    let mut fleet = Fleet::of(1).task(task).start().await;
    let mut events = fleet[0].events();
    pass_seconds(10.0 * 60.0 + 20.0).await;
    let record = &fleet.history("t").await[0];
    assert_eq!(record.state, SUCCEEDED);
    assert_eq!(record.attempt.unwrap().get(), 1);
    assert_eq!(calls.load(Ordering::Relaxed), 4);
    let is_retry = |event: &Event| matches!(event, Event::Retried { .. });
    assert!(!drain(&mut events).iter().any(is_retry));
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_begin_here_is_given_back_for_another_instance() {
    let task = |diary: &Diary| every_ten_minutes().run(diary.noting());
    let mut fleet = Fleet::of(0).task(task).start().await;
    let (calls, handler) = begins_after(usize::MAX);
    let lacking = replica(&fleet.clock, fleet.store.clone());
    let lacking = lacking.task(every_ten_minutes().run(handler)).start();
    let lacking = lacking.await.unwrap();
    let mut events = lacking.events();
    pass_seconds(10.0 * 60.0 + 1.0).await;
    assert!(calls.load(Ordering::Relaxed) > 1, "it has the tick");
    fleet.join(1).await;
    let until_given_back = Lease::default().duration() + seconds(10);
    tokio::time::sleep(until_given_back).await;
    let entries = fleet.diary.entries();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0].attempt, 1);
    let records = fleet.history("t").await;
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0].state, SUCCEEDED);
    let why = drain(&mut events)
        .into_iter()
        .find_map(|event| match event {
            Event::Finished { error, .. } => error,
            _ => None,
        });
    assert_eq!(
        why.as_deref(),
        Some("could not begin, given back without spending an attempt: no descriptor is free")
    );
    shut_down([lacking]).await;
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_gives_back_at_once_what_could_not_begin() {
    let (calls, handler) = begins_after(usize::MAX);
    let task = move |_: &Diary| every_ten_minutes().run(handler.clone());
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(10.0 * 60.0 + 1.0).await;
    let before = calls.load(Ordering::Relaxed);
    assert!(before > 0);
    let report = fleet.leave(0, seconds(20)).await;
    assert!(report.cut_off.is_empty(), "{report:?}");
    assert_eq!(calls.load(Ordering::Relaxed), before);
    let record = &fleet.history("t").await[0];
    assert_eq!(record.state, ExecutionState::Waiting);
}

/// An earlier try of the run did begin: the run is one that has failed.
#[tokio::test(start_paused = true)]
async fn a_retry_that_cannot_begin_has_failed() {
    let retry = || {
        let pause = Duration::from_millis(10);
        Retry::times(1).unwrap().backoff(pause, pause)
    };
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let handler = move |_: Run| {
        let is_first = counted.fetch_add(1, Ordering::Relaxed) == 0;
        std::future::ready(match is_first {
            true => Completion::failed("it broke"),
            false => Completion::not_begun("no descriptor is free"),
        })
    };
    let task = move |_: &Diary| every_ten_minutes().retry(retry()).run(handler.clone());
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(10.0 * 60.0 + 10.0).await;
    let record = &fleet.history("t").await[0];
    assert_eq!(record.state, FAILED);
    assert_eq!(record.error.as_deref(), Some("no descriptor is free"));
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    fleet.shut_down().await;
}
