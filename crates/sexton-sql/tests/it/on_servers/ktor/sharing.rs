//! Who gets which tick.

use std::collections::BTreeSet;

use sexton_core::lock::{
    Capability, Consumed, Consumption, Denial, Execution, LockManager, Reason, Released, Verdict,
};
use sexton_core::tick::{Concurrency, Tick};
use sexton_testkit::fixtures::{NOON_MS, instance};
use tokio::sync::Barrier;

use super::kotlin::Connection;
use super::{KotlinSide, Manager, ask, at, give_back, of, on_each_server, open, started, won};
use crate::on_servers::contention::had_no_deadlock;

on_each_server!(
    a_tick_is_theirs_or_ours,
    an_older_tick_is_nobodys_once_a_newer_one_was_taken,
    a_batch_takes_what_is_newer_whatever_its_order,
    what_is_given_back_is_theirs_to_take_and_nothing_older,
    what_is_given_up_is_nobodys,
    what_is_too_early_is_not_taken,
    both_kinds_together_run_every_tick_once_and_no_two_batches_deadlock,
    it_does_nothing_that_it_cannot,
);

async fn a_tick_is_theirs_or_ours<S: KotlinSide>() {
    let Some((server, manager)) = started::<S>().await else {
        return;
    };
    let mut kotlin = server.raw().await;
    let tick = at(50).tick;
    let (theirs, ours) = (of("theirs", 1, tick), of("ours", 2, tick));
    S::register(&mut kotlin, &theirs).await;
    assert!(S::take(&mut kotlin, &theirs).await);
    let verdicts = ask(&manager, &[theirs, ours.clone()]).await;
    assert!(matches!(
        verdicts[..],
        [Verdict::Denied(Denial::Taken), Verdict::Granted(_)]
    ));
    S::register(&mut kotlin, &ours).await;
    assert!(!S::take(&mut kotlin, &ours).await, "granted twice");
    let locked_ms = S::locked_ms(&mut kotlin, &ours).await;
    assert_eq!(locked_ms, Some(NOON_MS + 50));
    // Another index of the tick is another row.
    assert!(won(&manager, &[of("ours", 1, tick)]).await.len() == 1);
}

async fn an_older_tick_is_nobodys_once_a_newer_one_was_taken<S: KotlinSide>() {
    let Some((server, manager)) = started::<S>().await else {
        return;
    };
    let mut kotlin = server.raw().await;
    assert_eq!(won(&manager, &[at(1_000)]).await, [at(1_000)]);
    assert!(!S::take(&mut kotlin, &at(999)).await);
    assert!(S::take(&mut kotlin, &at(1_001)).await);
    assert!(won(&manager, &[at(1_000), at(1_001)]).await.is_empty());
    assert_eq!(won(&manager, &[at(1_002)]).await, [at(1_002)]);
}

async fn a_batch_takes_what_is_newer_whatever_its_order<S: KotlinSide>() {
    let Some((server, manager)) = started::<S>().await else {
        return;
    };
    let mut kotlin = server.raw().await;
    S::register(&mut kotlin, &at(0)).await;
    assert!(S::take(&mut kotlin, &at(20)).await);
    let other = of("other", 3, at(5).tick);
    let batch = [at(40), at(10), other.clone(), at(30), at(20), at(30)];
    // The second of two equal ones is not granted again.
    assert_eq!(won(&manager, &batch).await, [at(40), other, at(30)]);
    assert_eq!(S::locked_ms(&mut kotlin, &at(0)).await, Some(NOON_MS + 40));
    assert!(ask(&manager, &[]).await.is_empty());
}

async fn what_is_given_back_is_theirs_to_take_and_nothing_older<S: KotlinSide>() {
    let Some((server, manager)) = started::<S>().await else {
        return;
    };
    let mut kotlin = server.raw().await;
    assert_eq!(won(&manager, &[at(0), at(1_000)]).await.len(), 2);
    // Between the two there may have been ticks that others took.
    let released = give_back(&manager, &[at(0), at(1_000)]).await;
    assert_eq!(released, [Released::NotHeld, Released::Open]);
    assert!(!S::take(&mut kotlin, &at(999)).await);
    assert!(S::take(&mut kotlin, &at(1_000)).await);
    // A tick that is not the latest any more stays closed; so does one that was given back before.
    assert!(S::take(&mut kotlin, &at(2_000)).await);
    assert_eq!(give_back(&manager, &[at(1_000)]).await, [Released::NotHeld]);
    assert!(won(&manager, &[at(1_000), at(2_000)]).await.is_empty());
    assert_eq!(
        S::locked_ms(&mut kotlin, &at(0)).await,
        Some(NOON_MS + 2_000)
    );
    let unheard_of = of("unheard of", 1, at(0).tick);
    assert_eq!(
        give_back(&manager, &[unheard_of]).await,
        [Released::NotHeld]
    );
}

async fn what_is_given_up_is_nobodys<S: KotlinSide>() {
    let Some((server, manager)) = started::<S>().await else {
        return;
    };
    let mut kotlin = server.raw().await;
    let (reason, one) = (Reason::TooLate, instance("one"));
    let batch = [Consumption::new(at(7), Concurrency::ONE, reason, one)];
    let answer = manager.consume(&batch).await.unwrap().whole().unwrap();
    assert_eq!(answer.value, [Consumed::Recorded { after: None }]);
    assert!(!S::take(&mut kotlin, &at(7)).await);
    let answer = manager.consume(&batch).await.unwrap().whole().unwrap();
    assert_eq!(answer.value, [Consumed::Already { watermark: None }]);
    assert!(won(&manager, &[at(7)]).await.is_empty());
}

async fn what_is_too_early_is_not_taken<S: KotlinSide>() {
    let Some((server, manager)) = started::<S>().await else {
        return;
    };
    let mut kotlin = server.raw().await;
    S::register(&mut kotlin, &at(0)).await;
    let now = Tick::at_or_before(manager.now().await.unwrap());
    let ahead = of("t", 1, now.saturating_add_millis(60_000));
    let verdicts = ask(&manager, &[ahead, of("u", 1, now)]).await;
    assert_eq!(verdicts[0], Verdict::Denied(Denial::TooEarly));
    assert!(verdicts[1].grant().is_some());
    assert_eq!(S::locked_ms(&mut kotlin, &at(0)).await, None);
}

const TICKS: i64 = 300;
const TASKS: [&str; 3] = ["a", "b", "c"];

/// A tick of each task and index, in an order that is this racer's own.
fn executions(tick: i64, racer: usize) -> Vec<Execution> {
    let tick = at(tick).tick;
    let mut executions: Vec<Execution> = TASKS
        .iter()
        .flat_map(|task| [of(task, 1, tick), of(task, 2, tick)])
        .collect();
    executions.rotate_left(racer * 2 % (TASKS.len() * 2));
    executions
}

/// The ticks of a round: after each round all wait for all, or else the first to be ahead takes
/// everything.
const ROUND: i64 = 2;

async fn theirs<S: KotlinSide>(
    kotlin: &mut Connection<S>,
    racer: usize,
    start: &Barrier,
) -> Vec<Execution> {
    let mut theirs = Vec::new();
    for tick in 0..TICKS {
        if tick % ROUND == 0 {
            start.wait().await;
        }
        for execution in executions(tick, racer) {
            if S::take(kotlin, &execution).await {
                theirs.push(execution);
            }
        }
    }
    theirs
}

async fn ours<S: KotlinSide>(
    manager: Manager<S>,
    racer: usize,
    ticks_at_once: i64,
    start: &Barrier,
) -> Vec<Execution> {
    let mut ours = Vec::new();
    for first in (0..TICKS).step_by(usize::try_from(ticks_at_once).unwrap()) {
        if first % ROUND == 0 {
            start.wait().await;
        }
        let ticks = (first..first + ticks_at_once).rev();
        let batch: Vec<Execution> = ticks.flat_map(|tick| executions(tick, racer)).collect();
        ours.extend(won(&manager, &batch).await);
    }
    ours
}

async fn both_kinds_together_run_every_tick_once_and_no_two_batches_deadlock<S: KotlinSide>() {
    let Some((server, first)) = started::<S>().await else {
        return;
    };
    let second = open(&server).await;
    let third = open(&server).await;
    let (mut one, mut two) = (server.raw().await, server.raw().await);
    for execution in executions(0, 0) {
        S::register(&mut one, &execution).await;
    }
    let start = Barrier::new(5);
    let all = tokio::join!(
        theirs::<S>(&mut one, 0, &start),
        theirs::<S>(&mut two, 1, &start),
        ours::<S>(first, 2, 1, &start),
        ours::<S>(second, 3, 1, &start),
        ours::<S>(third, 4, ROUND, &start),
    );
    let granted: Vec<Execution> = [all.0, all.1, all.2, all.3, all.4].concat();
    let expected = TASKS.len() * 2 * usize::try_from(TICKS).unwrap();
    assert_eq!(granted.len(), expected);
    assert_eq!(granted.iter().collect::<BTreeSet<_>>().len(), expected);
    had_no_deadlock(server);
}

async fn it_does_nothing_that_it_cannot<S: KotlinSide>() {
    let Some((_server, manager)) = started::<S>().await else {
        return;
    };
    for capability in [
        Capability::Leases,
        Capability::History,
        Capability::Operations,
        Capability::Transactions,
    ] {
        assert!(!manager.supports(capability));
    }
    let error = manager.enqueue(&[]).await.unwrap_err().to_string();
    assert!(error.contains("does not support operations"), "{error}");
}
