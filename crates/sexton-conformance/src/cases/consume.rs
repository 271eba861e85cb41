//! Consuming: ticks that are accounted for without being run.

use sexton_core::lock::{
    Consumed, Consumption, Covered, Denial, Execution, ExecutionState, Outcome, Reason,
};
use sexton_core::tick::Concurrency;

use crate::Failure;
use crate::bench::Bench;
use crate::replica::{Replica, one};

fn consumption(by: &Replica, execution: &Execution, reason: Reason) -> Consumption {
    let (execution, by) = (execution.clone(), by.instance.clone());
    Consumption::new(execution, Concurrency::ONE, reason, by)
}

async fn answered(by: &Replica, consumption: &Consumption) -> Result<Consumed, Failure> {
    let batch = std::slice::from_ref(consumption);
    one(by.manager.consume(batch).await?.whole()?).map(|answer| answer.value)
}

async fn consume(by: &Replica, execution: &Execution, reason: Reason) -> Result<Consumed, Failure> {
    answered(by, &consumption(by, execution, reason)).await
}

/// The answer where an execution was dealt with, with the watermark at this one.
fn already(watermark: &Execution) -> Consumed {
    let watermark = Some(watermark.tick);
    Consumed::Already { watermark }
}

pub(crate) async fn a_consumed_tick_is_recorded_with_its_reason_and_never_granted(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let reasons = [
        (Reason::CatchUp, ExecutionState::Skipped),
        (Reason::TooLate, ExecutionState::Missed),
        (Reason::StoreUnreachable, ExecutionState::Missed),
    ];
    for (n, (reason, state)) in (0..).zip(reasons) {
        let tick = digest.nth(n);
        let after = (n > 0).then(|| digest.nth(n - 1).tick);
        let recorded = Consumed::Recorded { after };
        assert_eq!(consume(&a, &tick, reason).await?, recorded);
        let record = a.known(&tick).await?;
        assert_eq!((record.state, record.reason), (state, Some(reason)));
        assert_eq!(record.instance.as_ref(), Some(&a.instance));
        b.denied(&b.asks(&tick), Denial::Taken).await?;
        let again = consume(&b, &tick, Reason::TooLate).await?;
        assert_eq!(again, already(&tick));
        assert_eq!(a.known(&tick).await?, record, "the first word stands");
    }
    Ok(())
}

pub(crate) async fn consuming_raises_the_watermark(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    consume(&a, &digest.nth(5), Reason::TooLate).await?;
    a.denied(&a.asks(&digest.nth(4)), Denial::Taken).await?;
    let before = consume(&a, &digest.nth(4), Reason::TooLate).await?;
    assert_eq!(before, already(&digest.nth(5)));
    a.run(&digest.nth(6)).await.map(drop)
}

pub(crate) async fn what_runs_is_not_consumed(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.run(&digest.nth(0)).await?;
    let consumed = consume(&b, &digest.nth(0), Reason::TooLate).await?;
    assert_eq!(consumed, already(&digest.nth(0)));
    assert_eq!(
        a.known(&digest.nth(0)).await?.state,
        ExecutionState::Running
    );
    Ok(())
}

pub(crate) async fn ticks_that_one_covers_are_recorded_below_the_watermark(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.run(&digest.nth(0)).await?;
    let last = Consumption {
        covers: Some(Covered {
            first: digest.nth(1).tick,
            ticks: 5,
            unrecorded: 0,
        }),
        ..consumption(&a, &digest.nth(5), Reason::TooLate)
    };
    let recorded = Consumed::Recorded {
        after: Some(digest.nth(0).tick),
    };
    assert_eq!(answered(&a, &last).await?, recorded);
    let note = a.known(&digest.nth(5)).await?.error;
    assert!(note.is_some(), "its record says what it covers");
    assert_eq!(note, last.note());
    // Before its own record is there, each of them is accounted for.
    let earlier = consumption(&a, &digest.nth(3), Reason::TooLate);
    assert_eq!(answered(&a, &earlier).await?, already(&digest.nth(5)));
    a.denied(&a.asks(&digest.nth(3)), Denial::Taken).await?;
    let covered = Consumption {
        is_covered: true,
        ..earlier
    };
    let recorded = Consumed::Recorded {
        after: Some(digest.nth(5).tick),
    };
    assert_eq!(answered(&a, &covered).await?, recorded);
    let record = b.known(&digest.nth(3)).await?;
    let state = (record.state, record.reason, record.error.clone());
    let missed = (ExecutionState::Missed, Some(Reason::TooLate), None);
    assert_eq!(state, missed);
    assert_eq!(record.instance.as_ref(), Some(&a.instance));
    assert_eq!(answered(&a, &covered).await?, already(&digest.nth(5)));
    assert_eq!(b.known(&digest.nth(3)).await?, record);
    b.denied(&b.asks(&digest.nth(3)), Denial::Taken).await?;
    b.denied(&b.asks(&digest.nth(5)), Denial::Taken).await?;
    b.run(&digest.nth(6)).await.map(drop)
}

/// What ran, what runs, and what was triggered ahead of the watermark.
pub(crate) async fn what_is_covered_keeps_the_record_it_has(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let ran = a.run(&digest.nth(0)).await?;
    a.end(&ran.lock, Outcome::Succeeded).await?;
    a.run(&digest.nth(1)).await?;
    b.enqueue(&digest.nth(2)).await?;
    for n in 0..=2 {
        let before = a.known(&digest.nth(n)).await?;
        let covered = Consumption {
            is_covered: true,
            ..consumption(&b, &digest.nth(n), Reason::TooLate)
        };
        assert_eq!(answered(&b, &covered).await?, already(&digest.nth(1)));
        assert_eq!(a.known(&digest.nth(n)).await?, before);
    }
    Ok(())
}

pub(crate) async fn what_covers_a_tick_that_was_dealt_with_changes_nothing(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.run(&digest.nth(2)).await?;
    let covering = |first: i64| Consumption {
        covers: Some(Covered {
            first: digest.nth(first).tick,
            ticks: 5,
            unrecorded: 0,
        }),
        ..consumption(&b, &digest.nth(5), Reason::TooLate)
    };
    for first in 1..=2 {
        assert_eq!(
            answered(&b, &covering(first)).await?,
            already(&digest.nth(2))
        );
        assert_eq!(b.record(&digest.nth(5)).await?, None);
    }
    let after = Some(digest.nth(2).tick);
    assert_eq!(
        answered(&b, &covering(3)).await?,
        Consumed::Recorded { after }
    );
    Ok(())
}
