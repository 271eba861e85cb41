//! Which instance takes which execution: race, distinct, labels.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sexton::clock::TokioClock;
use sexton::lock::{ExecutionState, Reason};
use sexton::policy::Placement;
use sexton::{MemoryLockManager, Scheduler, Task, Tick};

use crate::fleet::{Diary, begin, history, pass_seconds, replica, seconds, store};

async fn fleet(
    replicas: usize,
    placement: Placement,
    diary: &Diary,
    clock: &TokioClock,
    store: &MemoryLockManager,
) -> Vec<Scheduler> {
    let mut fleet = Vec::new();
    for _ in 0..replicas {
        let task = Task::new("t")
            .every(seconds(10))
            .unwrap()
            .concurrency(3)
            .placement(placement);
        let task = task.run(diary.noting(clock));
        fleet.push(
            replica(clock, store.clone())
                .task(task)
                .start()
                .await
                .unwrap(),
        );
    }
    fleet
}

fn instances_by_tick(diary: &Diary) -> BTreeMap<Tick, Vec<String>> {
    let mut by_tick: BTreeMap<Tick, Vec<String>> = BTreeMap::new();
    for entry in diary.entries() {
        by_tick.entry(entry.tick).or_default().push(entry.instance);
    }
    by_tick
}

async fn shut_down(fleet: Vec<Scheduler>) {
    for scheduler in fleet {
        scheduler.shutdown(Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn race_lets_one_instance_take_every_index() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let fleet = fleet(1, Placement::Race, &diary, &clock, &store).await;
    pass_seconds(11.0).await;
    assert_eq!(diary.entries().len(), 3);
    shut_down(fleet).await;
}

#[tokio::test(start_paused = true)]
async fn distinct_spreads_a_ticks_indices_over_as_many_instances() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let fleet = fleet(5, Placement::Distinct, &diary, &clock, &store).await;
    pass_seconds(95.0).await;
    let by_tick = instances_by_tick(&diary);
    assert_eq!(by_tick.len(), 9);
    for (tick, instances) in by_tick {
        assert_eq!(instances.len(), 3, "{tick}");
        let distinct: BTreeSet<_> = instances.iter().collect();
        assert_eq!(distinct.len(), 3, "{tick}: {instances:?}");
    }
    shut_down(fleet).await;
}

#[tokio::test(start_paused = true)]
async fn distinct_with_too_few_instances_records_what_nobody_could_take() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let fleet = fleet(2, Placement::Distinct, &diary, &clock, &store).await;
    pass_seconds(25.0).await;
    let first =
        |record: &&sexton::lock::ExecutionRecord| crate::fleet::second(record.execution.tick) == 10;
    let records = history(&store, "t").await;
    let missed: Vec<_> = records
        .iter()
        .filter(first)
        .filter(|record| record.state == ExecutionState::Missed)
        .collect();
    assert_eq!(records.iter().filter(first).count(), 3);
    assert_eq!(missed.len(), 1);
    assert_eq!(missed[0].reason, Some(Reason::TooLate));
    assert!(
        instances_by_tick(&diary)
            .values()
            .all(|instances| instances[0] != instances[1])
    );
    shut_down(fleet).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_wants_labels_runs_only_where_all_of_them_are() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let task = || {
        let task = Task::new("t").every(seconds(10)).unwrap();
        task.only_on("gpu")
            .only_on("paris")
            .run(diary.noting(&clock))
    };
    let mut fleet = Vec::new();
    for labels in [&[][..], &["gpu"], &["gpu", "paris", "big"], &["paris"]] {
        let builder = replica(&clock, store.clone()).task(task());
        let builder = labels
            .iter()
            .fold(builder, |builder, label| builder.label(*label));
        fleet.push(builder.start().await.unwrap());
    }
    pass_seconds(95.0).await;
    let fitting = fleet[2].instance().to_string();
    let entries = diary.entries();
    assert_eq!(entries.len(), 9);
    assert!(entries.iter().all(|entry| entry.instance == fitting));
    shut_down(fleet).await;
}
