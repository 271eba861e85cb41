//! Which instance takes which execution: race, distinct, labels.

use std::collections::{BTreeMap, BTreeSet};

use sexton::clock::Clock;
use sexton::lock::{
    ClaimLead, Enqueue, Execution, ExecutionRecord, ExecutionState, LockManager, Outcome, Reason,
};
use sexton::policy::{Missed, Placement};
use sexton::schedule::Every;
use sexton::{Concurrency, ConcurrencyIndex, MemoryLockManager, Task, Tick};

use crate::fleet::{Diary, Fleet, every, history, name, pass_seconds, second, seconds, shut_down};

/// A fleet with a task of three indices, which is due every 10 s.
async fn fleet(replicas: usize, placement: Placement) -> Fleet {
    let task = move |diary: &Diary| {
        let task = every("t", 10).concurrency(3).placement(placement);
        task.run(diary.noting())
    };
    Fleet::of(replicas).task(task).start().await
}

/// A task of two indices, each on another instance.
fn distinct(period_s: u64) -> Task<Every> {
    let task = every("t", period_s).concurrency(2);
    task.placement(Placement::Distinct)
}

fn instances_by_tick(diary: &Diary) -> BTreeMap<Tick, Vec<String>> {
    let mut by_tick: BTreeMap<Tick, Vec<String>> = BTreeMap::new();
    for entry in diary.entries() {
        by_tick.entry(entry.tick).or_default().push(entry.instance);
    }
    by_tick
}

#[tokio::test(start_paused = true)]
async fn race_lets_one_instance_take_every_index() {
    let mut fleet = fleet(1, Placement::Race).await;
    pass_seconds(11.0).await;
    assert_eq!(fleet.diary.entries().len(), 3);
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn distinct_spreads_a_ticks_indices_over_as_many_instances() {
    let mut fleet = fleet(5, Placement::Distinct).await;
    pass_seconds(95.0).await;
    let by_tick = instances_by_tick(&fleet.diary);
    assert_eq!(by_tick.len(), 9);
    for (tick, instances) in by_tick {
        assert_eq!(instances.len(), 3, "{tick}");
        let distinct: BTreeSet<_> = instances.iter().collect();
        assert_eq!(distinct.len(), 3, "{tick}: {instances:?}");
    }
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn distinct_with_too_few_instances_records_what_nobody_could_take() {
    let mut fleet = fleet(2, Placement::Distinct).await;
    pass_seconds(25.0).await;
    let first = |record: &&ExecutionRecord| second(record.execution.tick) == 10;
    let records = fleet.history("t").await;
    let missed: Vec<_> = records
        .iter()
        .filter(first)
        .filter(|record| record.state == ExecutionState::Missed)
        .collect();
    assert_eq!(records.iter().filter(first).count(), 3);
    assert_eq!(missed.len(), 1);
    assert_eq!(missed[0].reason, Some(Reason::TooLate));
    assert!(
        instances_by_tick(&fleet.diary)
            .values()
            .all(|instances| instances[0] != instances[1])
    );
    fleet.shut_down().await;
}

/// How many records there are of each tick.
async fn records_by_tick(store: &MemoryLockManager) -> Vec<(i64, usize)> {
    let mut by_tick = BTreeMap::new();
    for record in history(store, "t").await {
        *by_tick.entry(second(record.execution.tick)).or_default() += 1;
    }
    by_tick.into_iter().collect()
}

#[tokio::test(start_paused = true)]
async fn what_nobody_could_take_is_recorded_before_the_next_tick_is_granted() {
    // Whether ticks are caught up with, and whether one is claimed before the one before it is due.
    let window = seconds(60);
    let cases = [
        (Missed::Skip, 1),
        (Missed::Latest { window }, 1),
        (Missed::All { window }, 1),
        (Missed::Skip, 45),
    ];
    for (missed, lead_s) in cases {
        let mut fleet = Fleet::of(1)
            .task(move |diary| distinct(10).missed(missed).run(diary.noting()))
            .with(move |builder| builder.claim_lead(ClaimLead::new(seconds(lead_s)).unwrap()))
            .start()
            .await;
        // An index stays open to others until its tick's window ends, and the latest until its
        // successor is due.
        pass_seconds(265.0).await;
        let complete: Vec<(i64, usize)> = (1..=19).map(|tick| (tick * 10, 2)).collect();
        let records = records_by_tick(&fleet.store).await;
        assert_eq!(records[..19], complete, "{missed:?}, lead {lead_s} s");
        fleet.shut_down().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_triggered_waits_for_no_index_that_stands_open_and_closes_none() {
    let task = |diary: &Diary| distinct(60).run(diary.noting());
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(70.0).await;
    let left_open = 3 - fleet.diary.entries()[0].index;
    let enqueue = Enqueue {
        execution: Execution {
            task: name("t"),
            index: ConcurrencyIndex::new(left_open.into()).unwrap(),
            tick: Tick::at_or_before(fleet.clock.now()),
        },
        concurrency: Concurrency::new(2).unwrap(),
        deadline: None,
    };
    fleet.store.enqueue(&[enqueue]).await.unwrap();
    // Until the next heartbeat, not until the next tick.
    pass_seconds(6.0).await;
    assert_eq!(fleet.diary.seconds(), [60, 70]);
    assert_eq!(records_by_tick(&fleet.store).await, [(60, 1), (70, 1)]);
    pass_seconds(60.0).await;
    let records = records_by_tick(&fleet.store).await;
    assert_eq!(records[..2], [(60, 2), (70, 1)]);
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_joins_takes_the_index_that_is_left_of_a_tick_claimed_ahead() {
    let mut fleet = Fleet::of(1)
        .task(|diary| distinct(60).run(diary.noting()))
        .with(|builder| builder.claim_lead(ClaimLead::new(seconds(30)).unwrap()))
        .start()
        .await;
    pass_seconds(50.0).await;
    assert_eq!(fleet.history("t").await.len(), 1);
    fleet.join(1).await;
    pass_seconds(11.0).await;
    assert_eq!(fleet.diary.by_tick("t").values().next(), Some(&vec![1, 2]));
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_wants_labels_runs_only_where_all_of_them_are() {
    let task = |diary: &Diary| {
        let task = every("t", 10).only_on("gpu").only_on("paris");
        task.run(diary.noting())
    };
    let fleet = Fleet::of(0).task(task).start().await;
    let mut replicas = Vec::new();
    for labels in [&[][..], &["gpu"], &["gpu", "paris", "big"], &["paris"]] {
        let builder = labels
            .iter()
            .fold(fleet.replica(), |builder, label| builder.label(*label));
        replicas.push(builder.start().await.unwrap());
    }
    pass_seconds(95.0).await;
    let fitting = replicas[2].instance().to_string();
    let entries = fleet.diary.entries();
    assert_eq!(entries.len(), 9);
    assert!(entries.iter().all(|entry| entry.instance == fitting));
    shut_down(replicas).await;
}

/// Whichever replica comes to which index first.
#[tokio::test(start_paused = true)]
async fn a_trigger_costs_a_distinct_task_no_tick() {
    for seed in 0..60 {
        fastrand::seed(seed);
        let task = |diary: &Diary| distinct(1).run(diary.noting());
        let mut fleet = Fleet::of(2).task(task).start().await;
        pass_seconds(10.3).await;
        let triggered = fleet.trigger("t").await;
        pass_seconds(20.0).await;
        fleet.shut_down().await;
        let records = fleet.history("t").await;
        let unrun: Vec<_> = records
            .iter()
            .filter(|record| record.state != ExecutionState::Ended(Outcome::Succeeded))
            .collect();
        assert!(unrun.is_empty(), "seed {seed}: {unrun:?}");
        // Thirty ticks of the schedule, and the trigger's.
        assert_eq!(records.len(), 2 * 31, "seed {seed}");
        let entries = fleet.diary.entries();
        let of_trigger = entries.iter().filter(|entry| entry.tick == triggered);
        let indices: BTreeSet<u16> = of_trigger.map(|entry| entry.index).collect();
        assert_eq!(indices, BTreeSet::from([1, 2]), "seed {seed}");
    }
}

/// Where nobody comes to an index, a tick waits a heartbeat for others once, and not each tick
/// after it again: the task falls behind no further.
#[tokio::test(start_paused = true)]
async fn a_fleet_that_is_too_small_waits_for_others_once() {
    let task = |diary: &Diary| distinct(1).run(diary.noting());
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(60.5).await;
    let records = fleet.history("t").await;
    let missed = |record: &&ExecutionRecord| record.state == ExecutionState::Missed;
    let recorded_by = |record: &ExecutionRecord| {
        let finished_at = record.finished_at.unwrap().as_millisecond();
        finished_at - record.execution.tick.as_millis()
    };
    let mut delays: Vec<(i64, i64)> = records
        .iter()
        .filter(missed)
        .map(|record| (second(record.execution.tick), recorded_by(record)))
        .collect();
    delays.sort();
    assert!(delays.len() >= 58, "{delays:?}");
    // The first is open for a heartbeat and a last try, those behind it as long as it is.
    let longest = delays.iter().map(|(_, delay)| *delay).max();
    assert!((5_000..=6_600).contains(&longest.unwrap()), "{delays:?}");
    let later = delays.iter().filter(|(second, _)| *second > 10);
    assert!(
        later.clone().all(|(_, delay)| *delay <= 1_100),
        "{delays:?}"
    );
    fleet.shut_down().await;
}

/// Under *all* what nobody takes stays open until its window ends, and fills its line meanwhile.
#[tokio::test(start_paused = true)]
async fn an_index_that_nobody_takes_costs_the_others_nothing() {
    let window = seconds(3_600);
    let task = move |diary: &Diary| {
        let task = distinct(1).missed(Missed::All { window });
        task.run(diary.noting())
    };
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(400.5).await;
    fleet.shut_down().await;
    let entries = fleet.diary.entries();
    assert_eq!(entries.len(), 400);
    assert!(entries.iter().all(|entry| entry.late_ms() == 0));
}
