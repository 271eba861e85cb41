//! Triggers: executions that an operator asks for, beside those of the schedule.

use std::time::Duration;

use jiff::SignedDuration;
use sexton_core::lock::{
    CancelRequested, Denial, Enqueue, Enqueued, Execution, ExecutionState, Origin, Outcome,
    Register, Retention, TaskQuery, Verdict, WAITING_MAX,
};
use sexton_core::policy::{Lease, Overlap};
use sexton_core::tick::{Concurrency, Fence, Tick};

use crate::Failure;
use crate::bench::{Bench, Ticks};
use crate::replica::{ClaimWith, Replica, long, short};

/// Looks for the register of the only index.
async fn finds_register(
    replica: &Replica,
    ticks: &Ticks,
    watermark: Option<Tick>,
    fence: u64,
) -> Result<(), Failure> {
    let fence = Fence::new(fence);
    let registers = replica.state(&ticks.task).await?.registers;
    assert_eq!(registers, [(ticks.index, Register { watermark, fence })]);
    Ok(())
}

pub(crate) async fn a_trigger_leaves_the_watermark_where_it_is(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.run(&digest.nth(3)).await?;
    a.enqueue(&digest.nth(7)).await?;
    finds_register(&a, &digest, Some(digest.nth(3).tick), 1).await?;
    let triggered = b.run(&digest.nth(7)).await?;
    assert_eq!(triggered.grant.fence, Fence::new(2));
    finds_register(&a, &digest, Some(digest.nth(3).tick), 2).await?;
    // What comes before it is granted all the same, and each once.
    let scheduled = a.run(&digest.nth(5)).await?;
    assert_eq!(scheduled.grant.fence, Fence::new(3));
    finds_register(&a, &digest, Some(digest.nth(5).tick), 3).await?;
    b.denied(&b.asks(&digest.nth(4)), Denial::Taken).await
}

pub(crate) async fn a_task_that_was_only_triggered_has_a_fence_and_no_watermark(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.enqueue(&digest.nth(5)).await?;
    let triggered = a.run(&digest.nth(5)).await?;
    assert_eq!(triggered.grant.fence, Fence::new(1));
    finds_register(&b, &digest, None, 1).await?;
    let page = TaskQuery::Page {
        after: None,
        limit: 10,
    };
    let listed = b.manager.tasks(&page).await?.value;
    assert_eq!(listed, [b.state(&digest.task).await?]);
    let scheduled = b.run(&digest.nth(2)).await?;
    assert_eq!(scheduled.grant.fence, Fence::new(2));
    finds_register(&b, &digest, Some(digest.nth(2).tick), 2).await
}

pub(crate) async fn a_triggered_execution_is_never_granted_twice(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.enqueue(&digest.nth(5)).await?;
    let held = a.run(&digest.nth(5)).await?;
    b.denied(&b.asks(&digest.nth(5)), Denial::Taken).await?;
    a.end(&held.lock, Outcome::Succeeded).await?;
    b.denied(&b.asks(&digest.nth(5)), Denial::Taken).await?;
    // Its schedule may bring the same tick up after those before it.
    b.run(&digest.nth(4)).await?;
    b.denied(&b.asks(&digest.nth(5)), Denial::Taken).await?;
    b.run(&digest.nth(6)).await.map(drop)
}

pub(crate) async fn a_trigger_that_is_never_granted_leaves_no_register(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let passed = a.after(SignedDuration::from_mins(-1)).await?;
    a.enqueue_until(&digest.nth(5), Some(passed)).await?;
    b.denied(&b.asks(&digest.nth(5)), Denial::TooLate).await?;
    a.enqueue(&digest.nth(6)).await?;
    let withdrawn = a.manager.request_cancel(&digest.nth(6)).await?.value;
    assert_eq!(withdrawn, CancelRequested::Withdrawn);
    assert_eq!(a.state(&digest.task).await?.registers, []);
    let scheduled = b.run(&digest.nth(2)).await?;
    assert_eq!(scheduled.grant.fence, Fence::new(1));
    Ok(())
}

pub(crate) async fn at_most_a_hundred_wait_of_an_index(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let other = bench.task("backup").await?;
    let enqueue = |n: i64| Enqueue {
        execution: digest.nth(n),
        concurrency: Concurrency::ONE,
        deadline: None,
    };
    let most = i64::try_from(WAITING_MAX)?;
    // Two of the last batch find no room.
    let batches = [0..most / 2, most / 2..most - 1, most - 1..most + 2];
    let mut answers = Vec::new();
    for batch in batches {
        let batch: Vec<Enqueue> = batch.map(enqueue).collect();
        answers.extend(a.manager.enqueue(&batch).await?.value);
    }
    let (waiting, refused) = answers.split_at(WAITING_MAX);
    assert!(
        waiting.iter().all(|one| *one == Enqueued::Waiting),
        "{waiting:?}"
    );
    assert_eq!(refused, [Enqueued::Full; 2]);
    let known = a.record(&digest.nth(most)).await?;
    assert!(known.is_none(), "{known:?}");
    // What it has is told as such, and others are not held up.
    assert_eq!(a.enqueue(&digest.nth(3)).await?, Enqueued::Already);
    assert_eq!(a.enqueue(&other.nth(3)).await?, Enqueued::Waiting);
    a.run(&digest.nth(0)).await?;
    assert_eq!(a.enqueue(&digest.nth(most)).await?, Enqueued::Waiting);
    assert_eq!(a.enqueue(&digest.nth(most + 1)).await?, Enqueued::Full);
    a.manager.request_cancel(&digest.nth(7)).await?;
    assert_eq!(a.enqueue(&digest.nth(most + 1)).await?, Enqueued::Waiting);
    Ok(())
}

pub(crate) async fn an_execution_says_whether_it_was_scheduled_or_triggered(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let queues = |n: i64| -> Result<_, Failure> {
        let claim = a.asks(&digest.nth(n)).overlap(Overlap::QueueOne);
        Ok(claim.lease(long()?))
    };
    a.take(&queues(0)?).await?;
    a.denied(&queues(1)?, Denial::Overlap).await?;
    a.denied(&queues(2)?, Denial::Overlap).await?;
    let skips = a.asks(&digest.nth(3)).overlap(Overlap::Skip);
    a.denied(&skips, Denial::Overlap).await?;
    a.enqueue(&digest.nth(4)).await?;
    let scheduled = [
        (0, ExecutionState::Running),
        (1, ExecutionState::Skipped),
        (2, ExecutionState::Waiting),
        (3, ExecutionState::Skipped),
    ];
    for (n, state) in scheduled {
        let record = a.known(&digest.nth(n)).await?;
        assert_eq!((record.state, record.origin), (state, Origin::Scheduled));
    }
    let record = a.known(&digest.nth(4)).await?;
    assert_eq!(record.state, ExecutionState::Waiting);
    assert_eq!(record.origin, Origin::Triggered);
    Ok(())
}

pub(crate) async fn grants_and_releases_keep_what_an_execution_came_from(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = a.run(&digest.nth(0)).await?;
    a.release(&first.lock).await?;
    b.run(&digest.nth(0)).await?;
    let record = a.known(&digest.nth(0)).await?;
    assert_eq!(record.origin, Origin::Scheduled);

    a.enqueue(&digest.nth(1)).await?;
    let claim = |replica: &Replica| replica.asks(&digest.nth(1)).at_least_once(3);
    let finds = async |state: ExecutionState| -> Result<(), Failure> {
        let record = b.known(&digest.nth(1)).await?;
        assert_eq!((record.state, record.origin), (state, Origin::Triggered));
        Ok(())
    };
    let first = a.take(&claim(&a).lease(long()?)).await?;
    finds(ExecutionState::Running).await?;
    a.release(&first.lock).await?;
    finds(ExecutionState::Waiting).await?;
    a.take(&claim(&a).lease(short()?)).await?;
    bench.pass(Lease::MIN).await?;
    let third = b.take(&claim(&b).lease(long()?)).await?;
    finds(ExecutionState::Running).await?;
    b.end(&third.lock, Outcome::Succeeded).await?;
    finds(ExecutionState::Ended(Outcome::Succeeded)).await
}

pub(crate) async fn what_was_found_is_granted_while_it_has_a_record(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let found = |replica: &Replica, n: i64| replica.asks(&digest.nth(n)).found();
    // It was triggered, above the watermark and below it.
    a.run(&digest.nth(3)).await?;
    for (n, fence) in [(2, 2), (5, 3)] {
        a.enqueue(&digest.nth(n)).await?;
        let claim = found(&b, n);
        let held = b.take(&claim).await?;
        assert_eq!(held.grant.fence, Fence::new(fence));
        // The answer was lost: the record is there while it runs.
        assert_eq!(b.take(&claim).await?, held);
        a.denied(&found(&a, n), Denial::Taken).await?;
        b.end(&held.lock, Outcome::Succeeded).await?;
        a.denied(&found(&a, n), Denial::Taken).await?;
    }
    // It was given back.
    let held = a.run(&digest.nth(6)).await?;
    a.release(&held.lock).await?;
    b.take(&found(&b, 6)).await?;
    // Its holder was lost.
    let leased = |replica: &Replica| replica.asks(&digest.nth(7)).at_least_once(2);
    a.take(&leased(&a).lease(short()?)).await?;
    bench.pass(Lease::MIN).await?;
    let second = b.take(&leased(&b).lease(long()?).found()).await?;
    assert_eq!(second.grant.attempt.get(), 2);
    Ok(())
}

/// Runs a triggered execution to its end, and prunes its record.
async fn run_and_prune(replica: &Replica, execution: &Execution) -> Result<(), Failure> {
    replica.enqueue(execution).await?;
    let held = replica.run(execution).await?;
    replica.end(&held.lock, Outcome::Succeeded).await?;
    let retention = Retention {
        age_max: Some(Duration::ZERO),
        per_task_max: Some(0),
    };
    let pruned = replica.manager.prune(&retention, 1_000).await?.value;
    assert_eq!(pruned, 1);
    assert!(replica.record(execution).await?.is_none());
    Ok(())
}

pub(crate) async fn what_was_found_is_not_granted_once_its_record_is_pruned(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    run_and_prune(&a, &digest.nth(5)).await?;
    let found = || b.asks(&digest.nth(5)).found();
    let leased = found().at_least_once(3).lease(long()?);
    // A run under a lease does not overlap with what is gone: nothing is consumed or queued.
    let running = a.asks(&digest.nth(2)).at_least_once(3).lease(long()?);
    let policies = async || -> Result<(), Failure> {
        let each = [
            found(),
            found().distinct(2)?,
            leased.clone(),
            leased.clone().overlap(Overlap::Skip),
            leased.clone().overlap(Overlap::QueueOne),
            leased.clone().overlap(Overlap::CancelEarlier),
        ];
        for claim in &each {
            b.denied(claim, Denial::Taken).await?;
        }
        Ok(())
    };
    policies().await?;
    finds_register(&b, &digest, None, 1).await?;
    a.take(&running).await?;
    policies().await?;
    assert!(b.record(&digest.nth(5)).await?.is_none());
    finds_register(&b, &digest, Some(digest.nth(2).tick), 2).await?;
    // Within a batch each claim is decided for itself: one has a record, one has none any more, one
    // is new.
    a.enqueue(&digest.nth(3)).await?;
    let batch = [
        b.asks(&digest.nth(3)).found(),
        found(),
        b.asks(&digest.nth(4)),
    ];
    let verdicts = b.claim_all(&batch).await?;
    let granted: Vec<bool> = verdicts.iter().map(|one| one.grant().is_some()).collect();
    assert_eq!(granted, [true, false, true]);
    assert_eq!(verdicts[1], Verdict::Denied(Denial::Taken));
    Ok(())
}

pub(crate) async fn what_was_found_and_is_gone_is_not_recorded_under_a_pause(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    run_and_prune(&a, &digest.nth(5)).await?;
    a.pause(&digest.task, "audit").await?;
    let found = b.asks(&digest.nth(5)).found();
    b.denied(&found, Denial::Paused).await?;
    assert!(b.record(&digest.nth(5)).await?.is_none());
    finds_register(&b, &digest, None, 1).await?;
    a.resume(&digest.task).await?;
    b.denied(&found, Denial::Taken).await?;
    // The schedule's ticks before it are granted all the same.
    b.run(&digest.nth(4)).await.map(drop)
}
