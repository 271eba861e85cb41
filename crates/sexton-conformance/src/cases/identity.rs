//! Ids of instances: one incarnation has an id at a time.

use std::time::Duration;

use futures::future::try_join_all;
use sexton_core::lock::{InstanceRecord, InstanceReport, SweepQuery};
use sexton_core::name::Incarnation;

use crate::Failure;
use crate::bench::Bench;
use crate::replica::Replica;

const CLAIMANTS: usize = 8;

/// What another incarnation of the instance says.
async fn another(replica: &Replica) -> Result<InstanceReport, Failure> {
    Ok(InstanceReport {
        incarnation: Incarnation::random(),
        version: "1.2.4".to_owned(),
        ..replica.report().await?
    })
}

/// Who has the id, for all that a report is told.
async fn holder(
    replica: &Replica,
    report: &InstanceReport,
) -> Result<Option<InstanceRecord>, Failure> {
    Ok(replica.manager.heartbeat(report).await?.value.held_by)
}

async fn recorded(replica: &Replica) -> Result<InstanceRecord, Failure> {
    let instances = replica.manager.instances().await?.value;
    let mut of_it = instances.into_iter();
    let found = of_it.find(|record| record.report.instance == replica.instance);
    found.ok_or_else(|| Failure::new("the instance is not listed"))
}

pub(crate) async fn an_id_is_kept_from_another_incarnation(bench: Bench) -> Result<(), Failure> {
    let a = bench.replica().await?;
    let first = a.report().await?;
    assert_eq!(holder(&a, &first).await?, None);
    let kept = recorded(&a).await?;
    assert_eq!((&kept.report, kept.since), (&first, kept.seen_at));
    let second = another(&a).await?;
    for _ in 0..2 {
        assert_eq!(holder(&a, &second).await?, Some(kept.clone()));
        assert_eq!(recorded(&a).await?, kept, "nothing was recorded");
    }
    assert_eq!(holder(&a, &first).await?, None, "it goes on");
    assert_eq!(recorded(&a).await?.since, kept.since);
    Ok(())
}

pub(crate) async fn an_id_is_free_once_its_holder_was_silent_for_half_its_presence(
    bench: Bench,
) -> Result<(), Failure> {
    let a = bench.replica().await?;
    let first = InstanceReport {
        presence: Duration::from_secs(2),
        ..a.report().await?
    };
    assert_eq!(holder(&a, &first).await?, None);
    bench.pass(Duration::from_secs(1)).await?;
    let second = another(&a).await?;
    assert_eq!(holder(&a, &second).await?, None);
    let kept = recorded(&a).await?;
    assert_eq!((&kept.report, kept.since), (&second, kept.seen_at));
    assert_eq!(holder(&a, &first).await?, Some(kept), "it was only silent");
    Ok(())
}

pub(crate) async fn an_id_is_free_once_its_holder_has_left(bench: Bench) -> Result<(), Failure> {
    let a = bench.replica().await?;
    let (first, second) = (a.report().await?, another(&a).await?);
    assert_eq!(holder(&a, &first).await?, None);
    a.manager.leave(&a.instance, second.incarnation).await?;
    let holder_of = holder(&a, &second).await?;
    let holder_of = holder_of.map(|record| record.report.incarnation);
    assert_eq!(
        holder_of,
        Some(first.incarnation),
        "another cannot leave for it"
    );
    a.manager.leave(&a.instance, first.incarnation).await?;
    assert_eq!(holder(&a, &second).await?, None);
    assert_eq!(recorded(&a).await?.report, second);
    Ok(())
}

pub(crate) async fn of_many_incarnations_at_once_one_has_the_id(
    bench: Bench,
) -> Result<(), Failure> {
    for _ in 0..10 {
        let a = bench.replica().await?;
        let reports = try_join_all((0..CLAIMANTS).map(|_| another(&a))).await?;
        let mut managers = Vec::new();
        for _ in 0..CLAIMANTS {
            managers.push(bench.open().await?);
        }
        let asked = managers
            .iter()
            .zip(&reports)
            .map(|(manager, report)| manager.heartbeat(report));
        let answers = try_join_all(asked).await?;
        let has_it = recorded(&a).await?.report.incarnation;
        for (answer, report) in answers.iter().zip(&reports) {
            let held_by = answer.value.held_by.as_ref();
            let held_by = held_by.map(|record| record.report.incarnation);
            let expected = (report.incarnation != has_it).then_some(has_it);
            assert_eq!(held_by, expected);
        }
    }
    Ok(())
}

pub(crate) async fn what_a_former_incarnation_left_running_is_lost(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let first = InstanceReport {
        presence: Duration::from_millis(200),
        ..a.report().await?
    };
    a.manager.heartbeat(&first).await?;
    a.run(&digest.nth(0)).await?;
    bench.pass(Duration::from_millis(200)).await?;
    assert_eq!(holder(&a, &another(&a).await?).await?, None);
    a.run(&digest.nth(1)).await?;
    let at_once = SweepQuery {
        abandoned_after: Duration::ZERO,
        ..SweepQuery::default()
    };
    let lost = b.manager.sweep(&at_once).await?.value.lost;
    assert_eq!(lost, [digest.nth(0)], "the other runs");
    Ok(())
}
