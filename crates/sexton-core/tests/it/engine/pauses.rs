//! A claim that has not seen a pause is not granted after the pause was answered.

use std::time::Duration;

use sexton_core::lock::{Denial, LockManager, PauseChange, TaskDefinition, TaskQuery, Verdict};
use sexton_core::tick::Concurrency;
use sexton_testkit::fixtures::{claim, instance, task};
use sexton_testkit::memory_port::{Call, Fault, MemoryPort, Omission};

use super::bench::{Bench, at_once};

fn pause(note: &str) -> PauseChange {
    PauseChange::Pause {
        note: note.to_owned(),
        by: "ops".to_owned(),
    }
}

/// What a first claim is answered whose task is paused before its `nth` call of this kind.
fn claimed_amid_a_pause(
    port: impl Fn(MemoryPort) -> MemoryPort,
    call: Call,
    nth: usize,
) -> Verdict {
    let bench = Bench::new();
    // Both are the same program.
    let (a, b) = (port(bench.port()).manager(1), port(bench.port()).manager(1));
    (0..nth).for_each(|_| a.port().will(call, Fault::Nothing));
    a.port().will(
        call,
        Fault::meanwhile(move || {
            at_once(b.change_pause(&[task("x")], &pause("lunch"))).unwrap();
        }),
    );
    let verdict = bench.claim(&a, &[claim("x", 0, "a")]).remove(0);
    assert_eq!(a.port().faults_left(), 0, "the task was paused in between");
    verdict
}

#[test]
fn a_pause_in_the_midst_of_a_first_claim_denies_it() {
    for (call, nth) in [
        (Call::Load, 0),
        (Call::Swap, 0),
        (Call::Load, 1),
        (Call::Swap, 1),
    ] {
        let verdict = claimed_amid_a_pause(|port| port, call, nth);
        assert_eq!(
            verdict,
            Verdict::Denied(Denial::Paused),
            "before {call:?} {nth}"
        );
    }
}

#[test]
fn a_port_that_makes_no_row_for_a_first_claim_grants_it_amid_a_pause() {
    let verdict = claimed_amid_a_pause(|port| port.omitting(Omission::EmptyRows), Call::Swap, 1);
    assert!(verdict.grant().is_some(), "the row is what denies it");
}

#[test]
fn a_port_whose_pause_raises_no_versions_grants_a_claim_amid_it() {
    let verdict = claimed_amid_a_pause(
        |port| port.omitting(Omission::RaisedVersions),
        Call::Swap,
        1,
    );
    assert!(verdict.grant().is_some(), "the versions are what denies it");
}

#[test]
fn a_claim_that_is_granted_before_the_pause_raises_versions_is_granted_before_it_is_answered() {
    let bench = Bench::new();
    let (a, b) = (bench.manager(), bench.manager());
    bench.claim(&a, &[claim("x", -100, "a")]);
    a.port()
        .will(Call::Load, Fault::Takes(Duration::from_millis(1)));
    a.port()
        .will(Call::Swap, Fault::Takes(Duration::from_millis(5)));
    b.port()
        .will(Call::SetPause, Fault::Takes(Duration::from_millis(2)));
    b.port()
        .will(Call::RaiseVersions, Fault::Takes(Duration::from_millis(1)));
    let batch = [claim("x", 0, "a")];
    let (tasks, change) = ([task("x")], pause(""));
    let claiming = a.claim(sexton_core::lock::ClaimLead::ZERO, &batch);
    let (verdicts, paused) =
        bench.run(async { futures::join!(claiming, b.change_pause(&tasks, &change)) });
    paused.unwrap();
    let verdicts = super::bench::whole(verdicts.unwrap());
    assert_eq!(verdicts, [Verdict::Denied(Denial::Paused)]);
}

#[test]
fn pauses_and_definitions_are_kept_in_the_text_that_the_store_can_hold() {
    let bench = Bench::new();
    let a = bench.port().refusing_nul().manager(1);
    let definition = TaskDefinition {
        task: task("x"),
        schedule: "s\0".to_owned(),
        canonical: "c\0".to_owned(),
        concurrency: Concurrency::ONE,
        definition: "d\0".to_owned(),
    };
    let change = PauseChange::Pause {
        note: "a\0b".to_owned(),
        by: "o\0p".to_owned(),
    };
    bench.run(a.change_pause(&[task("x")], &change)).unwrap();
    let batch = [definition];
    let define = || bench.run(a.define(&instance("a"), &batch)).unwrap().value;
    assert_eq!(define(), [sexton_core::lock::Defined::New]);
    assert_eq!(
        define(),
        [sexton_core::lock::Defined::Same],
        "it is compared as it is kept"
    );
    let named = TaskQuery::Named(vec![task("x")]);
    let state = bench.run(a.tasks(&named)).unwrap().value.remove(0);
    let pause = state.pause.unwrap();
    assert_eq!(
        (pause.note.as_str(), pause.by.as_str()),
        ("a\u{2400}b", "o\u{2400}p")
    );
    let kept = state.definition.unwrap();
    let texts = [kept.schedule, kept.canonical, kept.definition];
    assert_eq!(texts, ["s\u{2400}", "c\u{2400}", "d\u{2400}"]);
}
