//! Consuming: ticks that are accounted for without being run.

use sexton_core::lock::{Consumed, Consumption, Denial, Execution, ExecutionState, Reason};
use sexton_core::tick::Concurrency;

use crate::Failure;
use crate::bench::Bench;
use crate::replica::{Replica, one};

async fn consume(by: &Replica, execution: &Execution, reason: Reason) -> Result<Consumed, Failure> {
    let consumption = Consumption {
        execution: execution.clone(),
        concurrency: Concurrency::ONE,
        reason,
        instance: by.instance.clone(),
    };
    one(by.manager.consume(&[consumption]).await?).map(|answer| answer.value)
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
        assert_eq!(
            consume(&b, &tick, Reason::TooLate).await?,
            Consumed::Already
        );
        assert_eq!(a.known(&tick).await?, record, "the first word stands");
    }
    Ok(())
}

pub(crate) async fn consuming_raises_the_watermark(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    consume(&a, &digest.nth(5), Reason::TooLate).await?;
    a.denied(&a.asks(&digest.nth(4)), Denial::Taken).await?;
    assert_eq!(
        consume(&a, &digest.nth(4), Reason::TooLate).await?,
        Consumed::Already
    );
    a.run(&digest.nth(6)).await.map(drop)
}

pub(crate) async fn what_runs_is_not_consumed(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.run(&digest.nth(0)).await?;
    assert_eq!(
        consume(&b, &digest.nth(0), Reason::TooLate).await?,
        Consumed::Already
    );
    assert_eq!(
        a.known(&digest.nth(0)).await?.state,
        ExecutionState::Running
    );
    Ok(())
}
