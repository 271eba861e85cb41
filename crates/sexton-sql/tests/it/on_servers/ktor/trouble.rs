//! What goes wrong on the way: told as what it is, and never a tick twice.

use std::time::Duration;

use sexton_core::lock::{Claim, ClaimLead, Execution, LockError, LockManager, Released};
use sexton_core::tick::Concurrency;
use sexton_sql::KtorTable;
use sexton_testkit::fixtures::{NOON_MS, instance};
use sexton_testkit::proxy::Proxy;
use sqlx::Connection;

use super::{KotlinSide, Manager, at, give_back, of, on_each_server, started, won};
use crate::on_servers::Options;
use crate::on_servers::faults::someone_waits;

on_each_server!(
    a_server_that_is_gone_is_an_outage_and_not_a_denial,
    a_row_that_they_hold_is_an_outage_and_then_over,
    a_tick_whose_answer_is_lost_is_run_at_most_once,
    what_is_given_back_without_an_answer_is_not_given_back_again,
    a_server_that_only_reads_is_an_outage,
);

async fn one(manager: &dyn LockManager, execution: &Execution) -> Result<bool, LockError> {
    let claim = Claim::new(execution.clone(), Concurrency::ONE, instance("one"));
    let answer = manager
        .claim(ClaimLead::default(), &[claim])
        .await?
        .whole()?;
    Ok(answer.value[0].grant().is_some())
}

async fn a_server_that_is_gone_is_an_outage_and_not_a_denial<S: KotlinSide>() {
    let Some((mut server, manager)) = started::<S>().await else {
        return;
    };
    assert!(one(&manager, &at(0)).await.unwrap());
    server.kill();
    let error = one(&manager, &at(1)).await.unwrap_err();
    assert!(matches!(error, LockError::Unavailable { .. }), "{error:?}");
    server.begin();
    assert!(one(&manager, &at(1)).await.unwrap());
}

async fn a_row_that_they_hold_is_an_outage_and_then_over<S: KotlinSide>() {
    let Some((server, manager)) = started::<S>().await else {
        return;
    };
    assert!(one(&manager, &at(0)).await.unwrap());
    // Whole seconds are all that some servers know.
    let options = Options::<S>::new().wait_max(Duration::from_millis(1_500));
    let hasty = options.connect(&server.url()).await.unwrap();
    let hasty = hasty.ktor_compatible(&KtorTable::new()).await.unwrap();
    let mut kotlin = server.raw().await;
    let mut transaction = kotlin.begin().await.unwrap();
    assert!(S::take(&mut transaction, &at(1)).await);
    let error = one(&hasty, &at(1)).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    // Others' rows are not held up, be they there or not.
    let others = [of("s", 1, at(1).tick), of("u", 1, at(1).tick)];
    assert_eq!(won(&hasty, &others).await, others);
    assert_eq!(won(&hasty, &others).await, []);
    transaction.rollback().await.unwrap();
    assert!(one(&hasty, &at(1)).await.unwrap());
}

/// With a row for `t`, in which noon stands.
async fn started_behind_a_proxy<S: KotlinSide>() -> Option<(S, Proxy, Manager<S>)> {
    let (server, near) = started::<S>().await?;
    assert!(one(&near, &at(0)).await.unwrap());
    let proxy = Proxy::to(server.port()).await;
    let options = Options::<S>::new();
    let manager = options.connect(&server.url_at(proxy.port)).await.unwrap();
    let manager = manager.ktor_compatible(&KtorTable::new()).await.unwrap();
    Some((server, proxy, manager))
}

async fn a_tick_whose_answer_is_lost_is_run_at_most_once<S: KotlinSide>() {
    let Some((server, proxy, manager)) = started_behind_a_proxy::<S>().await else {
        return;
    };
    let mut kotlin = server.raw().await;
    let mut has_lost = false;
    // How many reads an answer takes is the network's affair: the write's own answer is among them
    // sooner or later.
    for (tick, answers) in (1..=800).zip((0..12).cycle()) {
        proxy.cut_after(answers);
        let is_granted = one(&manager, &at(tick)).await.unwrap();
        let was_cut = !proxy.mend();
        assert!(is_granted || was_cut, "denied though no answer was lost");
        assert!(!S::take(&mut kotlin, &at(tick)).await, "tick {tick} twice");
        let locked_ms = S::locked_ms(&mut kotlin, &at(tick)).await;
        assert_eq!(locked_ms, Some(NOON_MS + tick));
        has_lost |= !is_granted;
        if has_lost && tick >= 12 {
            return;
        }
    }
    panic!("the answer to no write was lost");
}

async fn what_is_given_back_without_an_answer_is_not_given_back_again<S: KotlinSide>() {
    let Some((server, proxy, manager)) = started_behind_a_proxy::<S>().await else {
        return;
    };
    // A first time, so that the connection knows the statements.
    assert_eq!(give_back(&manager, &[at(0)]).await, [Released::Open]);
    assert!(one(&manager, &at(0)).await.unwrap());
    let mut kotlin = server.raw().await;
    let mut holding = kotlin.begin().await.unwrap();
    S::execute(&mut holding, "SELECT 1 FROM task_locks FOR UPDATE").await;
    let releasing = tokio::spawn({
        let manager = manager.clone();
        async move { give_back(&manager, &[at(0)]).await }
    });
    someone_waits(&server).await;
    proxy.cut_at_the_next_answer();
    holding.rollback().await.unwrap();
    // It may have opened the tick, and somebody may have taken it since.
    assert_eq!(releasing.await.unwrap(), [Released::NotHeld]);
    proxy.has_cut().await;
}

async fn a_server_that_only_reads_is_an_outage<S: KotlinSide>() {
    let Some((server, manager)) = started::<S>().await else {
        return;
    };
    assert_eq!(won(&manager, &[at(0)]).await, [at(0)]);
    let mut operator = server.raw().await;
    for statement in S::ONLY_READ {
        S::execute(&mut operator, statement).await;
    }
    let (is_transient, said) = loop {
        // The server's processes read the setting one after the other.
        let store = server.open().await;
        match store.ktor_compatible(&KtorTable::new()).await {
            Err(error) => break (error.is_transient(), format!("{error:?}")),
            Ok(other) => {
                if let Err(error) = one(&other, &at(0)).await {
                    break (error.is_transient(), format!("{error:?}"));
                }
            }
        }
    };
    assert!(is_transient && said.contains("ReadOnly"), "{said}");
}
