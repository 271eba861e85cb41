//! Overlap: a tick that comes due while an earlier execution of its (task, index) runs.

use sexton_core::lock::{Denial, ExecutionState, Outcome, Reason, Renewed, Settled};
use sexton_core::policy::{Lease, Overlap};

use crate::Failure;
use crate::bench::{Bench, Ticks};
use crate::replica::{ClaimWith, Held, Replica, long, short};

fn asks(
    replica: &Replica,
    ticks: &Ticks,
    n: i64,
    overlap: Overlap,
) -> Result<sexton_core::lock::Claim, Failure> {
    Ok(replica.asks(&ticks.nth(n)).overlap(overlap).lease(long()?))
}

async fn running(bench: &Bench, overlap: Overlap) -> Result<(Replica, Ticks, Held), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let held = a.take(&asks(&a, &digest, 0, overlap)?).await?;
    Ok((a, digest, held))
}

pub(crate) async fn allow_grants_while_an_earlier_one_runs(bench: Bench) -> Result<(), Failure> {
    let (a, digest, _) = running(&bench, Overlap::Skip).await?;
    a.run(&digest.nth(1)).await.map(drop)
}

pub(crate) async fn skip_consumes_the_tick_and_records_it(bench: Bench) -> Result<(), Failure> {
    let (a, digest, held) = running(&bench, Overlap::Skip).await?;
    let b = bench.replica().await?;
    b.denied(&asks(&b, &digest, 1, Overlap::Skip)?, Denial::Overlap)
        .await?;
    let record = b.known(&digest.nth(1)).await?;
    assert_eq!(
        (record.state, record.reason),
        (ExecutionState::Skipped, Some(Reason::Overlap))
    );
    a.end(&held.lock, Outcome::Succeeded).await?;
    b.denied(&asks(&b, &digest, 1, Overlap::Skip)?, Denial::Taken)
        .await?;
    b.take(&asks(&b, &digest, 2, Overlap::Skip)?)
        .await
        .map(drop)
}

pub(crate) async fn a_lease_that_is_over_does_not_overlap(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = a
        .take(&asks(&a, &digest, 0, Overlap::Skip)?.lease(short()?))
        .await?;
    bench.pass(Lease::MIN).await?;
    b.take(&asks(&b, &digest, 1, Overlap::Skip)?).await?;
    // Its place is taken: it may not go on beside the later one.
    assert_eq!(a.renew(&first.lock, long()?).await?, Renewed::Lost);
    Ok(())
}

pub(crate) async fn indices_and_tasks_do_not_overlap_each_other(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest, _) = running(&bench, Overlap::Skip).await?;
    let second = digest.index(2)?;
    a.take(
        &a.asks(&second.nth(1))
            .of(2)?
            .overlap(Overlap::Skip)
            .lease(long()?),
    )
    .await?;
    let other = bench.task("other").await?;
    a.take(&asks(&a, &other, 1, Overlap::Skip)?).await.map(drop)
}

pub(crate) async fn queue_one_waits_and_is_named_when_the_earlier_ends(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest, held) = running(&bench, Overlap::QueueOne).await?;
    let b = bench.replica().await?;
    b.denied(&asks(&b, &digest, 1, Overlap::QueueOne)?, Denial::Overlap)
        .await?;
    let record = b.known(&digest.nth(1)).await?;
    assert_eq!(
        (record.state, record.reason),
        (ExecutionState::Waiting, Some(Reason::Overlap))
    );
    assert!(
        b.sweep().await?.claimable.is_empty(),
        "the earlier one still runs"
    );
    b.denied(&asks(&b, &digest, 1, Overlap::QueueOne)?, Denial::Overlap)
        .await?;
    let settled = a.end(&held.lock, Outcome::Succeeded).await?;
    assert_eq!(
        settled,
        Settled::Recorded {
            waiting: Some(digest.nth(1).tick)
        }
    );
    assert_eq!(b.sweep().await?.claimable.len(), 1);
    b.take(&asks(&b, &digest, 1, Overlap::QueueOne)?)
        .await
        .map(drop)
}

pub(crate) async fn queue_one_keeps_the_newest_of_those_that_wait(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest, held) = running(&bench, Overlap::QueueOne).await?;
    for n in 1..=3 {
        a.denied(&asks(&a, &digest, n, Overlap::QueueOne)?, Denial::Overlap)
            .await?;
    }
    for n in 1..=2 {
        let record = a.known(&digest.nth(n)).await?;
        let expected = (ExecutionState::Skipped, Some(Reason::Superseded));
        assert_eq!((record.state, record.reason), expected, "tick {n}");
    }
    let settled = a.end(&held.lock, Outcome::Succeeded).await?;
    assert_eq!(
        settled,
        Settled::Recorded {
            waiting: Some(digest.nth(3).tick)
        }
    );
    Ok(())
}

pub(crate) async fn cancel_the_earlier_asks_it_to_stop_and_waits_for_its_end(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest, held) = running(&bench, Overlap::CancelEarlier).await?;
    let b = bench.replica().await?;
    b.denied(
        &asks(&b, &digest, 1, Overlap::CancelEarlier)?,
        Denial::Overlap,
    )
    .await?;
    let renewed = a.renew(&held.lock, long()?).await?;
    assert!(
        matches!(
            renewed,
            Renewed::Extended {
                cancel_requested: true,
                ..
            }
        ),
        "{renewed:?}"
    );
    b.denied(
        &asks(&b, &digest, 1, Overlap::CancelEarlier)?,
        Denial::Overlap,
    )
    .await?;
    a.end(&held.lock, Outcome::Cancelled).await?;
    b.take(&asks(&b, &digest, 1, Overlap::CancelEarlier)?)
        .await
        .map(drop)
}
