//! Placement: whether one instance may take several indices of a tick.

use sexton_core::lock::{Denial, Released};

use crate::Failure;
use crate::bench::Bench;
use crate::replica::ClaimWith;

pub(crate) async fn race_lets_one_instance_take_every_index(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    for index in 1..=3 {
        a.take(&a.asks(&digest.index(index)?.nth(0)).of(3)?).await?;
    }
    Ok(())
}

pub(crate) async fn distinct_lets_an_instance_take_one_index_of_a_tick(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.take(&a.asks(&digest.nth(0)).distinct(2)?).await?;
    let second = digest.index(2)?;
    a.denied(&a.asks(&second.nth(0)).distinct(2)?, Denial::Placement)
        .await?;
    // It stays open to others, and the next tick is another matter.
    b.take(&b.asks(&second.nth(0)).distinct(2)?).await?;
    a.take(&a.asks(&second.nth(1)).distinct(2)?).await.map(drop)
}

pub(crate) async fn distinct_holds_within_one_batch(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let mut claims = Vec::new();
    for index in 1..=3 {
        claims.push(a.asks(&digest.index(index)?.nth(0)).distinct(3)?);
    }
    let verdicts = a.claim_all(&claims).await?;
    let granted = verdicts
        .iter()
        .filter(|verdict| verdict.grant().is_some())
        .count();
    assert_eq!(granted, 1, "{verdicts:?}");
    Ok(())
}

pub(crate) async fn what_was_released_does_not_count_as_taken(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let first = a.take(&a.asks(&digest.nth(0)).distinct(2)?).await?;
    assert_eq!(a.release(&first.lock).await?, Released::Open);
    a.take(&a.asks(&digest.index(2)?.nth(0)).distinct(2)?)
        .await
        .map(drop)
}
