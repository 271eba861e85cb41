//! Turns: of the ticks of one (task, index), the one that waits goes before the later ones.

use jiff::SignedDuration;
use sexton_core::lock::{
    CancelRequested, Claim, Denial, Execution, ExecutionState, Outcome, Reason, Released, Settled,
    Verdict,
};
use sexton_core::policy::{Lease, Overlap};

use crate::Failure;
use crate::bench::{Bench, Ticks};
use crate::replica::{ClaimWith, Replica, long, short};

const NEWEST_KEPT: [Overlap; 2] = [Overlap::QueueOne, Overlap::CancelEarlier];

fn asks(replica: &Replica, ticks: &Ticks, n: i64, overlap: Overlap) -> Result<Claim, Failure> {
    Ok(replica.asks(&ticks.nth(n)).overlap(overlap).lease(long()?))
}

fn earlier_waits(ticks: &Ticks, n: i64) -> Denial {
    Denial::EarlierWaits(ticks.nth(n).tick)
}

/// Ticks that were granted by the default policies, in this order, and then released.
async fn released(replica: &Replica, ticks: &Ticks, of: &[i64]) -> Result<(), Failure> {
    let mut all = Vec::new();
    for n in of {
        all.push(replica.run(&ticks.nth(*n)).await?);
    }
    for held in all {
        assert_eq!(replica.release(&held.lock).await?, Released::Open);
    }
    Ok(())
}

/// An execution whose first holder is lost, and whose second gives it back.
async fn lost_and_released(
    bench: &Bench,
    first: &Replica,
    second: &Replica,
    execution: &Execution,
) -> Result<(), Failure> {
    let asks = |replica: &Replica| replica.asks(execution).at_least_once(2);
    first.take(&asks(first).lease(short()?)).await?;
    bench.pass(Lease::MIN).await?;
    let held = second.take(&asks(second).lease(long()?)).await?;
    assert_eq!(held.grant.attempt.get(), 2);
    assert_eq!(second.release(&held.lock).await?, Released::Open);
    Ok(())
}

async fn finds(
    replica: &Replica,
    ticks: &Ticks,
    n: i64,
    expected: (ExecutionState, Option<Reason>),
) -> Result<(), Failure> {
    let record = replica.known(&ticks.nth(n)).await?;
    assert_eq!((record.state, record.reason), expected, "tick {n}");
    Ok(())
}

const WAITING: (ExecutionState, Option<Reason>) = (ExecutionState::Waiting, None);
const SUPERSEDED: (ExecutionState, Option<Reason>) =
    (ExecutionState::Skipped, Some(Reason::Superseded));

pub(crate) async fn a_tick_that_waits_goes_before_a_new_one(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    for overlap in [Overlap::Allow, Overlap::Skip] {
        let digest = bench.task(&format!("digest {overlap:?}")).await?;
        let first = a.take(&asks(&a, &digest, 0, overlap)?).await?;
        a.release(&first.lock).await?;
        for replica in [&a, &b] {
            let later = asks(replica, &digest, 1, overlap)?;
            replica.denied(&later, earlier_waits(&digest, 0)).await?;
        }
        let again = b.take(&asks(&b, &digest, 0, overlap)?).await?;
        b.end(&again.lock, Outcome::Succeeded).await?;
        a.take(&asks(&a, &digest, 1, overlap)?).await?;
    }
    Ok(())
}

pub(crate) async fn a_new_tick_that_is_held_up_is_not_recorded(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    for overlap in [Overlap::Allow, Overlap::Skip] {
        let digest = bench.task(&format!("digest {overlap:?}")).await?;
        let first = a.take(&asks(&a, &digest, 0, overlap)?).await?;
        a.release(&first.lock).await?;
        let before = a.state(&digest.task).await?.registers;
        b.denied(&asks(&b, &digest, 2, overlap)?, earlier_waits(&digest, 0))
            .await?;
        assert_eq!(b.record(&digest.nth(2)).await?, None);
        assert_eq!(a.state(&digest.task).await?.registers, before);
        let again = a.take(&asks(&a, &digest, 0, overlap)?).await?;
        a.end(&again.lock, Outcome::Succeeded).await?;
        // Nor does it stand in the way of one before it.
        for n in [1, 2] {
            let held = b.take(&asks(&b, &digest, n, overlap)?).await?;
            b.end(&held.lock, Outcome::Succeeded).await?;
        }
    }
    Ok(())
}

pub(crate) async fn what_waits_is_granted_in_order_under_every_policy(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    for overlap in [
        Overlap::Allow,
        Overlap::Skip,
        Overlap::QueueOne,
        Overlap::CancelEarlier,
    ] {
        let digest = bench.task(&format!("digest {overlap:?}")).await?;
        released(&a, &digest, &[0, 2]).await?;
        a.enqueue(&digest.nth(1)).await?;
        for first in 0..3 {
            for later in first + 1..3 {
                let claim = asks(&b, &digest, later, overlap)?;
                b.denied(&claim, earlier_waits(&digest, first)).await?;
            }
            let held = b.take(&asks(&b, &digest, first, overlap)?).await?;
            b.end(&held.lock, Outcome::Succeeded).await?;
        }
        b.take(&asks(&b, &digest, 3, overlap)?).await?;
    }
    Ok(())
}

pub(crate) async fn one_batch_is_granted_the_earlier_one_and_then_the_later(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    released(&a, &digest, &[0, 1]).await?;
    let of = |ticks: [i64; 3]| ticks.map(|n| b.asks(&digest.nth(n)));
    let verdicts = b.claim_all(&of([2, 1, 0])).await?;
    let held_up = Verdict::Denied(earlier_waits(&digest, 0));
    assert_eq!(verdicts[..2], [held_up.clone(), held_up]);
    assert!(verdicts[2].grant().is_some(), "{verdicts:?}");
    // The first one runs, the second waits, the third is new.
    let verdicts = b.claim_all(&of([1, 2, 3])).await?;
    let all_granted = verdicts.iter().all(|verdict| verdict.grant().is_some());
    assert!(all_granted, "{verdicts:?}");
    Ok(())
}

pub(crate) async fn what_waits_holds_up_only_the_later_ticks_of_its_task_and_index(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let other = digest.of(&bench.task("other").await?.task);
    a.enqueue(&digest.nth(4)).await?;
    for (n, lane) in [(5, &digest.index(2)?), (5, &other), (3, &digest)] {
        let claim = b.asks(&lane.nth(n)).of(2)?;
        b.take(&claim).await?;
    }
    // What waits itself is not held up by others either.
    a.enqueue(&other.nth(6)).await?;
    b.run(&other.nth(6)).await?;
    b.denied(&b.asks(&digest.nth(5)), earlier_waits(&digest, 4))
        .await
}

pub(crate) async fn what_is_too_late_or_withdrawn_holds_nobody_up(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let passed = a.after(SignedDuration::from_mins(-1)).await?;
    for overlap in [Overlap::Allow, Overlap::Skip, Overlap::QueueOne] {
        let digest = bench.task(&format!("digest {overlap:?}")).await?;
        a.enqueue_until(&digest.nth(0), Some(passed)).await?;
        a.enqueue(&digest.nth(1)).await?;
        let withdrawn = a.manager.request_cancel(&digest.nth(1)).await?.value;
        assert_eq!(withdrawn, CancelRequested::Withdrawn);
        let held = b.take(&asks(&b, &digest, 3, overlap)?).await?;
        b.end(&held.lock, Outcome::Succeeded).await?;
        a.enqueue(&digest.nth(2)).await?;
        b.take(&asks(&b, &digest, 2, overlap)?).await?;
        // Nobody has closed it yet.
        finds(&b, &digest, 0, WAITING).await?;
    }
    Ok(())
}

pub(crate) async fn what_is_recovered_is_not_held_up(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = a.run(&digest.nth(0)).await?;
    a.take(&a.asks(&digest.nth(1)).at_least_once(2).lease(short()?))
        .await?;
    a.release(&first.lock).await?;
    bench.pass(Lease::MIN).await?;
    let again = b.asks(&digest.nth(1)).at_least_once(2).lease(long()?);
    let second = b.take(&again).await?;
    assert_eq!(second.grant.attempt.get(), 2, "it had its turn already");
    finds(&b, &digest, 0, WAITING).await
}

pub(crate) async fn a_new_tick_takes_the_place_of_a_released_one_where_the_newest_is_kept(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    for overlap in NEWEST_KEPT {
        let digest = bench.task(&format!("digest {overlap:?}")).await?;
        released(&a, &digest, &[0, 1]).await?;
        let since = a.now_ms().await?;
        let newest = b.take(&asks(&b, &digest, 2, overlap)?).await?;
        assert_eq!(newest.grant.attempt.get(), 1);
        for n in [0, 1] {
            finds(&b, &digest, n, SUPERSEDED).await?;
            let finished_at = b.known(&digest.nth(n)).await?.finished_at;
            assert!(finished_at >= Some(since), "{finished_at:?}");
            a.denied(&asks(&a, &digest, n, overlap)?, Denial::Taken)
                .await?;
        }
        assert!(b.sweep().await?.is_empty());
    }
    Ok(())
}

pub(crate) async fn what_queues_takes_the_place_of_what_was_released(
    bench: Bench,
) -> Result<(), Failure> {
    let a = bench.replica().await?;
    for overlap in NEWEST_KEPT {
        let digest = bench.task(&format!("digest {overlap:?}")).await?;
        let running = a.take(&asks(&a, &digest, 0, overlap)?).await?;
        released(&a, &digest, &[1]).await?;
        a.denied(&asks(&a, &digest, 2, overlap)?, Denial::Overlap)
            .await?;
        finds(&a, &digest, 1, SUPERSEDED).await?;
        let settled = a.end(&running.lock, Outcome::Succeeded).await?;
        let waiting = Some(digest.nth(2).tick);
        assert_eq!(settled, Settled::Recorded { waiting });
    }
    Ok(())
}

pub(crate) async fn what_was_triggered_keeps_its_turn_where_the_newest_is_kept(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    for overlap in NEWEST_KEPT {
        let digest = bench.task(&format!("digest {overlap:?}")).await?;
        released(&a, &digest, &[0]).await?;
        a.enqueue(&digest.nth(1)).await?;
        b.denied(&asks(&b, &digest, 2, overlap)?, earlier_waits(&digest, 1))
            .await?;
        for n in [0, 1] {
            finds(&b, &digest, n, WAITING).await?;
        }
        assert_eq!(b.record(&digest.nth(2)).await?, None);
        for n in 0..3 {
            let held = b.take(&asks(&b, &digest, n, overlap)?).await?;
            b.end(&held.lock, Outcome::Succeeded).await?;
        }
    }
    Ok(())
}

pub(crate) async fn what_was_triggered_stays_when_newer_ticks_queue(
    bench: Bench,
) -> Result<(), Failure> {
    let a = bench.replica().await?;
    for overlap in NEWEST_KEPT {
        let digest = bench.task(&format!("digest {overlap:?}")).await?;
        let running = a.take(&asks(&a, &digest, 0, overlap)?).await?;
        a.enqueue(&digest.nth(1)).await?;
        for n in [2, 3] {
            a.denied(&asks(&a, &digest, n, overlap)?, Denial::Overlap)
                .await?;
        }
        finds(&a, &digest, 1, WAITING).await?;
        finds(&a, &digest, 2, SUPERSEDED).await?;
        let queued = (ExecutionState::Waiting, Some(Reason::Overlap));
        finds(&a, &digest, 3, queued).await?;
        a.end(&running.lock, Outcome::Succeeded).await?;
        a.denied(&asks(&a, &digest, 3, overlap)?, earlier_waits(&digest, 1))
            .await?;
        finds(&a, &digest, 1, WAITING).await?;
        for n in [1, 3] {
            let held = a.take(&asks(&a, &digest, n, overlap)?).await?;
            a.end(&held.lock, Outcome::Succeeded).await?;
        }
    }
    Ok(())
}

pub(crate) async fn what_may_have_begun_is_not_superseded(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    for overlap in NEWEST_KEPT {
        let digest = bench.task(&format!("digest {overlap:?}")).await?;
        lost_and_released(&bench, &a, &b, &digest.nth(1)).await?;
        b.denied(&asks(&b, &digest, 2, overlap)?, earlier_waits(&digest, 1))
            .await?;
        // Nor by a tick that waits itself.
        a.enqueue(&digest.nth(0)).await?;
        let running = a.take(&asks(&a, &digest, 0, overlap)?).await?;
        b.denied(&asks(&b, &digest, 2, overlap)?, Denial::Overlap)
            .await?;
        finds(&b, &digest, 1, WAITING).await?;
        a.end(&running.lock, Outcome::Succeeded).await?;
        let second = b.take(&asks(&b, &digest, 1, overlap)?).await?;
        assert_eq!(second.grant.attempt.get(), 2);
        b.end(&second.lock, Outcome::Succeeded).await?;
        b.take(&asks(&b, &digest, 2, overlap)?).await?;
    }
    Ok(())
}

pub(crate) async fn what_is_too_late_is_missed_and_not_superseded(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = a.run(&digest.nth(0)).await?;
    let soon = SignedDuration::from_millis(500);
    let deadline = a.after(soon).await?;
    let released = a.release_until(&first.lock, Some(deadline)).await?;
    assert_eq!(released, Released::Open);
    bench.pass(soon.unsigned_abs()).await?;
    for (n, overlap) in (1..).zip(NEWEST_KEPT) {
        let held = b.take(&asks(&b, &digest, n, overlap)?).await?;
        finds(&b, &digest, 0, WAITING).await?;
        b.end(&held.lock, Outcome::Succeeded).await?;
    }
    assert_eq!(a.sweep().await?.missed, [digest.nth(0)]);
    a.finds_missed(&digest.nth(0), deadline).await
}
