//! What operators and instances tell each other: pauses, triggers, cancelling, definitions,
//! presence.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton_core::lock::{
    CancelRequested, Defined, Denial, Enqueued, ExecutionState, Outcome, Reason, Renewed, Settled,
    TaskDefinition, TaskQuery, TaskState,
};
use sexton_core::name::TaskName;
use sexton_core::tick::{Concurrency, Fence};

use crate::Failure;
use crate::bench::Bench;
use crate::replica::{ClaimWith, Replica, long, one};

pub(crate) async fn a_paused_task_consumes_its_ticks_until_it_is_resumed(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.pause(&digest.task, "lunch").await?;
    b.denied(&b.asks(&digest.nth(0)), Denial::Paused).await?;
    let record = b.known(&digest.nth(0)).await?;
    assert_eq!(
        (record.state, record.reason),
        (ExecutionState::Skipped, Some(Reason::Paused))
    );
    b.resume(&digest.task).await?;
    a.denied(&a.asks(&digest.nth(0)), Denial::Taken).await?;
    a.run(&digest.nth(1)).await.map(drop)
}

pub(crate) async fn a_pause_says_why_by_whom_and_since_when(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let before = a.now_ms().await?;
    a.pause(&digest.task, "lunch 'n \"rest\"").await?;
    let found = a.state(&digest.task).await?.pause;
    let found = found.ok_or_else(|| Failure::new("the task should be paused"))?;
    assert_eq!(
        (found.note.as_str(), found.by.as_str()),
        ("lunch 'n \"rest\"", "ops")
    );
    assert!(found.since >= before && found.since <= a.manager.now().await?);
    a.resume(&digest.task).await?;
    assert_eq!(a.state(&digest.task).await?.pause, None);
    Ok(())
}

pub(crate) async fn what_runs_goes_on_while_its_task_is_paused(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let held = a
        .take(&a.asks(&digest.nth(0)).at_least_once(2).lease(long()?))
        .await?;
    a.pause(&digest.task, "").await?;
    assert!(matches!(
        a.renew(&held.lock, long()?).await?,
        Renewed::Extended { .. }
    ));
    let settled = a.end(&held.lock, Outcome::Succeeded).await?;
    assert_eq!(settled, Settled::Recorded { waiting: None });
    Ok(())
}

pub(crate) async fn what_is_enqueued_waits_whatever_the_watermark_says(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    a.run(&digest.nth(9)).await?;
    assert_eq!(a.enqueue(&digest.nth(4)).await?, Enqueued::Waiting);
    assert_eq!(b.enqueue(&digest.nth(4)).await?, Enqueued::Already);
    let found = b.sweep().await?.claimable;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].execution, digest.nth(4));
    b.run(&digest.nth(4)).await?;
    a.denied(&a.asks(&digest.nth(4)), Denial::Taken).await?;
    // The watermark did not go back.
    a.denied(&a.asks(&digest.nth(5)), Denial::Taken).await
}

pub(crate) async fn a_running_execution_is_asked_to_stop(bench: Bench) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let held = a
        .take(&a.asks(&digest.nth(0)).at_least_once(5).lease(long()?))
        .await?;
    let answer = b.manager.request_cancel(&digest.nth(0)).await?.value;
    assert_eq!(answer, CancelRequested::Told);
    let signals = a.manager.heartbeat(&a.report().await?).await?.value;
    assert_eq!(signals.cancel, [digest.nth(0)]);
    let others = b.manager.heartbeat(&b.report().await?).await?.value;
    assert!(others.cancel.is_empty(), "it is not theirs");
    let renewed = a.renew(&held.lock, long()?).await?;
    assert!(matches!(
        renewed,
        Renewed::Extended {
            cancel_requested: true,
            ..
        }
    ));
    a.end(&held.lock, Outcome::Cancelled).await?;
    let answer = b.manager.request_cancel(&digest.nth(0)).await?.value;
    assert_eq!(answer, CancelRequested::NotRunning);
    Ok(())
}

pub(crate) async fn what_waits_is_withdrawn(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    a.enqueue(&digest.nth(0)).await?;
    let answer = a.manager.request_cancel(&digest.nth(0)).await?.value;
    assert_eq!(answer, CancelRequested::Withdrawn);
    let record = a.known(&digest.nth(0)).await?;
    assert_eq!(record.state, ExecutionState::Ended(Outcome::Cancelled));
    assert!(a.sweep().await?.claimable.is_empty());
    let unknown = a.manager.request_cancel(&digest.nth(7)).await?.value;
    assert_eq!(unknown, CancelRequested::NotRunning);
    Ok(())
}

pub(crate) async fn definitions_are_compared_with_the_last_ones(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let define = |definition: &str| -> Result<TaskDefinition, Failure> {
        Ok(TaskDefinition {
            task: TaskName::new("digest")?,
            schedule: "every minute".to_owned(),
            canonical: "every 60000ms phase 0ms".to_owned(),
            concurrency: Concurrency::new(2)?,
            definition: definition.to_owned(),
        })
    };
    let (first, second) = (define("one")?, define("two")?);
    let told = |batch: TaskDefinition, by: &Replica| {
        let (manager, instance) = (by.manager.clone(), by.instance.clone());
        async move { one(manager.define(&instance, &[batch]).await?).map(|answer| answer.value) }
    };
    assert_eq!(told(first.clone(), &a).await?, Defined::New);
    assert_eq!(told(first.clone(), &b).await?, Defined::Same);
    let differed = told(second.clone(), &a).await?;
    assert_eq!(
        differed,
        Defined::Differed {
            was: first,
            by: b.instance.clone()
        }
    );
    assert_eq!(b.state(&second.task).await?.definition, Some(second));
    Ok(())
}

fn definition(
    canonical: &str,
    definition: &str,
    concurrency: u64,
) -> Result<TaskDefinition, Failure> {
    Ok(TaskDefinition {
        task: TaskName::new("digest")?,
        schedule: format!("in plain English: {definition}"),
        canonical: canonical.to_owned(),
        concurrency: Concurrency::new(concurrency)?,
        definition: definition.to_owned(),
    })
}

/// Defines a task, a little later than whatever was before, and says between which readings of the
/// store's clock.
async fn define(
    bench: &Bench,
    by: &Replica,
    definition: TaskDefinition,
) -> Result<(TaskState, RangeInclusive<Timestamp>), Failure> {
    bench.pass(Duration::from_millis(20)).await?;
    let task = definition.task.clone();
    let before = by.now_ms().await?;
    by.manager.define(&by.instance, &[definition]).await?;
    let after = by.manager.now().await?;
    Ok((by.state(&task).await?, before..=after))
}

pub(crate) async fn a_task_is_known_since_its_first_definition_or_a_higher_concurrency(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let task = TaskName::new("digest")?;
    let define = async |by, schedule, concurrency| -> Result<_, Failure> {
        let definition = definition(schedule, schedule, concurrency)?;
        let (state, then) = define(&bench, by, definition).await?;
        let known_since = state.known_since;
        let known_since = known_since.ok_or_else(|| Failure::new("a defined task is known"))?;
        Ok((known_since, then))
    };
    assert_eq!(a.state(&task).await?.known_since, None);
    a.pause(&task, "").await?;
    assert_eq!(
        a.state(&task).await?.known_since,
        None,
        "a pause defines nothing"
    );
    let (first, then) = define(&a, "every minute", 2).await?;
    assert!(then.contains(&first), "{first} is not within {then:?}");
    for (by, schedule, concurrency) in [
        (&a, "every minute", 2),
        (&b, "every hour", 2),
        (&b, "every hour", 1),
    ] {
        let (known_since, _) = define(by, schedule, concurrency).await?;
        assert_eq!(known_since, first, "{schedule}, {concurrency}");
    }
    let (raised, then) = define(&a, "every hour", 3).await?;
    assert!(then.contains(&raised), "{raised} is not within {then:?}");
    Ok(())
}

pub(crate) async fn a_task_has_its_schedule_since_the_canonical_text_last_changed(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let task = TaskName::new("digest")?;
    assert_eq!(a.state(&task).await?.schedule_since, None);
    a.pause(&task, "").await?;
    assert_eq!(
        a.state(&task).await?.schedule_since,
        None,
        "a pause defines nothing"
    );
    let (every_minute, every_hour) = ("every 60000ms phase 0ms", "every 3600000ms phase 0ms");
    let mut known_since = None;
    for canonical in [every_minute, every_hour, every_minute] {
        let (first, then) = define(&bench, &a, definition(canonical, "one", 2)?).await?;
        let since = first.schedule_since;
        assert!(
            since.is_some_and(|since| then.contains(&since)),
            "{since:?} is not within {then:?}"
        );
        assert_eq!(
            first.known_since,
            *known_since.get_or_insert(first.known_since),
            "another schedule does not make it another task"
        );
        for (by, text) in [(&a, "one"), (&b, "one"), (&b, "two")] {
            let again = definition(canonical, text, 2)?;
            let (state, _) = define(&bench, by, again).await?;
            assert_eq!(state.schedule_since, since, "{canonical}, {text}");
        }
    }
    let before = a.state(&task).await?;
    for concurrency in [3, 1] {
        let again = definition(every_minute, "two", concurrency)?;
        let (state, _) = define(&bench, &b, again).await?;
        assert_eq!(state.schedule_since, before.schedule_since, "{concurrency}");
        assert!(state.known_since > before.known_since, "{concurrency}");
    }
    Ok(())
}

pub(crate) async fn tasks_are_listed_with_their_registers(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    a.take(&a.asks(&digest.index(2)?.nth(3)).of(2)?).await?;
    a.take(&a.asks(&digest.nth(1)).of(2)?).await?;
    a.take(&a.asks(&digest.nth(2)).of(2)?).await?;
    let known = a.state(&digest.task).await?;
    let registers: Vec<_> = known
        .registers
        .iter()
        .map(|(index, register)| (index.get(), register.watermark, register.fence))
        .collect();
    let (first, second) = (Fence::new(2), Fence::new(1));
    assert_eq!(
        registers,
        [
            (1, Some(digest.nth(2).tick), first),
            (2, Some(digest.nth(3).tick), second)
        ]
    );
    let unknown = a.state(&TaskName::new("never heard of")?).await?;
    assert!(
        unknown.registers.is_empty() && unknown.pause.is_none() && unknown.definition.is_none()
    );
    assert_eq!(unknown.known_since, None);
    Ok(())
}

pub(crate) async fn tasks_come_in_pages_by_name(bench: Bench) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    let mut names = Vec::new();
    for n in 0..7 {
        let name = TaskName::new(format!("task {n}"))?;
        match n % 2 {
            0 => drop(a.run(&digest.of(&name).nth(0)).await?),
            _ => a.pause(&name, "").await?,
        }
        names.push(name);
    }
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let query = TaskQuery::Page {
            after: after.clone(),
            limit: 3,
        };
        let page = a.manager.tasks(&query).await?.value;
        let Some(last) = page.last() else { break };
        after = Some(last.task.clone());
        found.extend(page.into_iter().map(|state| state.task));
    }
    assert_eq!(found, names);
    Ok(())
}

pub(crate) async fn instances_are_there_as_long_as_they_say_so(
    bench: Bench,
) -> Result<(), Failure> {
    let a = bench.replica().await?;
    let told = a.report().await?;
    a.manager.heartbeat(&told).await?;
    let answer = a.manager.instances().await?;
    let found = answer
        .value
        .iter()
        .find(|record| record.report.instance == a.instance);
    let found = found.ok_or_else(|| Failure::new("the instance is not listed"))?;
    assert_eq!(found.report, told);
    assert!(found.is_present_at(answer.now));
    a.manager.leave(&a.instance, a.incarnation).await?;
    let answer = a.manager.instances().await?;
    let is_there = |record: &&sexton_core::lock::InstanceRecord| {
        record.report.instance == a.instance && record.is_present_at(answer.now)
    };
    assert_eq!(answer.value.iter().find(is_there), None, "it has left");
    Ok(())
}

pub(crate) async fn a_heartbeat_says_whether_a_sweep_would_find_something(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, digest) = (bench.replica().await?, bench.task("digest").await?);
    assert!(!a.is_told_to_sweep().await?);
    a.enqueue(&digest.nth(0)).await?;
    assert!(a.is_told_to_sweep().await?);
    a.run(&digest.nth(0)).await?;
    assert!(!a.is_told_to_sweep().await?);
    Ok(())
}

pub(crate) async fn a_heartbeat_says_that_something_waited_too_long(
    bench: Bench,
) -> Result<(), Failure> {
    let (a, b) = (bench.replica().await?, bench.replica().await?);
    let digest = bench.task("digest").await?;
    let passed = a.after(SignedDuration::from_mins(-1)).await?;
    a.enqueue_until(&digest.nth(0), Some(passed)).await?;
    assert!(b.is_told_to_sweep().await?);
    a.pause(&digest.task, "").await?;
    assert!(
        !b.is_told_to_sweep().await?,
        "nothing of a paused task is closed"
    );
    a.resume(&digest.task).await?;
    assert_eq!(a.sweep().await?.missed, [digest.nth(0)]);
    assert!(!b.is_told_to_sweep().await?, "it is closed");
    Ok(())
}
