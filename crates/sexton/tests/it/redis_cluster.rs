//! A cluster of which one master stands still for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use sexton::clock::{Clock, SystemClock};
use sexton::policy::Overlap;
use sexton::{Event, RedisLockManager, Run, Scheduler, Task};
use sexton_testkit::redis::{Cluster, is_declared_absent};
use tokio::sync::mpsc::unbounded_channel;

const TASKS: usize = 24;
const PERIOD: Duration = Duration::from_secs(3);
const STILL: Duration = Duration::from_secs(10);
/// Within this all tasks run again; a lease would take longer.
const BACK_MAX: Duration = Duration::from_secs(20);
/// What a tick that is due when the master stops may be late by, on a busy machine.
const LATE_MAX_MS: i64 = 5_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_stands_still_costs_the_tasks_of_the_others_no_tick() {
    if is_declared_absent() {
        return;
    }
    let cluster = Cluster::start().await;
    cluster.serve_what_is_left().await;
    let manager = RedisLockManager::connect(&cluster.url()).await.unwrap();
    let (sender, mut ran) = unbounded_channel();
    let work = move |run: Run| {
        let at_ms = SystemClock.now().as_millisecond();
        // Nobody listens any more once the test is over.
        let _ = sender.send((run.task().to_string(), run.tick().as_millis(), at_ms));
        async {}
    };
    let policies = [Overlap::Allow, Overlap::Skip, Overlap::QueueOne];
    let tasks = (0..TASKS)
        .zip(policies.iter().cycle())
        .map(|(number, overlap)| {
            let task = Task::new(format!("task {number}"));
            let task = task.every(PERIOD).unwrap();
            task.overlap(*overlap).run(work.clone())
        });
    let scheduler = Scheduler::builder().manager(manager).tasks(tasks);
    let scheduler = scheduler.start().await.unwrap();
    let mut events = scheduler.events();
    for _ in 0..TASKS * 2 {
        ran.recv().await.unwrap();
    }
    let from_ms = SystemClock.now().as_millisecond();
    cluster.masters[1].signal("STOP");
    tokio::time::sleep(STILL).await;
    cluster.masters[1].signal("CONT");
    let until_ms = SystemClock.now().as_millisecond();
    cluster.wait_until_it_agrees().await;
    // All of them run again, and soon: nobody's lease holds them up.
    let back_by = SystemClock.monotonic() + BACK_MAX;
    let mut lateness: BTreeMap<String, BTreeMap<i64, i64>> = BTreeMap::new();
    let has_run_since = |lateness: &BTreeMap<String, BTreeMap<i64, i64>>| {
        let last = |ticks: &BTreeMap<i64, i64>| ticks.keys().last().copied();
        let late = lateness
            .values()
            .filter(|ticks| last(ticks) > Some(until_ms + 2_000));
        late.count() == TASKS
    };
    while !has_run_since(&lateness) {
        let next = tokio::time::timeout(back_by - SystemClock.monotonic(), ran.recv()).await;
        let (task, tick_ms, at_ms) = next.expect("all tasks run again").unwrap();
        let before = lateness
            .entry(task)
            .or_default()
            .insert(tick_ms, at_ms - tick_ms);
        assert_eq!(before, None, "no tick runs twice");
    }
    let shut_down = scheduler.shutdown(Duration::from_secs(10)).await;
    assert!(shut_down.all_settled);
    let ticks: Vec<i64> = (from_ms..until_ms).filter(|ms| ms % 3_000 == 0).collect();
    let untouched = lateness
        .iter()
        .filter(|(_, ran)| ticks.iter().all(|tick| ran.contains_key(tick)));
    let untouched: Vec<_> = untouched.collect();
    // Sixteen buckets are not quite evenly spread over three masters.
    assert!(untouched.len() >= TASKS / 3, "{lateness:#?}");
    assert!(untouched.len() < TASKS, "the master kept some of them");
    let in_time = untouched
        .iter()
        .map(|(_, ran)| ticks.iter().filter_map(|tick| ran.get(tick)).max());
    let latest_ms = in_time.flatten().max();
    eprintln!(
        "{} of {TASKS} tasks untouched, {latest_ms:?} ms late at most",
        untouched.len()
    );
    assert!(latest_ms < Some(&LATE_MAX_MS), "{lateness:#?}");
    let mut told = (0, 0);
    while let Ok(event) = events.try_recv() {
        match &*event {
            Event::StorePartLost { .. } => told.0 += 1,
            Event::StorePartBack { .. } => told.1 += 1,
            _ => {}
        }
    }
    assert!(told.0 >= 1 && told.0 == told.1, "{told:?}");
}
