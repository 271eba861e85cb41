//! Walks over registers, page by page: sweeps, and heartbeats that look for what a sweep would
//! find.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sexton_core::clock::ManualClock;
use sexton_core::lock::{
    Answer, ClaimLead, Enqueue, Enqueued, Execution, InstanceReport, LockManager, PauseChange,
    Sweep, SweepQuery,
};
use sexton_core::name::{Incarnation, TaskName};
use sexton_core::tick::Concurrency;

use super::server::Server;
use crate::MongoLockManager;
use sexton_testkit::fixtures::{claim, execution, instance, noon, task};

/// More tasks than two pages of registers hold.
const TASKS: usize = 450;

fn server() -> (ManualClock, Arc<Server>) {
    let clock = noon();
    clock.advance(Duration::from_secs(3_600));
    let server = Server::with_clock(Arc::new(clock.clone()));
    (clock, server)
}

fn name(number: usize) -> String {
    format!("task {number:03}")
}

/// Makes an execution of each task wait, by two ticks if `each` is two.
async fn enqueue(manager: &MongoLockManager, each: i64) -> Vec<Execution> {
    let executions = (0..TASKS).flat_map(|number| {
        let ticks = 0..each;
        ticks.map(move |tick| execution(&name(number), tick))
    });
    let executions: Vec<Execution> = executions.collect();
    let enqueue = |execution: &Execution| Enqueue {
        execution: execution.clone(),
        concurrency: Concurrency::ONE,
        deadline: None,
    };
    let batch: Vec<Enqueue> = executions.iter().map(enqueue).collect();
    let enqueued = manager.enqueue(&batch).await.unwrap().value;
    assert!(enqueued.iter().all(|one| *one == Enqueued::Waiting));
    executions
}

async fn sweep(manager: &MongoLockManager, query: SweepQuery) -> Sweep {
    manager.sweep(&query).await.unwrap().value
}

fn claimable(sweep: Sweep) -> Vec<Execution> {
    let claimable = sweep.claimable.into_iter();
    claimable.map(|one| one.execution).collect()
}

fn report(by: &str, presence: Duration) -> InstanceReport {
    InstanceReport {
        instance: instance(by),
        incarnation: Incarnation::from_u128(1),
        started_at: Timestamp::UNIX_EPOCH,
        version: "1.2.3".to_owned(),
        clock_offset: None,
        running: 0,
        presence,
    }
}

#[tokio::test]
async fn a_sweep_finds_all_that_waits_however_many_registers_that_is() {
    let (_, server) = server();
    let manager = server.manager().await;
    let executions = enqueue(&manager, 1).await;
    let found = sweep(&manager, SweepQuery::default()).await;
    assert_eq!(claimable(found), executions);
}

#[tokio::test]
async fn pages_of_a_sweep_that_end_within_a_register_leave_nothing_out() {
    let (_, server) = server();
    let manager = server.manager().await;
    let executions = enqueue(&manager, 2).await;
    let mut found = Vec::new();
    loop {
        // An odd limit ends every other page between the two ticks of a register.
        let query = SweepQuery {
            after: found.last().cloned(),
            limit: 201,
            ..SweepQuery::default()
        };
        let page = claimable(sweep(&manager, query).await);
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 201, "{}", page.len());
        found.extend(page);
    }
    assert_eq!(found, executions);
}

#[tokio::test]
async fn a_sweep_closes_what_absent_instances_left_behind_on_every_page() {
    let (clock, server) = server();
    let manager = server.manager().await;
    let minute = Duration::from_secs(60);
    manager.heartbeat(&report("there", minute)).await.unwrap();
    for by in ["there", "gone"] {
        let tick = i64::from(by == "gone");
        let batch = (0..TASKS).map(|number| claim(&name(number), tick, by));
        let batch: Vec<_> = batch.collect();
        let claiming = manager.claim(ClaimLead::default(), &batch).await;
        claiming.and_then(Answer::whole).unwrap();
    }
    clock.advance(minute);
    manager.heartbeat(&report("there", minute)).await.unwrap();
    let found = sweep(&manager, SweepQuery::default()).await;
    let gone: Vec<Execution> = (0..TASKS)
        .map(|number| execution(&name(number), 1))
        .collect();
    assert_eq!(found.lost, gone);
    assert_eq!(
        sweep(&manager, SweepQuery::default()).await,
        Sweep::default()
    );
}

#[tokio::test]
async fn a_heartbeat_finds_what_waits_on_the_last_page() {
    let (_, server) = server();
    let manager = server.manager().await;
    enqueue(&manager, 1).await;
    let pause = PauseChange::Pause {
        note: "stop".to_owned(),
        by: "anna".to_owned(),
    };
    let all: Vec<TaskName> = (0..TASKS).map(|number| task(&name(number))).collect();
    manager.change_pause(&all, &pause).await.unwrap();
    let one = report("one", Duration::from_secs(60));
    assert!(!manager.heartbeat(&one).await.unwrap().value.sweep);
    let last = &all[TASKS - 1..];
    manager
        .change_pause(last, &PauseChange::Resume)
        .await
        .unwrap();
    assert!(manager.heartbeat(&one).await.unwrap().value.sweep);
}

#[tokio::test]
async fn a_heartbeat_of_a_quiet_fleet_looks_once() {
    let (_, server) = server();
    let manager = server.manager().await;
    server.commands();
    let one = report("one", Duration::from_secs(60));
    manager.heartbeat(&one).await.unwrap();
    // The report and its clock, executions to cancel, instances long gone; the clock, what waits.
    let commands = ["hello", "find", "update", "find", "delete", "hello", "find"];
    assert_eq!(server.commands(), commands);
}
