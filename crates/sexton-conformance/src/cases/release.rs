//! Releasing: what was granted and not started is given back.

use sexton_core::lock::{Denial, ExecutionState, Outcome, Released};

use crate::Failure;
use crate::bench::Bench;

pub(crate) async fn what_is_released_is_granted_to_the_next_with_a_higher_fence(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = a.run(&digest.nth(0)).await?;
    assert_eq!(a.release(&first.lock).await?, Released::Open);
    let second = b.run(&digest.nth(0)).await?;
    assert!(second.fence() > first.fence());
    assert_eq!(
        second.grant.attempt, first.grant.attempt,
        "it was never started"
    );
    a.denied(&a.asks(&digest.nth(0)), Denial::Taken).await
}

pub(crate) async fn what_is_released_waits_in_the_history(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let held = a.run(&digest.nth(0)).await?;
    a.release(&held.lock).await?;
    let record = a.known(&digest.nth(0)).await?;
    assert_eq!(record.state, ExecutionState::Waiting);
    assert_eq!((record.instance, record.claim_id), (None, None));
    let sweep = a.sweep().await?;
    let found: Vec<_> = sweep
        .claimable
        .iter()
        .map(|found| &found.execution)
        .collect();
    assert_eq!(found, [&digest.nth(0)]);
    Ok(())
}

pub(crate) async fn only_the_holder_may_release_and_only_once(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let held = a.run(&digest.nth(0)).await?;
    let mut forged = held.lock.clone();
    forged.claim_id = sexton_core::name::ClaimId::random();
    assert_eq!(b.release(&forged).await?, Released::NotHeld);
    assert_eq!(a.release(&held.lock).await?, Released::Open);
    assert_eq!(a.release(&held.lock).await?, Released::NotHeld);
    let next = b.run(&digest.nth(0)).await?;
    assert_eq!(
        a.release(&held.lock).await?,
        Released::NotHeld,
        "it is somebody else's"
    );
    b.end(&next.lock, Outcome::Succeeded).await?;
    assert_eq!(
        b.release(&next.lock).await?,
        Released::NotHeld,
        "it has ended"
    );
    Ok(())
}
