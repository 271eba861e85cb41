//! Sweeps of a store in which very much waits.

use sexton_core::lock::{Enqueue, Enqueued, LockManager, SweepQuery, WAITING_MAX};
use sexton_core::tick::Concurrency;
use sexton_testkit::redis::{Server, is_declared_absent};

use crate::asking::{claim_of, patient};

/// As many members as a sweep asks for at once, of one kind.
const PAGE: usize = 10_000;
const TASKS: usize = 2 * PAGE / WAITING_MAX + 1;

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

#[tokio::test]
async fn what_waits_is_asked_for_in_pages_and_found_whole() {
    if is_declared_absent() {
        return;
    }
    let server = Server::start_with(&["--appendonly", "no"]).await;
    let manager = patient().connect(&server.url()).await.unwrap();
    let enqueues: Vec<Enqueue> = (0..TASKS)
        .flat_map(|task| (0..WAITING_MAX).map(move |tick| (task, tick)))
        .map(|(task, tick)| Enqueue {
            execution: claim_of(&format!("task {task}"), i64::try_from(tick).unwrap()).execution,
            concurrency: Concurrency::ONE,
            deadline: None,
        })
        .collect();
    for batch in enqueues.chunks(1_000) {
        let answers = manager.enqueue(batch).await.unwrap().value;
        assert!(answers.iter().all(|answer| *answer == Enqueued::Waiting));
    }
    let mut client = server.client().await;
    let before = script_calls(&mut client).await;
    let mut query = SweepQuery::default();
    let mut found = Vec::new();
    loop {
        let swept = manager.sweep(&query).await.unwrap().value;
        let Some(last) = swept.claimable.last() else {
            break;
        };
        query.after = Some(last.execution.clone());
        found.extend(swept.claimable.into_iter().map(|one| one.execution));
    }
    let mut waiting: Vec<_> = enqueues.into_iter().map(|one| one.execution).collect();
    waiting.sort_unstable();
    assert!(found == waiting, "{} of {}", found.len(), waiting.len());
    // Three pages for each of the sweeps, the one that finds nothing included.
    let sweeps = u64::try_from(waiting.len().div_ceil(query.limit) + 1).unwrap();
    let calls = script_calls(&mut client).await - before;
    assert!(calls >= 3 * sweeps, "{calls} calls for {sweeps} sweeps");
}
