//! Sweeps: what may be claimed although no schedule brings it up, what waited too long, and what
//! nobody will finish.

use std::time::Duration;

use jiff::SignedDuration;
use sexton_core::lock::{Denial, ExecutionState, InstanceReport, Outcome, Settled, SweepQuery};
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
        presence,
        ..replica.report().await?
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
    report(&a, Duration::from_secs(3_600)).await?;
    a.run(&digest.nth(0)).await?;
    assert_eq!(b.manager.sweep(&at_once()).await?.value.lost, []);
    let patient = SweepQuery {
        abandoned_after: Duration::from_secs(7_200),
        ..SweepQuery::default()
    };
    a.manager.leave(&a.instance, a.incarnation).await?;
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
    report(&a, Duration::from_millis(200)).await?;
    a.run(&digest.nth(0)).await?;
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
    let mut all = Vec::new();
    for n in 0..5 {
        all.push(a.run(&digest.nth(n)).await?);
    }
    for held in &all {
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

pub(crate) async fn what_waited_too_long_is_closed_as_missed_once(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let since = a.now_ms().await?;
    let minute = SignedDuration::from_mins(1);
    let deadlines = [
        Some(since.saturating_add(minute)?),
        Some(since),
        None,
        Some(since.saturating_sub(minute)?),
    ];
    for (n, deadline) in (0..).zip(deadlines) {
        a.enqueue_until(&digest.nth(n), deadline).await?;
    }
    let mut sweep = b.sweep().await?;
    sweep.missed.sort();
    assert_eq!(sweep.missed, [digest.nth(1), digest.nth(3)]);
    for n in [1, 3] {
        a.finds_missed(&digest.nth(n), since).await?;
        a.denied(&a.asks(&digest.nth(n)), Denial::Taken).await?;
    }
    let again = b.sweep().await?;
    assert_eq!(again.missed, []);
    for sweep in [sweep, again] {
        assert_eq!(sweep.lost, []);
        let claimable = sweep.claimable.iter().map(|found| &found.execution);
        let expected = [&digest.nth(0), &digest.nth(2)];
        assert_eq!(claimable.collect::<Vec<_>>(), expected);
    }
    Ok(())
}

pub(crate) async fn nothing_of_a_paused_task_is_closed_as_missed(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let (digest, other) = (bench.task("digest").await?, bench.task("other").await?);
    let passed = a.after(SignedDuration::from_mins(-1)).await?;
    for task in [&digest, &other] {
        a.enqueue_until(&task.nth(0), Some(passed)).await?;
    }
    a.pause(&digest.task, "lunch").await?;
    let sweep = b.sweep().await?;
    assert_eq!(sweep.missed, [other.nth(0)]);
    assert_eq!(sweep.claimable, []);
    let record = b.known(&digest.nth(0)).await?;
    assert_eq!(record.state, ExecutionState::Waiting);
    a.resume(&digest.task).await?;
    assert_eq!(b.sweep().await?.missed, [digest.nth(0)]);
    Ok(())
}

pub(crate) async fn what_a_sweep_closes_counts_towards_its_limit(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let passed = a.after(SignedDuration::from_mins(-1)).await?;
    let all: Vec<_> = (0..7).map(|n| digest.nth(n)).collect();
    for (n, execution) in all.iter().enumerate() {
        let deadline = (n % 3 != 0).then_some(passed);
        a.enqueue_until(execution, deadline).await?;
    }
    let mut query = SweepQuery {
        limit: 3,
        ..SweepQuery::default()
    };
    let mut found = Vec::new();
    loop {
        let page = a.manager.sweep(&query).await?.value;
        assert!(page.len() <= 3, "{page:?}");
        let claimable = page.claimable.into_iter().map(|found| found.execution);
        found.extend(claimable.chain(page.missed));
        found.sort();
        let last = found.last().cloned();
        if last == query.after {
            break;
        }
        query.after = last;
    }
    assert_eq!(found, all);
    Ok(())
}
