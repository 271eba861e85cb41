//! How often a Redis server is asked, counted by the server itself.

use std::time::Duration;

use jiff::SignedDuration;
use sexton::clock::{Clock, SystemClock};
use sexton::{RedisLockManager, Run, Scheduler, Task};
use sexton_testkit::redis::{Server, is_declared_absent};
use tokio::sync::mpsc::unbounded_channel;

const TASKS: usize = 1_000;
/// One for the claims; the outcomes go in a few batches as they come in, and heartbeats are beside it.
const CALLS_MAX: u64 = 40;

async fn script_calls(client: &mut redis::aio::MultiplexedConnection) -> u64 {
    let mut info = redis::cmd("INFO");
    let stats: String = info.arg("commandstats").query_async(client).await.unwrap();
    let calls = |line: &str| {
        let figures = line.strip_prefix("cmdstat_eval")?;
        let (_, figures) = figures.split_once(":calls=")?;
        figures.split(',').next()?.parse::<u64>().ok()
    };
    stats.lines().filter_map(calls).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tasks_due_at_once_take_a_handful_of_calls() {
    if is_declared_absent() {
        return;
    }
    let server = Server::start_with(&["--appendonly", "no"]).await;
    let manager = RedisLockManager::connect(&server.url()).await.unwrap();
    let due = SystemClock.now() + SignedDuration::from_secs(4);
    let (sender, mut ran) = unbounded_channel();
    let work = move |run: Run| {
        // Nobody listens any more once the test is over.
        let _ = sender.send(run.task().clone());
        async {}
    };
    let tasks = (0..TASKS).map(|number| {
        Task::new(format!("task {number}"))
            .once(due)
            .run(work.clone())
    });
    let scheduler = Scheduler::builder()
        .manager(manager)
        .tasks(tasks)
        .start()
        .await
        .unwrap();
    let mut client = server.client().await;
    let before = script_calls(&mut client).await;
    for _ in 0..TASKS {
        ran.recv().await.unwrap();
    }
    let report = scheduler.shutdown(Duration::from_secs(30)).await;
    assert!(report.all_settled);
    let calls = script_calls(&mut client).await - before;
    eprintln!("{TASKS} tasks due at once, claimed and settled in {calls} script calls");
    assert!(calls <= CALLS_MAX, "{calls} calls");
}
