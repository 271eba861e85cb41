//! What a store bears in one call: bytes, pages and portions; and what it is asked beyond need.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{
    Claim, ClaimLead, Enqueued, ExecutionState, HistoryQuery, LockManager, Outcome, PauseChange,
    Release, Renewal, Renewed, Retention, Settled, Settlement, TaskQuery,
};
use sexton_core::policy::Lease;
use sexton_testkit::fixtures::{claim, execution, task};
use sexton_testkit::memory_port::{Call, Fault, MemoryError};

use super::bench::{Bench, enqueue, key, lock_of, recovering, settlement, taken, whole};

/// Settlements of this many executions, each with an output of this many bytes.
fn settlements(bench: &Bench, output_bytes: &[usize]) -> Vec<Settlement> {
    let claims: Vec<Claim> = (0..output_bytes.len())
        .map(|number| claim(&format!("task {number}"), 0, "a"))
        .collect();
    let verdicts = bench.claim(&bench.manager(), &claims);
    let locks = claims.iter().zip(&verdicts);
    let locks = locks.map(|(claim, verdict)| lock_of(claim, verdict));
    let of_each = locks.zip(output_bytes);
    of_each
        .map(|(lock, bytes)| settlement(&lock).with_output(&"x".repeat(*bytes)))
        .collect()
}

#[test]
fn settlements_are_swapped_as_many_at_once_as_the_store_bears_bytes() {
    let bench = Bench::new();
    // A record takes 1,024 bytes besides its output.
    let batch = settlements(&bench, &[1_000, 1_000, 1_000, 9_000, 10, 10]);
    let port = bench
        .port()
        .limits(|limits| limits.settled_bytes_max = 4_100);
    let a = port.manager(1);
    let settled = whole(bench.run(a.settle(&batch)).unwrap());
    assert_eq!(settled, [Settled::Recorded { waiting: None }; 6]);
    let sizes: Vec<usize> = a.port().take_swapped().iter().map(BTreeSet::len).collect();
    assert_eq!(sizes, [2, 1, 1, 2], "what is too large goes alone");
    for settlement in &batch {
        let record = bench.record(&settlement.lock.execution).unwrap();
        assert_eq!(record.state, ExecutionState::Ended(Outcome::Succeeded));
        assert_eq!(record.output.as_deref(), settlement.output());
    }
}

#[test]
fn rounds_that_are_done_stay_done_when_a_later_one_is_in_conflict() {
    let bench = Bench::new();
    let batch = settlements(&bench, &[10, 10, 10]);
    let port = bench.port().limits(|limits| limits.settled_bytes_max = 1);
    let a = port.manager(1);
    let store = Arc::clone(&bench.store);
    a.port().will(Call::Swap, Fault::Nothing);
    a.port().will(
        Call::Swap,
        Fault::meanwhile(move || store.touch(key("task 1"))),
    );
    whole(bench.run(a.settle(&batch)).unwrap());
    let swapped: Vec<BTreeSet<_>> = a.port().take_swapped();
    let expected = ["task 0", "task 1", "task 1", "task 2"];
    assert_eq!(swapped, expected.map(|name| BTreeSet::from([key(name)])));
}

#[test]
fn where_a_store_confirms_by_write_a_holder_is_told_of_its_loss_only_after_one() {
    for confirms in [false, true] {
        let bench = Bench::new();
        let claim_of_a = recovering(claim("x", 0, "a"), 2, 100);
        let verdict = bench
            .claim(&bench.manager(), std::slice::from_ref(&claim_of_a))
            .remove(0);
        let lock = lock_of(&claim_of_a, &verdict);
        bench.store.clock.advance(Duration::from_secs(1));
        let claim_of_b = recovering(claim("x", 0, "b"), 2, 60_000);
        bench.claim(&bench.manager(), &[claim_of_b]);

        let port = bench
            .port()
            .limits(|limits| limits.confirms_by_write = confirms);
        let a = port.manager(1);
        let lease = Lease::new(Duration::from_secs(1)).unwrap();
        let unknown = Renewal {
            lock: sexton_core::lock::HeldLock {
                execution: execution("unknown", 0),
                ..lock.clone()
            },
            lease,
        };
        let renewals = [
            Renewal {
                lock: lock.clone(),
                lease,
            },
            unknown,
        ];
        assert_eq!(
            whole(bench.run(a.renew(&renewals)).unwrap()),
            [Renewed::Lost, Renewed::Lost]
        );
        let settled = whole(bench.run(a.settle(&[settlement(&lock)])).unwrap());
        assert_eq!(settled, [Settled::Refused]);
        let release = Release {
            lock,
            deadline: None,
        };
        whole(bench.run(a.release(&[release])).unwrap());
        let expected = match confirms {
            true => vec![BTreeSet::from([key("x")]); 3],
            false => Vec::new(),
        };
        assert_eq!(
            a.port().take_swapped(),
            expected,
            "what has no row is not made one"
        );

        // A claim asks for nothing that it holds.
        assert_eq!(bench.claim(&a, &[claim("x", 0, "a")]), [taken()]);
        assert_eq!(a.port().take_swapped(), []);
    }
}

#[test]
fn a_loss_that_cannot_be_confirmed_is_looked_at_again() {
    let bench = Bench::new();
    let claim_of_a = recovering(claim("x", 0, "a"), 2, 100);
    let verdict = bench
        .claim(&bench.manager(), std::slice::from_ref(&claim_of_a))
        .remove(0);
    let lock = lock_of(&claim_of_a, &verdict);
    bench
        .run(bench.manager().settle(&[settlement(&lock)]))
        .unwrap();
    let port = bench
        .port()
        .limits(|limits| limits.confirms_by_write = true);
    let a = port.manager(1);
    let store = Arc::clone(&bench.store);
    a.port()
        .will(Call::Swap, Fault::meanwhile(move || store.touch(key("x"))));
    let lease = Lease::new(Duration::from_secs(1)).unwrap();
    let renewed = whole(bench.run(a.renew(&[Renewal { lock, lease }])).unwrap());
    assert_eq!(renewed, [Renewed::Lost]);
    assert_eq!(a.port().take_swapped().len(), 2);
}

/// Five executions that are over, an hour apart and long ago, of one task.
fn run_five(bench: &Bench) {
    for hours in (1..=5).rev() {
        let claim = claim("x", -hours * 3_600_000, "a");
        let manager = bench.manager();
        let verdict = bench
            .claim(&manager, std::slice::from_ref(&claim))
            .remove(0);
        let settled = bench.run(manager.settle(&[settlement(&lock_of(&claim, &verdict))]));
        whole(settled.unwrap());
    }
}

#[test]
fn records_are_pruned_in_portions() {
    for (limit, expected, portions) in [(10, 5, 3), (5, 5, 3), (4, 4, 2), (3, 3, 2), (0, 0, 0)] {
        let bench = Bench::new();
        run_five(&bench);
        let a = bench
            .port()
            .limits(|limits| limits.pruned_max = 2)
            .manager(1);
        let retention = Retention {
            age_max: Some(Duration::from_secs(60)),
            per_task_max: None,
        };
        let pruned = bench.run(a.prune(&retention, limit)).unwrap().value;
        assert_eq!(pruned, expected, "limit {limit}");
        let calls = a.port().take_calls();
        let asked = calls.iter().filter(|call| **call == Call::Prune).count();
        assert_eq!(asked, portions, "limit {limit}");
    }
}

#[test]
fn what_is_left_of_the_limit_goes_to_what_is_too_many() {
    let bench = Bench::new();
    run_five(&bench);
    let a = bench
        .port()
        .limits(|limits| limits.pruned_max = 2)
        .manager(1);
    // Two are older than that; of the three others, one is kept.
    let retention = Retention {
        age_max: Some(Duration::from_secs(3 * 3_600 + 60)),
        per_task_max: Some(1),
    };
    assert_eq!(bench.run(a.prune(&retention, 3)).unwrap().value, 3);
    assert_eq!(bench.run(a.prune(&retention, 3)).unwrap().value, 1);
    assert!(
        bench.record(&execution("x", -3_600_000)).is_some(),
        "the newest"
    );
}

#[test]
fn pages_are_asked_for_within_their_range() {
    let bench = Bench::new();
    let a = bench.manager();
    for chunk in 0..2 {
        let batch: Vec<_> = (0..600)
            .map(|number| enqueue(execution(&format!("task {:04}", chunk * 600 + number), 0)))
            .collect();
        let answer = bench.run(a.enqueue(&batch)).unwrap().value;
        assert!(answer.iter().all(|one| *one == Enqueued::Waiting));
        bench
            .run(
                a.change_pause(
                    &batch
                        .iter()
                        .map(|one| one.execution.task.clone())
                        .collect::<Vec<_>>(),
                    &PauseChange::Pause {
                        note: String::new(),
                        by: String::new(),
                    },
                ),
            )
            .unwrap();
    }
    let query = HistoryQuery {
        limit: usize::MAX,
        ..HistoryQuery::default()
    };
    assert_eq!(bench.run(a.history(&query)).unwrap().value.len(), 1_000);
    let page = TaskQuery::Page {
        after: None,
        limit: usize::MAX,
    };
    assert_eq!(bench.run(a.tasks(&page)).unwrap().value.len(), 1_000);
}

#[test]
fn others_are_notified_of_what_they_should_hear_of_where_the_store_can() {
    for notifies in [false, true] {
        let bench = Bench::new();
        let a = bench
            .port()
            .limits(|limits| limits.notifies = notifies)
            .manager(1);
        let notified = || {
            let calls = a.port().take_calls();
            calls.iter().filter(|call| **call == Call::Notify).count()
        };
        let once = usize::from(notifies);
        let claim_of_a = claim("x", 0, "a");
        let verdict = bench.claim(&a, std::slice::from_ref(&claim_of_a)).remove(0);
        assert_eq!(notified(), 0, "a claim is nobody's business");
        let cancel = |name| bench.run(a.request_cancel(&execution(name, 0))).unwrap();
        cancel("unknown");
        assert_eq!(notified(), 0);
        cancel("x");
        assert_eq!(notified(), once);
        let release = Release {
            lock: lock_of(&claim_of_a, &verdict),
            deadline: None,
        };
        bench.run(a.release(&[release])).unwrap();
        assert_eq!(notified(), once);
        // A call does not fail for a notification that does.
        if notifies {
            a.port()
                .will(Call::Notify, Fault::Fails(MemoryError::Permanent));
        }
        bench.run(a.enqueue(&[enqueue(execution("y", 0))])).unwrap();
        assert_eq!(notified(), once);
        bench
            .run(a.change_pause(&[task("x")], &PauseChange::Resume))
            .unwrap();
        assert_eq!(notified(), once);
        bench.run(a.claim(ClaimLead::ZERO, &[])).unwrap();
        assert_eq!(notified(), 0);
    }
}
