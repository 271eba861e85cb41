//! Placement: whether one instance may take several indices of a tick.

use sexton_core::lock::{Claim, Denial, Released};
use sexton_core::policy::Lease;

use crate::Failure;
use crate::bench::{Bench, Ticks};
use crate::replica::{ClaimWith, Held, Replica, long, short};

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

fn recovers(replica: &Replica, ticks: &Ticks, n: i64, lease: Lease) -> Result<Claim, Failure> {
    let claim = replica.asks(&ticks.nth(n)).distinct(3)?;
    Ok(claim.at_least_once(9).lease(lease))
}

/// `loser` holds the first tick until its lease is over, and then `winner` holds it.
async fn lost(
    bench: &Bench,
    (loser, winner): (&Replica, &Replica),
    ticks: &Ticks,
    lease: Lease,
) -> Result<Held, Failure> {
    loser.take(&recovers(loser, ticks, 0, short()?)?).await?;
    bench.pass(Lease::MIN).await?;
    winner.take(&recovers(winner, ticks, 0, lease)?).await
}

pub(crate) async fn who_held_an_index_and_lost_it_takes_no_other_index_of_that_tick(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b, c) = (
        bench.replica().await?,
        bench.replica().await?,
        bench.replica().await?,
    );
    let digest = bench.task("digest").await?;
    let held = lost(&bench, (&a, &b), &digest, long()?).await?;
    let second = digest.index(2)?;
    let asks = |replica: &Replica, n| recovers(replica, &second, n, long()?);
    // Its handler may still be at it.
    for loser_or_winner in [&a, &b] {
        loser_or_winner
            .denied(&asks(loser_or_winner, 0)?, Denial::Placement)
            .await?;
    }
    b.release(&held.lock).await?;
    a.denied(&asks(&a, 0)?, Denial::Placement).await?;
    c.take(&recovers(&c, &digest, 0, long()?)?).await?;
    a.denied(&asks(&a, 0)?, Denial::Placement).await?;
    // Who only released it never started.
    b.take(&asks(&b, 0)?).await.map(drop)
}

pub(crate) async fn who_lost_an_index_takes_others_of_another_tick(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    lost(&bench, (&a, &b), &digest, long()?).await?;
    let (second, other) = (digest.index(2)?, bench.task("other").await?);
    a.take(&recovers(&a, &second, 1, long()?)?).await?;
    let other = digest.of(&other.task).index(2)?;
    a.take(&recovers(&a, &other, 0, long()?)?).await.map(drop)
}

pub(crate) async fn who_lost_an_index_may_take_that_one_again(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    lost(&bench, (&a, &b), &digest, short()?).await?;
    bench.pass(Lease::MIN).await?;
    let again = a.take(&recovers(&a, &digest, 0, long()?)?).await?;
    assert_eq!(again.grant.attempt.get(), 3);
    let second = recovers(&b, &digest.index(2)?, 0, long()?)?;
    b.denied(&second, Denial::Placement).await
}

pub(crate) async fn a_record_names_who_held_it_and_lost_it(bench: Bench) -> Result<(), Failure> {
    let (a, b, c) = (
        bench.replica().await?,
        bench.replica().await?,
        bench.replica().await?,
    );
    let digest = bench.task("digest").await?;
    lost(&bench, (&a, &b), &digest, short()?).await?;
    let names = async |names: &[&Replica]| -> Result<(), Failure> {
        let record = c.known(&digest.nth(0)).await?;
        let ids: Vec<_> = names.iter().map(|replica| &replica.instance).collect();
        assert_eq!(record.former_holders.iter().collect::<Vec<_>>(), ids);
        Ok(())
    };
    names(&[&a]).await?;
    bench.pass(Lease::MIN).await?;
    let held = c.take(&recovers(&c, &digest, 0, long()?)?).await?;
    names(&[&a, &b]).await?;
    c.release(&held.lock).await?;
    names(&[&a, &b]).await?;
    b.take(&recovers(&b, &digest, 0, long()?)?).await?;
    names(&[&a, &b]).await?;
    // Where one instance may take several indices nobody asks who held one.
    let race = |replica: &Replica, lease| {
        let claim = replica.asks(&digest.nth(1)).at_least_once(2);
        claim.lease(lease)
    };
    a.take(&race(&a, short()?)).await?;
    bench.pass(Lease::MIN).await?;
    b.take(&race(&b, long()?)).await?;
    assert_eq!(c.known(&digest.nth(1)).await?.former_holders, []);
    Ok(())
}
