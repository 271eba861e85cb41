//! A task that cannot work fails before anything starts, and says which and why.

use std::time::Duration;

use sexton::lock::LockManager;
use sexton::policy::Missed;
use sexton::{BuildError, MemoryLockManager, ReadyTask, Run, Scheduler, State, Task};
use sexton_testkit::faulty::{Fault, FaultyManager};

use crate::fleet::{Fleet, begin, every, history, pass_seconds, seconds, store};

async fn idle(_: Run) {}

fn every_second(name: &str) -> Task<sexton::schedule::Every> {
    every(name, 1)
}

async fn refusal(tasks: impl IntoIterator<Item = ReadyTask>) -> String {
    let fleet = Fleet::of(0).start().await;
    let builder = fleet.replica().tasks(tasks);
    let error = builder.start().await.unwrap_err();
    assert!(matches!(error, BuildError::Tasks(_)), "{error:?}");
    assert!(
        fleet.store.instances().await.unwrap().value.is_empty(),
        "something was started"
    );
    error.to_string()
}

#[tokio::test(start_paused = true)]
async fn every_task_that_cannot_work_is_named_with_the_reason() {
    let told = refusal([
        every_second("twice").run(idle),
        every_second("none at all").concurrency(0).run(idle),
        every_second("twice").run(idle),
        every_second("elsewhere").manager("redis").run(idle),
        every_second("").run(idle),
        every_second("sexton:prune").run(idle),
        every_second("hurried")
            .lease(Duration::from_millis(1))
            .run(idle),
        every_second("full").running_max(0).run(idle),
        every_second("grouped").group("database").run(idle),
    ])
    .await;
    let lines: Vec<&str> = told.lines().collect();
    let begins = |start: &str| lines.iter().any(|line| line.starts_with(start));
    for start in [
        "task \"none at all\": concurrency",
        "task \"twice\": another task of this scheduler has the same name",
        "task \"elsewhere\": no lock manager is called \"redis\"; known: default",
        "task \"\": ",
        "task \"sexton:prune\": ",
        "task \"hurried\": ",
        "task \"full\": ",
        "task \"grouped\": no group is called \"database\"",
    ] {
        assert!(begins(start), "{start} is not in:\n{told}");
    }
    assert_eq!(lines.len(), 8, "{told}");
}

#[tokio::test(start_paused = true)]
async fn an_expression_that_cannot_be_read_fails_where_it_is_given() {
    let error = Task::new("t").cron("61 * * * *").unwrap_err();
    assert!(error.to_string().starts_with("task \"t\": "), "{error}");
    assert!(Task::new("t").cron("0 0 30 2 *").is_err());
    assert!(
        Task::new("t")
            .cron("@daily")
            .unwrap()
            .in_tz("Europe/Nowhere")
            .is_err()
    );
    assert!(Task::new("t").every(Duration::ZERO).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_state_that_a_handler_takes_and_nobody_gave_is_found_before_anything_starts() {
    #[derive(Clone)]
    struct Database;
    async fn takes(_: State<Database>) {}
    let told = refusal([every_second("t").run(takes)]).await;
    assert!(
        told.contains("Database") && told.contains(".state("),
        "{told}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_the_store_does_not_support_is_refused() {
    let fleet = Fleet::of(0).start().await;
    let plain = FaultyManager::new(fleet.store.clone()).without_capabilities();
    let start = |task| fleet.replica_on(plain.clone()).task(task).start();
    let task = every_second("t").at_least_once(3).run(idle);
    let error = start(task).await.unwrap_err();
    assert!(error.to_string().contains("no leases"), "{error}");
    let window = seconds(60);
    let task = every_second("t")
        .missed(Missed::Latest { window })
        .run(idle);
    let error = start(task).await.unwrap_err();
    assert!(error.to_string().contains("catching up"), "{error}");
    let scheduler = start(every_second("t").run(idle)).await;
    scheduler.unwrap().shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_scheduler_without_a_store_or_with_one_that_is_away_does_not_start() {
    let error = Scheduler::builder().start().await.unwrap_err();
    assert!(matches!(error, BuildError::NoManager));
    let away = Fleet::of(0).failing(|_| Fault::Unreachable).start().await;
    let error = away.replica().start().await.unwrap_err();
    assert!(matches!(&error, BuildError::Store { name, .. } if name.as_str() == "default"));
    let two = Scheduler::builder()
        .manager(MemoryLockManager::new())
        .manager(MemoryLockManager::new());
    assert!(matches!(
        two.start().await,
        Err(BuildError::ManagerNameUsedTwice { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn several_lock_managers_each_keep_the_tasks_that_name_them() {
    let other = store(&begin());
    let second = other.clone();
    let mut fleet = Fleet::of(1)
        .task(|diary| every_second("here").run(diary.noting()))
        .task(|diary| every_second("there").manager("other").run(diary.noting()))
        .with(move |builder| builder.named_manager("other", second.clone()))
        .start()
        .await;
    pass_seconds(2.5).await;
    fleet.shut_down().await;
    assert_eq!(fleet.diary.entries().len(), 4);
    assert_eq!(fleet.history("here").await.len(), 2);
    assert_eq!(fleet.history("there").await.len(), 0);
    assert_eq!(history(&other, "there").await.len(), 2);
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn locks_of_the_kotlin_system_in_redis_run_plain_tasks_and_refuse_the_others() {
    if sexton_testkit::redis::is_declared_absent() {
        return;
    }
    let server = sexton_testkit::redis::Server::start().await;
    let redis = sexton::RedisLockManager::connect(&server.url())
        .await
        .unwrap();
    let manager = redis.ktor_compatible(Duration::from_secs(600)).unwrap();
    let ambiguous = every_second("a-***-b").run(idle);
    let builder = Scheduler::builder().manager(manager.clone());
    let error = builder.task(ambiguous).start().await.unwrap_err();
    let told = error.to_string();
    assert!(
        told.starts_with(r#"task "a-***-b": task name holds "-***-", "#)
            && told.contains(r#"use "a_b""#),
        "{told}"
    );
    plain_tasks_run_and_others_are_refused(manager).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn locks_of_the_kotlin_system_in_postgres_run_plain_tasks_and_refuse_the_others() {
    let Some(server) = sexton_testkit::postgres::Server::start() else {
        return;
    };
    let table = sexton::postgres::KtorTable::new();
    let postgres = sexton::PostgresLockManager::connect(&server.url()).await;
    let manager = postgres.unwrap().ktor_compatible(&table).await.unwrap();
    plain_tasks_run_and_others_are_refused(manager).await;
}

#[cfg(feature = "mysql")]
#[tokio::test]
async fn locks_of_the_kotlin_system_in_mariadb_run_plain_tasks_and_refuse_the_others() {
    let Some(server) = sexton_testkit::mariadb::Server::start() else {
        return;
    };
    let table = sexton::mysql::KtorTable::new();
    let mariadb = sexton::MySqlLockManager::connect(&server.url()).await;
    let manager = mariadb.unwrap().ktor_compatible(&table).await.unwrap();
    plain_tasks_run_and_others_are_refused(manager).await;
}

#[cfg(any(feature = "redis", feature = "postgres", feature = "mysql"))]
async fn plain_tasks_run_and_others_are_refused(manager: impl sexton::lock::LockManager + Clone) {
    let (sender, mut ran) = tokio::sync::mpsc::unbounded_channel();
    let every = || Task::new("t").every(Duration::from_millis(100)).unwrap();
    let work = move |run: sexton::Run| {
        // Nobody listens any more once the test is over.
        let _ = sender.send(run.tick());
        async {}
    };
    let refused = Scheduler::builder().manager(manager.clone());
    let refused = refused
        .task(every().at_least_once(3).run(work.clone()))
        .start()
        .await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("no leases"), "{error}");
    let scheduler = Scheduler::builder()
        .manager(manager)
        .task(every().run(work));
    let scheduler = scheduler.start().await.unwrap();
    let (first, second) = (ran.recv().await.unwrap(), ran.recv().await.unwrap());
    assert!(first < second);
    scheduler.shutdown(Duration::from_secs(1)).await;
}
