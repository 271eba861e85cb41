//! Handlers, what they take, and what wraps them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sexton::lock::{ExecutionState, Outcome, TaskLock};
use sexton::{
    Attempt, ConcurrencyIndex, Ending, Fence, FromRun, MissingArgument, Registered, Run, State,
    Task, Tick,
};
use tokio_util::sync::CancellationToken;
use tower::util::{MapRequestLayer, MapResponseLayer};

use crate::fleet::{SUCCEEDED, begin, history, pass_seconds, replica, seconds, store};

type Seen = Arc<std::sync::Mutex<Vec<String>>>;

fn once(name: &str) -> Task<sexton::schedule::Once> {
    Task::new(name).once("2024-01-30T10:20:10Z".parse().unwrap())
}

struct ReportPath(String);

impl FromRun for ReportPath {
    fn check(registered: &Registered<'_>) -> Result<(), MissingArgument> {
        State::<Bucket>::check(registered)
    }

    fn from_run(run: &Run) -> Result<ReportPath, MissingArgument> {
        let State(Bucket(bucket)) = State::from_run(run)?;
        Ok(ReportPath(format!("{bucket}/{}", run.tick())))
    }
}

#[derive(Clone)]
struct Bucket(&'static str);

#[allow(clippy::too_many_arguments, reason = "as many as a handler may have")]
async fn takes_eight(
    run: Run,
    tick: Tick,
    fence: Fence,
    attempt: Attempt,
    index: ConcurrencyIndex,
    cancellation: CancellationToken,
    ReportPath(path): ReportPath,
    State(seen): State<Seen>,
) -> Result<(), std::io::Error> {
    assert_eq!(
        (run.tick(), run.fence(), run.attempt(), run.index()),
        (tick, fence, attempt, index)
    );
    let lock: &dyn TaskLock = run.lock();
    assert_eq!(lock.name().as_str(), "t");
    assert_eq!(
        (lock.concurrency_index(), lock.tick(), lock.fence()),
        (index, tick, fence)
    );
    assert!(!cancellation.is_cancelled());
    seen.lock().unwrap().push(path);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_handler_takes_whatever_can_be_had_from_its_run() {
    let clock = begin();
    let store = store(&clock);
    let seen = Seen::default();
    let scheduler = replica(&clock, store.clone())
        .state(Bucket("reports"))
        .state(Arc::clone(&seen))
        .task(once("t").run(takes_eight))
        .start()
        .await
        .unwrap();
    pass_seconds(11.0).await;
    scheduler.shutdown(Duration::ZERO).await;
    assert_eq!(history(&store, "t").await[0].state, SUCCEEDED);
    assert_eq!(*seen.lock().unwrap(), ["reports/2024-01-30T10:20:10.000Z"]);
}

#[tokio::test(start_paused = true)]
async fn layers_see_each_run_and_what_came_of_it() {
    let clock = begin();
    let store = store(&clock);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let task = once("t")
        .run(|| async { Ending::succeeded().with_output("inner") })
        .layer(MapRequestLayer::new(move |run: Run| {
            counted.fetch_add(1, Ordering::Relaxed);
            run
        }))
        .layer(MapResponseLayer::new(|ending: Ending| {
            assert_eq!(ending.outcome(), Outcome::Succeeded);
            ending.with_output("outer")
        }));
    let scheduler = replica(&clock, store.clone())
        .task(task)
        .start()
        .await
        .unwrap();
    pass_seconds(11.0).await;
    scheduler.shutdown(Duration::ZERO).await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!(
        history(&store, "t").await[0].output.as_deref(),
        Some("outer")
    );
}

#[tokio::test(start_paused = true)]
async fn a_layer_may_keep_a_run_waiting_until_its_timeout() {
    let clock = begin();
    let store = store(&clock);
    // One place, and a first run that keeps it.
    let limit = tower::limit::GlobalConcurrencyLimitLayer::new(1);
    let work = || tokio::time::sleep(Duration::from_secs(30));
    let layered = |name: &str| {
        once(name)
            .timeout(seconds(5))
            .run(work)
            .layer(limit.clone())
    };
    let builder = replica(&clock, store.clone()).tasks([layered("first"), layered("second")]);
    let scheduler = builder.start().await.unwrap();
    pass_seconds(16.0).await;
    scheduler.shutdown(Duration::ZERO).await;
    for name in ["first", "second"] {
        let state = history(&store, name).await[0].state;
        assert_eq!(state, ExecutionState::Ended(Outcome::TimedOut), "{name}");
    }
}
