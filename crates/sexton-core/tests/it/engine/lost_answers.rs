//! A call whose answer was lost runs again, and answers as if it had been sent once.

use std::fmt::Debug;
use std::time::Duration;

use sexton_core::clock::Clock;
use sexton_core::lock::{
    Claim, ClaimLead, Consumption, Enqueue, Enqueued, HeldLock, HistoryQuery, InstanceReport,
    LockManager, PauseChange, Reason, Release, Renewal, Renewed, SweepQuery, TaskDefinition,
    TaskQuery, Verdict,
};
use sexton_core::name::Incarnation;
use sexton_core::policy::{Lease, Overlap};
use sexton_core::tick::{Concurrency, Tick};
use sexton_testkit::fixtures::{claim, execution, instance, task};
use sexton_testkit::memory_port::{Call, Fault, Layout, MemoryError, MemoryPortManager};

use super::bench::{
    Bench, at_once, claim_at_once, enqueue, lock_of, recovering, settlement, whole,
};

fn show(answer: impl Debug) -> String {
    format!("{answer:?}")
}

/// All that can be seen of a store.
async fn seen(by: &MemoryPortManager) -> String {
    let page = TaskQuery::Page {
        after: None,
        limit: 100,
    };
    show((
        by.history(&HistoryQuery::default()).await,
        by.tasks(&page).await,
        by.instances().await,
    ))
}

/// Prepares a store, and then makes a call of which the answer to this step is lost, after `sound`
/// such steps of it went well. It answers and leaves behind what it does where nothing is lost.
fn assert_alike(
    step: Call,
    sound: usize,
    prepare: &impl AsyncFn(&MemoryPortManager) -> String,
    act: &impl AsyncFn(&MemoryPortManager) -> String,
) {
    for layout in [Layout::Table, Layout::Documents] {
        let play = |loses: bool| {
            let bench = Bench::new();
            let by = bench
                .port()
                .layout(layout)
                .limits(|limits| limits.broken_max = 1);
            let by = by.manager(1);
            bench.run(prepare(&by));
            bench.store.clock.advance(Duration::from_secs(1));
            if loses {
                (0..sound).for_each(|_| by.port().will(step, Fault::Nothing));
                by.port()
                    .will(step, Fault::LosesAnswer(MemoryError::Broken));
            }
            let answer = bench.run(act(&by));
            assert_eq!(
                by.port().faults_left(),
                0,
                "the answer of {step:?} was lost"
            );
            (answer, bench.run(seen(&by)))
        };
        let (once, twice) = (play(false), play(true));
        assert!(!once.0.contains("Err"), "{}", once.0);
        assert_eq!(once, twice, "{layout:?}");
    }
}

async fn nothing(_: &MemoryPortManager) -> String {
    String::new()
}

fn taking(claim: &Claim) -> impl AsyncFn(&MemoryPortManager) -> String {
    let batch = [claim.clone()];
    async move |by: &MemoryPortManager| show(by.claim(ClaimLead::ZERO, &batch).await)
}

async fn enqueue_x(by: &MemoryPortManager) -> String {
    show(by.enqueue(&[enqueue(execution("x", 0))]).await)
}

/// The lock of a claim that is granted first, before anything else of its key.
fn first_lock(claim: &Claim) -> HeldLock {
    let bench = Bench::new();
    let verdict = bench
        .claim(&bench.manager(), std::slice::from_ref(claim))
        .remove(0);
    lock_of(claim, &verdict)
}

#[test]
fn a_claim_is_granted_once() {
    for sound in [0, 1] {
        assert_alike(Call::Swap, sound, &nothing, &taking(&claim("x", 0, "a")));
    }
}

#[test]
fn a_tick_that_is_skipped_for_an_overlap_is_denied_for_that() {
    let skipping = |ms| Claim {
        overlap: Overlap::Skip,
        ..claim("x", ms, "a")
    };
    let earlier = recovering(skipping(0), 1, 60_000);
    assert_alike(Call::Swap, 0, &taking(&earlier), &taking(&skipping(100)));
}

#[test]
fn entries_behind_a_grant_keep_their_denials() {
    let batch = [claim("x", 200, "a"), claim("x", 100, "a")];
    let waiting = [100, 150].map(|ms| enqueue(execution("x", ms)));
    let wait = async |by: &MemoryPortManager| show(by.enqueue(&waiting).await);
    let claim = async |by: &MemoryPortManager| show(by.claim(ClaimLead::ZERO, &batch).await);
    assert_alike(Call::Swap, 0, &wait, &claim);
}

#[test]
fn a_renewal_is_extended_once() {
    let claim = recovering(claim("x", 0, "a"), 2, 5_000);
    let renewal = Renewal {
        lock: first_lock(&claim),
        lease: Lease::new(Duration::from_secs(30)).unwrap(),
    };
    let batch = [renewal];
    let renew = async |by: &MemoryPortManager| show(by.renew(&batch).await);
    assert_alike(Call::Swap, 0, &taking(&claim), &renew);
}

/// A store that is away for longer than the lease keeps the answer: the lock is extended from the
/// try that is answered, and not from the one whose lease is over by then.
#[test]
fn a_renewal_whose_answer_was_lost_lasts_from_the_try_that_is_answered() {
    let claim = recovering(claim("x", 0, "a"), 2, 2_000);
    let renewal = Renewal {
        lock: first_lock(&claim),
        lease: Lease::new(Duration::from_secs(2)).unwrap(),
    };
    for layout in [Layout::Table, Layout::Documents] {
        let bench = Bench::new();
        let port = bench.port().layout(layout);
        let by = port.limits(|limits| limits.broken_max = 1).manager(1);
        bench.run(taking(&claim)(&by));
        let lost = Fault::LosesAnswer(MemoryError::Broken);
        let store = std::sync::Arc::clone(&bench.store);
        let passes = move || store.clock.advance(Duration::from_secs(3));
        by.port().will(Call::Swap, lost);
        by.port().will(Call::Load, Fault::Nothing);
        by.port().will(Call::Load, Fault::meanwhile(passes));
        let answer = bench.run(by.renew(std::slice::from_ref(&renewal)));
        let answer = answer.unwrap().whole().unwrap();
        assert_eq!(by.port().faults_left(), 0, "{layout:?}");
        let [Renewed::Extended { lease_until, .. }] = answer.value[..] else {
            panic!("{layout:?}: {:?}", answer.value);
        };
        let lasts = lease_until.unwrap().duration_since(answer.now);
        assert_eq!(lasts.as_millis(), 2_000, "{layout:?}");
    }
}

#[test]
fn a_settlement_is_recorded_once() {
    let claim = recovering(claim("x", 0, "a"), 2, 5_000);
    let batch = [settlement(&first_lock(&claim)).with_output("done")];
    let settle = async |by: &MemoryPortManager| show(by.settle(&batch).await);
    assert_alike(Call::Swap, 0, &taking(&claim), &settle);
}

#[test]
fn a_release_that_took_effect_is_open_or_too_late_and_not_refused() {
    let claim = claim("x", 0, "a");
    for deadline in [None, Some(Tick::MIN.timestamp())] {
        let release = Release {
            lock: first_lock(&claim),
            deadline,
        };
        let batch = [release.clone(), release];
        let release = async |by: &MemoryPortManager| show(by.release(&batch).await);
        assert_alike(Call::Swap, 0, &taking(&claim), &release);
    }
}

#[test]
fn a_consumption_is_recorded_once() {
    let consumption = Consumption::new(
        execution("x", 0),
        Concurrency::ONE,
        Reason::CatchUp,
        instance("a"),
    );
    let batch = [consumption.clone(), consumption];
    let consume = async |by: &MemoryPortManager| show(by.consume(&batch).await);
    assert_alike(Call::Swap, 0, &nothing, &consume);
}

#[test]
fn a_trigger_waits_once() {
    let batch = ["x", "x", "y"].map(|name| enqueue(execution(name, 0)));
    let trigger = async |by: &MemoryPortManager| show(by.enqueue(&batch).await);
    assert_alike(Call::Swap, 0, &nothing, &trigger);
}

#[test]
fn a_trigger_that_another_client_took_before_the_answer_came_is_still_its_callers() {
    let bench = Bench::new();
    let a = bench
        .port()
        .limits(|limits| limits.broken_max = 1)
        .manager(1);
    let b = bench.manager();
    a.port()
        .will(Call::Swap, Fault::LosesAnswer(MemoryError::Broken));
    a.port().will(Call::Load, Fault::Nothing);
    a.port().will(
        Call::Load,
        Fault::meanwhile(move || {
            assert!(claim_at_once(&b, &claim("x", 0, "b")).grant().is_some());
        }),
    );
    let batch = [enqueue(execution("x", 0))];
    let answer = bench.run(a.enqueue(&batch)).unwrap();
    assert_eq!(answer.value, [Enqueued::Waiting]);
    assert_eq!(a.port().faults_left(), 0);
}

#[test]
fn a_trigger_that_was_busy_while_another_client_made_it_is_there_already() {
    let bench = Bench::new();
    let (a, b) = (bench.manager(), bench.manager());
    a.port().will(Call::Swap, Fault::Fails(MemoryError::Busy));
    a.port().will(Call::Load, Fault::Nothing);
    a.port().will(
        Call::Load,
        Fault::meanwhile(move || {
            let made = at_once(b.enqueue(&[enqueue(execution("x", 0))])).unwrap();
            assert_eq!(made.value, [Enqueued::Waiting]);
        }),
    );
    let answer = bench.run(a.enqueue(&[enqueue(execution("x", 0))])).unwrap();
    assert_eq!(
        answer.value,
        [Enqueued::Already],
        "nothing of the busy try was written"
    );
    assert_eq!(a.port().faults_left(), 0);
}

#[test]
fn a_cancel_reaches_what_waits_and_what_runs_once() {
    async fn cancel(by: &MemoryPortManager) -> String {
        show(by.request_cancel(&execution("x", 0)).await)
    }
    assert_alike(Call::Swap, 0, &taking(&claim("x", 0, "a")), &cancel);
    assert_alike(Call::Swap, 0, &enqueue_x, &cancel);
}

fn definitions(names: &[&str], text: &str) -> Vec<TaskDefinition> {
    let of = |name: &&str| TaskDefinition {
        task: task(name),
        schedule: "every minute".to_owned(),
        canonical: text.to_owned(),
        concurrency: Concurrency::ONE,
        definition: text.to_owned(),
    };
    names.iter().map(of).collect()
}

#[test]
fn definitions_are_compared_with_what_was_there_before_the_call() {
    let by_b = definitions(&["x"], "old");
    let prepare = async |by: &MemoryPortManager| show(by.define(&instance("b"), &by_b).await);
    for step in [Call::ReadDefinitions, Call::WriteDefinitions] {
        for (who, names) in [
            ("a", ["x", "y", "x"].as_slice()),
            ("b", ["x", "y"].as_slice()),
        ] {
            let batch = definitions(names, "new");
            let define =
                async |by: &MemoryPortManager| show(by.define(&instance(who), &batch).await);
            assert_alike(step, 0, &prepare, &define);
        }
    }
}

#[test]
fn of_two_definitions_of_a_task_in_one_call_each_is_compared_with_the_one_before_it() {
    let before = definitions(&["x"], "old");
    let prepare = async |by: &MemoryPortManager| show(by.define(&instance("a"), &before).await);
    let batch = [definitions(&["x"], "one"), definitions(&["x"], "two")].concat();
    let define = async |by: &MemoryPortManager| show(by.define(&instance("a"), &batch).await);
    assert_alike(Call::WriteDefinitions, 0, &prepare, &define);
}

/// The second raises the concurrency over the first, so the task is known from then on: from the
/// try that wrote it, and not from the one that is answered.
#[test]
fn a_definition_whose_answer_was_lost_counts_from_the_try_that_wrote_it() {
    let bench = Bench::new();
    let by = bench
        .port()
        .limits(|limits| limits.broken_max = 1)
        .manager(1);
    let mut batch = [definitions(&["x"], "one"), definitions(&["x"], "two")].concat();
    batch[0].concurrency = Concurrency::ONE;
    batch[1].concurrency = Concurrency::new(2).unwrap();
    let began = bench.store.clock.now();
    let store = std::sync::Arc::clone(&bench.store);
    let passes = move || store.clock.advance(Duration::from_secs(3));
    let lost = Fault::LosesAnswer(MemoryError::Broken);
    by.port().will(Call::WriteDefinitions, lost);
    by.port().will(Call::CheckOut, Fault::Nothing);
    by.port().will(Call::CheckOut, Fault::meanwhile(passes));
    bench.run(by.define(&instance("a"), &batch)).unwrap();
    assert_eq!(by.port().faults_left(), 0);
    let query = TaskQuery::Named(vec![task("x")]);
    let known = bench.run(by.tasks(&query)).unwrap().value;
    assert_eq!(known[0].known_since, Some(began));
}

#[test]
fn a_pause_and_its_end_are_answered() {
    let pause = PauseChange::Pause {
        note: "lunch".to_owned(),
        by: "ops".to_owned(),
    };
    for step in [Call::SetPause, Call::RaiseVersions] {
        for change in [&pause, &PauseChange::Resume] {
            let act =
                async |by: &MemoryPortManager| show(by.change_pause(&[task("x")], change).await);
            assert_alike(step, 0, &taking(&claim("x", 0, "a")), &act);
        }
    }
}

#[test]
fn reports_and_leavings_are_answered() {
    let incarnation = Incarnation::from_u128(1);
    let report = InstanceReport {
        instance: instance("a"),
        incarnation,
        started_at: Tick::MIN.timestamp(),
        version: "1.2.3".to_owned(),
        clock_offset: None,
        running: 0,
        presence: Duration::from_secs(10),
    };
    let beat = async |by: &MemoryPortManager| show(by.heartbeat(&report).await);
    let leave = async |by: &MemoryPortManager| show(by.leave(&instance("a"), incarnation).await);
    assert_alike(Call::Beat, 0, &nothing, &beat);
    assert_alike(Call::Beat, 0, &beat, &beat);
    assert_alike(Call::Leave, 0, &beat, &leave);
}

#[test]
fn what_a_sweep_has_closed_is_named() {
    let leased = [recovering(claim("lost", 0, "a"), 1, 100)];
    let missed = Enqueue {
        deadline: Some(Tick::MIN.timestamp()),
        ..enqueue(execution("missed", 0))
    };
    let waiting = [missed, enqueue(execution("waits", 0))];
    let prepare = async |by: &MemoryPortManager| {
        show(by.claim(ClaimLead::ZERO, &leased).await) + &show(by.enqueue(&waiting).await)
    };
    let sweep = async |by: &MemoryPortManager| show(by.sweep(&SweepQuery::default()).await);
    assert_alike(Call::Swap, 0, &prepare, &sweep);
}

#[test]
fn what_another_sweep_has_closed_is_not_named_again() {
    let bench = Bench::new();
    let a = bench
        .port()
        .limits(|limits| limits.broken_max = 1)
        .manager(1);
    let b = bench.manager();
    let leased = recovering(claim("x", 0, "a"), 1, 100);
    bench.claim(&a, &[leased]);
    bench.store.clock.advance(Duration::from_secs(1));
    let store = std::sync::Arc::clone(&bench.store);
    // The write never arrives, and another sweep is faster than the next try.
    a.port().will(Call::Swap, Fault::Fails(MemoryError::Broken));
    a.port().will(
        Call::Load,
        Fault::meanwhile(move || {
            store.clock.advance(Duration::from_secs(1));
            let swept = at_once(b.sweep(&SweepQuery::default())).unwrap().value;
            assert_eq!(swept.lost, [execution("x", 0)]);
        }),
    );
    let swept = bench.run(a.sweep(&SweepQuery::default())).unwrap().value;
    assert!(swept.is_empty(), "{swept:?}");
    assert_eq!(a.port().faults_left(), 0);
}

#[test]
fn a_grant_that_never_arrived_is_not_answered_where_another_was_granted_since() {
    let bench = Bench::new();
    let a = bench
        .port()
        .limits(|limits| limits.broken_max = 1)
        .manager(1);
    let b = bench.manager();
    for fault in [Fault::Nothing, Fault::Fails(MemoryError::Broken)] {
        a.port().will(Call::Swap, fault);
    }
    for _ in 0..2 {
        a.port().will(Call::Load, Fault::Nothing);
    }
    a.port().will(
        Call::Load,
        Fault::meanwhile(move || {
            assert!(claim_at_once(&b, &claim("x", 0, "b")).grant().is_some());
        }),
    );
    let batch = [claim("x", 0, "a")];
    let verdicts = whole(bench.run(a.claim(ClaimLead::ZERO, &batch)).unwrap());
    assert!(matches!(verdicts[0], Verdict::Denied(_)), "{verdicts:?}");
    assert_eq!(a.port().faults_left(), 0);
}
