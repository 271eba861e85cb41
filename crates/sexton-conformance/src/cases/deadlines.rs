//! Deadlines: until when what waits may be granted.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton_core::lock::{
    Claim, Denial, Enqueued, ExecutionState, Outcome, Reason, Released, Settled, Sweep, SweepQuery,
    Verdict,
};
use sexton_core::policy::{Lease, Overlap};

use crate::Failure;
use crate::bench::{Bench, Ticks};
use crate::replica::{ClaimWith, Held, Replica, held, long, short};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Long enough for a slow store to come before it, short enough to wait for.
const SOON: Duration = Duration::from_millis(500);

pub(crate) async fn what_was_released_is_granted_until_its_deadline(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let deadline = a.after(HOUR).await?;
    let first = a.run(&digest.nth(0)).await?;
    let released = a.release_until(&first.lock, Some(deadline)).await?;
    assert_eq!(released, Released::Open);
    let record = b.known(&digest.nth(0)).await?;
    assert_eq!(
        (record.state, record.reason, record.deadline),
        (ExecutionState::Waiting, None, Some(deadline))
    );
    b.run(&digest.nth(0)).await.map(drop)
}

pub(crate) async fn what_was_released_is_too_late_from_its_deadline_on(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = a.run(&digest.nth(0)).await?;
    let deadline = a.after(SignedDuration::try_from(SOON)?).await?;
    let released = a.release_until(&first.lock, Some(deadline)).await?;
    assert_eq!(released, Released::Open);
    bench.pass(SOON).await?;
    b.denied(&b.asks(&digest.nth(0)), Denial::TooLate).await?;
    b.finds_missed(&digest.nth(0), deadline).await?;
    // It is closed: the next to ask comes to an execution that is over.
    b.denied(&b.asks(&digest.nth(0)), Denial::Taken).await?;
    a.denied(&a.asks(&digest.nth(0)), Denial::Taken).await
}

pub(crate) async fn a_release_after_the_deadline_closes_the_execution_as_missed(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = a.run(&digest.nth(0)).await?;
    let since = a.now_ms().await?;
    let passed = since.saturating_sub(MINUTE)?;
    let released = a.release_until(&first.lock, Some(passed)).await?;
    assert_eq!(released, Released::TooLate);
    b.finds_missed(&digest.nth(0), since).await?;
    b.denied(&b.asks(&digest.nth(0)), Denial::Taken).await?;
    assert_eq!(
        a.release_until(&first.lock, Some(passed)).await?,
        Released::NotHeld,
        "it is over"
    );
    b.run(&digest.nth(1)).await.map(drop)
}

pub(crate) async fn a_repeat_that_is_given_back_has_no_deadline(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let asks = |replica: &Replica| replica.asks(&digest.nth(0)).at_least_once(2);
    a.take(&asks(&a).lease(short()?)).await?;
    bench.pass(Lease::MIN).await?;
    for offset in [HOUR, -MINUTE] {
        let repeat = b.take(&asks(&b).lease(long()?)).await?;
        assert_eq!(repeat.grant.attempt.get(), 2);
        let until = Some(b.after(offset).await?);
        let released = b.release_until(&repeat.lock, until).await?;
        assert_eq!(released, Released::Open, "its first attempt may have begun");
        assert_eq!(a.known(&digest.nth(0)).await?.deadline, None);
    }
    let again = a.take(&asks(&a).lease(long()?)).await?;
    assert_eq!((again.grant.attempt.get(), again.grant.deadline), (2, None));
    Ok(())
}

pub(crate) async fn what_was_asked_to_stop_is_cancelled_by_its_release_and_not_missed(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let first = a.run(&digest.nth(0)).await?;
    a.manager.request_cancel(&digest.nth(0)).await?;
    let passed = a.after(-MINUTE).await?;
    let released = a.release_until(&first.lock, Some(passed)).await?;
    assert_eq!(released, Released::Open);
    let record = a.known(&digest.nth(0)).await?;
    assert_eq!(record.state, ExecutionState::Ended(Outcome::Cancelled));
    Ok(())
}

pub(crate) async fn a_release_keeps_the_deadline_that_the_execution_has(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let (passed, first, later) = (
        a.after(-MINUTE).await?,
        a.after(HOUR).await?,
        a.after(HOUR * 2).await?,
    );
    a.enqueue_until(&digest.nth(0), Some(first)).await?;
    for other in [Some(later), None, Some(passed)] {
        let held = a.run(&digest.nth(0)).await?;
        let released = a.release_until(&held.lock, other).await?;
        assert_eq!(released, Released::Open, "with {other:?}");
        let record = b.known(&digest.nth(0)).await?;
        assert_eq!(record.deadline, Some(first), "with {other:?}");
    }
    // What had none has the first that it is given.
    let digest = digest.of(&bench.task("other").await?.task);
    a.enqueue(&digest.nth(0)).await?;
    for (other, then) in [
        (None, None),
        (Some(later), Some(later)),
        (None, Some(later)),
    ] {
        let held = a.run(&digest.nth(0)).await?;
        a.release_until(&held.lock, other).await?;
        let record = b.known(&digest.nth(0)).await?;
        assert_eq!(record.deadline, then, "with {other:?}");
    }
    Ok(())
}

pub(crate) async fn a_grant_of_what_waited_carries_its_deadline(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let deadline = a.after(HOUR).await?;
    let mut claim = a.asks(&digest.nth(0));
    claim.deadline = Some(deadline);
    let first = a.take(&claim).await?;
    assert_eq!(
        first.grant.deadline, None,
        "it never waited: its task's policy says"
    );
    a.release_until(&first.lock, Some(deadline)).await?;
    let mut claim = b.asks(&digest.nth(0));
    claim.deadline = Some(a.after(HOUR * 2).await?);
    let second = b.take(&claim).await?;
    assert_eq!(second.grant.deadline, Some(deadline));
    assert_eq!(b.known(&digest.nth(0)).await?.deadline, Some(deadline));
    b.release(&second.lock).await?;
    let third = a.run(&digest.nth(0)).await?;
    assert_eq!(third.grant.deadline, Some(deadline), "it waited twice");
    Ok(())
}

pub(crate) async fn a_claim_sent_again_carries_the_deadline_as_before(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let deadline = a.after(HOUR).await?;
    let first = a.run(&digest.nth(0)).await?;
    a.release_until(&first.lock, Some(deadline)).await?;
    let claim = b.asks(&digest.nth(0));
    let second = b.take(&claim).await?;
    assert_eq!(second.grant.deadline, Some(deadline));
    assert_eq!(b.take(&claim).await?, second, "granted again, unchanged");
    Ok(())
}

pub(crate) async fn what_is_enqueued_is_granted_until_its_deadline(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let deadline = a.after(HOUR).await?;
    for (n, deadline) in [(0, Some(deadline)), (1, None)] {
        let enqueued = a.enqueue_until(&digest.nth(n), deadline).await?;
        assert_eq!(enqueued, Enqueued::Waiting);
        assert_eq!(b.known(&digest.nth(n)).await?.deadline, deadline);
        let held = b.run(&digest.nth(n)).await?;
        assert_eq!(held.grant.deadline, deadline);
    }
    Ok(())
}

pub(crate) async fn what_is_enqueued_is_too_late_from_its_deadline_on(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let since = a.now_ms().await?;
    // Once at its very deadline, once long after.
    for (n, deadline) in [(0, since), (1, since.saturating_sub(HOUR)?)] {
        let enqueued = a.enqueue_until(&digest.nth(n), Some(deadline)).await?;
        assert_eq!(enqueued, Enqueued::Waiting);
        b.denied(&b.asks(&digest.nth(n)), Denial::TooLate).await?;
        b.finds_missed(&digest.nth(n), since).await?;
        b.denied(&b.asks(&digest.nth(n)), Denial::Taken).await?;
        let again = a.enqueue(&digest.nth(n)).await?;
        assert_eq!(
            again,
            Enqueued::Already,
            "the history says what became of it"
        );
    }
    Ok(())
}

fn queues(replica: &Replica, ticks: &Ticks, n: i64, lease: Lease) -> Result<Claim, Failure> {
    let claim = replica.asks(&ticks.nth(n));
    Ok(claim.overlap(Overlap::QueueOne).lease(lease))
}

/// The first tick runs under `lease`, and the second is queued behind it, to be granted until
/// `time` after it was due: an hour ago. Both in one batch, so that the lease is not over in
/// between.
async fn queued(
    replica: &Replica,
    ticks: &Ticks,
    lease: Lease,
    time: SignedDuration,
) -> Result<Held, Failure> {
    let first = queues(replica, ticks, 0, lease)?;
    let mut second = queues(replica, ticks, 1, lease)?;
    second.deadline = Some(due(ticks, time)?);
    let mut verdicts = replica.claim_all(&[first.clone(), second]).await?;
    match (verdicts.pop(), verdicts.pop()) {
        (Some(Verdict::Denied(Denial::Overlap)), Some(Verdict::Granted(grant))) => {
            Ok(held(&first, grant))
        }
        found => Err(Failure::new(format_args!(
            "the second tick should be queued behind the first, but they were {found:?}"
        ))),
    }
}

/// `time` after the second tick.
fn due(ticks: &Ticks, time: SignedDuration) -> Result<Timestamp, Failure> {
    Ok(ticks.nth(1).tick.timestamp().saturating_add(time)?)
}

pub(crate) async fn what_is_queued_keeps_its_time_while_the_run_before_it_lasts(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let lanes = [
        (bench.task("digest").await?, SignedDuration::ZERO),
        (bench.task("other").await?, MINUTE),
    ];
    for (ticks, time) in &lanes {
        queued(&a, ticks, long()?, *time).await?;
        let record = b.known(&ticks.nth(1)).await?;
        assert_eq!(
            (record.state, record.reason, record.deadline),
            (
                ExecutionState::Waiting,
                Some(Reason::Overlap),
                Some(due(ticks, *time)?)
            )
        );
        b.denied(&queues(&b, ticks, 1, long()?)?, Denial::Overlap)
            .await?;
    }
    assert!(!b.is_told_to_sweep().await?);
    assert!(b.sweep().await?.is_empty(), "the earlier ones run");
    // It waits, whatever its deadline was, until a newer tick takes its place.
    for (ticks, _) in &lanes {
        b.denied(&queues(&b, ticks, 2, long()?)?, Denial::Overlap)
            .await?;
        let record = b.known(&ticks.nth(1)).await?;
        assert_eq!(
            (record.state, record.reason),
            (ExecutionState::Skipped, Some(Reason::Superseded))
        );
    }
    Ok(())
}

pub(crate) async fn what_is_queued_has_as_much_time_again_from_the_settling_of_the_run_before_it(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = queued(&a, &digest, long()?, MINUTE).await?;
    let since = a.after(MINUTE).await?;
    let settled = a.end(&first.lock, Outcome::Succeeded).await?;
    let until = a.manager.now().await?.saturating_add(MINUTE)?;
    let waiting = Some(digest.nth(1).tick);
    assert_eq!(settled, Settled::Recorded { waiting });
    let deadline = b.known(&digest.nth(1)).await?.deadline;
    assert!(
        deadline.is_some_and(|deadline| (since..=until).contains(&deadline)),
        "{deadline:?} is not between {since} and {until}"
    );
    let second = b.take(&queues(&b, &digest, 1, long()?)?).await?;
    assert_eq!(second.grant.deadline, deadline);
    Ok(())
}

pub(crate) async fn what_is_queued_without_time_is_too_late_once_the_run_before_it_is_settled(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = queued(&a, &digest, long()?, -HOUR).await?;
    let since = a.now_ms().await?;
    let settled = a.end(&first.lock, Outcome::Succeeded).await?;
    assert_eq!(settled, Settled::Recorded { waiting: None });
    b.denied(&queues(&b, &digest, 1, long()?)?, Denial::TooLate)
        .await?;
    b.finds_missed(&digest.nth(1), since).await
}

pub(crate) async fn what_is_queued_has_as_much_time_again_from_the_end_of_a_lease(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let lease = Lease::new(SOON)?;
    let (digest, other) = (bench.task("digest").await?, bench.task("other").await?);
    queued(&a, &digest, lease, MINUTE).await?;
    queued(&a, &other, lease, SignedDuration::ZERO).await?;
    bench.pass(SOON).await?;
    assert!(b.is_told_to_sweep().await?);
    b.take(&queues(&b, &digest, 1, long()?)?).await?;
    b.denied(&queues(&b, &other, 1, long()?)?, Denial::TooLate)
        .await?;
    let record = b.known(&other.nth(1)).await?;
    assert_eq!(
        (record.state, record.reason),
        (ExecutionState::Missed, Some(Reason::TooLate))
    );
    Ok(())
}

pub(crate) async fn what_is_queued_has_as_much_time_again_from_the_end_of_what_is_lost(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let lease = Lease::new(SOON)?;
    let (digest, other) = (bench.task("digest").await?, bench.task("other").await?);
    let first = queued(&a, &digest, lease, MINUTE).await?;
    queued(&a, &other, lease, SignedDuration::ZERO).await?;
    bench.pass(SOON).await?;
    let mut sweep = b.sweep().await?;
    sweep.lost.sort();
    assert_eq!(sweep.lost, [digest.nth(0), other.nth(0)]);
    assert_eq!(sweep.missed, [other.nth(1)]);
    let claimable = sweep.claimable.iter().map(|found| &found.execution);
    assert_eq!(claimable.collect::<Vec<_>>(), [&digest.nth(1)]);
    let deadline = b.known(&digest.nth(1)).await?.deadline;
    let in_millis = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    let lease_until = in_millis(first.grant.lease_until);
    assert_eq!(in_millis(deadline), lease_until.map(|until| until + 60_000));
    let second = b.take(&queues(&b, &digest, 1, long()?)?).await?;
    assert_eq!(second.grant.deadline, deadline);
    Ok(())
}

pub(crate) async fn a_sweep_knows_the_runs_that_its_page_does_not_reach(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let (digest, first, second) = (
        bench.task("digest").await?,
        bench.task("over 1").await?,
        bench.task("over 2").await?,
    );
    let lease = Lease::new(SOON)?;
    queued(&a, &digest, long()?, SignedDuration::ZERO).await?;
    queued(&a, &first, lease, MINUTE).await?;
    queued(&a, &second, lease, SignedDuration::ZERO).await?;
    bench.pass(SOON).await?;
    let behind = async |ticks: &Ticks| -> Result<Sweep, Failure> {
        let query = SweepQuery {
            after: Some(ticks.nth(0)),
            limit: 1,
            ..SweepQuery::default()
        };
        Ok(b.manager.sweep(&query).await?.value)
    };
    assert_eq!(behind(&second).await?.missed, [second.nth(1)]);
    let found = behind(&first).await?;
    let claimable = found.claimable.iter().map(|found| &found.execution);
    assert_eq!(claimable.collect::<Vec<_>>(), [&first.nth(1)]);
    // That one still runs, and so the first to be found is of the next task.
    assert_eq!(behind(&digest).await?.lost, [first.nth(0)]);
    let record = b.known(&digest.nth(1)).await?;
    assert_eq!(record.state, ExecutionState::Waiting);
    Ok(())
}

pub(crate) async fn settling_again_leaves_the_deadline_of_what_is_queued(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let first = queued(&a, &digest, long()?, MINUTE).await?;
    a.end(&first.lock, Outcome::Succeeded).await?;
    let deadline = a.known(&digest.nth(1)).await?.deadline;
    a.end(&first.lock, Outcome::Succeeded).await?;
    assert_eq!(a.known(&digest.nth(1)).await?.deadline, deadline);
    Ok(())
}

pub(crate) async fn a_grant_after_the_end_of_a_lease_carries_the_deadline_counted_from_there(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = queued(&a, &digest, Lease::new(SOON)?, MINUTE).await?;
    bench.pass(SOON).await?;
    let second = b.take(&queues(&b, &digest, 1, long()?)?).await?;
    let in_millis = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    let lease_until = in_millis(first.grant.lease_until);
    let expected = lease_until.map(|until| until + 60_000);
    assert_eq!(in_millis(second.grant.deadline), expected);
    assert_eq!(b.release(&second.lock).await?, Released::Open);
    Ok(())
}

pub(crate) async fn what_is_too_late_stays_so_while_a_later_tick_runs(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = queued(&a, &digest, long()?, SignedDuration::ZERO).await?;
    a.end(&first.lock, Outcome::Succeeded).await?;
    let newest = b.take(&queues(&b, &digest, 2, long()?)?).await?;
    assert!(b.is_told_to_sweep().await?);
    let settled = b.end(&newest.lock, Outcome::Succeeded).await?;
    assert_eq!(settled, Settled::Recorded { waiting: None });
    assert_eq!(b.sweep().await?.missed, [digest.nth(1)]);
    Ok(())
}

pub(crate) async fn what_a_lost_holder_left_has_no_deadline_any_more(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let claim = |by: &Replica| by.asks(&digest.nth(0)).at_least_once(3);
    let first = a.take(&claim(&a).lease(long()?)).await?;
    let deadline = a.after(HOUR).await?;
    a.release_until(&first.lock, Some(deadline)).await?;
    let second = a.take(&claim(&a).lease(short()?)).await?;
    assert_eq!(second.grant.deadline, Some(deadline));
    bench.pass(Lease::MIN).await?;
    // It may have begun: what is repeated is repeated however late it is.
    let third = b.take(&claim(&b).lease(long()?)).await?;
    assert_eq!(third.grant.attempt.get(), 2);
    assert_eq!(third.grant.deadline, None);
    assert_eq!(b.known(&digest.nth(0)).await?.deadline, None);
    Ok(())
}
