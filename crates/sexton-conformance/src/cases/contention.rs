//! Many claimants at once: never two for one, never none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::{join_all, try_join_all};
use sexton_core::lock::{Claim, Execution, Verdict};
use sexton_core::tick::Fence;

use crate::Failure;
use crate::bench::Bench;
use crate::replica::{ClaimWith, Replica};

const CLAIMANTS: usize = 8;

async fn replicas(bench: &Bench) -> Result<Vec<Replica>, Failure> {
    try_join_all((0..CLAIMANTS).map(|_| bench.replica())).await
}

pub(crate) async fn of_many_that_claim_one_execution_one_is_granted(
    bench: Bench,
) -> Result<(), Failure> {
    let (replicas, digest) = (replicas(&bench).await?, bench.task("digest").await?);
    for n in 0..30 {
        let claims: Vec<Claim> = replicas
            .iter()
            .map(|replica| replica.asks(&digest.nth(n)))
            .collect();
        let asked = replicas
            .iter()
            .zip(&claims)
            .map(|(replica, claim)| replica.claim(claim));
        let verdicts = try_join_all(asked).await?;
        let granted = verdicts
            .iter()
            .filter(|verdict| verdict.grant().is_some())
            .count();
        assert_eq!(granted, 1, "tick {n}: {verdicts:?}");
    }
    Ok(())
}

pub(crate) async fn of_batches_in_any_order_each_execution_is_granted_once(
    bench: Bench,
) -> Result<(), Failure> {
    for concurrency in [1, 3, 6] {
        let replicas = replicas(&bench).await?;
        let digest = bench.task(&format!("digest {concurrency}")).await?;
        let mut winners: BTreeMap<Execution, usize> = BTreeMap::new();
        for round in 0..5 {
            let mut batches = Vec::new();
            for replica in &replicas {
                let mut batch = Vec::new();
                for index in 1..=concurrency {
                    // Ticks of one index in order, as a scheduler sends them; indices shuffled.
                    let ticks =
                        (0..10).map(|n| digest.index(index).map(|ticks| ticks.nth(round * 10 + n)));
                    for execution in ticks {
                        batch.push(replica.asks(&execution?).of(concurrency)?);
                    }
                }
                let by = fastrand::usize(..batch.len());
                batch.rotate_left(by / 10 * 10);
                batches.push(batch);
            }
            let asked = replicas
                .iter()
                .zip(&batches)
                .map(|(replica, batch)| replica.claim_all(batch));
            for (batch, verdicts) in batches.iter().zip(try_join_all(asked).await?) {
                for (claim, verdict) in batch.iter().zip(verdicts) {
                    let wins = winners.entry(claim.execution.clone()).or_default();
                    *wins += usize::from(verdict.grant().is_some());
                }
            }
        }
        let wrong: Vec<_> = winners.iter().filter(|(_, wins)| **wins != 1).collect();
        assert!(
            wrong.is_empty(),
            "granted more or less than once: {wrong:?}"
        );
        assert_eq!(
            winners.len(),
            50 * usize::try_from(concurrency).unwrap_or(0)
        );
    }
    Ok(())
}

pub(crate) async fn claims_repeated_amid_contention_keep_their_verdict(
    bench: Bench,
) -> Result<(), Failure> {
    let (replicas, digest) = (replicas(&bench).await?, bench.task("digest").await?);
    for n in 0..10 {
        let asked = replicas.iter().map(|replica| {
            let claim = replica.asks(&digest.nth(n));
            async move {
                let first = replica.claim(&claim).await?;
                let again = replica.claim(&claim).await?;
                Ok::<_, Failure>((first, again))
            }
        });
        for (first, again) in try_join_all(asked).await? {
            assert_eq!(first, again, "tick {n}");
        }
    }
    Ok(())
}

pub(crate) async fn fences_of_one_index_rise_and_never_repeat(bench: Bench) -> Result<(), Failure> {
    let (replicas, digest) = (replicas(&bench).await?, bench.task("digest").await?);
    let mut fences: BTreeMap<Fence, i64> = BTreeMap::new();
    for n in 0..20 {
        let asked = replicas.iter().map(|replica| {
            let claim = replica.asks(&digest.nth(n));
            async move { replica.claim(&claim).await }
        });
        for verdict in try_join_all(asked).await? {
            if let Verdict::Granted(grant) = verdict {
                assert_eq!(
                    fences.insert(grant.fence, n),
                    None,
                    "fence {} twice",
                    grant.fence
                );
            }
        }
    }
    let ticks: Vec<i64> = fences.values().copied().collect();
    assert!(
        ticks.is_sorted(),
        "a later tick has a higher fence: {fences:?}"
    );
    Ok(())
}

/// What the locks are for: a counter that nothing else protects.
pub(crate) async fn an_unprotected_counter_counts_every_tick_once(
    bench: Bench,
) -> Result<(), Failure> {
    const TICKS: i64 = 40;
    let (replicas, digest) = (replicas(&bench).await?, bench.task("digest").await?);
    let counter = Arc::new(AtomicU64::new(0));
    let counting = replicas.iter().map(|replica| {
        let (counter, digest) = (Arc::clone(&counter), digest.clone());
        async move {
            for n in 0..TICKS {
                if replica
                    .claim(&replica.asks(&digest.nth(n)))
                    .await?
                    .grant()
                    .is_some()
                {
                    // Read, let the others go on, write: lost if two do so at once.
                    let read = counter.load(Ordering::SeqCst);
                    replica.manager.now().await?;
                    counter.store(read + 1, Ordering::SeqCst);
                }
            }
            Ok::<_, Failure>(())
        }
    });
    for counted in join_all(counting).await {
        counted?;
    }
    // Different ticks may run side by side; what each may not do is run twice.
    let counted = counter.load(Ordering::SeqCst);
    assert!(counted <= TICKS.unsigned_abs(), "{counted} of {TICKS}");
    let mut ended = 0;
    for n in 0..TICKS {
        ended += u64::from(
            replicas[0]
                .record(&digest.nth(n))
                .await?
                .is_none_or(|record| record.fence == Fence::new((n + 1).unsigned_abs())),
        );
    }
    assert_eq!(
        ended,
        TICKS.unsigned_abs(),
        "each tick was granted once, in order"
    );
    Ok(())
}
