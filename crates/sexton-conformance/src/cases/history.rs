//! The history: records, their order, filters and pages; and what is pruned.

use std::time::Duration;

use sexton_core::lock::{
    Consumption, Denial, ExecutionRecord, ExecutionState, HistoryQuery, Outcome, Reason, Retention,
    history_order,
};
use sexton_core::tick::Concurrency;

use crate::Failure;
use crate::bench::Bench;
use crate::replica::{ClaimWith, Replica, long};

/// Two tasks of two indices, five ticks each; every third failed, every fifth is running.
async fn filled(bench: &Bench) -> Result<(Replica, crate::bench::Ticks), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let other = bench.task("other").await?.task;
    for n in 0..20_i64 {
        let lane = if n % 2 == 0 {
            digest.clone()
        } else {
            digest.of(&other)
        };
        let lane = lane.index(1 + (n / 2 % 2).unsigned_abs())?;
        let held = a.take(&a.asks(&lane.nth(n / 4)).of(2)?).await?;
        match n {
            n if n % 5 == 0 => {}
            n if n % 3 == 0 => drop(a.end(&held.lock, Outcome::Failed).await?),
            _ => drop(a.end(&held.lock, Outcome::Succeeded).await?),
        }
    }
    Ok((a, digest))
}

pub(crate) async fn a_grant_is_recorded_with_all_that_it_is(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let claim = a
        .asks(&digest.index(2)?.nth(0))
        .of(3)?
        .at_least_once(4)
        .lease(long()?);
    let held = a.take(&claim).await?;
    let record = a.known(&claim.execution).await?;
    assert_eq!(record.execution, claim.execution);
    assert_eq!(record.concurrency.get(), 3);
    assert_eq!(
        (record.state, record.reason),
        (ExecutionState::Running, None)
    );
    assert_eq!(record.claim_id, Some(claim.claim_id));
    assert_eq!(record.instance.as_ref(), Some(&a.instance));
    assert_eq!(
        (record.attempt, record.fence),
        (Some(held.grant.attempt), held.grant.fence)
    );
    assert_eq!(
        (record.delivery, record.overlap),
        (claim.delivery, claim.overlap)
    );
    let until = |until: Option<jiff::Timestamp>| until.map(jiff::Timestamp::as_millisecond);
    assert_eq!(until(record.lease_until), until(held.grant.lease_until));
    assert_eq!((record.started_at, record.finished_at), (None, None));
    Ok(())
}

pub(crate) async fn the_newest_tick_comes_first(bench: Bench) -> Result<(), Failure> {
    let (a, _) = filled(&bench).await?;
    let records = a.manager.history(&HistoryQuery::default()).await?.value;
    assert_eq!(records.len(), 20);
    let is_ordered = |pair: &[ExecutionRecord]| {
        history_order(&pair[0].execution) < history_order(&pair[1].execution)
    };
    assert!(records.windows(2).all(is_ordered), "{records:#?}");
    Ok(())
}

pub(crate) async fn every_filter_keeps_what_it_says(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = filled(&bench).await?;
    let all = a.manager.history(&HistoryQuery::default()).await?.value;
    let queries = [
        HistoryQuery {
            task: Some(digest.task.clone()),
            ..HistoryQuery::default()
        },
        HistoryQuery {
            states: vec![
                ExecutionState::Running,
                ExecutionState::Ended(Outcome::Failed),
            ],
            ..HistoryQuery::default()
        },
        HistoryQuery {
            since: Some(digest.nth(2).tick),
            ..HistoryQuery::default()
        },
        HistoryQuery {
            until: Some(digest.nth(2).tick),
            ..HistoryQuery::default()
        },
        HistoryQuery {
            task: Some(digest.task.clone()),
            since: Some(digest.nth(1).tick),
            until: Some(digest.nth(4).tick),
            states: vec![ExecutionState::Ended(Outcome::Succeeded)],
            ..HistoryQuery::default()
        },
    ];
    for query in queries {
        let expected: Vec<_> = all
            .iter()
            .filter(|record| query.matches(record))
            .cloned()
            .collect();
        assert!(expected.len() < all.len() && !expected.is_empty());
        assert_eq!(
            a.manager.history(&query).await?.value,
            expected,
            "{query:?}"
        );
    }
    Ok(())
}

pub(crate) async fn pages_follow_each_other_without_gap_or_repetition(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, _) = filled(&bench).await?;
    let all = a.manager.history(&HistoryQuery::default()).await?.value;
    for limit in [1, 3, 7, 20, 50] {
        let mut query = HistoryQuery {
            limit,
            ..HistoryQuery::default()
        };
        let mut paged = Vec::new();
        loop {
            let page = a.manager.history(&query).await?.value;
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            query.after = Some(last.execution.clone());
            paged.extend(page);
        }
        assert_eq!(paged, all, "pages of {limit}");
    }
    Ok(())
}

pub(crate) async fn what_is_older_than_the_retention_is_pruned_and_stays_taken(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    for n in [0, 1, 3_000] {
        let held = a.run(&digest.nth(n)).await?;
        a.end(&held.lock, Outcome::Succeeded).await?;
    }
    let retention = Retention {
        age_max: Some(Duration::from_secs(1_800)),
        per_task_max: None,
    };
    assert_eq!(a.manager.prune(&retention, 1_000).await?.value, 2);
    assert_eq!(a.manager.prune(&retention, 1_000).await?.value, 0);
    assert!(a.record(&digest.nth(0)).await?.is_none());
    assert!(a.record(&digest.nth(3_000)).await?.is_some());
    a.denied(&a.asks(&digest.nth(0)), Denial::Taken).await
}

pub(crate) async fn of_each_task_the_newest_so_many_are_kept(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let other = digest.of(&bench.task("other").await?.task);
    for n in 0..6 {
        for lane in [&digest, &other] {
            let held = a.run(&lane.nth(n)).await?;
            a.end(&held.lock, Outcome::Succeeded).await?;
        }
    }
    let retention = Retention {
        age_max: None,
        per_task_max: Some(2),
    };
    assert_eq!(a.manager.prune(&retention, 1_000).await?.value, 8);
    let records = a.manager.history(&HistoryQuery::default()).await?.value;
    let kept: Vec<_> = records.iter().map(|record| record.execution.tick).collect();
    let (newest, second) = (digest.nth(5).tick, digest.nth(4).tick);
    assert_eq!(kept, [newest, newest, second, second]);
    Ok(())
}

pub(crate) async fn what_runs_or_waits_is_never_pruned(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    a.run(&digest.nth(0)).await?;
    let released = a.run(&digest.nth(1)).await?;
    a.release(&released.lock).await?;
    let (third, by) = (digest.nth(2), a.instance.clone());
    let consumption = Consumption::new(third, Concurrency::ONE, Reason::TooLate, by);
    a.manager.consume(&[consumption]).await?;
    let retention = Retention {
        age_max: Some(Duration::ZERO),
        per_task_max: Some(0),
    };
    assert_eq!(a.manager.prune(&retention, 1_000).await?.value, 1);
    let records = a.manager.history(&HistoryQuery::default()).await?.value;
    assert_eq!(records.len(), 2);
    Ok(())
}

pub(crate) async fn pruning_stops_near_its_limit(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    for n in 0..20 {
        let held = a.run(&digest.nth(n)).await?;
        a.end(&held.lock, Outcome::Succeeded).await?;
    }
    let retention = Retention {
        age_max: Some(Duration::ZERO),
        per_task_max: None,
    };
    let first = a.manager.prune(&retention, 5).await?.value;
    assert!((5..20).contains(&first), "{first} at a limit of 5");
    let mut pruned = first;
    while let went @ 1.. = a.manager.prune(&retention, 5).await?.value {
        pruned += went;
    }
    assert_eq!(pruned, 20);
    Ok(())
}
