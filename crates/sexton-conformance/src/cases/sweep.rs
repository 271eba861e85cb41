//! Sweeps: what may be claimed although no schedule brings it up, and what nobody will finish.

use std::time::Duration;

use sexton_core::lock::{ExecutionState, InstanceReport, Outcome, Settled, SweepQuery};
use sexton_core::policy::Lease;

use crate::Failure;
use crate::bench::Bench;
use crate::replica::{ClaimWith, Replica, long, short};

/// Nothing is too young to be abandoned.
fn at_once() -> SweepQuery {
    SweepQuery {
        abandoned_after: Duration::ZERO,
        ..SweepQuery::default()
    }
}

async fn report(replica: &Replica, presence: Duration) -> Result<(), Failure> {
    let report = InstanceReport {
        instance: replica.instance.clone(),
        started_at: replica.now_ms().await?,
        version: "0.0.0".to_owned(),
        clock_offset: None,
        running: 1,
        presence,
    };
    replica.manager.heartbeat(&report).await?;
    Ok(())
}

pub(crate) async fn a_lost_holders_execution_is_found_with_the_attempt_it_would_be(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.take(&a.asks(&digest.nth(0)).at_least_once(3).lease(short()?))
        .await?;
    a.take(&a.asks(&digest.nth(1)).at_least_once(3).lease(long()?))
        .await?;
    bench.pass(Lease::MIN).await?;
    let sweep = b.sweep().await?;
    assert!(sweep.lost.is_empty());
    assert_eq!(sweep.claimable.len(), 1);
    assert_eq!(sweep.claimable[0].execution, digest.nth(0));
    assert_eq!(sweep.claimable[0].attempt.get(), 2);
    Ok(())
}

pub(crate) async fn the_last_attempt_lost_is_closed_as_lost_once(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let held = a
        .take(&a.asks(&digest.nth(0)).at_least_once(1).lease(short()?))
        .await?;
    bench.pass(Lease::MIN).await?;
    assert_eq!(b.sweep().await?.lost, [digest.nth(0)]);
    assert_eq!(b.sweep().await?.lost, []);
    let record = b.known(&digest.nth(0)).await?;
    assert_eq!(record.state, ExecutionState::Ended(Outcome::Lost));
    assert!(record.error.is_some(), "it says who was lost");
    // Its holder was only slow: its own word counts more.
    let settled = a.end(&held.lock, Outcome::Succeeded).await?;
    assert_eq!(settled, Settled::Recorded { waiting: None });
    assert_eq!(
        b.known(&digest.nth(0)).await?.state,
        ExecutionState::Ended(Outcome::Succeeded)
    );
    Ok(())
}

pub(crate) async fn without_a_lease_only_an_absent_instances_execution_is_lost(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.run(&digest.nth(0)).await?;
    report(&a, Duration::from_secs(3_600)).await?;
    assert_eq!(b.manager.sweep(&at_once()).await?.value.lost, []);
    let patient = SweepQuery {
        abandoned_after: Duration::from_secs(7_200),
        ..SweepQuery::default()
    };
    a.manager.leave(&a.instance).await?;
    assert_eq!(
        b.manager.sweep(&patient).await?.value.lost,
        [],
        "it is not long ago"
    );
    assert_eq!(
        b.manager.sweep(&at_once()).await?.value.lost,
        [digest.nth(0)]
    );
    Ok(())
}

pub(crate) async fn presence_runs_out(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.run(&digest.nth(0)).await?;
    report(&a, Duration::from_millis(200)).await?;
    bench.pass(Duration::from_millis(200)).await?;
    assert_eq!(
        b.manager.sweep(&at_once()).await?.value.lost,
        [digest.nth(0)]
    );
    Ok(())
}

pub(crate) async fn a_sweep_goes_on_behind_the_last_of_the_page(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    for n in 0..5 {
        let held = a.run(&digest.nth(n)).await?;
        a.release(&held.lock).await?;
    }
    let mut query = SweepQuery {
        limit: 2,
        ..SweepQuery::default()
    };
    let mut found = Vec::new();
    loop {
        let page = a.manager.sweep(&query).await?.value.claimable;
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        query.after = Some(last.execution.clone());
        found.extend(page.into_iter().map(|found| found.execution));
    }
    assert_eq!(found, (0..5).map(|n| digest.nth(n)).collect::<Vec<_>>());
    Ok(())
}
