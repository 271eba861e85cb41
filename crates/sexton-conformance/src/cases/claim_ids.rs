//! Claim ids: a lost answer is claimed again without loss.

use sexton_core::lock::{ClaimLead, Denial, Outcome, Verdict};

use crate::Failure;
use crate::bench::Bench;
use crate::replica::{ClaimWith, long};

pub(crate) async fn a_claim_sent_again_is_granted_as_before(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let claim = a.asks(&digest.nth(0));
    let first = a.take(&claim).await?;
    for _ in 0..3 {
        assert_eq!(a.take(&claim).await?, first, "same fence, same attempt");
    }
    // By another connection too: the one that lost the answer may be gone.
    assert_eq!(b.take(&claim).await?, first);
    b.denied(&b.asks(&digest.nth(0)), Denial::Taken).await
}

pub(crate) async fn a_batch_sent_again_is_answered_as_before(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    b.run(&digest.nth(1)).await?;
    let claims: Vec<_> = (0..4).map(|n| a.asks(&digest.nth(n))).collect();
    let first = a.claim_all(&claims).await?;
    assert_eq!(a.claim_all(&claims).await?, first);
    Ok(())
}

pub(crate) async fn a_leased_claim_sent_again_keeps_its_lease(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let claim = a.asks(&digest.nth(0)).at_least_once(3).lease(long()?);
    let first = a.take(&claim).await?;
    let again = a.take(&claim).await?;
    assert_eq!(again, first, "granted again, unchanged");
    assert_eq!(again.grant.attempt.get(), 1);
    Ok(())
}

pub(crate) async fn a_claim_id_says_nothing_of_another_execution(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let claim = a.asks(&digest.nth(0));
    a.take(&claim).await?;
    b.run(&digest.nth(1)).await?;
    let mut other = a.asks(&digest.nth(1));
    other.claim_id = claim.claim_id;
    a.denied(&other, Denial::Taken).await
}

pub(crate) async fn a_claim_sent_again_after_its_end_is_taken(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let claim = a.asks(&digest.nth(0));
    let held = a.take(&claim).await?;
    a.end(&held.lock, Outcome::Succeeded).await?;
    let verdict = a.claim_ahead(&claim, ClaimLead::ZERO).await?.value;
    assert_eq!(verdict, Verdict::Denied(Denial::Taken));
    Ok(())
}
