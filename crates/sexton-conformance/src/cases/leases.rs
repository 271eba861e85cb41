//! Leases: renewed, running out, and the executions behind them recovered.

use std::time::Duration;

use sexton_core::lock::{Denial, Outcome, Renewed, Settled};
use sexton_core::policy::Lease;

use crate::Failure;
use crate::bench::Bench;
use crate::replica::{ClaimWith, long, short};

pub(crate) async fn while_the_lease_lasts_nobody_else_is_granted(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.take(&a.asks(&digest.nth(0)).at_least_once(3).lease(long()?))
        .await?;
    let again = b.asks(&digest.nth(0)).at_least_once(3).lease(long()?);
    b.denied(&again, Denial::Taken).await
}

pub(crate) async fn a_lease_that_ran_out_lets_another_in_with_the_next_attempt_and_fence(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = a
        .take(&a.asks(&digest.nth(0)).at_least_once(3).lease(short()?))
        .await?;
    bench.pass(Lease::MIN).await?;
    let second = b
        .take(&b.asks(&digest.nth(0)).at_least_once(3).lease(long()?))
        .await?;
    assert_eq!(second.grant.attempt.get(), 2);
    assert!(
        second.fence() > first.fence(),
        "{} after {}",
        second.fence(),
        first.fence()
    );
    Ok(())
}

pub(crate) async fn at_most_once_is_never_granted_again(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.run(&digest.nth(0)).await?;
    bench.pass(Lease::MIN * 2).await?;
    b.denied(&b.asks(&digest.nth(0)), Denial::Taken).await
}

pub(crate) async fn attempts_run_out(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    for attempt in 1..=2 {
        let held = a
            .take(&a.asks(&digest.nth(0)).at_least_once(2).lease(short()?))
            .await?;
        assert_eq!(held.grant.attempt.get(), attempt);
        bench.pass(Lease::MIN).await?;
    }
    b.denied(&b.asks(&digest.nth(0)).at_least_once(2), Denial::Taken)
        .await
}

pub(crate) async fn renewing_keeps_a_lock_past_its_first_lease(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let held = a
        .take(&a.asks(&digest.nth(0)).at_least_once(3).lease(short()?))
        .await?;
    let renewed = a.renew(&held.lock, long()?).await?;
    let Renewed::Extended {
        lease_until: Some(until),
        cancel_requested: false,
    } = renewed
    else {
        return Err(Failure::new(format_args!(
            "the renewal was answered with {renewed:?}"
        )));
    };
    assert!(Some(until) > held.grant.lease_until);
    bench.pass(Lease::MIN).await?;
    b.denied(&b.asks(&digest.nth(0)).at_least_once(3), Denial::Taken)
        .await
}

pub(crate) async fn a_lease_over_that_nobody_took_is_extended(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let held = a
        .take(&a.asks(&digest.nth(0)).at_least_once(3).lease(short()?))
        .await?;
    bench.pass(Lease::MIN).await?;
    let renewed = a.renew(&held.lock, long()?).await?;
    assert!(matches!(renewed, Renewed::Extended { .. }), "{renewed:?}");
    b.denied(&b.asks(&digest.nth(0)).at_least_once(3), Denial::Taken)
        .await
}

pub(crate) async fn who_lost_the_lock_learns_of_it_and_may_not_settle(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let lost = a
        .take(&a.asks(&digest.nth(0)).at_least_once(3).lease(short()?))
        .await?;
    bench.pass(Lease::MIN).await?;
    let taken = b
        .take(&b.asks(&digest.nth(0)).at_least_once(3).lease(long()?))
        .await?;
    assert_eq!(a.renew(&lost.lock, long()?).await?, Renewed::Lost);
    assert_eq!(
        a.end(&lost.lock, Outcome::Succeeded).await?,
        Settled::Refused
    );
    assert_eq!(
        b.end(&taken.lock, Outcome::Succeeded).await?,
        Settled::Recorded { waiting: None }
    );
    Ok(())
}

pub(crate) async fn a_lock_without_a_lease_is_renewed_without_one(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let held = a.run(&digest.nth(0)).await?;
    assert_eq!(
        held.grant.lease_until, None,
        "at most once, overlap allowed: no lease"
    );
    let renewed = a.renew(&held.lock, long()?).await?;
    assert_eq!(
        renewed,
        Renewed::Extended {
            lease_until: None,
            cancel_requested: false
        }
    );
    Ok(())
}

pub(crate) async fn a_renewal_does_not_shorten_a_lease(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let held = a
        .take(&a.asks(&digest.nth(0)).at_least_once(3).lease(long()?))
        .await?;
    let renewed = a.renew(&held.lock, short()?).await?;
    let Renewed::Extended { lease_until, .. } = renewed else {
        return Err(Failure::new("the lock was lost"));
    };
    assert_eq!(lease_until, held.grant.lease_until);
    Ok(())
}

pub(crate) async fn what_ended_is_not_renewed(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let held = a
        .take(&a.asks(&digest.nth(0)).at_least_once(3).lease(long()?))
        .await?;
    a.end(&held.lock, Outcome::Failed).await?;
    assert_eq!(a.renew(&held.lock, long()?).await?, Renewed::Lost);
    Ok(())
}

pub(crate) async fn a_lease_is_measured_by_the_stores_clock(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let lease = Lease::new(Duration::from_millis(400))?;
    let held = a
        .take(&a.asks(&digest.nth(0)).at_least_once(3).lease(lease))
        .await?;
    let until = held
        .grant
        .lease_until
        .ok_or_else(|| Failure::new("no lease"))?;
    loop {
        let claim = b.asks(&digest.nth(0)).at_least_once(3).lease(long()?);
        let before = b.manager.now().await?;
        let answer = b
            .claim_ahead(&claim, sexton_core::lock::ClaimLead::ZERO)
            .await?;
        let is_granted = matches!(answer.value, sexton_core::lock::Verdict::Granted(_));
        assert!(
            !is_granted || answer.now >= until,
            "granted at {} before {until}",
            answer.now
        );
        assert!(
            is_granted || before < until,
            "denied at {before}, after {until}"
        );
        if is_granted {
            return Ok(());
        }
        bench.pass(Duration::from_millis(20)).await?;
    }
}
