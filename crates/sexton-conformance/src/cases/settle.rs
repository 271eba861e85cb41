//! Settling: how an execution ended.

use jiff::SignedDuration;
use sexton_core::lock::{Claim, ExecutionState, Outcome, Settled};
use sexton_core::policy::Overlap;

use crate::Failure;
use crate::bench::{Bench, Ticks};
use crate::replica::{ClaimWith, Replica, long};

const RECORDED: Settled = Settled::Recorded { waiting: None };

pub(crate) async fn every_outcome_is_recorded_with_its_times_error_and_output(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let outcomes = [
        Outcome::Succeeded,
        Outcome::Failed,
        Outcome::Panicked,
        Outcome::TimedOut,
        Outcome::Cancelled,
        Outcome::CutOff,
    ];
    for (n, outcome) in (0..).zip(outcomes) {
        let held = a.run(&digest.nth(n)).await?;
        let settlement = a
            .settlement(&held.lock, outcome)
            .await?
            .with_error("what went wrong: \u{1F514} \"'%;--")
            .with_output("line\nline\t\u{e9}");
        assert_eq!(a.settle(&settlement).await?, RECORDED);
        let record = a.known(&digest.nth(n)).await?;
        assert_eq!(record.state, ExecutionState::Ended(outcome));
        assert_eq!(record.started_at, Some(settlement.started_at));
        assert_eq!(record.finished_at, Some(settlement.finished_at));
        assert_eq!(record.error.as_deref(), settlement.error());
        assert_eq!(record.output.as_deref(), settlement.output());
        assert_eq!(record.lease_until, None);
    }
    Ok(())
}

pub(crate) async fn settling_again_changes_nothing(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let held = a.run(&digest.nth(0)).await?;
    assert_eq!(a.end(&held.lock, Outcome::Failed).await?, RECORDED);
    let before = a.record(&digest.nth(0)).await?;
    assert_eq!(a.end(&held.lock, Outcome::Succeeded).await?, RECORDED);
    assert_eq!(a.record(&digest.nth(0)).await?, before);
    Ok(())
}

pub(crate) async fn only_the_holder_may_settle(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let held = a.run(&digest.nth(0)).await?;
    let mut forged = held.lock.clone();
    forged.claim_id = sexton_core::name::ClaimId::random();
    assert_eq!(b.end(&forged, Outcome::Succeeded).await?, Settled::Refused);
    let mut unknown = held.lock.clone();
    unknown.execution = digest.nth(9);
    assert_eq!(b.end(&unknown, Outcome::Succeeded).await?, Settled::Refused);
    assert_eq!(a.end(&held.lock, Outcome::Succeeded).await?, RECORDED);
    Ok(())
}

pub(crate) async fn a_settled_tick_leaves_the_next_one_alone(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let first = a.run(&digest.nth(0)).await?;
    let second = a.run(&digest.nth(1)).await?;
    assert_eq!(a.end(&first.lock, Outcome::Succeeded).await?, RECORDED);
    assert_eq!(a.end(&second.lock, Outcome::Succeeded).await?, RECORDED);
    Ok(())
}

pub(crate) async fn the_largest_output_is_kept_whole(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let held = a.run(&digest.nth(0)).await?;
    let output = "\u{e9}".repeat(sexton_core::lock::Settlement::OUTPUT_BYTES_MAX / 2);
    let settlement = a
        .settlement(&held.lock, Outcome::Succeeded)
        .await?
        .with_output(&output);
    a.settle(&settlement).await?;
    let record = a.known(&digest.nth(0)).await?;
    assert_eq!(record.output.map(|output| output.len()), Some(output.len()));
    Ok(())
}

fn names(ticks: &Ticks, n: i64) -> Settled {
    let waiting = Some(ticks.nth(n).tick);
    Settled::Recorded { waiting }
}

/// A claim whose grant has a lease: by its overlap policy, or because a lost holder's execution is
/// granted again.
fn leased(replica: &Replica, ticks: &Ticks, n: i64, overlap: Overlap) -> Result<Claim, Failure> {
    let claim = replica.asks(&ticks.nth(n)).overlap(overlap).lease(long()?);
    Ok(match overlap {
        Overlap::Allow => claim.at_least_once(2),
        _ => claim,
    })
}

pub(crate) async fn settling_names_the_earliest_that_waits_whatever_made_it_wait(
    bench: Bench,
) -> Result<(), Failure> {
    let a = bench.replica().await?;
    for overlap in [Overlap::Allow, Overlap::Skip, Overlap::QueueOne] {
        let digest = bench.task(&format!("digest {overlap:?}")).await?;
        let first = a.take(&leased(&a, &digest, 0, overlap)?).await?;
        let released = a.run(&digest.nth(2)).await?;
        a.release(&released.lock).await?;
        a.enqueue(&digest.nth(3)).await?;
        a.enqueue(&digest.nth(1)).await?;
        assert_eq!(
            a.end(&first.lock, Outcome::Failed).await?,
            names(&digest, 1)
        );
        assert_eq!(
            a.end(&first.lock, Outcome::Failed).await?,
            names(&digest, 1),
            "settled again"
        );
        for n in 1..=3 {
            let held = a.take(&leased(&a, &digest, n, overlap)?).await?;
            let expected = match n {
                3 => RECORDED,
                _ => names(&digest, n + 1),
            };
            assert_eq!(a.end(&held.lock, Outcome::Succeeded).await?, expected);
        }
    }
    Ok(())
}

pub(crate) async fn settling_names_one_that_is_earlier_than_the_settled_one(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let held = a.take(&leased(&a, &digest, 5, Overlap::Skip)?).await?;
    a.enqueue(&digest.nth(2)).await?;
    let settled = a.end(&held.lock, Outcome::Succeeded).await?;
    assert_eq!(settled, names(&digest, 2));
    Ok(())
}

pub(crate) async fn settling_what_had_no_lease_names_nothing(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let held = a.run(&digest.nth(0)).await?;
    a.enqueue(&digest.nth(1)).await?;
    let settled = a.end(&held.lock, Outcome::Succeeded).await?;
    assert_eq!(settled, RECORDED, "it held nobody up");
    Ok(())
}

pub(crate) async fn settling_names_nothing_while_another_runs_under_a_lease(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let first = a.take(&leased(&a, &digest, 0, Overlap::Allow)?).await?;
    let second = a.take(&leased(&a, &digest, 1, Overlap::Allow)?).await?;
    a.enqueue(&digest.nth(2)).await?;
    assert_eq!(a.end(&first.lock, Outcome::Succeeded).await?, RECORDED);
    let settled = a.end(&second.lock, Outcome::Succeeded).await?;
    assert_eq!(settled, names(&digest, 2));
    Ok(())
}

pub(crate) async fn settling_names_nothing_that_is_too_late(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let passed = a.after(SignedDuration::from_mins(-1)).await?;
    let first = a.take(&leased(&a, &digest, 0, Overlap::Skip)?).await?;
    a.enqueue_until(&digest.nth(1), Some(passed)).await?;
    a.enqueue(&digest.nth(2)).await?;
    let settled = a.end(&first.lock, Outcome::Succeeded).await?;
    assert_eq!(settled, names(&digest, 2));
    let second = a.take(&leased(&a, &digest, 2, Overlap::Skip)?).await?;
    assert_eq!(a.end(&second.lock, Outcome::Succeeded).await?, RECORDED);
    Ok(())
}
