//! What a sweep looks at besides what it finds, sweeps of more than a server is asked for together,
//! and several at once.

use jiff::SignedDuration;
use sexton_core::lock::{Enqueue, LockManager, SweepQuery};
use sexton_core::tick::Concurrency;
use sexton_testkit::fixtures::claim;
use sexton_testkit::process::Disk;
use sqlx::Connection;

use super::faults::{one, someone_waits};
use super::{TestServer, on_each_server};
use crate::sweeps;

on_each_server!(
    what_lies_beyond_a_page_is_told_once,
    what_is_queued_has_time_after_a_lost_one_though_its_task_is_paused,
    what_waited_too_long_is_closed_by_one,
    what_another_write_overtakes_is_closed_by_the_same_sweep,
);

async fn what_lies_beyond_a_page_is_told_once<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let manager = server.open().await;
    sweeps::what_lies_beyond_a_page_is_told_once(&manager, tokio::time::sleep).await;
}

async fn what_is_queued_has_time_after_a_lost_one_though_its_task_is_paused<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let manager = server.open().await;
    sweeps::what_is_queued_has_time_after_a_lost_one_though_its_task_is_paused(
        &manager,
        tokio::time::sleep,
    )
    .await;
}

async fn what_waited_too_long_is_closed_by_one<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let managers = [
        server.open().await,
        server.open().await,
        server.open().await,
    ];
    let managers: Vec<_> = managers.iter().map(|one| one as &dyn LockManager).collect();
    sweeps::what_waited_too_long_is_closed_by_one(&managers).await;
}

/// What another write leaves behind, between what the sweep has read and what it writes.
const OVERTAKE: &str = "UPDATE sexton_registers SET version = version + 1 \
    WHERE namespace = 'default' AND task = 'digest' AND concurrency_index = 1";

async fn what_another_write_overtakes_is_closed_by_the_same_sweep<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let manager = server.open().await;
    one(&manager, &claim("digest", 0, "one")).await.unwrap();
    let waiting = claim("digest", 1, "one").execution;
    let now = manager.now().await.unwrap();
    let enqueue = Enqueue {
        execution: waiting.clone(),
        concurrency: Concurrency::ONE,
        deadline: Some(now - SignedDuration::from_secs(1)),
    };
    manager.enqueue(&[enqueue]).await.unwrap();
    let mut other = server.raw().await;
    let mut overtaking = other.begin().await.unwrap();
    S::execute(&mut overtaking, OVERTAKE).await;
    let sweeping = tokio::spawn({
        let manager = manager.clone();
        async move { manager.sweep(&SweepQuery::default()).await }
    });
    someone_waits(&server).await;
    overtaking.commit().await.unwrap();
    let swept = sweeping.await.unwrap().unwrap().value;
    assert_eq!(swept.missed, [waiting]);
    assert!(swept.claimable.is_empty(), "{swept:?}");
}
