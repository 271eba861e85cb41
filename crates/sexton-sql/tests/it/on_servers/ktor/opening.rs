//! The table as it is found, or not.

use sexton_core::lock::{Claim, ClaimLead, Execution, LockError, LockManager};
use sexton_core::tick::Concurrency;
use sexton_sql::{KtorTable, OpenError};
use sexton_testkit::fixtures::{NOON_MS, instance};
use sexton_testkit::process::Disk;

use super::{KotlinSide, ask, at, of, on_each_server, open, won};
use crate::on_servers::Options;

on_each_server!(
    a_missing_table_is_made_so_that_theirs_find_it_by_eight_at_once,
    who_may_not_make_the_table_is_told_what_to_run,
    a_tick_that_a_column_would_round_is_refused,
    a_table_of_another_name_can_be_named,
    a_table_that_will_not_do_is_told_why,
    a_name_that_is_too_long_is_refused,
);

pub(super) async fn refused(manager: &dyn LockManager, executions: &[Execution]) -> LockError {
    let claim =
        |execution: &Execution| Claim::new(execution.clone(), Concurrency::ONE, instance("one"));
    let batch: Vec<Claim> = executions.iter().map(claim).collect();
    let answer = manager.claim(ClaimLead::default(), &batch).await;
    answer.unwrap_err()
}

async fn a_missing_table_is_made_so_that_theirs_find_it_by_eight_at_once<S: KotlinSide>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    server.open().await.close().await;
    let managers = futures::future::join_all((0..8).map(|_| open(&server))).await;
    let mut kotlin = server.raw().await;
    // Which makes nothing, as it is there.
    S::execute(&mut kotlin, S::TABLE).await;
    for (tick, manager) in (0..).zip(&managers) {
        assert_eq!(won(manager, &[at(tick)]).await, [at(tick)]);
        assert!(!S::take(&mut kotlin, &at(tick)).await);
    }
    assert!(S::take(&mut kotlin, &at(100)).await);
    assert!(won(&managers[0], &[at(100)]).await.is_empty());
}

async fn who_may_not_make_the_table_is_told_what_to_run<S: KotlinSide>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    server.open().await.close().await;
    let mut operator = server.raw().await;
    S::execute(&mut operator, S::REPLICA).await;
    let url = server.url().replace("sexton:", "replica:");
    let replica = Options::<S>::new().connect(&url).await.unwrap();
    let opened = replica.ktor_compatible(&KtorTable::new()).await;
    let error = opened.unwrap_err();
    let said = error.to_string();
    let OpenError::NoTaskLocks { statement, .. } = error else {
        panic!("{error:?}");
    };
    assert!(
        said.contains("task_locks") && said.contains(&statement),
        "{said}"
    );
    S::execute(&mut operator, statement.leak()).await;
    let error = replica.ktor_compatible(&KtorTable::new()).await;
    assert!(error.is_err(), "opened without a right to the table");
    S::execute(&mut operator, S::SHARE).await;
    let manager = replica.ktor_compatible(&KtorTable::new()).await.unwrap();
    assert_eq!(won(&manager, &[at(0)]).await, [at(0)]);
    assert!(!S::take(&mut operator, &at(0)).await);
}

/// What both kinds of server take.
const WHOLE_SECONDS: &str = "CREATE TABLE task_locks (_name VARCHAR(20) NOT NULL, concurrency_index INT NOT NULL, \
    locked_at TIMESTAMP(0) NULL, PRIMARY KEY (_name, concurrency_index))";

async fn a_tick_that_a_column_would_round_is_refused<S: KotlinSide>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let mut kotlin = server.raw().await;
    S::execute(&mut kotlin, WHOLE_SECONDS).await;
    let manager = open(&server).await;
    for after_noon_ms in [500, -1, 999] {
        let error = refused(&manager, &[at(0), at(after_noon_ms)]).await;
        assert!(matches!(error, LockError::Refused { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains("would round the tick of t[1]@"), "{said}");
    }
    S::register(&mut kotlin, &at(0)).await;
    assert_eq!(
        S::locked_ms(&mut kotlin, &at(0)).await,
        None,
        "half a batch"
    );
    assert_eq!(won(&manager, &[at(0), at(1_000)]).await.len(), 2);
    // What is given back opens one second.
    super::give_back(&manager, &[at(1_000)]).await;
    assert_eq!(S::locked_ms(&mut kotlin, &at(0)).await, Some(NOON_MS));
    assert!(!S::take(&mut kotlin, &at(0)).await);
    assert!(S::take(&mut kotlin, &at(1_000)).await);
}

async fn a_table_of_another_name_can_be_named<S: KotlinSide>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let postgres = server.open().await;
    let name = "a$1 \"`{locks}";
    let table = KtorTable::new().name(name);
    let manager = postgres.ktor_compatible(&table).await.unwrap();
    assert_eq!(won(&manager, &[at(0)]).await, [at(0)]);
    let again = postgres.ktor_compatible(&table).await.unwrap();
    assert!(won(&again, &[at(0)]).await.is_empty());
    let other = open(&server).await;
    assert_eq!(won(&other, &[at(0)]).await, [at(0)]);
    for name in ["", "a\nb", &"x".repeat(64)] {
        let opened = postgres.ktor_compatible(&KtorTable::new().name(name)).await;
        let error = opened.unwrap_err();
        assert!(matches!(error, OpenError::BadName { .. }), "{error:?}");
    }
    let elsewhere = KtorTable::new().schema("nowhere");
    let error = postgres.ktor_compatible(&elsewhere).await.unwrap_err();
    assert!(matches!(error, OpenError::NoTaskLocks { .. }), "{error:?}");
}

async fn a_table_that_will_not_do_is_told_why<S: KotlinSide>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let mut operator = server.raw().await;
    let store = server.open().await;
    let tables = [
        (
            "locked_at DATE NULL, PRIMARY KEY (_name, concurrency_index)",
            "its column locked_at is a date",
        ),
        (
            "locked_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (_name, concurrency_index)",
            "able to be NULL",
        ),
        (
            "locked_at TIMESTAMP NULL, PRIMARY KEY (_name)",
            "are not its key",
        ),
        (
            "locked TIMESTAMP NULL, PRIMARY KEY (_name, concurrency_index)",
            "no column locked_at",
        ),
    ];
    for (columns, problem) in tables {
        let create = format!(
            "DROP TABLE IF EXISTS task_locks; \
             CREATE TABLE task_locks (_name VARCHAR(100) NOT NULL, concurrency_index INT NOT NULL, {columns})"
        );
        S::execute(&mut operator, create.leak()).await;
        let opened = store.ktor_compatible(&KtorTable::new()).await;
        let error = opened.unwrap_err();
        assert!(matches!(error, OpenError::BadTaskLocks { .. }), "{error:?}");
        let said = error.to_string();
        assert!(
            said.contains(problem) && said.contains("task_locks"),
            "{said}"
        );
    }
}

async fn a_name_that_is_too_long_is_refused<S: KotlinSide>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    S::execute(&mut server.raw().await, WHOLE_SECONDS).await;
    let manager = open(&server).await;
    let long = of(&"x".repeat(21), 1, at(0).tick);
    let error = refused(&manager, &[long]).await.to_string();
    assert!(error.contains("holds 20 characters"), "{error}");
    let fits = of(&"é".repeat(20), 1, at(0).tick);
    assert!(ask(&manager, &[fits]).await[0].grant().is_some());
}
