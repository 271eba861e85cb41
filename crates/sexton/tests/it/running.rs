//! What happens within one run: failures, panics, retries, timeouts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sexton::lock::{ExecutionState, Outcome};
use sexton::policy::Retry;
use sexton::schedule::Every;
use sexton::{Completion, Event, Run, Task};

use crate::fleet::{Diary, End, Fleet, SUCCEEDED, drain, every, pass_seconds, seconds};

fn minutely() -> Task<Every> {
    every("t", 60)
}

/// Fails so often, then succeeds.
fn failing(times: u32) -> impl Fn() -> std::future::Ready<Result<(), String>> + Send + Sync {
    let tries = Arc::new(AtomicU32::new(0));
    move || {
        let tries = tries.fetch_add(1, Ordering::Relaxed) + 1;
        let error = format!("try {tries} went wrong");
        std::future::ready(if tries > times { Ok(()) } else { Err(error) })
    }
}

async fn ring() {
    panic!("the bell fell")
}

fn is_retried(event: &Event) -> Option<(u32, Duration)> {
    match event {
        Event::Retried { retry, after, .. } => Some((*retry, *after)),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_and_a_panic_harm_nothing_but_their_own_run() {
    let mut fleet = Fleet::of(1)
        .task(|_| every("panicking", 60).run(ring))
        .task(|_| every("failing", 60).run(failing(u32::MAX)))
        .task(|diary| minutely().run(diary.noting()))
        .start()
        .await;
    pass_seconds(121.0).await;
    assert_eq!(fleet.diary.entries().len(), 2);
    for record in fleet.history("panicking").await {
        assert_eq!(record.state, ExecutionState::Ended(Outcome::Panicked));
        assert_eq!(record.error.as_deref(), Some("panicked: the bell fell"));
    }
    let failed = fleet.history("failing").await;
    assert_eq!(failed.len(), 2);
    assert_eq!(failed[1].state, ExecutionState::Ended(Outcome::Failed));
    assert_eq!(failed[1].error.as_deref(), Some("try 2 went wrong"));
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_is_tried_again_with_growing_pauses_until_it_succeeds() {
    let retry = || Retry::times(5).unwrap().backoff(seconds(1), seconds(3));
    let task = move |_: &Diary| minutely().retry(retry()).run(failing(3));
    let mut fleet = Fleet::of(1).task(task).start().await;
    let mut events = fleet[0].events();
    pass_seconds(70.0).await;
    let retried: Vec<_> = drain(&mut events).iter().filter_map(is_retried).collect();
    assert_eq!(retried, [(1, seconds(1)), (2, seconds(2)), (3, seconds(3))]);
    let records = fleet.history("t").await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].state, SUCCEEDED);
    assert_eq!(records[0].attempt.map(|attempt| attempt.get()), Some(1));
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn retries_that_run_out_end_as_failed() {
    let retry = || Retry::times(2).unwrap().backoff(seconds(1), seconds(1));
    let task = move |_: &Diary| minutely().retry(retry()).run(failing(3));
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(70.0).await;
    let records = fleet.history("t").await;
    assert_eq!(records[0].state, ExecutionState::Ended(Outcome::Failed));
    assert_eq!(records[0].error.as_deref(), Some("try 3 went wrong"));
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn an_error_that_the_policy_does_not_name_is_not_retried() {
    let task = |_: &Diary| {
        let retry = Retry::times(5).unwrap();
        let retry = retry.when(|error| error.to_string().contains("try 1"));
        minutely().retry(retry).run(failing(3))
    };
    let mut fleet = Fleet::of(1).task(task).start().await;
    let mut events = fleet[0].events();
    pass_seconds(70.0).await;
    assert_eq!(drain(&mut events).iter().filter_map(is_retried).count(), 1);
    let records = fleet.history("t").await;
    assert_eq!(records[0].error.as_deref(), Some("try 2 went wrong"));
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_cancelled_and_counted_as_timed_out() {
    let task = |diary: &Diary| {
        minutely()
            .timeout(seconds(5))
            .run(diary.working(seconds(30)))
    };
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(65.1).await;
    assert_eq!(fleet.diary.entries()[0].end, End::Cancelled);
    let records = fleet.history("t").await;
    assert_eq!(records[0].state, ExecutionState::Ended(Outcome::TimedOut));
    let error = records[0].error.as_deref().unwrap();
    assert_eq!(error, "took longer than its timeout of 5s");
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_listen_is_dropped_after_the_grace_period() {
    struct CountsDrops(Arc<AtomicU32>);
    impl Drop for CountsDrops {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicU32::new(0));
    let guard = Arc::clone(&dropped);
    let deaf = move || {
        let guard = CountsDrops(Arc::clone(&guard));
        async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        }
    };
    let mut fleet = Fleet::of(1)
        .task(move |_| minutely().timeout(seconds(5)).run(deaf.clone()))
        .with(|builder| builder.cancel_grace(seconds(2)))
        .start()
        .await;
    pass_seconds(66.9).await;
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    pass_seconds(0.2).await;
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    assert_eq!(
        fleet.history("t").await[0].state,
        ExecutionState::Ended(Outcome::TimedOut)
    );
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_stopped_run_still_says_is_kept() {
    let handler = |run: Run| async move {
        run.cancellation().cancelled().await;
        Completion::failed("half done").with_output("7 of 14")
    };
    let task = move |_: &Diary| minutely().timeout(seconds(1)).run(handler);
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(62.0).await;
    let records = fleet.history("t").await;
    assert_eq!(records[0].output.as_deref(), Some("7 of 14"));
    let error = records[0].error.as_deref().unwrap();
    assert_eq!(error, "took longer than its timeout of 1s: half done");
    fleet.shut_down().await;
}
