//! What happens within one run: failures, panics, retries, timeouts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sexton::lock::{ExecutionState, Outcome};
use sexton::policy::Retry;
use sexton::{Completion, Event, Run, Task};

use crate::fleet::{
    Diary, End, SUCCEEDED, begin, drain, history, pass_seconds, replica, seconds, store,
};

fn minutely() -> Task<sexton::schedule::Every> {
    Task::new("t").every(seconds(60)).unwrap()
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
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let panicking = Task::new("panicking").every(seconds(60)).unwrap();
    let failing_always = Task::new("failing").every(seconds(60)).unwrap();
    let scheduler = replica(&clock, store.clone())
        .task(panicking.run(ring))
        .task(failing_always.run(failing(u32::MAX)))
        .task(minutely().run(diary.noting(&clock)))
        .start()
        .await
        .unwrap();
    pass_seconds(121.0).await;
    assert_eq!(diary.entries().len(), 2);
    for record in history(&store, "panicking").await {
        assert_eq!(record.state, ExecutionState::Ended(Outcome::Panicked));
        assert_eq!(record.error.as_deref(), Some("panicked: the bell fell"));
    }
    let failed = history(&store, "failing").await;
    assert_eq!(failed.len(), 2);
    assert_eq!(failed[1].state, ExecutionState::Ended(Outcome::Failed));
    assert_eq!(failed[1].error.as_deref(), Some("try 2 went wrong"));
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_is_tried_again_with_growing_pauses_until_it_succeeds() {
    let clock = begin();
    let store = store(&clock);
    let retry = Retry::times(5).unwrap().backoff(seconds(1), seconds(3));
    let task = minutely().retry(retry).run(failing(3));
    let scheduler = replica(&clock, store.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    let mut events = scheduler.events();
    pass_seconds(70.0).await;
    let retried: Vec<_> = drain(&mut events).iter().filter_map(is_retried).collect();
    assert_eq!(retried, [(1, seconds(1)), (2, seconds(2)), (3, seconds(3))]);
    let records = history(&store, "t").await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].state, SUCCEEDED);
    assert_eq!(records[0].attempt.map(|attempt| attempt.get()), Some(1));
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn retries_that_run_out_end_as_failed() {
    let clock = begin();
    let store = store(&clock);
    let retry = Retry::times(2).unwrap().backoff(seconds(1), seconds(1));
    let task = minutely().retry(retry).run(failing(3));
    let scheduler = replica(&clock, store.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    pass_seconds(70.0).await;
    let records = history(&store, "t").await;
    assert_eq!(records[0].state, ExecutionState::Ended(Outcome::Failed));
    assert_eq!(records[0].error.as_deref(), Some("try 3 went wrong"));
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_that_the_policy_does_not_name_is_not_retried() {
    let clock = begin();
    let store = store(&clock);
    let retry = Retry::times(5)
        .unwrap()
        .when(|error| error.to_string().contains("try 1"));
    let task = minutely().retry(retry).run(failing(3));
    let scheduler = replica(&clock, store.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    let mut events = scheduler.events();
    pass_seconds(70.0).await;
    assert_eq!(drain(&mut events).iter().filter_map(is_retried).count(), 1);
    let records = history(&store, "t").await;
    assert_eq!(records[0].error.as_deref(), Some("try 2 went wrong"));
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_cancelled_and_counted_as_timed_out() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let task = minutely()
        .timeout(seconds(5))
        .run(diary.working(&clock, seconds(30)));
    let scheduler = replica(&clock, store.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    pass_seconds(65.1).await;
    assert_eq!(diary.entries()[0].end, End::Cancelled);
    let records = history(&store, "t").await;
    assert_eq!(records[0].state, ExecutionState::Ended(Outcome::TimedOut));
    let error = records[0].error.as_deref().unwrap();
    assert_eq!(error, "took longer than its timeout of 5s");
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_listen_is_dropped_after_the_grace_period() {
    let clock = begin();
    let store = store(&clock);
    let dropped = Arc::new(AtomicU32::new(0));
    struct CountsDrops(Arc<AtomicU32>);
    impl Drop for CountsDrops {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let guard = Arc::clone(&dropped);
    let deaf = move || {
        let guard = CountsDrops(Arc::clone(&guard));
        async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        }
    };
    let task = minutely().timeout(seconds(5)).run(deaf);
    let builder = replica(&clock, store.clone()).cancel_grace(seconds(2));
    let scheduler = builder.task(task).start().await.unwrap();
    pass_seconds(66.9).await;
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    pass_seconds(0.2).await;
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    assert_eq!(
        history(&store, "t").await[0].state,
        ExecutionState::Ended(Outcome::TimedOut)
    );
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_stopped_run_still_says_is_kept() {
    let clock = begin();
    let store = store(&clock);
    let handler = |run: Run| async move {
        run.cancellation().cancelled().await;
        Completion::failed("half done").with_output("7 of 14")
    };
    let task = minutely().timeout(seconds(1)).run(handler);
    let scheduler = replica(&clock, store.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    pass_seconds(62.0).await;
    let records = history(&store, "t").await;
    assert_eq!(records[0].output.as_deref(), Some("7 of 14"));
    let error = records[0].error.as_deref().unwrap();
    assert_eq!(error, "took longer than its timeout of 1s: half done");
    scheduler.shutdown(Duration::ZERO).await;
}
