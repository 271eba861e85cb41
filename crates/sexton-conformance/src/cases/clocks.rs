//! Whose clock rules.

use jiff::SignedDuration;
use sexton_core::lock::{Claim, ClaimLead, Denial, Verdict};
use sexton_core::tick::Tick;

use crate::Failure;
use crate::bench::Bench;
use crate::replica::{ClaimWith, long};

pub(crate) async fn every_answer_carries_the_stores_clock(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let before = a.manager.now().await?;
    let claimed = a
        .claim_ahead(&a.asks(&digest.nth(0)), ClaimLead::ZERO)
        .await?;
    let after = a.manager.now().await?;
    assert!(
        before <= claimed.now && claimed.now <= after,
        "{before} {} {after}",
        claimed.now
    );
    Ok(())
}

pub(crate) async fn a_fast_client_is_granted_nothing_ahead(bench: Bench) -> Result<(), Failure> {
    let fast = bench.skewed_replica(SignedDuration::from_hours(1)).await?;
    let digest = bench.task("digest").await?;
    let now = bench.now().await?;
    // Due by the client's clock for half an hour.
    let ahead = digest.at(Tick::at_or_before(now).saturating_add_millis(1_800_000));
    fast.denied(&fast.asks(&ahead), Denial::TooEarly).await?;
    fast.run(&digest.nth(0)).await.map(drop)
}

pub(crate) async fn a_slow_client_is_granted_what_is_due(bench: Bench) -> Result<(), Failure> {
    let slow = bench.skewed_replica(SignedDuration::from_hours(-2)).await?;
    let digest = bench.task("digest").await?;
    // An hour in the client's future.
    slow.run(&digest.nth(10)).await.map(drop)
}

pub(crate) async fn leases_do_not_depend_on_the_clients_clock(bench: Bench) -> Result<(), Failure> {
    let slow = bench.skewed_replica(SignedDuration::from_hours(-2)).await?;
    let fast = bench.skewed_replica(SignedDuration::from_hours(2)).await?;
    let digest = bench.task("digest").await?;
    let asks =
        |claim: Claim| -> Result<Claim, Failure> { Ok(claim.at_least_once(3).lease(long()?)) };
    slow.take(&asks(slow.asks(&digest.nth(0)))?).await?;
    fast.denied(&asks(fast.asks(&digest.nth(0)))?, Denial::Taken)
        .await
}

pub(crate) async fn a_store_whose_clock_is_set_back_grants_nothing_twice(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let claim = a.asks(&digest.nth(3_590));
    let held = a.take(&claim).await?;
    bench.store().jump(SignedDuration::from_mins(-30)).await?;
    let verdict = b.claim(&b.asks(&digest.nth(3_590))).await?;
    assert!(matches!(verdict, Verdict::Denied(_)), "{verdict:?}");
    b.denied(&b.asks(&digest.nth(1_000)), Denial::Taken).await?;
    assert_eq!(a.take(&claim).await?, held, "ours is ours even so");
    bench.store().jump(SignedDuration::from_mins(30)).await?;
    b.run(&digest.nth(3_595)).await.map(drop)
}
