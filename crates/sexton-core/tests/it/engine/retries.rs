//! How a call is tried again: within its limit, after a wait, on which connection.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use sexton_core::clock::Clock;
use sexton_core::lock::engine::Unavailable;
use sexton_core::lock::{LockError, LockManager};
use sexton_testkit::fixtures::claim;
use sexton_testkit::memory_port::{
    Call, Counts, Fault, MemoryError, MemoryPort, MemoryPortManager,
};

use super::bench::{Bench, said};

const LIMIT: Duration = Duration::from_secs(1);
const CONFLICT: &str = "conflicts with other clients' writes until the call's time was over";
const BROKEN: &str = "the connection broke";

fn conflict() -> Fault {
    Fault::Fails(Unavailable::Conflict.into())
}

fn read_only() -> Fault {
    Fault::Fails(Unavailable::ReadOnly.into())
}

fn bounded(port: MemoryPort) -> MemoryPort {
    port.limits(|limits| limits.call = LIMIT)
}

/// More faults than a call meets within its limit.
fn many(by: &MemoryPortManager, call: Call, fault: impl Fn() -> Fault) {
    for _ in 0..5_000 {
        by.port().will(call, fault());
    }
}

fn counts(opened: u32, given_back: u32, closed: u32) -> Counts {
    Counts {
        opened,
        given_back,
        closed,
        suspected: 0,
    }
}

/// What the error of a call of `now` says.
fn failure(bench: &Bench, by: &MemoryPortManager) -> String {
    said(&bench.run(by.now()).unwrap_err())
}

#[test]
fn a_call_that_is_always_in_conflict_ends_at_its_limit_and_says_so() {
    let bench = Bench::new();
    let a = bounded(bench.port()).manager(1);
    many(&a, Call::Now, conflict);
    assert_eq!(failure(&bench, &a), CONFLICT);
    let ended = bench.clock.monotonic();
    assert!(ended < LIMIT, "no wait that ends after the limit is begun");
    assert!(ended > LIMIT - Duration::from_millis(64), "{ended:?}");
    let tries = a.port().take_calls().len();
    assert!((25..1_000).contains(&tries), "{tries} tries in a second");
    assert_eq!(a.port().counts(), counts(1, 1, 0), "one connection did");
}

#[test]
fn a_call_that_never_answers_ends_at_its_limit_as_stalled() {
    let bench = Bench::new();
    let a = bounded(bench.port()).manager(1);
    a.port().will(Call::Now, Fault::Stalls);
    let stalled = Unavailable::Stalled { limit: LIMIT }.to_string();
    assert_eq!(failure(&bench, &a), stalled);
    assert_eq!(bench.clock.monotonic(), LIMIT);
    let dropped = Counts {
        suspected: 1,
        ..counts(1, 0, 1)
    };
    assert_eq!(a.port().counts(), dropped);
}

#[test]
fn a_call_that_waits_for_a_connection_ends_at_its_limit() {
    let bench = Bench::new();
    let a = bounded(bench.port()).manager(1);
    a.port().will(Call::CheckOut, Fault::Takes(LIMIT * 2));
    let stalled = Unavailable::Stalled { limit: LIMIT }.to_string();
    assert_eq!(failure(&bench, &a), stalled);
    assert_eq!(bench.clock.monotonic(), LIMIT);
}

#[test]
fn a_call_that_is_slow_and_within_its_limit_is_answered() {
    let bench = Bench::new();
    let a = bounded(bench.port()).manager(1);
    let slow = LIMIT - Duration::from_millis(1);
    a.port().will(Call::Now, Fault::Takes(slow));
    bench.run(a.now()).unwrap();
    assert_eq!(bench.clock.monotonic(), slow);
}

#[test]
fn a_later_try_that_never_answers_is_told_by_why_it_was_tried_again() {
    for (call, fault) in [
        (Call::Now, conflict()),
        (Call::Now, Fault::Fails(MemoryError::Busy)),
    ] {
        let bench = Bench::new();
        let a = bounded(bench.port()).manager(1);
        let expected = match &fault {
            Fault::Fails(error) => error.to_string(),
            other => panic!("{other:?} is no error"),
        };
        a.port().will(call, fault);
        a.port().will(call, Fault::Stalls);
        assert_eq!(failure(&bench, &a), expected);
        assert_eq!(bench.clock.monotonic(), LIMIT);
    }
}

#[test]
fn a_connection_that_does_not_come_after_others_broke_is_told_by_what_broke() {
    let bench = Bench::new();
    let port = bounded(bench.port()).limits(|limits| limits.broken_max = 5);
    let a = port.manager(1);
    a.port().will(Call::Now, Fault::Fails(MemoryError::Broken));
    a.port().will(Call::CheckOut, Fault::Nothing);
    a.port().will(Call::CheckOut, Fault::Stalls);
    assert_eq!(failure(&bench, &a), BROKEN);
}

#[test]
fn waits_are_drawn_from_the_seed() {
    let waits = |seed| {
        let bench = Bench::new();
        let a = bench.port().manager(seed);
        for _ in 0..40 {
            a.port().will(Call::Now, conflict());
        }
        bench.run(a.now()).unwrap();
        bench.clock.slept()
    };
    let (seven, again, eight) = (waits(7), waits(7), waits(8));
    assert_eq!(seven.len(), 40);
    assert_eq!(seven, again);
    assert_ne!(seven, eight);
    let longest = |waits: &[Duration]| waits.iter().max().copied().unwrap_or_default();
    assert!(seven[0] <= Duration::from_millis(1), "{:?}", seven[0]);
    assert!(longest(&seven[..32]) <= Duration::from_millis(16));
    assert!(longest(&seven) <= Duration::from_millis(64));
}

#[test]
fn what_is_busy_is_undone_before_it_is_tried_again_on_the_same_connection() {
    let bench = Bench::new();
    let a = bench.manager();
    a.port().will(Call::Now, Fault::Fails(MemoryError::Busy));
    bench.run(a.now()).unwrap();
    let calls = [Call::CheckOut, Call::Now, Call::Undo, Call::Now];
    assert_eq!(a.port().take_calls(), calls);
    assert_eq!(bench.clock.slept().len(), 1);
    assert_eq!(a.port().counts(), counts(1, 1, 0));
}

#[test]
fn a_call_that_is_always_busy_ends_at_its_limit_with_nothing_left_open() {
    let bench = Bench::new();
    let a = bounded(bench.port()).manager(1);
    many(&a, Call::Now, || Fault::Fails(MemoryError::Busy));
    assert_eq!(failure(&bench, &a), MemoryError::Busy.to_string());
    assert!(bench.clock.monotonic() < LIMIT);
    assert_eq!(a.port().take_calls().last(), Some(&Call::Undo));
    assert_eq!(a.port().counts(), counts(1, 1, 0));
}

#[test]
fn a_connection_that_cannot_be_undone_is_dropped_and_the_call_says_what_was_busy() {
    let bench = Bench::new();
    let a = bench.manager();
    a.port().will(Call::Now, Fault::Fails(MemoryError::Busy));
    a.port().will(Call::Undo, Fault::Fails(MemoryError::Broken));
    assert_eq!(failure(&bench, &a), MemoryError::Busy.to_string());
    assert_eq!(a.port().counts(), counts(1, 0, 1));
}

#[test]
fn a_broken_connection_is_dropped_and_others_are_tried_as_often_as_the_store_bears() {
    for breaks in 0_u32..5 {
        let bench = Bench::new();
        let port = bench.port().limits(|limits| limits.broken_max = 3);
        let a = port.manager(1);
        for _ in 0..breaks {
            a.port().will(Call::Now, Fault::Fails(MemoryError::Broken));
        }
        let answer = bench.run(a.now());
        if breaks <= 3 {
            assert!(answer.is_ok(), "{breaks} broke");
            assert_eq!(a.port().counts(), counts(breaks + 1, 1, breaks));
        } else {
            assert_eq!(said(&answer.unwrap_err()), BROKEN);
            assert_eq!(a.port().counts(), counts(4, 0, 4));
        }
        assert!(bench.clock.slept().is_empty(), "another is tried at once");
    }
}

#[test]
fn after_a_restart_of_the_store_every_kept_connection_is_tried_and_dropped() {
    let bench = Bench::new();
    let port = bench.port().limits(|limits| limits.broken_max = 3);
    let a = port.manager(1);
    for _ in 0..3 {
        a.port()
            .will(Call::Now, Fault::Takes(Duration::from_millis(1)));
    }
    bench.run(join_all((0..3).map(|_| a.now())));
    assert_eq!(a.port().counts(), counts(3, 3, 0));
    bench.store.forget_connections();
    bench.run(a.now()).unwrap();
    assert_eq!(a.port().counts(), counts(4, 4, 3));
}

#[test]
fn an_outage_is_waited_out_only_where_the_store_says_for_how_long() {
    let bench = Bench::new();
    let a = bench.manager();
    a.port().will(Call::Now, read_only());
    assert_eq!(failure(&bench, &a), Unavailable::ReadOnly.to_string());
    assert!(bench.clock.slept().is_empty(), "it fails at once");
    assert_eq!(a.port().counts(), counts(1, 0, 1));

    let wait = Duration::from_millis(50);
    let port = bench
        .port()
        .limits(|limits| limits.outage_wait = Some(wait));
    let b = port.manager(1);
    for _ in 0..2 {
        b.port().will(Call::Now, read_only());
    }
    bench.run(b.now()).unwrap();
    assert_eq!(bench.clock.slept(), [wait, wait]);
    assert_eq!(b.port().counts(), counts(3, 1, 2));
}

#[test]
fn an_outage_that_lasts_ends_the_call_at_its_limit() {
    let bench = Bench::new();
    let port = bounded(bench.port()).limits(|limits| {
        limits.outage_wait = Some(Duration::from_millis(50));
    });
    let a = port.manager(1);
    bench.store.set_read_only(true);
    assert_eq!(failure(&bench, &a), Unavailable::ReadOnly.to_string());
    let ended = bench.clock.monotonic();
    assert!(ended < LIMIT && ended >= LIMIT - Duration::from_millis(50));
    bench.store.set_read_only(false);
    bench.run(a.now()).unwrap();
}

#[test]
fn a_store_that_only_reads_denies_nobody() {
    let bench = Bench::new();
    let a = bench.manager();
    bench.claim(&a, &[claim("x", 0, "a")]);
    bench.store.set_read_only(true);
    let batch = [claim("x", 0, "b")];
    let answer = bench.run(a.claim(sexton_core::lock::ClaimLead::ZERO, &batch));
    assert!(
        answer.unwrap_err().is_transient(),
        "what it says may be old"
    );
}

#[test]
fn what_nobody_can_mend_by_waiting_fails_at_once_with_advice() {
    let bench = Bench::new();
    let port = bench.port().limits(|limits| {
        limits.broken_max = 5;
        limits.outage_wait = Some(Duration::from_millis(50));
    });
    let a = port.manager(1);
    for call in [Call::Now, Call::CheckOut] {
        a.port().will(call, Fault::Fails(MemoryError::Permanent));
        let error = bench.run(a.now()).unwrap_err();
        let LockError::Refused { advice, action, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(
            (advice.as_str(), *action),
            ("permission denied", "read the clock")
        );
    }
    assert!(bench.clock.slept().is_empty());
    assert_eq!(a.port().counts().given_back, 0);
}

#[test]
fn a_dropped_call_drops_its_connection() {
    let bench = Bench::new();
    let a = Arc::new(bench.port().manager(1));
    a.port().will(Call::Now, Fault::Stalls);
    let mut call = a.now();
    assert!(futures::FutureExt::now_or_never(&mut call).is_none());
    drop(call);
    assert_eq!(a.port().counts(), counts(1, 0, 1));
}
