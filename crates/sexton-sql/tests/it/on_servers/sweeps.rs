//! What a sweep looks at besides what it finds, sweeps of more than a server is asked for together,
//! and several at once.

use sexton_core::lock::LockManager;

use super::{TestServer, on_each_server};
use crate::servers::process::Disk;
use crate::sweeps;

on_each_server!(
    what_lies_beyond_a_page_is_told_once,
    what_is_queued_has_time_after_a_lost_one_though_its_task_is_paused,
    what_waited_too_long_is_closed_by_one,
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
