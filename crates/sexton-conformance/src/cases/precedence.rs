//! The order of the claim table's rows: the first that applies decides.

use std::time::Duration;

use jiff::SignedDuration;
use sexton_core::lock::{ClaimLead, Denial, ExecutionState, Reason, Verdict};
use sexton_core::policy::Overlap;
use sexton_core::tick::Tick;

use crate::Failure;
use crate::bench::Bench;
use crate::replica::{ClaimWith, Replica, held, long, short};

const MINUTE_AGO: SignedDuration = SignedDuration::from_mins(-1);

pub(crate) async fn our_own_claim_stands_before_too_early(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let now = a.manager.now().await?;
    let claim = a.asks(&digest.at(Tick::at_or_before(now).saturating_add_millis(50_000)));
    let lead = ClaimLead::new(ClaimLead::MAX)?;
    let first = a.claim_ahead(&claim, lead).await?.value;
    let again = a.claim_ahead(&claim, ClaimLead::ZERO).await?.value;
    assert!(matches!(first, Verdict::Granted(_)), "first: {first:?}");
    assert_eq!(again, first, "the same claim again");
    Ok(())
}

pub(crate) async fn our_own_claim_stands_before_paused(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let claim = a.asks(&digest.nth(0));
    let first = a.take(&claim).await?;
    a.pause(&digest.task, "maintenance").await?;
    assert_eq!(a.take(&claim).await?, first, "the same claim again");
    Ok(())
}

pub(crate) async fn too_early_stands_before_paused(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    a.pause(&digest.task, "maintenance").await?;
    a.denied(&a.asks(&digest.nth(7_200)), Denial::TooEarly)
        .await?;
    a.resume(&digest.task).await?;
    // Had it been consumed, the watermark would now be an hour ahead.
    a.run(&digest.nth(0)).await.map(drop)
}

pub(crate) async fn paused_stands_before_taken(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.run(&digest.nth(5)).await?;
    a.pause(&digest.task, "maintenance").await?;
    b.denied(&b.asks(&digest.nth(5)), Denial::Paused).await?;
    b.denied(&b.asks(&digest.nth(4)), Denial::Paused).await
}

pub(crate) async fn paused_stands_before_what_waits(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = a.run(&digest.nth(0)).await?;
    a.release(&first.lock).await?;
    a.pause(&digest.task, "maintenance").await?;
    b.denied(&b.asks(&digest.nth(0)), Denial::Paused).await?;
    a.resume(&digest.task).await?;
    b.run(&digest.nth(0)).await.map(drop)
}

pub(crate) async fn what_waits_stands_before_the_watermark(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = a.run(&digest.nth(0)).await?;
    a.run(&digest.nth(1)).await?;
    a.release(&first.lock).await?;
    b.run(&digest.nth(0)).await.map(drop)
}

pub(crate) async fn recovery_stands_before_the_watermark(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.take(&a.asks(&digest.nth(0)).at_least_once(2).lease(short()?))
        .await?;
    a.take(&a.asks(&digest.nth(1)).at_least_once(2).lease(long()?))
        .await?;
    bench.pass(Duration::from_millis(100)).await?;
    let again = b.asks(&digest.nth(0)).at_least_once(2);
    b.take(&again).await.map(drop)
}

pub(crate) async fn taken_stands_before_placement(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.take(&a.asks(&digest.nth(0)).distinct(2)?).await?;
    let second = digest.index(2)?.nth(0);
    b.take(&b.asks(&second).distinct(2)?).await?;
    a.denied(&a.asks(&second).distinct(2)?, Denial::Taken).await
}

pub(crate) async fn taken_stands_before_overlap(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let leased = |claim: sexton_core::lock::Claim| -> Result<_, Failure> {
        Ok(claim.overlap(Overlap::Skip).lease(long()?))
    };
    a.take(&leased(a.asks(&digest.nth(5)))?).await?;
    for n in [5, 4] {
        let late = leased(b.asks(&digest.nth(n)))?;
        b.denied(&late, Denial::Taken).await?;
    }
    Ok(())
}

pub(crate) async fn placement_stands_before_overlap(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let (one, two) = {
        let digest = bench.task("digest").await?;
        (digest.index(1)?, digest.index(2)?)
    };
    let asks = |replica: &Replica, execution| -> Result<_, Failure> {
        let claim = replica.asks(&execution).distinct(2)?;
        Ok(claim.overlap(Overlap::Skip).lease(long()?))
    };
    let claim = asks(&a, one.nth(0))?;
    let running = match a.claim(&claim).await? {
        Verdict::Granted(grant) => held(&claim, grant),
        denied @ Verdict::Denied(_) => {
            return Err(Failure::new(format_args!("the first was {denied:?}")));
        }
    };
    a.take(&asks(&a, two.nth(1))?).await?;
    a.denied(&asks(&a, one.nth(1))?, Denial::Placement).await?;
    // Nothing was recorded: once the earlier one has ended, the tick is open to others.
    a.end(&running.lock, sexton_core::lock::Outcome::Succeeded)
        .await?;
    b.take(&asks(&b, one.nth(1))?).await.map(drop)
}

pub(crate) async fn our_own_claim_stands_before_too_late(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let soon = SignedDuration::from_millis(500);
    let deadline = a.after(soon).await?;
    a.enqueue_until(&digest.nth(0), Some(deadline)).await?;
    let claim = a.asks(&digest.nth(0));
    let first = a.take(&claim).await?;
    bench.pass(soon.unsigned_abs()).await?;
    assert_eq!(a.take(&claim).await?, first, "the same claim again");
    Ok(())
}

pub(crate) async fn too_early_stands_before_too_late(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let passed = a.after(MINUTE_AGO).await?;
    a.enqueue_until(&digest.nth(7_200), Some(passed)).await?;
    a.denied(&a.asks(&digest.nth(7_200)), Denial::TooEarly)
        .await?;
    let record = a.known(&digest.nth(7_200)).await?;
    assert_eq!(record.state, ExecutionState::Waiting);
    Ok(())
}

pub(crate) async fn paused_stands_before_too_late(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let passed = a.after(MINUTE_AGO).await?;
    a.enqueue_until(&digest.nth(0), Some(passed)).await?;
    a.pause(&digest.task, "maintenance").await?;
    b.denied(&b.asks(&digest.nth(0)), Denial::Paused).await?;
    let record = b.known(&digest.nth(0)).await?;
    assert_eq!(record.state, ExecutionState::Waiting);
    a.resume(&digest.task).await?;
    b.denied(&b.asks(&digest.nth(0)), Denial::TooLate).await
}

pub(crate) async fn too_late_stands_before_placement(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let passed = a.after(MINUTE_AGO).await?;
    a.enqueue_until(&digest.nth(0), Some(passed)).await?;
    let second = a.asks(&digest.index(2)?.nth(0)).distinct(2)?;
    a.take(&second).await?;
    let first = a.asks(&digest.nth(0)).distinct(2)?;
    a.denied(&first, Denial::TooLate).await
}

pub(crate) async fn too_late_stands_before_overlap(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let passed = a.after(MINUTE_AGO).await?;
    for overlap in [Overlap::Skip, Overlap::QueueOne, Overlap::CancelEarlier] {
        let digest = bench.task(&format!("digest {overlap:?}")).await?;
        let asks = |n| -> Result<_, Failure> {
            Ok(a.asks(&digest.nth(n)).overlap(overlap).lease(long()?))
        };
        a.take(&asks(0)?).await?;
        // Only what is queued has as much time again; what an operator wanted by then does not.
        a.enqueue_until(&digest.nth(1), Some(passed)).await?;
        a.denied(&asks(1)?, Denial::TooLate).await?;
    }
    a.enqueue_until(&digest.nth(1), Some(passed)).await?;
    let recovers = a.asks(&digest.nth(0)).at_least_once(2).lease(long()?);
    a.take(&recovers).await?;
    assert_eq!(a.sweep().await?.missed, [digest.nth(1)]);
    Ok(())
}

pub(crate) async fn too_late_stands_before_earlier_waits(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let passed = a.after(MINUTE_AGO).await?;
    a.enqueue(&digest.nth(0)).await?;
    a.enqueue_until(&digest.nth(1), Some(passed)).await?;
    a.denied(&a.asks(&digest.nth(1)), Denial::TooLate).await
}

pub(crate) async fn taken_stands_before_earlier_waits(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = a.run(&digest.nth(0)).await?;
    a.run(&digest.nth(5)).await?;
    a.release(&first.lock).await?;
    for n in [5, 4] {
        b.denied(&b.asks(&digest.nth(n)), Denial::Taken).await?;
    }
    Ok(())
}

pub(crate) async fn placement_stands_before_earlier_waits(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.enqueue(&digest.nth(0)).await?;
    let second = a.asks(&digest.index(2)?.nth(1)).distinct(2)?;
    a.take(&second).await?;
    let first = |replica: &Replica| replica.asks(&digest.nth(1)).distinct(2);
    a.denied(&first(&a)?, Denial::Placement).await?;
    let earlier = Denial::EarlierWaits(digest.nth(0).tick);
    b.denied(&first(&b)?, earlier).await
}

pub(crate) async fn overlap_stands_before_earlier_waits(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    for (overlap, state) in [
        (Overlap::Skip, ExecutionState::Skipped),
        (Overlap::QueueOne, ExecutionState::Waiting),
        (Overlap::CancelEarlier, ExecutionState::Waiting),
    ] {
        let digest = bench.task(&format!("digest {overlap:?}")).await?;
        let leased = a.asks(&digest.nth(1)).overlap(overlap).lease(long()?);
        a.take(&leased).await?;
        a.enqueue(&digest.nth(0)).await?;
        let later = b.asks(&digest.nth(2)).overlap(overlap).lease(long()?);
        b.denied(&later, Denial::Overlap).await?;
        let record = b.known(&digest.nth(2)).await?;
        assert_eq!(
            (record.state, record.reason),
            (state, Some(Reason::Overlap)),
            "{overlap:?}"
        );
    }
    Ok(())
}
