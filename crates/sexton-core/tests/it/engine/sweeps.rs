//! Sweeps: page by page, looking again at what is in conflict, within their limits.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{
    Enqueue, Execution, ExecutionState, InstanceReport, LockManager, Outcome, PauseChange, Sweep,
    SweepQuery,
};
use sexton_core::name::Incarnation;
use sexton_core::tick::Tick;
use sexton_testkit::fixtures::{claim, execution, instance, task};
use sexton_testkit::memory_port::{Call, Fault, Layout, MemoryPort, MemoryPortManager};

use super::bench::{Bench, at_once, enqueue, key, lock_of, recovering, settlement};

fn sweep(bench: &Bench, by: &MemoryPortManager, query: &SweepQuery) -> Sweep {
    bench.run(by.sweep(query)).unwrap().value
}

fn claimable(sweep: &Sweep) -> Vec<Execution> {
    let found = sweep.claimable.iter();
    found.map(|one| one.execution.clone()).collect()
}

/// How many pages were looked at since this was last asked.
fn looks(by: &MemoryPortManager) -> usize {
    let calls = by.port().take_calls();
    calls
        .iter()
        .filter(|call| **call == Call::Candidates)
        .count()
}

fn paged(bench: &Bench, layout: Layout) -> MemoryPort {
    let port = bench.port().layout(layout);
    port.limits(|limits| limits.candidates_page = 2)
}

/// Two executions that wait of each of three tasks.
fn six_wait(bench: &Bench) -> Vec<Execution> {
    let names = ["a", "b", "c"];
    let of_task = |name| [execution(name, 0), execution(name, 100)];
    let all: Vec<Execution> = names.into_iter().flat_map(of_task).collect();
    let batch: Vec<Enqueue> = all.iter().cloned().map(enqueue).collect();
    bench.run(bench.manager().enqueue(&batch)).unwrap();
    all
}

#[test]
fn a_sweep_finds_what_waits_page_by_page_and_each_once() {
    for (layout, pages) in [(Layout::Table, 4), (Layout::Documents, 2)] {
        let bench = Bench::new();
        let all = six_wait(&bench);
        let a = paged(&bench, layout).manager(1);
        let swept = sweep(&bench, &a, &SweepQuery::default());
        assert_eq!(claimable(&swept), all, "{layout:?}");
        assert_eq!(looks(&a), pages, "{layout:?}");
    }
}

#[test]
fn a_sweep_stops_at_its_limit_and_the_next_goes_on_behind_it() {
    for layout in [Layout::Table, Layout::Documents] {
        let bench = Bench::new();
        let all = six_wait(&bench);
        let a = paged(&bench, layout).manager(1);
        let mut query = SweepQuery {
            limit: 3,
            ..SweepQuery::default()
        };
        assert_eq!(
            claimable(&sweep(&bench, &a, &query)),
            all[..3],
            "{layout:?}"
        );
        query.after = Some(all[2].clone());
        assert_eq!(
            claimable(&sweep(&bench, &a, &query)),
            all[3..],
            "{layout:?}"
        );
    }
}

/// An execution of `x` whose last holder is gone, and one of `y` that waits.
fn one_lost(bench: &Bench) -> [Execution; 2] {
    let leased = recovering(claim("x", 0, "a"), 1, 100);
    bench.claim(&bench.manager(), std::slice::from_ref(&leased));
    let waits = execution("y", 0);
    bench
        .run(bench.manager().enqueue(&[enqueue(waits.clone())]))
        .unwrap();
    bench.store.clock.advance(Duration::from_secs(1));
    [leased.execution, waits]
}

fn will_conflict(bench: &Bench, by: &MemoryPortManager, times: usize) {
    for _ in 0..times {
        let store = Arc::clone(&bench.store);
        by.port()
            .will(Call::Swap, Fault::meanwhile(move || store.touch(key("x"))));
    }
}

#[test]
fn what_is_in_conflict_is_looked_at_again_and_closed_once() {
    let bench = Bench::new();
    let [lost, waits] = one_lost(&bench);
    let a = bench.manager();
    will_conflict(&bench, &a, 3);
    let swept = sweep(&bench, &a, &SweepQuery::default());
    assert_eq!(swept.lost, std::slice::from_ref(&lost));
    assert_eq!(
        claimable(&swept),
        [waits],
        "it is named once, though it was found four times"
    );
    assert_eq!(looks(&a), 4);
    assert_eq!(bench.clock.slept().len(), 3);
    let state = bench.record(&lost).unwrap().state;
    assert_eq!(state, ExecutionState::Ended(Outcome::Lost));
}

/// Of two, the first in order is in conflict at the first look, which closes the other.
#[test]
fn what_is_closed_is_named_in_order_whichever_look_closed_it() {
    let bench = Bench::new();
    let leased = ["x", "z"].map(|name| recovering(claim(name, 0, "a"), 1, 100));
    bench.claim(&bench.manager(), &leased);
    bench.store.clock.advance(Duration::from_secs(1));
    let a = bench.manager();
    will_conflict(&bench, &a, 1);
    let swept = sweep(&bench, &a, &SweepQuery::default());
    assert_eq!(swept.lost, leased.map(|claim| claim.execution));
    assert_eq!(looks(&a), 2);
}

#[test]
fn after_twenty_four_looks_a_sweep_leaves_what_is_in_conflict_to_the_next() {
    let bench = Bench::new();
    let [lost, waits] = one_lost(&bench);
    let a = bench.manager();
    will_conflict(&bench, &a, 25);
    let swept = sweep(&bench, &a, &SweepQuery::default());
    assert!(swept.lost.is_empty());
    assert_eq!(claimable(&swept), [waits]);
    assert_eq!(looks(&a), 1 + 24);
    assert_eq!(sweep(&bench, &a, &SweepQuery::default()).lost, [lost]);
}

#[test]
fn a_sweep_looks_again_no_longer_than_a_call_may_take() {
    let bench = Bench::new();
    let [_, waits] = one_lost(&bench);
    let limit = Duration::from_millis(5);
    let a = bench.port().limits(|limits| limits.call = limit).manager(1);
    will_conflict(&bench, &a, 25);
    let swept = sweep(&bench, &a, &SweepQuery::default());
    assert_eq!(claimable(&swept), [waits], "it answers what it has found");
    let looks = looks(&a);
    assert!((2..25).contains(&looks), "{looks} looks");
    assert!(bench.clock.slept().iter().sum::<Duration>() < limit);
}

#[test]
fn a_holder_that_settles_between_the_look_and_the_write_is_the_faster_one() {
    let bench = Bench::new();
    let leased = recovering(claim("x", 0, "a"), 1, 100);
    let holder = bench.manager();
    let verdict = bench
        .claim(&holder, std::slice::from_ref(&leased))
        .remove(0);
    let settlement = settlement(&lock_of(&leased, &verdict));
    bench.store.clock.advance(Duration::from_secs(1));
    let a = bench.manager();
    a.port().will(
        Call::Swap,
        Fault::meanwhile(move || {
            at_once(holder.settle(std::slice::from_ref(&settlement))).unwrap();
        }),
    );
    assert!(sweep(&bench, &a, &SweepQuery::default()).is_empty());
    let state = bench.record(&leased.execution).unwrap().state;
    assert_eq!(state, ExecutionState::Ended(Outcome::Succeeded));
}

#[test]
fn what_is_closed_counts_towards_the_limit_over_all_pages() {
    let bench = Bench::new();
    let missed: Vec<Execution> = ["a", "b", "c"].map(|name| execution(name, 0)).into();
    let batch: Vec<Enqueue> = missed
        .iter()
        .map(|one| Enqueue {
            deadline: Some(Tick::MIN.timestamp()),
            ..enqueue(one.clone())
        })
        .collect();
    bench.run(bench.manager().enqueue(&batch)).unwrap();
    let a = bench
        .port()
        .limits(|limits| limits.candidates_page = 1)
        .manager(1);
    let query = SweepQuery {
        limit: 2,
        ..SweepQuery::default()
    };
    assert_eq!(sweep(&bench, &a, &query).missed, missed[..2]);
    assert_eq!(sweep(&bench, &a, &query).missed, missed[2..]);
}

#[test]
fn a_heartbeat_looks_at_every_page_for_something_to_sweep() {
    for layout in [Layout::Table, Layout::Documents] {
        let bench = Bench::new();
        let a = bench
            .port()
            .layout(layout)
            .limits(|limits| limits.candidates_page = 1);
        let a = a.manager(1);
        let report = InstanceReport {
            instance: instance("a"),
            incarnation: Incarnation::from_u128(1),
            started_at: Tick::MIN.timestamp(),
            version: "1.2.3".to_owned(),
            clock_offset: None,
            running: 0,
            presence: Duration::from_secs(10),
        };
        let is_told = || bench.run(a.heartbeat(&report)).unwrap().value.sweep;
        let batch = ["a", "b"].map(|name| enqueue(execution(name, 0)));
        bench.run(a.enqueue(&batch)).unwrap();
        let pause = PauseChange::Pause {
            note: String::new(),
            by: "ops".to_owned(),
        };
        bench
            .run(a.change_pause(&[task("a"), task("b")], &pause))
            .unwrap();
        assert!(!is_told(), "nothing of a paused task is claimed");
        bench.run(a.enqueue(&[enqueue(execution("c", 0))])).unwrap();
        assert!(is_told(), "what waits is on the third page");
        let claim_of_c = recovering(claim("c", 0, "a"), 2, 100);
        bench.claim(&a, &[claim_of_c]);
        assert!(!is_told(), "it runs");
        bench.store.clock.advance(Duration::from_secs(1));
        assert!(is_told(), "its lease is over");
    }
}
