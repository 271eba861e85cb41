//! How many at once, and who goes first when not all can.

use sexton::Task;
use sexton::schedule::Once;

use crate::fleet::{Diary, Fleet, pass_seconds, seconds};

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
    let tasks = |diary: &Diary| {
        let work = diary.working(seconds(2));
        let task = |name: &str, priority: i8| named(name).priority(priority).run(work.clone());
        [task("low", -1), task("middle", 0), task("high", 7)]
    };
    let mut fleet = Fleet::of(1)
        .tasks(tasks)
        .with(|builder| builder.running_max(1))
        .start()
        .await;
    pass_seconds(20.0).await;
    let expected = [("high", 0), ("middle", 2), ("low", 4)];
    assert_eq!(
        order(&fleet.diary),
        expected.map(|(name, late)| (name.to_owned(), late))
    );
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_tasks_limit_holds_for_its_own_runs_alone() {
    let mut fleet = Fleet::of(1)
        .task(|diary| {
            let limited = named("limited").concurrency(3).running_max(1);
            limited.run(diary.working(seconds(2)))
        })
        .task(|diary| named("free").run(diary.working(seconds(2))))
        .start()
        .await;
    pass_seconds(20.0).await;
    let late = |name: &str| -> Vec<i64> {
        let mut late: Vec<i64> = order(&fleet.diary)
            .into_iter()
            .filter(|line| line.0 == name)
            .map(|line| line.1)
            .collect();
        late.sort_unstable();
        late
    };
    assert_eq!(late("limited"), [0, 2, 4]);
    assert_eq!(late("free"), [0]);
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_groups_limit_is_shared_by_its_tasks() {
    let tasks = |diary: &Diary| {
        let work = diary.working(seconds(2));
        ["a", "b", "c", "d"].map(|name| named(name).group("database").run(work.clone()))
    };
    let mut fleet = Fleet::of(1)
        .tasks(tasks)
        .with(|builder| builder.group_running_max("database", 2))
        .start()
        .await;
    pass_seconds(20.0).await;
    let late: Vec<i64> = order(&fleet.diary).into_iter().map(|line| line.1).collect();
    assert_eq!(late, [0, 0, 2, 2]);
    fleet.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn what_one_instance_has_no_room_for_another_takes_at_once() {
    let tasks = |diary: &Diary| {
        let work = diary.working(seconds(2));
        ["a", "b"].map(|name| named(name).run(work.clone()))
    };
    let mut fleet = Fleet::of(2)
        .tasks(tasks)
        .with(|builder| builder.running_max(1))
        .start()
        .await;
    pass_seconds(20.0).await;
    let late: Vec<i64> = order(&fleet.diary).into_iter().map(|line| line.1).collect();
    assert_eq!(late, [0, 0]);
    fleet.shut_down().await;
}
