//! Batches: one answer for each entry, in order, each entry deciding after those before it.

use sexton_core::lock::{BATCH_MAX, ClaimLead, Denial, LockError, Verdict};

use crate::Failure;
use crate::bench::Bench;
use crate::replica::{ClaimWith, held, long};
use sexton_core::policy::Overlap;

pub(crate) async fn answers_are_in_the_order_of_the_batch(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    // Neither in the order of names nor of ticks; every other one is taken.
    let mut claims = Vec::new();
    for n in 0..60 {
        let task = sexton_core::name::TaskName::new(format!("t{}", n * 37 % 60))?;
        let execution = digest.of(&task).nth(n);
        if n % 2 == 0 {
            a.run(&execution).await?;
        }
        claims.push(b.asks(&execution));
    }
    for (n, verdict) in b.claim_all(&claims).await?.iter().enumerate() {
        assert_eq!(
            matches!(verdict, Verdict::Granted(_)),
            n % 2 == 1,
            "entry {n}: {verdict:?}"
        );
    }
    Ok(())
}

pub(crate) async fn each_entry_sees_what_those_before_it_changed(
    bench: Bench,
) -> Result<(), Failure> {
    let a = bench.replica().await?;
    let digest = bench.task("digest").await?;
    let first = a.asks(&digest.nth(3));
    let claims = [
        first.clone(),
        a.asks(&digest.nth(3)),
        first.clone(),
        a.asks(&digest.nth(2)),
        a.asks(&digest.nth(4)).overlap(Overlap::Skip).lease(long()?),
        a.asks(&digest.nth(5)).overlap(Overlap::Skip).lease(long()?),
    ];
    let verdicts = a.claim_all(&claims).await?;
    let Verdict::Granted(grant) = verdicts[0].clone() else {
        return Err(Failure::new("the first entry was denied"));
    };
    assert_eq!(
        verdicts[1],
        Verdict::Denied(Denial::Taken),
        "another claim of the same"
    );
    assert_eq!(
        verdicts[2],
        Verdict::Granted(grant),
        "the first claim again"
    );
    assert_eq!(
        verdicts[3],
        Verdict::Denied(Denial::Taken),
        "below the watermark"
    );
    assert!(
        matches!(verdicts[4], Verdict::Granted(_)),
        "nothing leased runs: {:?}",
        verdicts[4]
    );
    assert_eq!(
        verdicts[5],
        Verdict::Denied(Denial::Overlap),
        "the one before it runs"
    );
    Ok(())
}

pub(crate) async fn a_batch_of_the_largest_size_is_decided(bench: Bench) -> Result<(), Failure> {
    let a = bench.replica().await?;
    let digest = bench.task("digest").await?;
    let mut claims = Vec::new();
    for n in 0..BATCH_MAX {
        let task = sexton_core::name::TaskName::new(format!("task {n:04}"))?;
        claims.push(a.asks(&digest.of(&task).nth(0)));
    }
    let verdicts = a.claim_all(&claims).await?;
    assert!(
        verdicts
            .iter()
            .all(|verdict| matches!(verdict, Verdict::Granted(_)))
    );
    let mut settlements = Vec::new();
    for (claim, verdict) in claims.iter().zip(verdicts) {
        if let Verdict::Granted(grant) = verdict {
            let lock = held(claim, grant).lock;
            settlements.push(
                a.settlement(&lock, sexton_core::lock::Outcome::Succeeded)
                    .await?,
            );
        }
    }
    let settled = a.manager.settle(&settlements).await?.whole()?.value;
    assert_eq!(settled.len(), BATCH_MAX);
    Ok(())
}

pub(crate) async fn a_batch_that_is_too_large_is_refused_whole(
    bench: Bench,
) -> Result<(), Failure> {
    let a = bench.replica().await?;
    let digest = bench.task("digest").await?;
    let claims: Vec<_> = (0..=BATCH_MAX)
        .map(|n| a.asks(&digest.nth(i64::try_from(n).unwrap_or(0))))
        .collect();
    let refused = a.manager.claim(ClaimLead::ZERO, &claims).await;
    assert!(
        matches!(refused, Err(LockError::BatchTooLarge { .. })),
        "{refused:?}"
    );
    a.run(&digest.nth(0)).await.map(drop)
}

pub(crate) async fn an_empty_batch_succeeds(bench: Bench) -> Result<(), Failure> {
    let manager = bench.open().await?;
    assert!(manager.claim(ClaimLead::ZERO, &[]).await?.value.is_empty());
    assert!(manager.renew(&[]).await?.value.is_empty());
    assert!(manager.settle(&[]).await?.value.is_empty());
    assert!(manager.release(&[]).await?.value.is_empty());
    assert!(manager.consume(&[]).await?.value.is_empty());
    Ok(())
}
