//! What others did is told by the server, at once.

use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use sexton_core::lock::{
    Claim, ClaimLead, Enqueue, HeldLock, LockManager, PauseChange, Release, TaskDefinition, Verdict,
};
use sexton_core::name::Namespace;
use sexton_core::tick::Concurrency;
use sexton_sql::postgres::{PostgresLockManager, PostgresOptions};
use sexton_testkit::fixtures::{claim, execution, instance, task};
use sexton_testkit::postgres::Server;

use crate::on_servers::TestServer;

/// Far longer than anything takes that does not hang.
const AGES: Duration = Duration::from_secs(60);

type Changes = BoxStream<'static, ()>;

async fn next(changes: &mut Changes) {
    let told = tokio::time::timeout(AGES, changes.next()).await;
    assert_eq!(told.unwrap(), Some(()), "it ended");
}

/// Says nothing more by itself than that it listens.
async fn listening(manager: &PostgresLockManager) -> Changes {
    let mut changes = manager.notifications().unwrap();
    next(&mut changes).await;
    changes
}

async fn enqueue(manager: &PostgresLockManager, name: &str, tick_ms: i64) {
    let enqueue = Enqueue {
        execution: execution(name, tick_ms),
        concurrency: Concurrency::ONE,
        deadline: None,
    };
    manager.enqueue(&[enqueue]).await.unwrap();
}

async fn in_namespace(server: &Server, name: &str) -> PostgresLockManager {
    let namespace = Namespace::new(name).unwrap();
    let options = PostgresOptions::new().namespace(namespace);
    options.connect(&server.url()).await.unwrap()
}

fn definition(schedule: &str) -> TaskDefinition {
    TaskDefinition {
        task: task("t"),
        schedule: schedule.to_owned(),
        canonical: schedule.to_owned(),
        concurrency: Concurrency::ONE,
        definition: schedule.to_owned(),
    }
}

#[tokio::test]
async fn whatever_instances_should_hear_of_is_told_to_each_of_them() {
    let Some(server) = Server::start() else {
        return;
    };
    let (operator, one, two) = (
        server.open().await,
        server.open().await,
        server.open().await,
    );
    let (mut by_one, mut by_two) = (listening(&one).await, listening(&two).await);
    let claim: Claim = claim("t", 0, "one");
    let lead = ClaimLead::default();
    let granted = one
        .claim(lead, std::slice::from_ref(&claim))
        .await
        .unwrap()
        .whole()
        .unwrap();
    let [Verdict::Granted(grant)] = &granted.value[..] else {
        panic!("{granted:?}");
    };
    let held = HeldLock {
        execution: claim.execution.clone(),
        claim_id: claim.claim_id,
        fence: grant.fence,
    };
    let mut both = async || {
        next(&mut by_one).await;
        next(&mut by_two).await;
    };

    operator.request_cancel(&held.execution).await.unwrap();
    both().await;
    let release = Release {
        lock: held,
        deadline: None,
    };
    one.release(&[release]).await.unwrap().whole().unwrap();
    both().await;
    enqueue(&operator, "t", 1_000).await;
    both().await;
    let (note, by) = ("late".to_owned(), "anna".to_owned());
    let pause = PauseChange::Pause { note, by };
    operator.change_pause(&[task("t")], &pause).await.unwrap();
    both().await;
    let resume = PauseChange::Resume;
    operator.change_pause(&[task("t")], &resume).await.unwrap();
    both().await;
    let me = instance("one");
    one.define(&me, &[definition("every 1s")]).await.unwrap();
    both().await;
    two.define(&me, &[definition("every 2s")]).await.unwrap();
    both().await;
    // The same once more is nothing new: what is told next is of the trigger behind it, and the
    // last there is.
    two.define(&me, &[definition("every 2s")]).await.unwrap();
    enqueue(&operator, "t", 2_000).await;
    both().await;
    enqueue(&operator, "t", 3_000).await;
    both().await;
    let more = futures::FutureExt::now_or_never(by_one.next());
    assert_eq!(more, None);
}

#[tokio::test]
async fn nobody_hears_of_another_namespace_or_of_other_tables() {
    let Some(server) = Server::start() else {
        return;
    };
    let (ours, again) = (server.open().await, server.open().await);
    let theirs = in_namespace(&server, "theirs").await;
    let options = PostgresOptions::new().table_prefix("other_");
    let others = options.connect(&server.url()).await.unwrap();
    let mut changes = listening(&ours).await;
    for tick_ms in 0..5 {
        enqueue(&theirs, "t", tick_ms).await;
        enqueue(&others, "t", tick_ms).await;
    }
    enqueue(&again, "t", 0).await;
    next(&mut changes).await;
    enqueue(&again, "t", 1).await;
    next(&mut changes).await;
    // Notifications come in the order of their commits: one of the first ten would stand before
    // these two.
    assert_eq!(futures::FutureExt::now_or_never(changes.next()), None);
}

#[tokio::test]
async fn a_connection_that_broke_is_made_anew_and_that_is_told() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let (one, other) = (server.open().await, server.open().await);
    let mut changes = listening(&one).await;
    let listeners =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
    server.run(listeners).await;
    next(&mut changes).await;
    enqueue(&other, "t", 0).await;
    next(&mut changes).await;
    server.kill();
    server.begin();
    next(&mut changes).await;
    enqueue(&other, "t", 1).await;
    next(&mut changes).await;
}

#[tokio::test]
async fn who_does_not_want_to_listen_need_not_and_is_heard_all_the_same() {
    let Some(server) = Server::start() else {
        return;
    };
    let options = PostgresOptions::new().listen(false);
    let deaf = options.connect(&server.url()).await.unwrap();
    assert!(deaf.notifications().is_none());
    let mut changes = listening(&server.open().await).await;
    enqueue(&deaf, "t", 0).await;
    next(&mut changes).await;
}

#[tokio::test]
async fn by_an_application_s_pool_of_one_connection() {
    let Some(server) = Server::start() else {
        return;
    };
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1);
    let pool = pool.connect(&server.url()).await.unwrap();
    let manager = PostgresLockManager::with_pool(pool).await.unwrap();
    let mut changes = listening(&manager).await;
    enqueue(&manager, "t", 0).await;
    next(&mut changes).await;
}
