//! How many at once, and who goes first when not all can.

use std::time::Duration;

use sexton::schedule::Once;
use sexton::{ReadyTask, Task};

use crate::fleet::{Diary, begin, pass_seconds, replica, seconds, store};

/// Due at second 10, works for 2 s.
fn named(name: &str) -> Task<Once> {
    Task::new(name).once("2024-01-30T10:20:10Z".parse().unwrap())
}

fn order(diary: &Diary) -> Vec<(String, i64)> {
    let entries = diary.entries();
    entries
        .iter()
        .map(|entry| (entry.task.clone(), entry.late_ms() / 1_000))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_instances_limit_is_kept_and_the_higher_priority_goes_first() {
    let (clock, diary) = (begin(), Diary::default());
    let work = diary.working(&clock, seconds(2));
    let task = |name: &str, priority: i8| -> ReadyTask {
        named(name).priority(priority).run(work.clone())
    };
    let scheduler = replica(&clock, store(&clock))
        .running_max(1)
        .tasks([task("low", -1), task("middle", 0), task("high", 7)])
        .start()
        .await
        .unwrap();
    pass_seconds(20.0).await;
    let expected = [("high", 0), ("middle", 2), ("low", 4)];
    assert_eq!(
        order(&diary),
        expected.map(|(name, late)| (name.to_owned(), late))
    );
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_tasks_limit_holds_for_its_own_runs_alone() {
    let (clock, diary) = (begin(), Diary::default());
    let work = diary.working(&clock, seconds(2));
    let limited = named("limited").concurrency(3).running_max(1);
    let scheduler = replica(&clock, store(&clock))
        .task(limited.run(work.clone()))
        .task(named("free").run(work))
        .start()
        .await
        .unwrap();
    pass_seconds(20.0).await;
    let late = |name: &str| -> Vec<i64> {
        let mut late: Vec<i64> = order(&diary)
            .into_iter()
            .filter(|line| line.0 == name)
            .map(|line| line.1)
            .collect();
        late.sort_unstable();
        late
    };
    assert_eq!(late("limited"), [0, 2, 4]);
    assert_eq!(late("free"), [0]);
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_groups_limit_is_shared_by_its_tasks() {
    let (clock, diary) = (begin(), Diary::default());
    let work = diary.working(&clock, seconds(2));
    let task = |name: &str| named(name).group("database").run(work.clone());
    let scheduler = replica(&clock, store(&clock))
        .group_running_max("database", 2)
        .tasks([task("a"), task("b"), task("c"), task("d")])
        .start()
        .await
        .unwrap();
    pass_seconds(20.0).await;
    let late: Vec<i64> = order(&diary).into_iter().map(|line| line.1).collect();
    assert_eq!(late, [0, 0, 2, 2]);
    scheduler.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn what_one_instance_has_no_room_for_another_takes_at_once() {
    let (clock, diary) = (begin(), Diary::default());
    let store = store(&clock);
    let work = diary.working(&clock, seconds(2));
    let mut fleet = Vec::new();
    for _ in 0..2 {
        let tasks = ["a", "b"].map(|name| named(name).run(work.clone()));
        let builder = replica(&clock, store.clone()).running_max(1).tasks(tasks);
        fleet.push(builder.start().await.unwrap());
    }
    pass_seconds(20.0).await;
    let late: Vec<i64> = order(&diary).into_iter().map(|line| line.1).collect();
    assert_eq!(late, [0, 0]);
    for scheduler in fleet {
        scheduler.shutdown(Duration::ZERO).await;
    }
}
