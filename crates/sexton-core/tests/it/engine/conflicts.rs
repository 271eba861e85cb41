//! What others write between the load and the swap is loaded and decided again, and only that.

use std::collections::BTreeSet;
use std::sync::Arc;

use sexton_core::lock::{Defined, LockManager, TaskDefinition};
use sexton_core::tick::{Concurrency, Fence};
use sexton_testkit::fixtures::{claim, grant, instance, task};
use sexton_testkit::memory_port::{Call, Fault, Omission};

use super::bench::{Bench, at_once, claim_at_once, key, taken};

/// The first swap of first claims makes their rows.
fn after_the_rows(fault: Fault) -> [(Call, Fault); 2] {
    [(Call::Swap, Fault::Nothing), (Call::Swap, fault)]
}

#[test]
fn of_a_batch_the_key_in_conflict_is_loaded_and_decided_again_and_the_others_are_done_once() {
    let bench = Bench::new();
    let (a, b) = (bench.manager(), bench.manager());
    let winner = claim("x", 0, "b");
    let faster = Fault::meanwhile(move || {
        assert!(claim_at_once(&b, &winner).grant().is_some());
    });
    for (call, fault) in after_the_rows(faster) {
        a.port().will(call, fault);
    }
    let batch = [claim("x", 0, "a"), claim("y", 0, "a")];
    let verdicts = bench.claim(&a, &batch);
    assert_eq!(verdicts[0], taken());
    assert_eq!(grant(&verdicts[1]).fence, Fence::new(1), "granted once");
    let both = BTreeSet::from([key("x"), key("y")]);
    let loaded = a.port().take_loaded();
    assert_eq!(
        loaded,
        [both.clone(), both, BTreeSet::from([key("x")])],
        "what is not in conflict is not loaded again"
    );
    assert_eq!(a.port().faults_left(), 0);
}

#[test]
fn what_was_denied_without_a_write_stands_beside_a_conflict() {
    let bench = Bench::new();
    let (a, b) = (bench.manager(), bench.manager());
    for name in ["taken", "x"] {
        bench.claim(&b, &[claim(name, 0, "b")]);
    }
    let store = Arc::clone(&bench.store);
    a.port()
        .will(Call::Swap, Fault::meanwhile(move || store.touch(key("x"))));
    bench
        .store
        .clock
        .advance(std::time::Duration::from_millis(100));
    let verdicts = bench.claim(&a, &[claim("taken", 0, "a"), claim("x", 100, "a")]);
    assert_eq!(verdicts[0], taken());
    assert_eq!(grant(&verdicts[1]).fence, Fence::new(2));
    let both = BTreeSet::from([key("taken"), key("x")]);
    assert_eq!(a.port().take_loaded(), [both, BTreeSet::from([key("x")])]);
}

#[test]
fn a_port_that_checks_no_versions_grants_twice() {
    let bench = Bench::new();
    let careless = bench.port().omitting(Omission::Versions).manager(1);
    let b = bench.manager();
    let winner = claim("x", 0, "b");
    let faster = Fault::meanwhile(move || {
        assert!(claim_at_once(&b, &winner).grant().is_some());
    });
    for (call, fault) in after_the_rows(faster) {
        careless.port().will(call, fault);
    }
    let verdict = bench.claim(&careless, &[claim("x", 0, "a")]).remove(0);
    assert!(verdict.grant().is_some(), "the versions are what denies it");
}

fn definition(name: &str, definition: &str) -> TaskDefinition {
    TaskDefinition {
        task: task(name),
        schedule: "every minute".to_owned(),
        canonical: "every 60000ms phase 0ms".to_owned(),
        concurrency: Concurrency::ONE,
        definition: definition.to_owned(),
    }
}

#[test]
fn a_definition_that_another_client_was_faster_with_is_decided_again_and_the_others_are_made_once()
{
    let bench = Bench::new();
    let (a, b) = (bench.manager(), bench.manager());
    let theirs = definition("x", "theirs");
    a.port().will(
        Call::WriteDefinitions,
        Fault::meanwhile(move || {
            let defined = at_once(b.define(&instance("b"), &[theirs])).unwrap();
            assert_eq!(defined.value, [Defined::New]);
        }),
    );
    let batch = [definition("x", "ours"), definition("y", "ours")];
    let defined = bench.run(a.define(&instance("a"), &batch)).unwrap().value;
    let differed = Defined::Differed {
        was: definition("x", "theirs"),
        by: instance("b"),
    };
    assert_eq!(defined, [differed, Defined::New]);
}
