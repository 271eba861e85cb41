//! Under distinct placement the indices of a tick depend on each other.

use sexton_core::lock::{Claim, Denial, Verdict};
use sexton_core::policy::Placement;
use sexton_core::tick::{Concurrency, ConcurrencyIndex};
use sexton_testkit::fixtures::{claim, grant, instance};
use sexton_testkit::memory_port::{Call, Fault, Layout, MemoryPort, Omission};

use super::bench::{Bench, claim_at_once};

fn distinct(index: u64, by: &str) -> Claim {
    let any = claim("x", 0, by);
    Claim {
        execution: sexton_core::lock::Execution {
            index: ConcurrencyIndex::new(index).unwrap(),
            ..any.execution.clone()
        },
        concurrency: Concurrency::new(3).unwrap(),
        placement: Placement::Distinct,
        instance: instance(by),
        ..any
    }
}

/// What a batch is answered, if another client is granted a claim between its load and its swap.
fn amid(port: MemoryPort, bench: &Bench, batch: &[Claim], theirs: Claim) -> Vec<Verdict> {
    let (a, b) = (port.manager(1), bench.manager());
    a.port().will(Call::Swap, Fault::Nothing);
    a.port().will(
        Call::Swap,
        Fault::meanwhile(move || {
            assert!(claim_at_once(&b, &theirs).grant().is_some());
        }),
    );
    let verdicts = bench.claim(&a, batch);
    assert_eq!(a.port().faults_left(), 0);
    verdicts
}

#[test]
fn an_instance_that_takes_another_index_meanwhile_is_denied_this_one() {
    for layout in [Layout::Table, Layout::Documents] {
        let bench = Bench::new();
        let port = bench.port().layout(layout);
        let verdicts = amid(port, &bench, &[distinct(1, "a")], distinct(2, "a"));
        assert_eq!(verdicts, [Verdict::Denied(Denial::Placement)]);
    }
}

#[test]
fn a_port_that_checks_this_index_alone_grants_an_instance_two() {
    let bench = Bench::new();
    let port = bench.port().omitting(Omission::WholeTasks);
    let verdict = amid(port, &bench, &[distinct(1, "a")], distinct(2, "a")).remove(0);
    assert!(
        verdict.grant().is_some(),
        "the other index is what denies it"
    );
}

#[test]
fn what_was_denied_for_an_index_that_another_took_is_decided_again() {
    let bench = Bench::new();
    let batch = [distinct(1, "a"), distinct(2, "a")];
    let verdicts = amid(bench.port(), &bench, &batch, distinct(1, "b"));
    assert_eq!(verdicts[0], Verdict::Denied(Denial::Taken));
    assert_eq!(
        grant(&verdicts[1]).fence.get(),
        1,
        "it holds no other index"
    );
}

#[test]
fn what_was_denied_for_an_index_that_was_granted_stays_denied() {
    let bench = Bench::new();
    let batch = [distinct(1, "a"), distinct(2, "a"), distinct(3, "b")];
    let verdicts = bench.claim(&bench.manager(), &batch);
    assert!(verdicts[0].grant().is_some());
    assert_eq!(verdicts[1], Verdict::Denied(Denial::Placement));
    assert!(verdicts[2].grant().is_some());
}

#[test]
fn a_conflict_of_another_task_leaves_the_indices_of_this_one_alone() {
    let bench = Bench::new();
    let elsewhere = |by: &str| claim("y", 0, by);
    let batch = [distinct(1, "a"), distinct(2, "a"), elsewhere("a")];
    let verdicts = amid(bench.port(), &bench, &batch, elsewhere("b"));
    assert_eq!(grant(&verdicts[0]).fence.get(), 1);
    assert_eq!(verdicts[1], Verdict::Denied(Denial::Placement));
    assert_eq!(verdicts[2], Verdict::Denied(Denial::Taken));
}
