//! Handlers, what they take, and what wraps them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sexton::lock::{ExecutionState, Outcome, TaskLock};
use sexton::{
    Attempt, BuildContext, Completion, ConcurrencyIndex, Fence, FromRun, MissingArgument, Run,
    State, Task, Tick,
};
use tokio_util::sync::CancellationToken;
use tower::util::{MapRequestLayer, MapResponseLayer};

use crate::fleet::{Diary, Fleet, SUCCEEDED, pass_seconds, seconds};

type Seen = Arc<std::sync::Mutex<Vec<String>>>;

fn once(name: &str) -> Task<sexton::schedule::Once> {
    Task::new(name).once("2024-01-30T10:20:10Z".parse().unwrap())
}

struct ReportPath(String);

impl FromRun for ReportPath {
    fn check(context: &BuildContext<'_>) -> Result<(), MissingArgument> {
        State::<Bucket>::check(context)
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
    let seen = Seen::default();
    let state = Arc::clone(&seen);
    let mut fleet = Fleet::of(1)
        .task(|_| once("t").run(takes_eight))
        .with(move |builder| builder.state(Bucket("reports")).state(Arc::clone(&state)))
        .start()
        .await;
    pass_seconds(11.0).await;
    fleet.shut_down().await;
    assert_eq!(fleet.history("t").await[0].state, SUCCEEDED);
    assert_eq!(*seen.lock().unwrap(), ["reports/2024-01-30T10:20:10.000Z"]);
}

#[tokio::test(start_paused = true)]
async fn layers_see_each_run_and_what_came_of_it() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let count = MapRequestLayer::new(move |run: Run| {
        counted.fetch_add(1, Ordering::Relaxed);
        run
    });
    let rename = MapResponseLayer::new(|completion: Completion| {
        assert_eq!(completion.outcome(), Outcome::Succeeded);
        completion.with_output("outer")
    });
    let task = move |_: &Diary| {
        let task = once("t").run(|| async { Completion::succeeded().with_output("inner") });
        task.layer(count.clone()).layer(rename.clone())
    };
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(11.0).await;
    fleet.shut_down().await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!(fleet.history("t").await[0].output.as_deref(), Some("outer"));
}

#[tokio::test(start_paused = true)]
async fn a_layer_may_keep_a_run_waiting_until_its_timeout() {
    // One place, and a first run that keeps it.
    let limit = tower::limit::GlobalConcurrencyLimitLayer::new(1);
    let work = || tokio::time::sleep(Duration::from_secs(30));
    let layered = move |name: &str| {
        let task = once(name).timeout(seconds(5));
        task.run(work).layer(limit.clone())
    };
    let tasks = move |_: &Diary| [layered("first"), layered("second")];
    let mut fleet = Fleet::of(1).tasks(tasks).start().await;
    pass_seconds(16.0).await;
    fleet.shut_down().await;
    for name in ["first", "second"] {
        let state = fleet.history(name).await[0].state;
        assert_eq!(state, ExecutionState::Ended(Outcome::TimedOut), "{name}");
    }
}
