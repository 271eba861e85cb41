//! A store that crashes keeps what it acknowledged.

use sexton_core::lock::{Denial, ExecutionState, Outcome, PauseChange, Renewed, Settled};

use crate::Failure;
use crate::bench::Bench;
use crate::replica::{ClaimWith, long};

pub(crate) async fn what_was_granted_is_taken_and_still_its_holders(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let plain = a.asks(&digest.nth(0));
    let held = a.take(&plain).await?;
    let leased = a
        .take(&a.asks(&digest.nth(1)).at_least_once(3).lease(long()?))
        .await?;
    bench.store().restart().await?;
    let (c, b) = (bench.replica().await?, bench.replica().await?);
    assert_eq!(c.take(&plain).await?, held, "the answer may have been lost");
    b.denied(&b.asks(&digest.nth(0)), Denial::Taken).await?;
    b.denied(&b.asks(&digest.nth(1)).at_least_once(3), Denial::Taken)
        .await?;
    let renewed = c.renew(&leased.lock, long()?).await?;
    assert!(matches!(renewed, Renewed::Extended { .. }), "{renewed:?}");
    for lock in [&held.lock, &leased.lock] {
        assert_eq!(
            c.end(lock, Outcome::Succeeded).await?,
            Settled::Recorded { waiting: None }
        );
    }
    Ok(())
}

pub(crate) async fn watermarks_fences_and_pauses_are_kept(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let first = a.run(&digest.nth(5)).await?;
    let paused = bench.task("paused").await?;
    let pause = PauseChange::Pause {
        note: String::new(),
        by: "ops".to_owned(),
    };
    a.manager
        .change_pause(std::slice::from_ref(&paused.task), &pause)
        .await?;
    bench.store().restart().await?;
    let b = bench.replica().await?;
    b.denied(&b.asks(&digest.nth(4)), Denial::Taken).await?;
    assert!(b.run(&digest.nth(6)).await?.fence() > first.fence());
    b.denied(&b.asks(&paused.nth(0)), Denial::Paused).await
}

pub(crate) async fn the_history_is_kept(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let held = a.run(&digest.nth(0)).await?;
    let settlement = a.settlement(&held.lock, Outcome::Failed).await?;
    a.settle(&settlement.with_error("so it was")).await?;
    let before = a.known(&digest.nth(0)).await?;
    bench.store().restart().await?;
    let after = bench.replica().await?.known(&digest.nth(0)).await?;
    assert_eq!(after.state, ExecutionState::Ended(Outcome::Failed));
    assert_eq!(after, before);
    Ok(())
}
